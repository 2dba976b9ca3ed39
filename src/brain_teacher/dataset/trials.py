"""Trials: which image was shown when, and the voxels that answered."""

import json
import zipfile
import zlib
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
import pandas as pd

from brain_teacher.dataset.csv_tables import read_csv_table
from brain_teacher.dataset.ids import image_ids_from_numbers, split_image_id

STIMULI_FILE = "stimuli.csv"

# GOD's DataType: 1 training images, 2 test images, 3 imagery.
DATA_TYPES = TRAINING, TEST, IMAGERY = 1, 2, 3


@dataclass(frozen=True)
class Voxels:
    """One subject's trials in one ROI.

    Attributes
    ----------
    data : ndarray of shape (n_trials, n_voxels), float32
        As preprocessed by the laboratory; not yet z-scored.
    image_id, category : ndarray of str, shape (n_trials,)
    run : ndarray of int, shape (n_trials,)
        The scanner's run, numbered within its data type as in GOD.
    data_type : ndarray of int, shape (n_trials,), optional
        GOD's DataType (1 training, 2 test, 3 imagery); all training where it is not given.
    position : ndarray of int, shape (n_trials,), optional
        The trial's place within its run, from 1; the order of the rows where it is not given. Only
        the control that decodes time reads it.
    groups : dict of str to ndarray of str, shape (n_trials,)
        The further columns of ``stimuli.csv`` (style, session, ...).
    """

    data: np.ndarray
    image_id: np.ndarray
    category: np.ndarray
    run: np.ndarray
    data_type: np.ndarray | None = None
    position: np.ndarray | None = None
    groups: dict = field(default_factory=dict)

    def __post_init__(self):
        n_trials = len(self.data)
        if self.data.ndim != 2 or 0 in self.data.shape:
            raise ValueError(f"voxels have shape {self.data.shape}, not (trials, voxels)")
        # A frozen dataclass sets its own defaults through object.
        if self.data_type is None:
            object.__setattr__(self, "data_type", np.full(n_trials, TRAINING, dtype=np.int8))
        for name, column in self.columns().items():
            if column is not None and len(column) != n_trials:
                raise ValueError(f"{name} has {len(column)} entries for {n_trials} trials")
        if self.position is None:
            object.__setattr__(self, "position", place_in_run(self.run, self.data_type))
        for name in ("image_id", "category"):
            if (getattr(self, name) == "").any():
                raise ValueError(f"{name} of trial {np.argmax(getattr(self, name) == '')} is empty")
        bad = ~np.isfinite(self.data)
        if bad.any():
            trial, voxel = np.argwhere(bad)[0]
            raise ValueError(
                f"{bad.any(axis=0).sum()} of {self.data.shape[1]} voxels are not finite, first "
                f"voxel {voxel} in trial {trial} ({self.data[trial, voxel]}); remove such voxels "
                "or trials from the recording"
            )

    def columns(self):
        """The per-trial columns by name, groups included (as ``group_<name>``)."""
        own = {f.name: getattr(self, f.name) for f in fields(self)[1:-1]}
        return own | {f"group_{name}": column for name, column in self.groups.items()}

    def category_of(self, image_ids):
        """The category of each of some images, which must be among the trials'."""
        known = dict(zip(self.image_id, self.category, strict=True))
        return np.array([known[image] for image in image_ids])

    def take(self, trials):
        """The same value for some trials (indices or a mask)."""
        kept = {f.name: getattr(self, f.name)[trials] for f in fields(self)[:-1]}
        groups = {name: column[trials] for name, column in self.groups.items()}
        return Voxels(groups=groups, **kept)


def place_in_run(run, data_type, block=None):
    """Place of each trial within its run, from 1.

    Parameters
    ----------
    run, data_type : ndarray of int, shape (n_trials,)
        Runs of one number in different data types are different runs, as in GOD.
    block : ndarray of shape (n_trials,), optional
        BData's ``Block``, which counts a run's trials in the order of time. Where it is not given,
        not finite, not whole, or twice the same in a run, the rows stand for that order (those of
        GOD's files do).

    Returns
    -------
    ndarray of shape (n_trials,), int32
        Without gaps, also where `block` counts trials that are not there.

    Examples
    --------
    >>> place_in_run(np.array([7, 7, 8, 7]), np.ones(4, dtype=int)).tolist()
    [1, 2, 1, 3]
    """
    runs = np.unique(np.stack([data_type, run]), axis=1, return_inverse=True)[1].ravel()
    if block is None or not _orders(block, runs):
        block = np.arange(len(runs))
    order = np.lexsort((block, runs))
    is_first = np.diff(runs[order], prepend=-1) != 0
    starts = np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))
    place = np.empty(len(order), dtype=np.int32)
    place[order] = 1 + np.arange(len(order)) - starts
    return place


def _orders(block, runs):
    """Whether `block` is whole, finite and different for all trials of a run."""
    if not (np.isfinite(block).all() and (block == np.floor(block)).all()):
        return False
    return np.unique(np.stack([runs, block]), axis=1).shape[1] == len(block)


