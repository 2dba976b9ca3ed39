"""What the MLflow store lacks of students that were trained while it was away."""

from collections.abc import Mapping

from brain_teacher.errors import BrainTeacherError
from brain_teacher.tracking.models import find_mlflow_run
from brain_teacher.tracking.store import first_line, import_mlflow


def find_untracked(fingerprints: Mapping[str, str]) -> tuple[list[str], str | None]:
    """Which students (name -> fingerprint) have no whole MLflow run, and the others' parent.

    A student whose logging was cut off is untracked: its half run is ended as KILLED, and is no
    longer found by its fingerprint.
    """
    try:
        mlflow = import_mlflow()
        client = mlflow.MlflowClient()
        lacking, parents = [], []
        for name, fingerprint in fingerprints.items():
            found = find_mlflow_run(mlflow, fingerprint)
            parent = None if found is None else found.data.tags.get("mlflow.parentRunId")
            if parent is not None:
                parents.append((found.info.start_time, parent))
            if found is not None and found.info.status == "RUNNING":
                client.delete_tag(found.info.run_id, "fingerprint")
                client.set_terminated(found.info.run_id, "KILLED")
            if found is None or found.info.status == "RUNNING":
                lacking.append(name)
    except Exception as error:  # whatever the store raises
        reason = first_line(error)
        raise BrainTeacherError(f"the MLflow store cannot be reached ({reason})") from error
    return lacking, max(parents)[1] if parents else None
