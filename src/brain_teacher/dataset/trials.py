"""Trials: which image was shown when, and the voxels that answered."""

import re
from dataclasses import dataclass, field, fields

import numpy as np

from brain_teacher.dataset.columns import as_text, as_voxels, as_whole
from brain_teacher.dataset.ids import rows_of
from brain_teacher.dataset.rules import hold_to
from brain_teacher.reading.arrays import read_npz
from brain_teacher.reading.text import Said

# GOD's DataType: 1 training images, 2 test images, 3 imagery.
DATA_TYPES = TRAINING, TEST, IMAGERY = 1, 2, 3


# Of a voxel file.
FORMAT = 1
ARRAYS = {
    "data": ("f", 2), "image_id": ("U", 1), "category": ("U", 1), "run": ("iu", 1),
    "data_type": ("iu", 1), "position": ("iu", 1), "group_*": ("U", 1),
}  # fmt: skip


class Meta(Said):
    """What ``meta`` of a voxel file says."""

    dataset: str
    simulated: bool


@dataclass(frozen=True)
class Voxels:
    """One subject's trials in one ROI.

    Attributes
    ----------
    data : ndarray of shape (n_trials, n_voxels), float32
        As preprocessed by the laboratory; not yet z-scored.
    image_id, category : ndarray of str, shape (n_trials,)
        Which picture was shown, and what it shows; none is empty.
    run : ndarray of int, shape (n_trials,)
        The scanner's run, numbered within its data type as in GOD. Where `groups` have a
        ``session`` and runs are numbered anew in each, they are numbered through here
        (`runs_through`): of two trials with one data type, one number means one run.
    data_type : ndarray of int, shape (n_trials,), optional
        GOD's DataType (1 training, 2 test, 3 imagery); all training where it is not given.
    position : ndarray of int, shape (n_trials,), optional
        The trial's place within its run, from 1; the order of the rows where it is not given. Only
        the control that decodes time reads it.
    groups : dict of str to ndarray of str, shape (n_trials,)
        The further columns of ``stimuli.csv`` (style, session, ...).

    Raises
    ------
    ValueError
        If the columns have different lengths, an id is empty, or a voxel is not finite.
    """

    data: np.ndarray
    image_id: np.ndarray
    category: np.ndarray
    run: np.ndarray
    data_type: np.ndarray | None = None
    position: np.ndarray | None = None
    groups: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        # A frozen dataclass sets its own fields through object.
        for name, value in self._settled().items():
            object.__setattr__(self, name, value)
        n_trials = len(self.data)
        if self.data.ndim != 2 or 0 in self.data.shape:
            raise ValueError(f"voxels have shape {self.data.shape}, not (trials, voxels)")
        if self.data_type is None:
            object.__setattr__(self, "data_type", np.full(n_trials, TRAINING, dtype=np.int8))
        for name, column in self.columns().items():
            if column is not None and len(column) != n_trials:
                raise ValueError(f"{name} has {len(column)} entries for {n_trials} trials")
        run = runs_through(self.run, self.data_type, self.groups.get("session"))
        object.__setattr__(self, "run", run)
        if self.position is None:
            object.__setattr__(self, "position", place_in_run(self.run, self.data_type))
        for name in ("image_id", "category"):
            if (getattr(self, name) == "").any():
                raise ValueError(f"{name} of trial {np.argmax(getattr(self, name) == '')} is empty")
        if wrong := not_finite(self.data):
            raise ValueError(f"{wrong}; remove such voxels or trials from the recording")

    def _settled(self):
        """The fields as arrays, whatever a notebook gave."""
        numbers = {name: getattr(self, name) for name in ("run", "data_type", "position")}
        given = {name: column for name, column in numbers.items() if column is not None}
        return (
            {"data": as_voxels(self.data)}
            | {name: as_text(name, getattr(self, name)) for name in ("image_id", "category")}
            | {name: as_whole(name, column) for name, column in given.items()}
            | {"groups": {name: as_text(name, column) for name, column in self.groups.items()}}
        )

    def columns(self):
        """The per-trial columns by name, groups included (as ``group_<name>``)."""
        own = {f.name: getattr(self, f.name) for f in fields(self)[1:-1]}
        return own | {f"group_{name}": column for name, column in self.groups.items()}

    def category_of(self, image_ids):
        """The category of each of some images, which must be among the trials'."""
        images, first = np.unique(self.image_id, return_index=True)
        return self.category[first[rows_of(image_ids, images, lacks="no trial shows image '{}'")]]

    def take(self, trials):
        """The same value for some trials (indices or a mask)."""
        kept = {f.name: getattr(self, f.name)[trials] for f in fields(self)[:-1]}
        groups = {name: column[trials] for name, column in self.groups.items()}
        return Voxels(groups=groups, **kept)


