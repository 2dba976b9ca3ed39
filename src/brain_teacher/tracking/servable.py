"""A saved student's model made fit to serve: its function takes pictures as people have them."""

import base64
import hashlib
import io
import json
from pathlib import Path
from typing import Any

from brain_teacher.files import regular

# What a model carries to prepare pictures and to answer: `brain_teacher.served`, and its imports.
PACKAGE = Path(__file__).parents[1]
CARRIED = ("served.py", "dataset/picture_files.py", "machine.py")
CODE = "code"


def make_servable(folder: Path, card: dict[str, Any]) -> None:
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
