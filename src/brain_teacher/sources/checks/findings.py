"""What a look at a data set finds, and how it is said."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from brain_teacher.dataset.rules import WrongRows

NAMED = 10  # rows or ids that are named of a longer list


@dataclass
class Findings:
    """What a look at a data set found.

    Attributes
    ----------
    problems : list of str
        The chain stops at these, or gives something else than is meant.
    cautions : list of str
        Odd, but it goes on.
    facts : list of str
        What there is, in lines.
    """

    problems: list = field(default_factory=list)
    cautions: list = field(default_factory=list)
    facts: list = field(default_factory=list)

    def read(self, place, function, *arguments, every=None):
        """What a reader gives; None, and problems, where it raises.

        Parameters
        ----------
        place : path-like
            What the problems name.
        function : callable
            Raises ``ValueError`` or ``OSError``.
        *arguments
            Of `function`.
        every : callable, optional
            Takes the error of a reader that stops at the first mistake, and gives a text for each
            one there is. Of `WrongRows` all are said as it is.
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


def listed(names):
    """The first few names, and how many more.

    Examples
    --------
    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    return _first([f"'{name}'" for name in names])


def listed_rows(wrong, first=0):
    """The rows where `wrong` is true, the first few of many.

    Parameters
    ----------
    wrong : ndarray of bool, shape (n_rows,)
    first : int
        What the first row is called: 0 in recordings, 2 in a CSV, whose header is row 1.

    Examples
    --------
    >>> listed_rows(np.array([False, True, True]), first=2)
    'rows 3, 4'
    """
    rows = np.flatnonzero(wrong) + first
    return f"row{'s' * (len(rows) > 1)} {_first([str(row) for row in rows])}"


def _first(texts):
    more = f" and {len(texts) - NAMED} more" if len(texts) > NAMED else ""
    return ", ".join(texts[:NAMED]) + more
