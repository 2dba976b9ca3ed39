"""Rules for rows: a reader stops at the first row that breaks one, ``check`` lists them all."""

from collections.abc import Iterable

import numpy as np


class WrongRows(ValueError):
    """Rows that break rules: it says the first rule's first row, and `rules` has all of them.

    A rule is a mask of the rows that break it, and what is wrong with them. The first row is
    called `first`: 0 in recordings, 2 in a CSV, whose header is row 1. The message begins with
    `file`.
    """

    def __init__(self, rules: list[tuple[np.ndarray, str]], first: int, file: str):
        self.rules, self.first = rules, first
        wrong, reason = rules[0]
        super().__init__(f"{file}row {np.argmax(wrong) + first}: {reason}")


def hold_to(rules: Iterable[tuple], *, first: int, file: str = "") -> None:
    """Raise `WrongRows` if any row breaks any of the rules; parameters are those of it."""
    if broken := [(np.asarray(wrong), reason) for wrong, reason in rules if np.any(wrong)]:
        raise WrongRows(broken, first, file)
