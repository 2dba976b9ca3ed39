"""Names in CSV files that spreadsheets open: what would be a formula there stands as text.

The convention: a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab, a line break or an
apostrophe has an apostrophe before it, and only such a cell; read back, it is taken away.
"""

import re

import pandas as pd

# With their wide forms, which spreadsheets of East Asia take for the same.
_BEGINS = re.compile(r"['=+\-@\t\r\n＝＋－＠]")  # noqa: RUF001 - meant


def quoted(name: str) -> str:
    """The name as a cell.

    Examples
    --------
    >>> [quoted(name) for name in ("cat", "=1+1", "'tis")]
    ['cat', "'=1+1", "''tis"]
    """
    return f"'{name}" if _BEGINS.match(name) else name


def unquoted(cell: str) -> str:
    """The name of a cell; the inverse of `quoted`.

    Examples
    --------
    >>> [unquoted(cell) for cell in ("cat", "'=1+1", "''tis", "'n Sync")]
    ['cat', '=1+1', "'tis", "'n Sync"]
    """
    return cell[1:] if cell.startswith("'") and _BEGINS.match(cell, 1) else cell


def quoted_table(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts are cells, those of its header too."""
    cells = table.map(lambda value: quoted(value) if isinstance(value, str) else value)
    return cells.rename(columns=lambda name: quoted(str(name)))
