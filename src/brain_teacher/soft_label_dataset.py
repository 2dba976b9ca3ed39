"""Soft labels beside the pictures of any torchvision data set: for training loops of one's own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision.datasets import DatasetFolder
from torchvision.datasets.folder import IMG_EXTENSIONS, default_loader

from brain_teacher.decoding.soft_labels import SoftLabels, read_soft_labels

UNKNOWN = -100  # the label that torch's cross-entropy leaves out


class SoftLabelDataset(Dataset):
    """Pictures of a torchvision folder, or of a flat one, each with its soft label.

    Joined by id: a picture's is its file name without the ending, a class's the name of its
    folder. The order of neither matters.

    Parameters
    ----------
    pictures : torchvision.datasets.DatasetFolder or path-like
        Such as an ``ImageFolder``: its ``samples``, ``class_to_idx`` and transforms are used. Or a
        folder that holds all pictures itself.
    soft_labels : path-like or SoftLabels
        A file of `brain-teacher decode` or `brain-teacher import-soft-labels`, or what
        `read_soft_labels` gives.
    temperature : float
        Above 0; larger is softer.
    missing : {"error", "drop"}
        What to do about pictures without a soft label.
    subset : bool
        Leave out classes that only the pictures or only the table has. Rows are then normalised
        among the others, and labels are counted among them.
    category : mapping of str to str, optional
        Of a flat folder: the class of each image id. Without it labels are -100, which torch's
        cross-entropy leaves out.
    transform : callable, optional
        Of a flat folder: what is done to each picture.

    Attributes
    ----------
    classes : list of str
        Of labels and of probabilities, in their order: the folder's, or the sorted ones of the
        table.
    image_id : list of str
        Of the pictures.

    Raises
    ------
    ValueError
        If pictures lack soft labels or a category, none is left, two have one id, or a class of
        either has no counterpart in the other.

    Examples
    --------
    ``SoftLabelDataset(ImageFolder("pictures"), "S1_HVC_logistic.npz")[0]`` is ``(picture, class
    number, probabilities)``, the last float32 of shape (n_classes,).
    """

    def __init__(
        self,
        pictures: DatasetFolder | str | Path,
        soft_labels: str | Path | SoftLabels,
        *,
        temperature: float = 1.0,
        missing: str = "error",
        subset: bool = False,
        category: Mapping[str, str] | None = None,
        transform: Callable | None = None,
    ) -> None:
        if missing not in ("error", "drop"):
            raise ValueError(f"missing is {missing!r}, not 'error' or 'drop'")
        if isinstance(soft_labels, str | Path):
            soft_labels = read_soft_labels(soft_labels)
        table = soft_labels.sorted()
        if isinstance(pictures, str | Path):
            self.pictures: DatasetFolder | _Flat = _Flat(pictures, transform)
            ids, flat = _ids(self.pictures.samples), True
            own, self.classes = _categories(ids, category), table.class_id.tolist()
        else:
            if category is not None or transform is not None:
                raise ValueError("category and transform are a flat folder's; this one has its own")
            self.pictures, flat = pictures, False
            ids, self.classes = _ids(pictures.samples), _in_order(pictures)
            own = [self.classes[label] for _, label in pictures.samples]
        if own is None and subset:
            raise ValueError("subset takes the category of each picture")
        if own is not None:
            there = sorted(set(own)) if flat else self.classes
            self.classes = _shared(there, self.classes, table.class_id, subset=subset, flat=flat)
        rows = [row for row in range(len(ids)) if own is None or own[row] in self.classes]
        self.rows = _with_label(rows, ids, table.image_id.tolist(), missing)
        self.image_id = [ids[row] for row in self.rows]
        table = table.take(self.image_id)
        self.labels = [UNKNOWN] * len(self.rows)
        if own is not None:
            kept = [own[row] for row in self.rows]
            self.labels = [self.classes.index(name) for name in kept]
            if len(self.classes) < len(table.class_id):
                table = table.restricted(self.classes, np.array(kept))
        probs = table.softened(temperature)[:, table.truth(self.classes)]
        self.probs = torch.from_numpy(probs.astype(np.float32))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, int, torch.Tensor]:
        picture, _ = self.pictures[self.rows[index]]
        return picture, self.labels[index], self.probs[index]


class _Flat(Dataset):
    """The pictures of one folder, read as torchvision does."""

    def __init__(self, folder: str | Path, transform: Callable | None) -> None:
        files = sorted(Path(folder).iterdir())
        self.samples = [(p, UNKNOWN) for p in files if p.name.lower().endswith(IMG_EXTENSIONS)]
        if not self.samples:
            raise ValueError(f"{folder} holds no pictures itself; of folders give an ImageFolder")
        self.transform = transform

    def __getitem__(self, index: int) -> tuple[Any, int]:
        picture = default_loader(self.samples[index][0])
        return (self.transform(picture) if self.transform else picture), UNKNOWN


def _in_order(pictures: DatasetFolder) -> list[str]:
    return sorted(pictures.class_to_idx, key=pictures.class_to_idx.__getitem__)


def _ids(samples: list) -> list[str]:
    """The pictures' ids."""
    ids = [Path(path).stem for path, _ in samples]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise ValueError(f"image '{twice}' has more than one file")
    return ids


def _categories(ids: list[str], category: Mapping[str, str] | None) -> list[str] | None:
    """The class of each picture, as it was given."""
    if category is None:
        return None
    if lacking := [name for name in ids if name not in category]:
        raise ValueError(f"image '{lacking[0]}' has no category ({len(lacking)} have none)")
    return [str(category[name]) for name in ids]


def _shared(
    there: list[str], classes: list[str], of_table: np.ndarray, *, subset: bool, flat: bool
) -> list[str]:
    """The classes that are taught: all, or those that pictures and table have both."""
    own, table = set(there), set(of_table.tolist())
    # Of a flat folder a class without a picture is no mistake.
    only = own - table if flat else own ^ table
    if not subset and not only:
        return classes
    if not subset:
        name = min(only)
        place = "pictures" if name in own else "soft labels"
        raise ValueError(
            f"class '{name}' is only among the {place}; subset=True leaves such classes out"
        )
    if not own & table:
        raise ValueError("no class is among both the pictures and the soft labels")
    return [name for name in classes if name in own & table]


def _with_label(rows: list[int], ids: list[str], known: list[str], missing: str) -> list[int]:
    """The pictures that have a soft label; an error if any has none, and it matters."""
    there = set(known)
    lacking = [ids[row] for row in rows if ids[row] not in there]
    if lacking and (len(lacking) == len(rows) or missing == "error"):
        raise ValueError(
            f"{len(lacking)} of {len(rows)} images have no soft label, '{lacking[0]}' for one"
            + ("" if len(lacking) == len(rows) else "; missing='drop' leaves them out")
        )
    return [row for row in rows if ids[row] in there]
