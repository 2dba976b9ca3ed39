"""NIfTI images as people have them, by nibabel: within limits, or one line why."""

import math
import zlib
from os import PathLike
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from brain_teacher.files import regular

# What an image may say that it holds, in float64: so much, and so many times its own size.
LEAST_BYTES, TIMES = 2**29, 64
# What nibabel and nilearn raise of files that they cannot read, or that do not fit.
UNREADABLE = (
    ValueError, OSError, EOFError, OverflowError, TypeError, zlib.error, ImageFileError,
    HeaderDataError,
)  # fmt: skip


def open_nifti(path: str | PathLike) -> Any:
    """The image, whose array is read when it is asked for.

    Raises
    ------
    ValueError
        If it is no image, or says that it holds far more than it can.
    """
    try:
        size = regular(path).stat().st_size
        image: Any = nibabel.load(Path(path))
        says = 8 * math.prod(image.shape)
    except UNREADABLE as error:
        raise ValueError(f"{path} is damaged, or no NIfTI image ({one_line(error)})") from error
    if says > max(LEAST_BYTES, TIMES * size):
        raise ValueError(f"{path} says that it holds {says / 2**30:.1f} GiB, in {size:,} bytes")
    return image


def read_nifti(path: str | PathLike) -> np.ndarray:
    """The array of an image, (x, y, z[, time]), float64, scaled as its header says."""
    image = open_nifti(path)
    try:
        return np.asarray(image.get_fdata(caching="unchanged"))
    except UNREADABLE as error:
        raise ValueError(f"{path} is damaged ({one_line(error)})") from error


def one_line(error: BaseException) -> str:
    """What a library says, in a line."""
    return " ".join(str(error).split()) or type(error).__name__
