"""Soft labels beside the pictures of any torchvision data set: for training loops of one's own."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision.datasets import DatasetFolder

from brain_teacher.decoding.soft_labels import SoftLabels, read_soft_labels


class SoftLabelDataset(Dataset):
    """A torchvision folder of pictures, with each picture's soft label.

    Joined by id: a picture's is its file name without the ending, a class's the name of its
    folder. The order of neither matters.

    Parameters
    ----------
    pictures : torchvision.datasets.DatasetFolder
        Such as an ``ImageFolder``: its ``samples``, ``class_to_idx`` and transforms are used.
    soft_labels : path-like or SoftLabels
        A file of `brain-teacher decode` or `brain-teacher import-soft-labels`, or what
        `read_soft_labels` gives.
    temperature : float
        Above 0; larger is softer.
    missing : {"error", "drop"}
        What to do about pictures without a soft label.

    Raises
    ------
    ValueError
        If pictures lack soft labels, none is left, two have one id, or a class of either has no
        counterpart in the other.

    Examples
    --------
    ``SoftLabelDataset(ImageFolder("pictures"), "S1_HVC_logistic.npz")[0]`` is ``(picture, class
    number, probabilities)``, the last float32 of shape (n_classes,), in the order of the folder's
    own class numbers.
    """

    def __init__(
        self,
        pictures: DatasetFolder,
        soft_labels: str | Path | SoftLabels,
        *,
        temperature: float = 1.0,
        missing: str = "error",
    ) -> None:
        if missing not in ("error", "drop"):
            raise ValueError(f"missing is {missing!r}, not 'error' or 'drop'")
        if isinstance(soft_labels, str | Path):
            soft_labels = read_soft_labels(soft_labels)
        ids = [Path(path).stem for path, _ in pictures.samples]
        if len(set(ids)) < len(ids):
            twice = next(name for name in ids if ids.count(name) > 1)
            raise ValueError(f"image '{twice}' has more than one file")
        known = set(soft_labels.image_id.tolist())
        lacking = [name for name in ids if name not in known]
        if len(lacking) == len(ids) or (lacking and missing == "error"):
            raise ValueError(
                f"{len(lacking)} of {len(ids)} images have no soft label, '{lacking[0]}' for one"
                + ("" if len(lacking) == len(ids) else "; missing='drop' leaves them out")
            )
        classes = sorted(pictures.class_to_idx, key=pictures.class_to_idx.__getitem__)
        only = set(classes) ^ set(soft_labels.class_id.tolist())
        if only:
            name = min(only)
            place = "folders" if name in classes else "soft labels"
            raise ValueError(f"class '{name}' is only among the {place}")
        self.pictures = pictures
        self.rows = [row for row, name in enumerate(ids) if name in known]
        self.image_id = [ids[row] for row in self.rows]
        table = soft_labels.take(self.image_id)
        probs = table.softened(temperature)[:, table.truth(classes)]
        self.probs = torch.from_numpy(probs.astype(np.float32))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, int, torch.Tensor]:
        picture, label = self.pictures[self.rows[index]]
        return picture, label, self.probs[index]
