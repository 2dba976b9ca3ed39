"""Students as MLflow models, and the registered model's versions."""

import time
from collections.abc import Callable, Mapping
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from brain_teacher.errors import BrainTeacherError
from brain_teacher.tracking.store import find_looks, first_line, import_mlflow, prepare_store

Make = Callable[[], Any]  # gives a torch module
Card = dict[str, Any]  # what an MLflow model says of itself
MODEL = "brain-teacher-student"
NAME = "student"  # of each MLflow model
DESCRIPTION = (
    "Networks that a brain taught: knowledge distillation from fMRI decoders. Every version says "
    "which brain, on what evidence, and whether the recordings were simulated."
)


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
    uri = _model_of(mlflow, mlflow_run, make_model, card)
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


def _model_of(mlflow: Any, mlflow_run: Any, make_model: Make, card: Card) -> str:
    client = mlflow.MlflowClient()
    # A kill in the middle of logging leaves an empty model, which is never READY.
    for model in _logged(client, mlflow_run):
        if model.status == "READY" and _has_files(client, model.model_id):
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
        pip_requirements=[f"torch=={version('torch').split('+')[0]}"],
    )


def _has_files(client: Any, model_id: str) -> bool:
    """Whether what was logged is still there: a store's artifacts can be moved, or cleaned away."""
    try:
        return bool(client.list_logged_model_artifacts(model_id))
    except OSError:
        return False


def _reached(method: Callable) -> Callable:
    """A method of the `Registry` whose store may be away, or of another schema: in one line."""

    @wraps(method)
    def call(*arguments: Any) -> Any:
        try:
            return method(*arguments)
        except BrainTeacherError:
            raise
        except Exception as error:  # whatever the store raises
            reason = first_line(error)
            raise BrainTeacherError(f"the MLflow registry cannot be reached ({reason})") from error

    return call


class Registry:
    """The registered model's versions and aliases. Its failures are errors: it is the output."""

    @_reached
    def __init__(self) -> None:
        self._mlflow = import_mlflow()
        self._client = self._mlflow.MlflowClient()
        self._experiment = prepare_store(self._mlflow, "promote")

    @_reached
    def find_version(self, fingerprint: str) -> str | None:
        """The version of the student with this fingerprint, or None; loads no torch.

        One whose artifacts are gone is none (`lost_versions`).
        """
        whole = (number for number, there in self._versions(fingerprint) if there)
        return next(whole, None)

    def lost_versions(self, fingerprint: str) -> list[str]:
        """The versions of a student whose artifacts are gone."""
        return [number for number, there in self._versions(fingerprint) if not there]

    def _versions(self, fingerprint: str) -> list[tuple[str, bool]]:
        found = self._client.search_model_versions(
            f"name='{MODEL}' and tags.fingerprint='{fingerprint}'"
        )
        models = {each.version: each.source.removeprefix("models:/") for each in found}
        return [(number, _has_files(self._client, model)) for number, model in models.items()]

    @_reached
    def student_model(self, fingerprint: str, name: str, make_model: Make, card: Card) -> str:
        """The URI of the student's MLflow model; logged again where the store lacks it."""
        mlflow_run = find_mlflow_run(self._mlflow, fingerprint)
        if mlflow_run is None:
            tags = {"fingerprint": fingerprint}
            made = self._client.create_run(self._experiment, run_name=name, tags=tags)
            self._client.set_terminated(made.info.run_id)
            mlflow_run = self._client.get_run(made.info.run_id)
        return _model_of(self._mlflow, mlflow_run, make_model, card)

    @_reached
    def register(self, uri: str, tags: dict[str, str]) -> str:
        """Make a version of a logged model."""
        if not self._client.search_registered_models(f"name = '{MODEL}'"):
            self._client.create_registered_model(MODEL, description=DESCRIPTION)
        model_id = uri.removeprefix("models:/")
        source = self._client.get_logged_model(model_id)
        return self._client.create_model_version(
            MODEL, uri, run_id=source.source_run_id, tags=tags, model_id=model_id
        ).version

    def looks(self, test_images: str) -> int | None:
        """How many comparisons were made on some test images; None where the store cannot say."""
        try:
            return len(find_looks(self._mlflow, test_images)) or None
        except Exception:  # noqa: BLE001 - a card without the count is still a card
            return None

    @_reached
    def describe(self, version: str, card: str, tags: dict[str, Any]) -> None:
        """Put the model card and tags on a version."""
        self._client.update_model_version(MODEL, str(version), card)
        for key, value in tags.items():
            self._client.set_model_version_tag(MODEL, str(version), key, str(value))

    @_reached
    def alias(self, alias: str) -> str | None:
        """The version behind an alias, as text, or None."""
        version = self._client.get_registered_model(MODEL).aliases.get(alias)
        return None if version is None else str(version)

    @_reached
    def set_alias(self, alias: str, version: str) -> None:
        """Point an alias at a version."""
        self._client.set_registered_model_alias(MODEL, alias, str(version))

    @_reached
    def remove_alias(self, alias: str) -> None:
        """Take an alias away."""
        self._client.delete_registered_model_alias(MODEL, alias)
