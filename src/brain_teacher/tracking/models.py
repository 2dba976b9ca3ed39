"""Students as MLflow models, and the registered model's versions."""

import base64
import hashlib
import io
import json
from collections.abc import Callable
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import regular
from brain_teacher.tracking.store import (
    ALREADY_THERE,
    find_looks,
    first_line,
    import_mlflow,
    prepare_store,
)

Make = Callable[[], Any]  # gives a torch module
Card = dict[str, Any]  # what an MLflow model says of itself
MODEL = "brain-teacher-student"
NAME = "student"  # of each MLflow model
# What a model carries to prepare pictures and to answer: `brain_teacher.served`, and its imports.
PACKAGE = Path(__file__).parents[1]
CARRIED = ("served.py", "dataset/picture_files.py", "machine.py")
CODE = "code"
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


def log_student_model(mlflow: Any, fingerprint: str, make_model: Make, card: Card) -> str | None:
    """Log a network on its student's MLflow run, unless it is there; returns the model's URI.

    None where the store does not know the student. The torch module is made only where the store
    lacks the model; the card says ``class_id``, ``image_size`` and where the student comes from.
    """
    mlflow_run = find_mlflow_run(mlflow, fingerprint)
    return mlflow_run and _model_of(mlflow, mlflow_run, make_model, card)


def _model_of(mlflow: Any, mlflow_run: Any, make_model: Make, card: Card) -> str:
    client = mlflow.MlflowClient()
    logged = client.search_logged_models(
        [mlflow_run.info.experiment_id], f"source_run_id = '{mlflow_run.info.run_id}'"
    )
    # A kill in the middle of logging leaves an empty model, which is never READY.
    for model in logged:
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
        pip_requirements=[
            f"{name}=={version(name).split('+')[0]}" for name in ("torch", "numpy", "pillow")
        ],
    )
    _make_servable(folder, card)


def _make_servable(folder: Path, card: Card) -> None:
    """Let a saved model's function take pictures as people have them; the network stays beside."""
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType, Array, DataType, Object, Property

    file = folder / "MLmodel"
    model = Model.load(file)
    data = folder / model.flavors["pytorch"]["model_data"]
    told = {key: card[key] for key in ("class_id", "image_size")}
    names = card.get("class_name", {})
    told["name"] = [names.get(each, each) for each in card["class_id"]]
    (data / "student.json").write_text(json.dumps(told), encoding="utf-8")
    function = model.flavors["python_function"]
    function |= {"loader_module": f"{_carry_code(folder / CODE)}.served", "code": CODE}
    for of_pytorch in ("config", "pickle_module_name"):
        function.pop(of_pytorch, None)
    pictures = [_example_picture(card["image_size"])]
    contents = {"input_example.json": pictures, "serving_input_example.json": {"inputs": pictures}}
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    model.saved_input_example_info = {
        "artifact_path": "input_example.json",
        "serving_input_path": "serving_input_example.json",
        "type": "json_object",
    }
    answer = {"class_id": DataType.string, "name": DataType.string, "log_prob": DataType.double}
    properties = [Property(name, kind) for name, kind in answer.items()]
    model.signature = ModelSignature(
        Schema([ColSpec(AnyType())]),
        Schema([ColSpec(Array(Object(properties)))]),
        ParamSchema([ParamSpec("top", DataType.long, None)]),
    )
    # The request's JSON comes as it is: MLflow would make arrays of base64, each as wide as the
    # longest. This is what MLflow says of a model whose function has type hints.
    model.signature._is_signature_from_type_hint = True
    model.model_size_bytes = sum(each.stat().st_size for each in folder.rglob("*"))
    model.save(file)


def _example_picture(size: int) -> str:
    """A grey PNG in base64: what a request holds."""
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (size, size), (128, 128, 128)).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode("ascii")


def _carry_code(folder: Path) -> str:
    """Write what a model carries of this package; the name that it has there.

    The name holds a digest of the content: a process may load models of several versions.
    """
    texts = {name: regular(PACKAGE / name).read_text("utf-8") for name in CARRIED}
    digest = hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:12]
    package = f"brain_teacher_served_{digest}"
    for name, text in texts.items():
        place = folder / package / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text.replace("from brain_teacher.", f"from {package}."), encoding="utf-8")
        (place.parent / "__init__.py").touch()
    return package


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
        try:
            self._client.create_registered_model(MODEL, description=DESCRIPTION)
        except self._mlflow.exceptions.MlflowException as error:
            if error.error_code != ALREADY_THERE:
                raise
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
