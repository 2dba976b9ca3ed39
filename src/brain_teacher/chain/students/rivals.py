"""The rival's files: a network that was trained as a teacher, and its out-of-fold soft labels."""

from pathlib import Path

from brain_teacher.decoding.soft_labels import SoftLabels, read_soft_labels
from brain_teacher.distillation.teachers import RIVAL
from brain_teacher.errors import BrainTeacherError, about

LIVE = "resnet34-live"
NETWORK = "resnet34"
WEIGHTS, TABLE = f"{NETWORK}.safetensors", f"{RIVAL}.npz"


def live_weights(folder: str | Path) -> Path:
    """Where the trained network's weights are."""
    return _there(Path(folder) / WEIGHTS)


def read_table(folder: str | Path) -> SoftLabels:
    """The network's out-of-fold soft labels."""
    path = _there(Path(folder) / TABLE)
    with about(path):
        return read_soft_labels(path)


def _there(path: Path) -> Path:
    if not path.is_file():
        raise BrainTeacherError(
            f"{path} is missing: `dvc repro rivals`, or `brain-teacher rivals`, trains the "
            "ResNet34 that distill.teacher asks for"
        )
    return path
