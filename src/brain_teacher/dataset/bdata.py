"""BData files: the field's format for recordings (bdpy, BrainDecoderToolbox2), HDF5 or MATLAB.

A table of trials x columns; metadata flag the columns that are voxels, those of each ROI, and each
label; value maps (vmap) name the codes of a label. What bdpy writes and reads is the measure, and
the tests hold this to it. Written with h5py: ``BData.save`` stores the time and the caller's source
and paths, so that no two saves are equal.
"""

import re
import warnings
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from brain_teacher.dataset.foreign_files import read_hdf5, read_mat
from brain_teacher.dataset.labels import Labels, standard_labels

ROI_PREFIX, VOXELS = "ROI_", "VoxelData"
# Of a volume, or of the cortex's surface.
DATA = (VOXELS, "VertexData")
# Of 2018 and later, and of 2016.
NAMES = {"dataset": "dataSet", "metadata": "metaData"}


@dataclass(frozen=True, eq=False)
class Table:
    """A BData file as it is.

    `values` are (n_rows, n_columns), float64; `flags` are each key's, (n_columns,), and
    `descriptions` say what they mean; `maps` name the codes of a label; `header` are the names of
    what it says of its making; `is_old` where its layout is that of 2016.
    """

    values: np.ndarray
    flags: dict[str, np.ndarray]
    descriptions: dict[str, str]
    maps: dict[str, dict[float, str]] = field(default_factory=dict)
    header: list[str] = field(default_factory=list)
    is_old: bool = False

    def marked(self, key: str) -> np.ndarray:
        """The columns that a key flags with 1, (n_columns,) bool."""
        return self.flags[key] == 1

    def as_bdata(self) -> Any:
        """The same as bdpy's own object, by whose rules columns are chosen."""
        with warnings.catch_warnings():
            # bdpy 0.26 compiles with invalid escapes and reads through hdf5storage's chararray.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", SyntaxWarning)
            from bdpy import BData
            from bdpy.bdata.metadata import MetaData
        bdata = BData()
        bdata.dataset = self.values
        values = np.array([*self.flags.values()])
        texts = [self.descriptions.get(key, "") for key in self.flags]
        bdata.metadata = MetaData([*self.flags], values, texts)
        return bdata


@dataclass(frozen=True, eq=False)
class Recording:
    """What a BData file says of one subject.

    `voxels` (n_trials, n_voxels) are float64; `rois` are masks of voxels by names of letters,
    digits and ``-``; `labels` are those of `standard_labels`; `said` tells what was understood of
    them; `header` is `Table`'s.
    """

    voxels: np.ndarray
    rois: dict[str, np.ndarray]
    labels: Labels
    said: list[str]
    header: list[str]


