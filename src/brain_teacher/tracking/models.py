"""Students as MLflow models."""

import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from brain_teacher.tracking.servable import make_servable

Make = Callable[[], Any]  # gives a torch module
Card = dict[str, Any]  # what an MLflow model says of itself
NAME = "student"  # of each MLflow model
FILES = {"MLmodel", "data"}  # without which it cannot be loaded


def find_mlflow_run(mlflow: Any, fingerprint: str) -> Any:
    """The latest MLflow run of the student with this fingerprint, or None."""
    client = mlflow.MlflowClient()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = client.search_runs(experiments, f"tags.fingerprint = '{fingerprint}'", max_results=1)
    return found[0] if found else None


def log_student_model(
    mlflow: Any,
    fingerprint: str,
    make_model: Make,
    card: Card,
    *,
    metrics: Mapping[str, float] = MappingProxyType({}),
    tied: Mapping[str, str] = MappingProxyType({}),
    draw: Callable[[Path], Any] = lambda _: None,
) -> str | None:
    """Log a network on its student's MLflow run, unless it is there; returns the model's URI.

    None where the store does not know the student. The torch module is made only where the store
    lacks the model; the card says ``class_id``, ``image_size`` and where the student comes from.
    With a new model come its `metrics`, `tied` to a data set, and figures on its run (`draw` writes
    them into a folder).
    """
    mlflow_run = find_mlflow_run(mlflow, fingerprint)
    if mlflow_run is None:
        return None
    client, run_id = mlflow.MlflowClient(), mlflow_run.info.run_id
    before = {model.model_id for model in _logged(client, mlflow_run)}
    uri = model_of(mlflow, mlflow_run, make_model, card)
    if (model_id := uri.removeprefix("models:/")) not in before:
        now, metric = int(time.time() * 1000), mlflow.entities.Metric
        told = [metric(k, v, now, 0, model_id=model_id, **tied) for k, v in metrics.items()]
        client.log_batch(run_id, told)
        with TemporaryDirectory() as folder:
            draw(Path(folder))
            client.log_artifacts(run_id, folder, "figures")
    return uri


def _logged(client: Any, mlflow_run: Any) -> list[Any]:
    """The MLflow models of an MLflow run."""
    return client.search_logged_models(
        [mlflow_run.info.experiment_id], f"source_run_id = '{mlflow_run.info.run_id}'"
    )


def model_of(mlflow: Any, mlflow_run: Any, make_model: Make, card: Card) -> str:
    """The URI of the whole MLflow model of an MLflow run; logged anew where there is none."""
    client = mlflow.MlflowClient()
    # A kill in the middle of logging leaves an empty model, which is never READY.
    for model in _logged(client, mlflow_run):
        if model.status == "READY" and has_files(client, model.model_id):
            return model.model_uri
    made = client.create_logged_model(
        mlflow_run.info.experiment_id, name=NAME, source_run_id=mlflow_run.info.run_id
    )
    with TemporaryDirectory() as folder:
        _save_model(mlflow, made, Path(folder) / NAME, make_model(), card)
        client.log_model_artifacts(made.model_id, str(Path(folder) / NAME))
    output = mlflow.entities.LoggedModelOutput(made.model_id, step=0)
    client.log_outputs(mlflow_run.info.run_id, [output])
    client.finalize_logged_model(made.model_id, "READY")
    return made.model_uri


def _save_model(mlflow: Any, made: Any, folder: Path, module: Any, card: Card) -> None:
    """Save as MLflow does, but for the place of the store, which it writes into each model."""
    import numpy as np
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    size, n_classes = card["image_size"], len(card["class_id"])
    # Without names: a named tensor arrives as a dict, which the PyTorch flavour refuses.
    pixels = TensorSpec(np.dtype(np.float32), (-1, 3, size, size))
    answer = TensorSpec(np.dtype(np.float32), (-1, n_classes))
    ids = {"model_id": made.model_id, "model_uuid": made.model_id, "run_id": made.source_run_id}
    # The default format, an exported graph (pt2): no pickle, and no source needed to load it.
    mlflow.pytorch.save_model(
        module,
        folder,
        mlflow_model=Model(artifact_path=NAME, metadata=card, **ids),
        input_example=np.full((2, 3, size, size), 128, dtype=np.float32),
        signature=ModelSignature(Schema([pixels]), Schema([answer])),
        pip_requirements=[
            f"{name}=={version(name).split('+')[0]}" for name in ("torch", "numpy", "pillow")
        ],
    )
    make_servable(folder, card)


def has_files(client: Any, model_id: str) -> bool:
    """Whether what was logged is still there: a store's artifacts can be moved, or cleaned away.

    A card and evidence alone are no model.
    """
    try:
        found = {file.path for file in client.list_logged_model_artifacts(model_id)}
        return found >= FILES and bool(client.list_logged_model_artifacts(model_id, "data"))
    except OSError:
        return False
