"""GLMsingle's single-trial responses: its ``.hdf5``, and MATLAB's ``.mat`` of version 7.3.

Its ``.npy`` is a pickle, which is never opened: GLMsingle writes HDF5 with ``wanthdf5=1``.

References
----------
.. [1] Prince et al. (2022), eLife 11:e77599.
"""

from pathlib import Path

import h5py
import numpy as np

from brain_teacher.sources.formats.large_hdf5 import open_in_pieces

# What the responses are called: in Python's output, and in MATLAB's.
NAMES = ("betasmd", "modelmd")
SLAB = 2**27  # bytes in memory at once, beside what is kept


def read_glmsingle(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read responses of the voxels that have any.

    Parameters
    ----------
    file
        HDF5 with one array ``betasmd`` or ``modelmd``: (x, y, z, trials) or (voxels, trials) as
        Python writes it, or the axes in the opposite order as MATLAB does.

    Returns
    -------
    responses : ndarray of shape (n_trials, n_voxels), float32
    finite : ndarray of bool, of the volume's shape (x, y, z) or (voxels,)
        Where these voxels are, in C order.

    Raises
    ------
    ValueError
        If the file holds no such array, or no voxel is finite in all trials.
    """
    with open_in_pieces(file) as content:
        stored = _responses(content)
        grid = stored.shape[:0:-1] if _of_matlab(stored) else stored.shape[:-1]
        finite = np.ones(int(np.prod(grid)), bool)
        for part in _pieces(stored):
            finite &= np.isfinite(part).all(axis=0)
        if not finite.any():
            raise ValueError("no voxel is finite in all trials")
        kept = np.concatenate([part[:, finite].astype(np.float32) for part in _pieces(stored)])
    return kept, finite.reshape(grid)


def _responses(content):
    found = [content[name] for name in NAMES if isinstance(content.get(name), h5py.Dataset)]
    if len(found) != 1:
        raise ValueError(
            f"holds {len(found)} of {' and '.join(NAMES)} (it has {', '.join(content)}): it is no "
            "output of GLMsingle"
        )
    if found[0].ndim not in (2, 4) or found[0].dtype.kind != "f" or 0 in found[0].shape:
        raise ValueError(
            f"{found[0].name} is {found[0].dtype} of shape {found[0].shape}, not numbers (x, y, z, "
            "trials) or (voxels, trials)"
        )
    return found[0]


def _of_matlab(stored):
    return "MATLAB_class" in stored.attrs


def _pieces(stored):
    """The trials, some at a time: (n_trials, n_places)."""
    n_trials = stored.shape[0 if _of_matlab(stored) else -1]
    step = max(SLAB // (8 * stored.size // n_trials), 1)
    for start in range(0, n_trials, step):
        if _of_matlab(stored):  # (trials, z, y, x)
            part = stored[start : start + step]
            part = part.transpose(0, *range(part.ndim - 1, 0, -1))
        else:
            part = np.moveaxis(stored[..., start : start + step], -1, 0)
        yield part.reshape(len(part), -1)
