"""Pictures decoded once: a file of pixels that later commands and processes share."""

import numpy as np
import PIL

from brain_teacher.dataset.images import load_images, unreadable
from brain_teacher.files import atomic_write, file_digest, fingerprint

# One more whenever `load_images` gives other pixels than before.
FORMAT = 1


def cached_images(paths, size, folder, *, workers=None):
    """`load_images`, whose result is kept in `folder` for the next time.

    Parameters
    ----------
    paths : sequence of path-like
        Their contents, in this order, name the file kept: a picture that changes is decoded anew,
        one that moves is not.
    size : int
        Side in pixels.
    folder : pathlib.Path
        Made if it is missing. Each list of pictures and size has a file of its own, n x size x
        size x 3 bytes; any of them may be removed.
    workers : int, optional
        Threads that decode, as for `load_images`.

    Returns
    -------
    ndarray of shape (n_images, size, size, 3), uint8
        Equal to that of `load_images`. A copy-on-write view of the file: processes share its
        memory, and what is written into the array stays there.

    Raises
    ------
    ValueError
        If a file is no image; it is named.
    """
    # Pillow's version: another one may bring another decoder, which rounds otherwise.
    name = fingerprint([_digest(path) for path in paths], size, FORMAT, PIL.__version__)
    file = folder / f"{name}.npy"
    shape = (len(paths), size, size, 3)
    if not paths:
        return load_images(paths, size)
    if (images := _open(file, shape)) is None:
        with atomic_write(file) as temporary:
            np.save(temporary, load_images(paths, size, workers=workers))
        images = _open(file, shape)
    return images


def _open(file, shape):
    """The pixels of a file, or None if it is missing or was damaged."""
    try:
        # "c", not "r": torch warns of arrays that cannot be written.
        images = np.asarray(np.load(file, mmap_mode="c"))
    except (OSError, ValueError, EOFError):
        return None
    return images if images.shape == shape and images.dtype == np.uint8 else None


def _digest(path):
    try:
        return file_digest(path)
    except OSError as error:
        raise unreadable(path, error) from error
