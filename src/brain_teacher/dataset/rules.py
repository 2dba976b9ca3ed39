"""Rules for rows: a reader stops at the first row that breaks one, ``check`` lists them all."""

import numpy as np


class WrongRows(ValueError):
    """Rows that break rules: it says the first rule's first row, and `rules` has all of them.

    Parameters
    ----------
    rules : list of (ndarray of bool, str)
        Which rows break a rule, and what is wrong with them.
    first : int
        What the first row is called: 0 in recordings, 2 in a CSV, whose header is row 1.
    file : str
        What the message begins with.
    """

    def __init__(self, rules, first, file):
        self.rules, self.first = rules, first
        wrong, reason = rules[0]
        super().__init__(f"{file}row {np.argmax(wrong) + first}: {reason}")


def hold_to(rules, *, first, file=""):
    """Raise `WrongRows` if any row breaks any of the rules; parameters are those of it."""
    broken = [(np.asarray(wrong), reason) for wrong, reason in rules]
    broken = [(wrong, reason) for wrong, reason in broken if wrong.any()]
    if broken:
        raise WrongRows(broken, first, file)
