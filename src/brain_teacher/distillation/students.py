"""Students as values and as files; no torch, so that reading their answers is quick."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from brain_teacher.dataset.ids import rows_of
from brain_teacher.dataset.images import SPLITS
from brain_teacher.decoding.log_probs import check_log_probs, mean_nll
from brain_teacher.reading.arrays import read_npz
from brain_teacher.reading.text import Said

FORMAT = 1
CURVE_POINTS = 5
# Of each split; and of the whole file.
_OF_SPLIT = {"log_probs": ("f", 2), "image_id": ("U", 1), "category": ("U", 1)}
ARRAYS = {"class_id": ("U", 1)} | {
    f"{split}_{name}": form for split in SPLITS for name, form in _OF_SPLIT.items()
}


class Settings(Said):
    """How a student was trained, as far as others read it."""

    network: str
    weights: str
    width: int
    image_size: int
    epochs: int
    temperature: float
    alpha: float
    learning_rate: float


class Meta(Said):
    """What ``meta`` of a student file says."""

    teacher: str
    seed: int
    dataset: str
    simulated: bool
    subject: str
    roi: str
    decoder: str
    diverged: bool
    settings: Settings
    curves: dict[str, list[float | None]]
    plan: dict[str, Any] | str
    fold: int | None = None
    folds: int | None = None


@dataclass(frozen=True)
class Student:
    """A trained student, as the engine gives it."""

    # One value an epoch: ``train_loss``, ``learning_rate``, ``validation_accuracy``,
    # ``validation_nll``; None where there is none (`validated_epochs`).
    curves: dict[str, list[float | None]]
    # ``validation`` and ``test``: (n_images, n_classes), float32, rows as the images were given.
    # Empty if it diverged.
    log_probs: dict[str, np.ndarray]
    epoch: int  # from 1: whose weights these are
    weights: dict[str, np.ndarray]  # the network's state; empty if it diverged
    diverged: bool  # the loss became infinite or NaN


@dataclass(frozen=True)
class Answers:
    """What a student answered for the images that no subject saw, with ids."""

    meta: dict  # teacher, seed, settings, curves, plan, fingerprint, what the brain was, ...
    class_id: np.ndarray  # of str
    # By split; empty if the student diverged.
    log_probs: dict[str, np.ndarray]
    image_id: dict[str, np.ndarray]
    category: dict[str, np.ndarray]

    def __post_init__(self):
        for split, log_probs in self.log_probs.items():
            rows = len(self.image_id[split])
            if log_probs.shape != (rows, len(self.class_id)) or len(self.category[split]) != rows:
                raise ValueError(f"{split}: log_probs and ids have different lengths")
            check_log_probs(log_probs, self.image_id[split])
            if len(set(self.image_id[split])) < rows:
                raise ValueError(f"{split}: an image stands twice")
            self.truth(split)

    @property
    def diverged(self):
        """Whether the student's loss became infinite or NaN."""
        return self.meta["diverged"]

    def truth(self, split):
        """Column of each image's category."""
        lacks = f"{split}: category '{{}}' of an image is none of the classes"
        return rows_of(self.category[split], self.class_id, lacks=lacks)

    def category_by_id(self, split):
        """Each image's category, in the order of the image ids."""
        return self.category[split][np.argsort(self.image_id[split])]

    def correct(self, split):
        """Image id -> whether the most probable class is the image's category."""
        right = self.log_probs[split].argmax(axis=1) == self.truth(split)
        return dict(zip(self.image_id[split].tolist(), right.tolist(), strict=True))

    def accuracy(self, split):
        """Fraction of images answered correctly; None if the student diverged."""
        if self.diverged:
            return None
        return float(np.mean(list(self.correct(split).values())))

    def nll(self, split):
        """Mean NLL in nats; None if the student diverged."""
        if self.diverged:
            return None
        return mean_nll(self.log_probs[split], self.truth(split))


def validated_epochs(epochs, epoch):
    """The epochs, from 1, after which a student answers for the validation images.

    Where they choose the epoch, all; else about five for its curve: with as many validation images
    as training images, answering every time takes a quarter of the work. `epoch` is ``last`` or
    ``best``.

    Examples
    --------
    >>> sorted(validated_epochs(25, "last"))
    [5, 10, 15, 20, 25]
    """
    every = 1 if epoch == "best" else -(-epochs // CURVE_POINTS)
    return {*range(every, epochs + 1, every), epochs}


def student_arrays(student, *, class_id, image_id, category, meta):
    """What a student file holds, ready for ``np.savez``; ids and categories by split."""
    arrays = {"class_id": class_id}
    for split, log_probs in student.log_probs.items():
        arrays[f"{split}_log_probs"] = log_probs
        arrays[f"{split}_image_id"] = image_id[split]
        arrays[f"{split}_category"] = category[split]
    learnt = {"diverged": student.diverged, "epoch": student.epoch, "curves": student.curves}
    arrays["meta"] = np.array(json.dumps(meta | learnt | {"format": FORMAT}, sort_keys=True))
    return arrays


def read_student(path):
    """Read a student file; ``ValueError`` if it is broken, another file, or of a later format."""
    arrays, meta = read_npz(
        path, ("class_id",), arrays=ARRAYS, meta=Meta, format=FORMAT, what="student"
    )
    if not meta["diverged"] and (missing := ARRAYS.keys() - arrays):
        raise ValueError(f"holds no array {min(missing)!r}: it is not a student file")
    there = [split for split in SPLITS if f"{split}_log_probs" in arrays]
    parts = [{split: arrays[f"{split}_{name}"] for split in there} for name in _OF_SPLIT]
    return Answers(meta, arrays["class_id"], *parts)