def read_bdata(
    path: str | PathLike,
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Read the voxels, ROI flags and label columns of one subject.

    Parameters
    ----------
    path
        A BData file, ``.h5`` or ``.mat``.

    Returns
    -------
    voxels : ndarray of shape (n_trials, n_voxels), float64
    rois : ndarray of shape (n_voxels,), bool
        By the ROI's name without ``ROI_``; what is no letter, digit or ``-`` in it is ``-``.
    labels : ndarray of shape (n_trials,), float64
        Every column that is not a voxel, and what `standard_labels` makes of them; images that a
        value map names are text, ``image_id``.

    Raises
    ------
    ValueError
        If the file cannot be read, has no voxels, lacks one of the label columns, or has a row
        without such a label.
    """
    recording = read_recording(path)
    return recording.voxels, recording.rois, recording.labels.columns


def read_recording(path: str | PathLike, *, data_type: int | None = None) -> Recording:
    """Read one subject's file; `data_type` is that of all its trials, where it does not say it.

    Raises
    ------
    ValueError
        As `read_bdata`.
    """
    table = read_table(path)
    is_voxel = np.any([table.marked(key) for key in DATA if key in table.flags], axis=0)
    if not np.any(is_voxel):
        raise ValueError(f"no column is marked as {VOXELS}")
    if not len(table.values):
        raise ValueError("has no trials")
    bdata, columns = table.as_bdata(), {}
    for key in bdata.metadata.key:
        marked = (bdata.get_metadata(key) == 1) & ~is_voxel
        if not key.startswith(ROI_PREFIX) and marked.sum() == 1:
            columns[key] = bdata.dataset[:, marked][:, 0]
    rois, said = _rois(table, is_voxel)
    labels = standard_labels(columns, table.maps, data_type=data_type)
    said += labels.said + ["has the layout of 2016 (dataSet, metaData)"] * table.is_old
    return Recording(bdata.dataset[:, is_voxel], rois, labels, said, table.header)


def read_table(path: str | PathLike) -> Table:
    """Read a BData file as it is, whatever its columns are.

    Raises
    ------
    ValueError
        If the file cannot be read, or is no BData.
    """
    names = [*NAMES, *NAMES.values(), "vmap"]
    ending = Path(path).suffix
    if ending not in (".h5", ".mat"):
        raise ValueError(f"ends in {ending!r}; BData ends in .h5 or .mat")
    content = (read_hdf5 if ending == ".h5" else read_mat)(path, names)
    values, metadata = (content.get(new, content.get(old)) for new, old in NAMES.items())
    if not isinstance(values, np.ndarray) or not isinstance(metadata, dict):
        raise ValueError("is no BData: it has no table 'dataset' with 'metadata'")
    keys, flags = metadata.get("key"), metadata.get("value")
    keys = [keys] if isinstance(keys, str) else keys
    if not _are_texts(keys) or not isinstance(flags, np.ndarray):
        raise ValueError("is no BData: its metadata have no 'key' and 'value'")
    if values.ndim != 2 or flags.shape[1:] != values.shape[1:]:
        columns = flags.shape[1] if flags.ndim == 2 else 0
        raise ValueError(f"dataset has shape {values.shape}, but metadata for {columns} columns")
    if len(flags) != len(keys):
        raise ValueError(f"metadata have {len(keys)} keys, but values of {len(flags)}")
    keys = [key.strip() for key in keys]
    _hold_to_print("a key of the metadata", keys)
    each = zip(keys, flags.astype(np.float64, copy=False), strict=True)
    maps = _mapping(content.get("vmap"))
    maps = {key: _value_map(key, codes) for key, codes in maps.items() if key in keys}
    values, is_old = values.astype(np.float64, copy=False), "dataset" not in content
    descriptions = metadata.get("description")
    if not _are_texts(descriptions) or len(descriptions) != len(keys):
        descriptions = [""] * len(keys)
    header, descriptions = content.get("header", []), dict(zip(keys, descriptions, strict=True))
    return Table(values, dict(each), descriptions, maps, header, is_old)


def _are_texts(values):
    return isinstance(values, list) and all(isinstance(each, str) for each in values)


def _mapping(content):
    return content if isinstance(content, dict) else {}


def _value_map(key, codes):
    """Number -> name; in the file, numbers are names of entries."""
    try:
        pairs = [(float(code), name) for code, name in _mapping(codes).items()]
    except ValueError as error:
        raise ValueError(f"the value map of {key!r} has a code that is no number") from error
    named = dict(pairs)
    for code, name in pairs:  # '1' and '1.0' are one
        if named[code] != name:
            raise ValueError(
                f"the value map of {key!r} calls {code:.15g} both {name!r} and {named[code]!r}"
            )
    if not _are_texts(list(named.values())):
        raise ValueError(f"the value map of {key!r} has a name that is no text")
    _hold_to_print(f"a name in the value map of {key!r}", named.values())
    return named


def _hold_to_print(what, texts):
    """Names go to terminals, tables and file names: none may hold line ends or escape sequences."""
    for text in texts:
        if not text.isprintable():
            raise ValueError(f"{what} is {text!r}, which cannot be printed")


def _rois(table, is_voxel):
    """Masks by plain names, and what was made of the names.

    Where no key begins with ``ROI_``, as in newer files, an ROI is a key that flags voxels with
    0 and 1 alone, and no other column.
    """
    keys = [key for key in table.flags if key.startswith(ROI_PREFIX)]
    if not keys:
        keys = [key for key in table.flags if key not in DATA and _is_mask(table, key, is_voxel)]
    # Those that need no other name keep theirs.
    masks, said = {}, []
    plain = {key: plain_name(key.removeprefix(ROI_PREFIX)) for key in keys}
    for key in sorted(keys, key=lambda key: plain[key] != key.removeprefix(ROI_PREFIX)):
        name, own = plain[key], key.removeprefix(ROI_PREFIX)
        if not name or name in masks:
            said.append(f"ROI {own!r} is left out: its name would be {name!r}, as another's")
            continue
        masks[name] = table.marked(key)[is_voxel]
        values = table.flags[key][is_voxel]
        if others := int((~np.isin(values, (0, 1)) & ~np.isnan(values)).sum()):
            said.append(
                f"ROI {own!r} has {others:,} voxels flagged by another number than 0 and 1: they "
                "are left out"
            )
        if name != own:
            said.append(f"ROI {own!r} is called {name}")
    return {plain[key]: masks[plain[key]] for key in keys if plain[key] in masks}, said


def _is_mask(table, key, is_voxel):
    flags, marked = table.flags[key][is_voxel], table.marked(key)
    known = flags[~np.isnan(flags)]
    return bool(
        marked[is_voxel].any() and not marked[~is_voxel].any() and np.isin(known, (0, 1)).all()
    )


def plain_name(name: str) -> str:
    """An ROI's name as it can stand in file names: letters, digits and ``-``.

    Examples
    --------
    >>> plain_name("lh_V1.fovea")
    'lh-V1-fovea'
    """
    return re.sub("[^A-Za-z0-9-]+", "-", name).strip("-")


def write_bdata(path, voxels, *, rois, labels, voxel_metadata=None):
    """Write one subject's recording; the same arrays give the same bytes.

    Parameters
    ----------
    path
        Must end in ``.h5`` for bdpy to read it.
    voxels : ndarray of shape (n_trials, n_voxels)
    rois : dict of str to ndarray of shape (n_voxels,), bool
        By the ROI's name, without ``ROI_``.
    labels : dict of str to ndarray of shape (n_trials,)
        Stored as float64 without rounding: ``stimulus_id`` needs all of it.
    voxel_metadata : dict of str to ndarray of shape (n_voxels,), optional
        Coordinates, for instance.
    """
    n_voxels = voxels.shape[1]
    rows = {VOXELS: (np.ones(n_voxels), "1 = voxel data")}
    for roi, mask in rois.items():
        rows[ROI_PREFIX + roi] = (np.where(mask, 1.0, 0.0), f"1 = {ROI_PREFIX}{roi}")
    for key, values in (voxel_metadata or {}).items():
        rows[key] = (np.asarray(values, dtype=np.float64), f"Value = {key}")
    value = np.full((len(rows) + len(labels), n_voxels + len(labels)), np.nan)
    value[: len(rows), :n_voxels] = [values for values, _ in rows.values()]
    np.fill_diagonal(value[len(rows) :, n_voxels:], 1)
    descriptions = {key: text for key, (_, text) in rows.items()}
    descriptions |= {key: f"1 = {key}" for key in labels}
    columns = [np.asarray(column, dtype=np.float64)[:, None] for column in labels.values()]
    flags = dict(zip([*rows, *labels], value, strict=True))
    write_table(path, Table(np.hstack([voxels, *columns]), flags, descriptions))


def write_table(path: str | PathLike, table: Table) -> None:
    """Write a BData file but for its header, where bdpy keeps paths and source code of its maker.

    The same table gives the same bytes.
    """
    import h5py

    packed = {"compression": "gzip", "compression_opts": 9, "shuffle": True, "track_times": False}
    # In memory: where the disk is full, HDF5 crashes instead of raising.
    memory = {"driver": "core", "backing_store": False}
    with h5py.File(Path(path).name, "w", libver=("earliest", "v110"), **memory) as file:
        file.create_dataset("dataset", data=table.values, **packed)
        descriptions = [table.descriptions[key] for key in table.flags]
        for name, texts in (("key", [*table.flags]), ("description", descriptions)):
            data = np.array([text.encode() for text in texts])
            file.create_dataset(f"metadata/{name}", data=data, track_times=False)
        file.create_dataset("metadata/value", data=np.array([*table.flags.values()]), **packed)
        for key, names in table.maps.items():
            for code, name in names.items():
                data = np.bytes_(name.encode())
                file.create_dataset(f"vmap/{key}/{code}", data=data, track_times=False)
        file.flush()
        content = file.id.get_file_image()
    Path(path).write_bytes(content)