def read_voxels(path):
    """Read a voxel file: `Voxels` and its ``meta``.

    Raises
    ------
    ValueError
        If the file is broken, holds no voxels, or was made by an earlier version.
    """
    own = [field.name for field in fields(Voxels)[:-1]]
    arrays, meta = read_npz(path, [name for name in own if name != "position"], what="voxel")
    if "position" not in arrays:
        raise ValueError(
            "holds no array 'position': it was made by an earlier version; preprocess again"
        )
    groups = {
        name.removeprefix("group_"): column
        for name, column in arrays.items()
        if name.startswith("group_")
    }
    return Voxels(groups=groups, **{name: arrays[name] for name in own}), meta


def read_npz(path, names, *, what):
    """All arrays of an ``.npz`` file that must hold some `names`, and its ``meta`` (JSON).

    Nothing is unpickled: the file may come from anywhere.
    """
    if not zipfile.is_zipfile(path) and Path(path).exists():
        # Before numpy sees it, which would advise to load it unsafely.
        raise ValueError(
            f"is broken, or not a {what} file (File is not a zip file); fetch it again"
        )
    try:
        # Opened here: np.load leaves a file open that turns out to be broken.
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            missing = {*names, "meta"} - set(file.files)
            if missing:
                raise ValueError(f"holds no array {min(missing)!r}: it is not a {what} file")
            arrays = {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, TypeError) as error:
        # TypeError: a lone .npy array is no archive.
        raise ValueError(f"is broken, or not a {what} file ({error}); fetch it again") from error
    meta = json.loads(str(arrays.pop("meta")))
    if not isinstance(meta, dict):
        raise ValueError(f"meta is {meta!r}: it is not a {what} file")
    return arrays, meta


def read_stimuli(folder):
    """Read ``stimuli.csv``, if the data set has one: which number is which image.

    Returns
    -------
    DataFrame or None
        Indexed by ``stimulus_id`` (float64); columns ``image_id``, ``category`` and any groups, all
        text.

    Raises
    ------
    ValueError
        If a column is missing, or a cell is empty, no number, or stands twice; the row is given.
    """
    path = Path(folder) / STIMULI_FILE
    if not path.exists():
        return None
    table = read_csv_table(path, ("stimulus_id", "image_id", "category"))
    numbers = pd.to_numeric(table.pop("stimulus_id"), errors="coerce")
    for wrong, reason in wrong_stimuli(table, numbers):
        if wrong.any():
            # The header is row 1 of the file.
            raise ValueError(f"row {wrong.idxmax() + 2}: {reason}")
    table.index = pd.Index(numbers.to_numpy(np.float64), name="stimulus_id")
    of_image = table.drop_duplicates()
    if of_image["image_id"].duplicated().any():
        twice = of_image["image_id"][of_image["image_id"].duplicated()].iloc[0]
        raise ValueError(f"image {twice!r} has different categories or groups in different rows")
    return table


def wrong_stimuli(table, numbers):
    """What may be wrong with rows of ``stimuli.csv``: a mask of the rows, and the reason, each.

    Parameters
    ----------
    table : DataFrame of str
        Without ``stimulus_id``.
    numbers : Series of float
        ``stimulus_id``; NaN where it is no number.
    """
    return (
        (numbers.isna(), "stimulus_id is no number"),
        (numbers.duplicated() & numbers.notna(), "stimulus_id stands in an earlier row too"),
        ((table == "").any(axis=1), "a cell is empty"),
    )


def name_trials(stimulus_ids, stimuli, *, data_type=None):
    """Image, category and groups of each trial.

    Parameters
    ----------
    stimulus_ids : ndarray of shape (n_trials,), float64
    stimuli : DataFrame or None
        From `read_stimuli`; None means GOD's rule.
    data_type : ndarray of shape (n_trials,), optional
        Imagery trials (3) show no image: where their number names none, the category stands for it.

    Returns
    -------
    DataFrame of n_trials rows
        Columns ``image_id``, ``category`` and the groups.
    """
    if stimuli is None:
        imagined = np.zeros(len(stimulus_ids), bool) if data_type is None else data_type == IMAGERY
        imagined &= stimulus_ids == np.floor(stimulus_ids)
        ids = np.empty(len(stimulus_ids), dtype="<U16")
        ids[~imagined] = image_ids_from_numbers(stimulus_ids, seen=~imagined)
        ids[imagined] = [f"n{int(number):08d}" for number in stimulus_ids[imagined]]
        return pd.DataFrame({"image_id": ids, "category": [i.split("_")[0] for i in ids]})
    unknown = ~np.isin(stimulus_ids, stimuli.index)
    if unknown.any():
        row = int(np.argmax(unknown))
        raise ValueError(
            f"row {row}: stimulus_id {stimulus_ids[row]} is not in {STIMULI_FILE}; add it there"
        )
    return stimuli.loc[stimulus_ids].reset_index(drop=True)


def image_categories(image_ids, stimuli):
    """Category of each image id, from ``stimuli.csv`` or by GOD's rule."""
    if stimuli is None:
        return np.array([split_image_id(image)[0] for image in image_ids])
    known = stimuli.drop_duplicates("image_id").set_index("image_id")["category"]
    missing = [image for image in image_ids if image not in known.index]
    if missing:
        raise ValueError(f"image '{missing[0]}' is not in {STIMULI_FILE}; add it there")
    return known.loc[list(image_ids)].to_numpy(dtype=str)
