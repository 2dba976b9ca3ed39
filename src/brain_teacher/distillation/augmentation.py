"""Augmentation of a whole batch at once, on the device that holds the images."""

import torch


def augment(images, *, shift, flip, generator):
    """Shift each image at random (mirrored at the edges) and flip it left to right half the time.

    Parameters
    ----------
    images : Tensor of shape (batch, size, size, 3), uint8
    shift : int
        Largest shift in pixels, each way, each direction; smaller than the size.
    flip : bool
    generator : torch.Generator
        On the CPU, so that a seed draws the same on every device.

    Returns
    -------
    Tensor of shape (batch, 3, size, size), uint8
        channels_last in memory: a view of the gathered pixels.
    """
    count, size = images.shape[:2]
    offsets = torch.randint(-shift, shift + 1, (2, count, 1), generator=generator)
    flipped = torch.randint(0, 2, (count, 1), generator=generator).bool() & flip
    line = torch.arange(size)
    rows, columns = (_mirror(line + offset, size) for offset in offsets)
    columns = torch.where(flipped, size - 1 - columns, columns)
    index = torch.arange(count)[:, None, None]
    where = (index, rows[:, :, None], columns[:, None, :])
    return images[tuple(part.to(images.device) for part in where)].permute(0, 3, 1, 2)


def _mirror(position, size):
    """Reflect positions outside 0 .. size - 1 without repeating the edge, as numpy's "reflect"."""
    position = position.abs()
    return torch.where(position < size, position, 2 * (size - 1) - position)
