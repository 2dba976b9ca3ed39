"""Pictures decoded once: a file of pixels that later commands and processes share."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import PIL

from brain_teacher.dataset.images import load_images
from brain_teacher.dataset.picture_files import picture_digest
from brain_teacher.files import atomic_write, fingerprint, regular

# One more whenever `load_images` gives other pixels than before.
FORMAT = 2


def image_file(
    paths: Sequence[str | PathLike], size: int, folder: Path, *, workers: int | None = None
) -> Path:
    """The file in `folder` that holds what `load_images` gives, made if it is not there.

    The pictures' contents, in this order, name the file: one that changes is decoded anew, one
    that moves is not. Each list of pictures and size has a file of its own, n x size x size x 3
    bytes, which `open_images` opens in whatever process; any of them may be removed.

    Raises
    ------
    ValueError
        If a file is no image; it is named.
    """
    # Pillow's version: another one may bring another decoder, which rounds otherwise.
    name = fingerprint([picture_digest(path) for path in paths], size, FORMAT, PIL.__version__)
    file = folder / f"{name}.npy"
    if not _is_whole(file, (len(paths), size, size, 3)):
        with atomic_write(file) as temporary:
            np.save(temporary, load_images(paths, size, workers=workers))
    return file


def open_images(file: str | PathLike) -> np.ndarray:
    """The pixels of an `image_file`: a view of the file, whose memory processes share."""
    # "c", not "r": torch warns of arrays that cannot be written. What is written stays here.
    return np.asarray(np.load(regular(file), mmap_mode="c"))


def _is_whole(file, shape):
    """Whether the file is there and was not damaged."""
    try:
        images = open_images(file)
    except (OSError, ValueError, EOFError):
        return False
    return images.shape == shape and images.dtype == np.uint8
