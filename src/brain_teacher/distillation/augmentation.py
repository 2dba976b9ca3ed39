"""From the pictures in memory to a batch for the network, on the device that holds them.

A batch is cut from its pictures mirrored at their edges (`mirror_edges`): to shift one is then to
cut another window, a plain copy of rows of pixels.
"""

from functools import lru_cache

import torch

from brain_teacher.networks.classifiers import MEAN, SD


def mirror_edges(images, shift):
    """Continue each picture by `shift` pixels on every side, mirrored, as numpy's "reflect".

    Parameters
    ----------
    images : Tensor of shape (n_images, size, size, 3), uint8
    shift : int
        Smaller than the size.

    Returns
    -------
    Tensor of shape (n_images, size + 2 * shift, size + 2 * shift, 3), uint8
    """
    size = images.shape[1]
    if not 0 <= shift < size:
        raise ValueError(f"a shift of {shift} pixels does not fit pictures of {size}")
    if shift == 0:
        return images
    for dim in (1, 2):
        before, after = images.narrow(dim, 1, shift), images.narrow(dim, -1 - shift, shift)
        images = torch.cat([before.flip(dim), images, after.flip(dim)], dim)
    return images


def to_batch(mirrored, *, shift, flip, generator):
    """Shift and flip each at random, and normalise their pixels.

    Each is shifted by up to `shift` pixels in each direction and, half the time, flipped left to
    right.

    Parameters
    ----------
    mirrored : Tensor of shape (batch, size + 2 * shift, size + 2 * shift, 3), uint8
        From `mirror_edges`, with the same `shift`.
    shift : int
    flip : bool
    generator : torch.Generator
        On the CPU, so that a seed draws the same on every device.

    Returns
    -------
    Tensor of shape (batch, 3, size, size), float32
        channels_last in memory.

    In the methods
    --------------
    In training each picture was shifted at random by up to {{ distill.shift }} pixels each way{%
    if distill.flip %} and flipped left to right half of the time{% else %}, and never flipped{%
    endif %}.
    """
    count, size = len(mirrored), mirrored.shape[1] - 2 * shift
    down, right = torch.randint(-shift, shift + 1, (2, count), generator=generator)
    flipped = torch.randint(0, 2, (count,), generator=generator).bool() & flip
    # What is right of the middle in a flipped picture was left of it.
    top, left = shift + down, shift + torch.where(flipped, -right, right)
    cut = cut_one_by_one if mirrored.device.type == "cpu" else cut_at_once
    return normalise_pixels(cut(mirrored, top, left, flipped, size))


def cut_one_by_one(mirrored, top, left, flipped, size):
    """Windows of pictures, (batch, size, size, 3); faster on the CPU, which copies whole rows.

    64 windows of 224 pixels take 3 ms so, 18 ms with `cut_at_once` (one core of an EPYC).
    """
    # as_strided: two slices a window would take half of the time at 64 pixels.
    strides = torch.tensor(mirrored.stride()[:3])
    starts = (
        mirrored.storage_offset()
        + torch.stack([torch.arange(len(top)), top, left], dim=1) @ strides
    )
    windows = []
    for start, flip in zip(starts.tolist(), flipped.tolist(), strict=True):
        window = mirrored.as_strided((size, size, 3), mirrored.stride()[1:], start)
        windows.append(window.flip(1) if flip else window)
    return torch.stack(windows)


def cut_at_once(mirrored, top, left, flipped, size):
    """The same in a handful of calls: a GPU would wait for each of the many small ones."""
    rows = torch.arange(len(top), device=mirrored.device)
    top, left, flipped = (part.to(mirrored.device) for part in (top, left, flipped))
    line = torch.arange(size, device=mirrored.device)
    columns = torch.where(flipped[:, None], size - 1 - line, line) + left[:, None]
    return mirrored[rows[:, None, None], (top[:, None] + line)[:, :, None], columns[:, None, :]]


def normalise_pixels(pixels):
    """Pixels (batch, size, size, 3), uint8, to z-scores (batch, 3, size, size), float32.

    As `networks.classifiers.normalise`, up to rounding, but in one pass over whole rows of pixels.
    """
    count, size = pixels.shape[:2]
    rows = pixels.reshape(count, size, 3 * size).float()
    offset, factor = _line(size, pixels.device)
    torch.addcmul(offset, rows, factor, out=rows)
    return rows.view(count, size, size, 3).permute(0, 3, 1, 2)


@lru_cache
def _line(size, device):
    """What a line of `size` pixels is multiplied by, and what is added, all its colours in turn."""
    mean, sd = (torch.tensor(part, device=device).repeat(size) for part in (MEAN, SD))
    return -mean / sd, 1 / (255 * sd)
