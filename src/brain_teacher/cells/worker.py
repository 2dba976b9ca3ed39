"""What a worker of Dask does: it holds what all cells need, and makes one cell after another."""

import os
import pickle
import socket
from collections.abc import Callable, Sequence
from contextlib import chdir
from dataclasses import dataclass
from functools import cache, lru_cache
from pkgutil import resolve_name
from typing import Any

from distributed import WorkerPlugin

from brain_teacher.cells.source import PACKAGE, source_fingerprint
from brain_teacher.errors import BrainTeacherError
from brain_teacher.machine import see_only

_held: dict[str, bytes] = {}


class Shared(WorkerPlugin):
    """What all cells need, on every worker, and on those that come later.

    Not scattered: scattered data are lost for good with the workers that hold them.
    """

    def __init__(self, name: str, shared: Any, cards: Sequence[str]) -> None:
        self.name, self.cards = name, cards
        # Read where the first cell is made: reading it may import much, and knows its card by then.
        self.message = pickle.dumps(shared)

    def setup(self, worker: Any) -> None:
        """Keep it, and take a card: the workers of this machine are numbered."""
        if self.cards:
            os.environ.update(see_only(self.cards[int(worker.name) % len(self.cards)]))
        _held[self.name] = self.message

    def teardown(self, worker: Any) -> None:  # noqa: ARG002 - as Dask calls it
        """Forget it."""
        _held.pop(self.name, None)
        _read.cache_clear()


@dataclass(frozen=True)
class Order:
    """A cell as a message, and what must be so where it is made."""

    shared: str  # the name of a `Shared`
    folder: str  # in which its relative paths are meant
    makers: tuple[str, ...]  # the functions that make its result, as module:name
    source: str  # fingerprint of their code
    cell: bytes

    @classmethod
    def of(cls, cell: Any, shared: str) -> "Order":
        """The order to make a cell."""
        makers = tuple(f"{each.__module__}:{each.__qualname__}" for each in cell.makers)
        return cls(shared, os.getcwd(), makers, _source_of(makers), pickle.dumps(cell))


def make(order: Order) -> bytes:
    """Make a cell; its result as a message."""
    _check_code(order)
    with chdir(order.folder):
        cell = pickle.loads(order.cell)  # noqa: S301 - of our own driver
        return pickle.dumps(cell.run(_read(order.shared)))


@lru_cache(maxsize=1)
def _read(name: str) -> Any:
    return pickle.loads(_held[name])  # noqa: S301 - of our own driver


def _check_code(order: Order) -> None:
    try:
        same = _source_of(order.makers) == order.source
    except (ImportError, AttributeError):
        same = False
    if not same:
        raise BrainTeacherError(
            f"a worker on {socket.gethostname()} has other code than this process ({PACKAGE} "
            "there): install the same version, and start the worker again"
        )


@cache
def _source_of(makers: tuple[str, ...]) -> str:
    functions: list[Callable] = [resolve_name(maker) for maker in makers]
    return source_fingerprint(*functions)
