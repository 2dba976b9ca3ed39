"""What a served student is: pictures as people have them in, classes and log-probabilities out.

Every MLflow model carries this module, and what it imports of this package, under a name of its own
(`tracking.models`): a server needs no brain-teacher, and a model prepares pictures as it learnt to.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.exceptions import MlflowException

from brain_teacher.dataset.picture_files import (
    MOST_PIXELS,
    Unreadable,
    decoded,
    open_picture,
)

# Beside the network: its classes, and the side of its pictures.
FILE = "student.json"
# As `dataset.images` reads them for training; a test holds the two to the same pixels.
DECODED = 1.4
# Of one request; and of them at once through the network.
MOST_PICTURES, BATCH = 1000, 64
# A list of numbers that is a picture has this many levels at most.
LEVELS = 3
SHAPE = "give (height, width, 3) or (height, width) numbers from 0 to 255"


class Student:
    """Gives each picture's classes, the most probable first."""

    def __init__(self, network: Any, told: dict[str, Any]) -> None:
        self._network, self._size = network, told["image_size"]
        self._classes = [
            {"class_id": class_id, "name": name}
            for class_id, name in zip(told["class_id"], told["name"], strict=True)
        ]

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> list[list[dict]]:
        """For each picture a list of ``class_id``, ``name`` and ``log_prob``, best first.

        Parameters
        ----------
        data : list
            Pictures of any size: bytes of a file (JPEG, PNG, ...), the same in base64, or arrays of
            (height, width, 3) or (height, width) numbers from 0 to 255. A table of one column is
            taken for its column.
        params : dict, optional
            ``top``: only so many classes.
        """
        try:
            pictures, top = _listed(data), _top(params or {}, len(self._classes))
            pixels = np.stack([self._prepared(each, row) for row, each in enumerate(pictures)])
        except ValueError as error:
            # Of this class, MLflow's server makes an answer 400.
            raise MlflowException.invalid_parameter_value(str(error)) from None
        log_probs = self.log_probs(pixels)
        order = np.argsort(-log_probs, axis=1, kind="stable")[:, :top]
        return [
            [self._classes[k] | {"log_prob": round(float(row[k]), 6)} for k in best]
            for row, best in zip(log_probs, order, strict=True)
        ]

    def log_probs(self, pixels: np.ndarray) -> np.ndarray:
        """The network's answer to prepared pictures, uint8 of shape (n, 3, size, size)."""
        import torch

        parts = [
            torch.from_numpy(pixels[start : start + BATCH].astype(np.float32))
            for start in range(0, len(pixels), BATCH)
        ]
        with torch.inference_mode():
            return torch.cat([self._network(part) for part in parts]).numpy()

    def _prepared(self, picture: Any, row: int) -> np.ndarray:
        """A picture as the network learnt from them: (3, size, size), uint8."""
        from PIL import Image, ImageOps

        size = (self._size, self._size)
        try:
            if isinstance(picture, str | bytes):
                content = picture if isinstance(picture, bytes) else _from_base64(picture)
                with open_picture(BytesIO(content)) as image:
                    least = max(int(DECODED * self._size), min(image.size) // 4)
                    rgb = decoded(image, least=least)
                    fitted = ImageOps.fit(rgb, size, Image.Resampling.BICUBIC)
            else:
                rgb = Image.fromarray(_from_numbers(picture)).convert("RGB")
                fitted = ImageOps.fit(rgb, size, Image.Resampling.BICUBIC)
        except Unreadable as error:
            raise ValueError(f"inputs[{row}] cannot be read: {error.reason}") from error
        except ValueError as error:
            raise ValueError(f"inputs[{row}] {error}") from error
        return np.asarray(fitted).transpose(2, 0, 1)


def _listed(data: Any) -> list:
    """The pictures of a request."""
    if hasattr(data, "columns"):  # a table of pandas
        if len(data.columns) != 1:
            raise ValueError(
                f"a table of {len(data.columns)} columns: give one, with a picture in each row"
            )
        data = data.iloc[:, 0]
    if isinstance(data, np.ndarray) and data.ndim not in (1, 3, 4):
        raise ValueError(f"an array of {data.ndim} dimensions: give a list of pictures")
    if isinstance(data, str | bytes | dict) or not hasattr(data, "__len__"):
        raise ValueError(f"inputs is {_kind(data)}: give a list of pictures")
    if not 1 <= len(data) <= MOST_PICTURES:
        raise ValueError(f"inputs holds {len(data)} pictures: give 1 to {MOST_PICTURES:,}")
    return list(data)


def _top(params: dict[str, Any], classes: int) -> int:
    top = params.get("top")
    top = classes if top is None else top
    if isinstance(top, bool) or not isinstance(top, int | np.integer) or top < 1:
        raise ValueError("params.top is how many classes are wanted: a whole number from 1 on")
    return min(int(top), classes)


def _from_base64(text: str) -> bytes:
    """The bytes behind base64, as programs write it: in lines, or with ``data:...;base64,``."""
    start = text[:100]
    if start.startswith("data:") and "," in start:
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("is text, but not base64 of a picture's file") from error


def _from_numbers(picture: Any) -> np.ndarray:
    """An array of numbers as pixels, (height, width, 3) or (height, width)."""
    if not isinstance(picture, list | tuple | np.ndarray):
        raise ValueError(f"is {_kind(picture)}: give base64 of a picture's file, or its pixels")
    first, levels = picture, 0
    while isinstance(first, Sequence) and not isinstance(first, str) and len(first):
        first, levels = first[0], levels + 1
        if levels > LEVELS:
            raise ValueError(f"is a list of more than {LEVELS} levels: {SHAPE}")
    try:
        values = np.asarray(picture)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"has rows of different lengths: {SHAPE}") from error
    if values.dtype.kind not in "uif" or not values.size:
        raise ValueError(f"is no array of numbers: {SHAPE}")
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] != 3):
        raise ValueError(f"has the shape {values.shape}: {SHAPE}")
    if values.shape[0] * values.shape[1] > MOST_PIXELS:
        raise ValueError(f"has more than {MOST_PIXELS:,} pixels")
    # NaN is neither.
    if not (values.min() >= 0 and values.max() <= 255):
        raise ValueError(f"has values that are not from 0 to 255: {SHAPE}")
    if values.dtype.kind == "f" and 0 < values.max() <= 1:
        raise ValueError(f"has values from 0 to 1, which would be taken for black: {SHAPE}")
    return np.round(values).astype(np.uint8)


def _kind(value: Any) -> str:
    names = {"str": "text", "dict": "an object", "NoneType": "null", "bool": "true or false"}
    kind = type(value).__name__
    return names.get(kind, "a number" if isinstance(value, int | float) else f"a {kind}")


def _load_pyfunc(path: str) -> Student:
    """What MLflow calls: the student of a model's ``data`` folder."""
    import mlflow.pytorch

    folder = Path(path)
    told = json.loads((folder / FILE).read_text("utf-8"))
    return Student(mlflow.pytorch.load_model(str(folder.parent)), told)
