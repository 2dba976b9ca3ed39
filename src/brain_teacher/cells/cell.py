"""A cell: one piece of work that says what makes its result new."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from brain_teacher.files import file_digest, fingerprint


def of_no_consequence(**options: Any) -> Any:
    """A dataclass field that no fingerprint reads: what it holds cannot change the result."""
    return field(metadata={"of consequence": False}, **options)


@dataclass(frozen=True, eq=False, kw_only=True)
class Cell:
    """One piece of work: a message to whoever makes it, here or on another machine.

    A kind of cell is a frozen dataclass whose fields are everything that makes its result what it
    is; `run` is the work. What a fingerprint need not read is a field `of_no_consequence`.
    """

    # Where its result lies in the output folder: a file, or a folder.
    name: str = of_no_consequence()

    @property
    def files(self) -> tuple[str, ...]:
        """The files that it is finished with, relative to the output folder."""
        return (self.name,)

    @property
    def makers(self) -> tuple[Callable, ...]:
        """The functions whose code, with all that it imports, makes its result."""
        return (type(self).run,)

    def fingerprint(self) -> str:
        """SHA-256 over all that makes the result new, but the code."""
        parts = [(type(self).__name__, None), *_of_consequence(self)]
        return fingerprint(*(leaf for name, value in parts for leaf in _leaves(name, value)))

    def without(self, kept: Collection[str]) -> Self:  # noqa: ARG002 - a cell is one piece
        """What is left to do where some of its files are kept: all, if it cannot be parted."""
        return self

    def run(self, shared: Any) -> Any:
        """Do the work, with what all cells of a command need."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class FileInput:
    """A file that a cell reads: its content makes the result new, its place does not."""

    path: Path = of_no_consequence()
    sha256: str

    @classmethod
    def of(cls, path: str | Path) -> "FileInput":
        """The file as it is now."""
        return cls(path=Path(path), sha256=file_digest(path))


def _of_consequence(value: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a dataclass that a fingerprint reads."""
    for each in fields(value):
        if each.metadata.get("of consequence", True):
            yield each.name, getattr(value, each.name)


def _leaves(name: str, value: Any) -> Iterator[Any]:
    """A value as arrays and what JSON holds, each after its name."""
    if is_dataclass(value) and not isinstance(value, type):
        yield [name, type(value).__name__]
        for key, inner in _of_consequence(value):
            yield from _leaves(f"{name}.{key}", inner)
    elif isinstance(value, np.ndarray):
        yield name
        yield value
    elif isinstance(value, Path):
        raise TypeError(f"{name} is a path, which says nothing of a content: give a FileInput")
    else:
        yield [name, value]
