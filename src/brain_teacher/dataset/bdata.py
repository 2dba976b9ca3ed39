"""BData files: the field's HDF5 format for recordings (bdpy, BrainDecoderToolbox2).

Read with ``bdpy.BData``, so that whatever the field writes is read as the field reads it. Written
with h5py: ``BData.save`` stores the time and the caller's source and paths, so that no two saves
are equal.
"""

import contextlib
import io
import warnings
from os import PathLike
from pathlib import Path

import numpy as np

from brain_teacher.files import regular

ROI_PREFIX = "ROI_"
LABELS = ("stimulus_id", "Run", "DataType")


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
        By the ROI's name without ``ROI_``.
    labels : ndarray of shape (n_trials,), float64
        Every column that is not a voxel.

    Raises
    ------
    ValueError
        If the file cannot be read, has no voxels, lacks one of the label columns, or has a row
        without such a label.
    """
    bdata = open_bdata(path)
    try:
        keys = list(bdata.metadata.key)
        # A key that is not there gives None, and that nan here.
        flags = np.asarray(bdata.get_metadata("VoxelData"), dtype=np.float64)
        is_voxel = np.nan_to_num(flags) == 1
        shape = bdata.dataset.shape
    except (TypeError, AttributeError) as error:
        raise ValueError("no column is marked as VoxelData: this is not a BData file") from error
    if not is_voxel.any():
        raise ValueError("no column is marked as VoxelData")
    if len(shape) != 2 or is_voxel.shape != shape[1:]:
        raise ValueError(f"dataset has shape {shape}, but metadata for {is_voxel.size} columns")
    rois = {
        key.removeprefix(ROI_PREFIX): np.nan_to_num(bdata.get_metadata(key))[is_voxel] == 1
        for key in keys
        if key.startswith(ROI_PREFIX)
    }
    labels = {}
    for key in keys:
        columns = (np.nan_to_num(bdata.get_metadata(key)) == 1) & ~is_voxel
        if not key.startswith(ROI_PREFIX) and columns.sum() == 1:
            labels[key] = bdata.dataset[:, columns][:, 0]
    for key in LABELS:
        if key not in labels:
            raise ValueError(f"has no column {key!r} (it has {', '.join(sorted(labels))})")
        wrong = ~np.isfinite(labels[key])
        if wrong.any():
            raise ValueError(f"row {wrong.argmax()}: {key} is {labels[key][wrong][0]}")
    return bdata.dataset[:, is_voxel], rois, labels


def open_bdata(path):
    """The file as a ``bdpy.BData``; a ``ValueError`` where bdpy cannot read it."""
    with warnings.catch_warnings():
        # bdpy 0.26 compiles with invalid escapes and reads through hdf5storage's chararray.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", SyntaxWarning)
        import bdpy

        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return bdpy.BData(str(regular(path)))
        except (OSError, KeyError, RuntimeError, ValueError, TypeError, IndexError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(f"cannot be read as BData ({reason}); fetch it again") from error


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
    import h5py

    n_voxels = voxels.shape[1]
    rows = {"VoxelData": (np.ones(n_voxels), "1 = voxel data")}
    for roi, mask in rois.items():
        rows[ROI_PREFIX + roi] = (np.where(mask, 1.0, 0.0), f"1 = {ROI_PREFIX}{roi}")
    for key, values in (voxel_metadata or {}).items():
        rows[key] = (np.asarray(values, dtype=np.float64), f"Value = {key}")
    value = np.full((len(rows) + len(labels), n_voxels + len(labels)), np.nan)
    value[: len(rows), :n_voxels] = [values for values, _ in rows.values()]
    np.fill_diagonal(value[len(rows) :, n_voxels:], 1)
    descriptions = [text for _, text in rows.values()] + [f"1 = {key}" for key in labels]
    columns = [np.asarray(column, dtype=np.float64)[:, None] for column in labels.values()]
    packed = {"compression": "gzip", "compression_opts": 9, "shuffle": True, "track_times": False}
    # In memory: where the disk is full, HDF5 crashes instead of raising.
    memory = {"driver": "core", "backing_store": False}
    with h5py.File(Path(path).name, "w", libver=("earliest", "v110"), **memory) as file:
        file.create_dataset("dataset", data=np.hstack([voxels, *columns]), **packed)
        for name, texts in (("key", [*rows, *labels]), ("description", descriptions)):
            data = np.array([text.encode() for text in texts])
            file.create_dataset(f"metadata/{name}", data=data, track_times=False)
        file.create_dataset("metadata/value", data=value, **packed)
        file.flush()
        content = file.id.get_file_image()
    Path(path).write_bytes(content)
