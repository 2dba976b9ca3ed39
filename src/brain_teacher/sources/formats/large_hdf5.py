"""HDF5 files that are read in pieces, since all of them is more than memory holds."""

from collections.abc import Generator
from contextlib import contextmanager
from os import PathLike
from typing import Any

import h5py

from brain_teacher.dataset.apart import LEAST_BYTES, TIMES
from brain_teacher.dataset.apart_reader import Refused, look_through
from brain_teacher.files import regular


@contextmanager
def open_in_pieces(path: str | PathLike) -> Generator[Any]:
    """An ``h5py.File`` that leads nowhere else, and holds no more than a file of its size may.

    Raises
    ------
    ValueError
        If it cannot be read, or is refused; also of what goes wrong while it is open.
    """
    try:
        size = regular(path).stat().st_size
        with h5py.File(regular(path)) as file:
            look_through(h5py, file, max(LEAST_BYTES, TIMES * size))
            yield file
    except Refused as error:
        raise ValueError(str(error)) from error
    except (OSError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"cannot be read as HDF5 of the published layout ({reason})") from error
