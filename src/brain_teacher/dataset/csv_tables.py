"""CSV files that people write: every row as long as the header, or the row is named."""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from os import PathLike

import pandas as pd

from brain_teacher.errors import cut
from brain_teacher.reading.text import open_file, read_text, text_of

# Text of 32 MiB at most (`reading`): so much of it Python holds in less than 2 GiB.
MOST_COLUMNS, MOST_ROWS = 20_000, 1_000_000
NAMED = 20  # columns in a message


def read_csv_table(
    path: str | PathLike, columns: Sequence[str], *, index: bool = False
) -> pd.DataFrame:
    """Read a CSV as text; other encodings and ragged rows are errors, a byte order mark is not.

    Cells are separated by what there is most of in the header: commas, tabs or semicolons.

    pandas would take the first cells of rows that are longer than the header for an index. The
    `columns` must be there, others may be; each has a name, but for the first of a table whose rows
    have names (`index`). Row k of the table is row k + 2 of the file, whose header is row 1. A name
    that ends in ``.gz`` is of a table that gzip packed.

    Raises
    ------
    ValueError
        If the file is no such table; the row is given. Also if it has more than 32 MiB of text,
        20,000 columns or a million rows.
    """
    text = _unzipped(path) if str(path).endswith(".gz") else read_text(path)
    try:
        delimiter = max(",\t;", key=text.partition("\n")[0].count)
        stream = io.StringIO(text.rstrip("\r\n"), newline="")
        rows = csv.reader(stream, delimiter=delimiter, strict=True)
        header = next(rows, None)
        if header is None:
            raise ValueError("is empty")
        if not header:
            raise ValueError("row 1 is empty, and must name the columns")
        _check_header(header, columns, named=header[1:] if index else header)
        return pd.DataFrame(_whole_rows(rows, len(header)), columns=header, dtype=str)
    except csv.Error as error:
        raise ValueError(f"is no CSV ({error})") from error


def _unzipped(path: str | PathLike) -> str:
    try:
        with open_file(path) as packed, gzip.GzipFile(fileobj=packed) as stream:
            return text_of(stream)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"cannot be unpacked ({error})") from error


def _check_header(header: list[str], columns: Sequence[str], *, named: list[str]) -> None:
    if len(header) > MOST_COLUMNS:
        raise ValueError(f"has {len(header)} columns, more than {MOST_COLUMNS}; give a .npz of it")
    for column in columns:
        if column not in header:
            more = f", and {len(header) - NAMED} more" if len(header) > NAMED else ""
            names = ", ".join(map(cut, header[:NAMED]))
            raise ValueError(f"has no column {column!r} (it has {names}{more})")
    name, times = Counter(header).most_common(1)[0]
    if times > 1:
        raise ValueError(f"column {cut(name)!r} stands twice")
    if "" in named:
        raise ValueError(
            f"column {header.index('') + 1} has no name, as pandas writes its index: write the "
            "table with index=False, or name the column"
        )


def _whole_rows(rows: Iterable[list[str]], columns: int) -> list[list[str]]:
    kept = []
    for number, row in enumerate(rows, start=2):
        if len(row) != columns:
            raise ValueError(f"row {number}: {len(row)} cells, but the header has {columns}")
        if number > MOST_ROWS + 1:
            raise ValueError(f"has more than {MOST_ROWS} rows")
        kept.append(row)
    return kept
