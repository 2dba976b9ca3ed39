"""CSV files that people write: every row as long as the header, or the row is named."""

import csv
import io
from collections.abc import Sequence
from os import PathLike

import pandas as pd

from brain_teacher.files import regular


def read_csv_table(path: str | PathLike, columns: Sequence[str]) -> pd.DataFrame:
    """Read a CSV as text; other encodings and ragged rows are errors, a byte order mark is not.

    pandas would take the first cells of rows that are longer than the header for an index. The
    `columns` must be there, others may be. Row k of the table is row k + 2 of the file, whose
    header is row 1.

    Raises
    ------
    ValueError
        If the file is no such table; the row is given.
    """
    try:
        text = regular(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8: save it as CSV in UTF-8") from None
    try:
        rows = list(csv.reader(io.StringIO(text.rstrip("\r\n"), newline=""), strict=True))
    except csv.Error as error:
        raise ValueError(f"is no CSV ({error})") from error
    if not rows:
        raise ValueError("is empty")
    header = rows[0]
    for column in columns:
        if column not in header:
            raise ValueError(f"has no column {column!r} (it has {', '.join(header)})")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise ValueError(f"column {twice!r} stands twice")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise ValueError(f"row {number}: {len(row)} cells, but the header has {len(header)}")
    return pd.DataFrame(rows[1:], columns=header, dtype=str)
