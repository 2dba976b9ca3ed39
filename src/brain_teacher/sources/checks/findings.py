"""What a look at a data set finds, and how it is said."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from brain_teacher.dataset.rules import WrongRows

NAMED = 10  # rows or ids that are named of a longer list


@dataclass
class Findings:
    """What a look at a data set found."""

    # The chain stops at these, or gives something else than is meant.
    problems: list[str] = field(default_factory=list)
    # Odd, but it goes on.
    cautions: list[str] = field(default_factory=list)
    # What there is, in lines.
    facts: list[str] = field(default_factory=list)

    def read(
        self,
        place: str | PathLike,
        function: Callable,
        *arguments,
        every: Callable[[Exception], list[str]] | None = None,
    ):
        """What a reader gives; None, and problems that name `place`, where it raises.

        `every` takes the error of a reader that stops at the first mistake, and gives a text for
        each one there is. Of `WrongRows` all are said as it is.
        """
        try:
            return function(*arguments)
        except FileNotFoundError:
            self.problems.append(f"{place} is missing")
        except (ValueError, OSError) as error:
            texts = [str(error).removeprefix(f"{Path(place).name} ")]
            if isinstance(error, WrongRows):
                texts = [
                    f"{listed_rows(wrong, error.first)}: {reason}" for wrong, reason in error.rules
                ]
            elif every:
                texts = every(error)
            self.problems += [f"{place}: {text}" for text in texts]
        return None


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more.

    Examples
    --------
    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    return first_of([f"'{name}'" for name in names])


def listed_rows(wrong, first: int = 0) -> str:
    """The rows where a mask is true, the first few of many.

    The first row is called `first`: 0 in recordings, 2 in a CSV, whose header is row 1.

    Examples
    --------
    >>> listed_rows(np.array([False, True, True]), first=2)
    'rows 3, 4'
    """
    rows = np.flatnonzero(wrong) + first
    return f"row{'s' * (len(rows) > 1)} {first_of([str(row) for row in rows])}"


def first_of(texts: Sequence[str]) -> str:
    """The first few texts, and how many more."""
    more = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return ", ".join(texts[:NAMED]) + more
