"""Pictures that a student looks at, taken from where they lie, a batch at a time."""

import numpy as np
import torch


class Pictures:
    """Some pictures of an array, which may be a mapped file.

    On the CPU nothing is copied but the batch that is asked for, so that students side by side
    share one file's memory. On a GPU they are all moved there, once.

    Parameters
    ----------
    images : ndarray of shape (n_images, size, size, 3), uint8
    rows : ndarray of int, optional
        Which of them, in this order; all, if not given.
    device : str
    """

    def __init__(self, images, rows=None, device="cpu"):
        whole = torch.from_numpy(images)
        if rows is None:
            rows = np.arange(len(images))
        self._rows = torch.from_numpy(np.asarray(rows, dtype=np.int64))
        if torch.device(device).type != "cpu":
            whole, self._rows = whole[self._rows].to(device), torch.arange(len(rows), device=device)
        self._whole = whole

    def __len__(self):
        return len(self._rows)

    @property
    def size(self):
        """Side in pixels."""
        return self._whole.shape[1]

    @property
    def device(self):
        """Where they lie."""
        return self._whole.device

    def take(self, rows):
        """A copy of some, by their place among these; (batch, size, size, 3), uint8."""
        return self._whole.index_select(0, self._rows[rows])

    def split(self, count):
        """All of them, at most `count` at a time."""
        for part in torch.arange(len(self), device=self.device).split(count):
            yield self.take(part)
