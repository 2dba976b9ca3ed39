"""A student on its way, on disk: one that was interrupted is taken up again."""

import time

import torch

from brain_teacher.files import atomic_write, regular


class Checkpoint:
    """A student's state on disk, written when it has trained `every` so many seconds.

    A file of a student with another fingerprint is not taken up.
    """

    def __init__(self, path, fingerprint, *, every):
        self._path, self._fingerprint = path, fingerprint
        self._every, self._last = every, time.monotonic()

    def load(self):
        """The state of an interrupted student, or None."""
        try:
            found = torch.load(regular(self._path), map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return None
        return found["state"] if found["fingerprint"] == self._fingerprint else None

    def is_due(self):
        """Whether it is time to write."""
        return time.monotonic() - self._last >= self._every

    def save(self, state):
        """Write the state, whole or not at all."""
        with atomic_write(self._path) as temporary:
            torch.save({"fingerprint": self._fingerprint, "state": state}, temporary)
        self._last = time.monotonic()