def not_finite(data):
    """Which voxels of (trials, voxels) are not finite as float32, in words; None if all are."""
    most = np.finfo(np.float32).max
    bad = ~((data <= most) & (data >= -most))
    if not bad.any():
        return None
    trial, voxel = np.argwhere(bad)[0]
    large = ", or too large for float32" * bool(np.isfinite(data[bad]).any())
    return (
        f"{bad.any(axis=0).sum()} of {data.shape[1]} voxels are not finite{large}, first voxel "
        f"{voxel} in trial {trial} ({data[trial, voxel]})"
    )


def trial_columns(labels, names):
    """What `Voxels` hold beside the data, from a recording's labels and its images.

    A run is a session's (`runs_through`): of ``Session`` among the labels, or else of a column
    ``session`` of ``stimuli.csv``. Among the ``groups`` is ``session``, if there are sessions.

    Parameters
    ----------
    labels : dict of str to ndarray of shape (n_trials,), float64
        From `read_bdata`: ``Run``, ``DataType``; also ``Session`` and ``Block``, if there are such.
    names : DataFrame of n_trials rows
        From `name_trials`.

    Raises
    ------
    ValueError
        If a label breaks one of `label_rules`; the row is given.
    """
    hold_to(label_rules(labels), first=0)
    groups = {name: names[name].to_numpy(dtype=str) for name in names}
    if "Session" in labels:
        groups["session"] = np.array([f"{number:.0f}" for number in labels["Session"]])
    data_type, run = labels["DataType"].astype(np.int8), runs_of(labels, names)
    return {
        "image_id": groups.pop("image_id"),
        "category": groups.pop("category"),
        "run": run,
        "data_type": data_type,
        "position": place_in_run(run, data_type, labels.get("Block")),
        "groups": groups,
    }


def label_rules(labels):
    """What may be wrong with the rows of a recording's labels, for `hold_to`."""
    for name in ("Run", "Session"):
        if name in labels:
            # Without its decimals, run 1.5 would be run 1; above 2**53, run n + 1 may be run n.
            number = labels[name]
            whole = np.isfinite(number) & (number == np.floor(number)) & (abs(number) < 2**53)
            yield ~whole, f"{name} is not a whole number"
    known = np.isin(labels["DataType"], DATA_TYPES)
    yield ~known, "DataType is not 1 (training), 2 (test) or 3 (imagery)"


def runs_of(labels, names):
    """Each trial's run, from labels and names as `trial_columns` takes them."""
    session = labels.get("Session", names.get("session"))
    return runs_through(labels["Run"], labels["DataType"], session)


def runs_through(run, data_type, session=None):
    """Each trial's run by a number that no other session has within its data type.

    Parameters
    ----------
    run, data_type : ndarray of shape (n_trials,)
        Whole numbers, or text.
    session : ndarray of shape (n_trials,), optional
        Numbers or text; a run of one session is no run of another.

    Returns
    -------
    ndarray of int32, shape (n_trials,)
        The numbers as they are, where no run is in two sessions; else, and where they are text or
        too large (date and time), they are counted from 1, sessions in their order.

    Examples
    --------
    >>> runs_through(np.array([1, 2, 1]), np.ones(3), np.array(["a", "a", "b"])).tolist()
    [1, 2, 3]
    >>> runs_through(np.array([20261128093015, 20261128101530]), np.ones(2)).tolist()
    [1, 2]
    """
    run = np.asarray(run)
    columns = (run,) if session is None else (session, run)
    restarts = run_numbers(data_type, *columns).max() > run_numbers(data_type, run).max()
    fits = run.dtype.kind != "U" and np.abs(run).max() <= np.iinfo(np.int32).max
    return (run if fits and not restarts else 1 + run_numbers(*columns)).astype(np.int32)


def run_numbers(*columns):
    """Each trial's run as a number from 0; a run is what all the columns say.

    Runs of one number in different data types are different runs, as in GOD.

    Examples
    --------
    >>> run_numbers(np.array([1, 1, 2]), np.array([5, 7, 7])).tolist()
    [0, 1, 2]
    """
    ranks = [_ranks(np.asarray(column)) for column in columns]
    return np.unique(np.stack(ranks), axis=1, return_inverse=True)[1].ravel()


def _ranks(column):
    """Numbers from 0 in the order of the values; of text as people count: ses-9 before ses-10."""
    values, number = np.unique(column, return_inverse=True)
    if values.dtype.kind != "U":
        return number
    parts = [[part.zfill(20) for part in re.split(r"(\d+)", value)] for value in values.tolist()]
    return np.argsort(sorted(range(len(values)), key=parts.__getitem__))[number]


def place_in_run(run, data_type, block=None):
    """Place of each trial within its run, from 1.

    Parameters
    ----------
    run, data_type : ndarray of int, shape (n_trials,)
        See `run_numbers`.
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
    runs = run_numbers(data_type, run)
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
    needed = [name for name in own if name != "position"]
    arrays, meta = read_npz(path, needed, arrays=ARRAYS, meta=Meta, format=FORMAT, what="voxel")
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
