"""Tables of class probabilities in the formats of other people, to soft labels and back.

A table has a row an image and a column a class, both named: CSV and Parquet hold the names
themselves, an ``.npy`` array takes them from two files.
"""

import re
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from brain_teacher.dataset.csv_tables import read_csv_table
from brain_teacher.dataset.formulas import quoted_table, unquoted
from brain_teacher.decoding.soft_labels import FORMAT, SoftLabels
from brain_teacher.errors import cut
from brain_teacher.files import atomic_write
from brain_teacher.reading.arrays import load_arrays
from brain_teacher.reading.text import open_file, parse_json, read_text

# So that every logarithm is finite, and no more: the smallest that float32 holds whole. Softened by
# T = 2, a floor of 1e-6 would have 13% of a row of 150 classes; of this it is 2e-17.
FLOOR = float(np.finfo(np.float32).tiny)
# Text of four digits is as exact as that.
ROW_TOLERANCE = 5e-3
# Votes in all that a prior adds to the choices of each image.
PRIOR = 1.0
IMAGE_ID = "image_id"
# Of a Parquet file: of numbers 1 GiB.
MOST_CELLS = 2**27
# What pandas calls an index that has no name: in Parquet, and read again from CSV.
_INDEX, _NUMBERED = re.compile(r"__index_level_\d+__"), re.compile(r"|Unnamed: \d+")
VALUES = ("probabilities", "log-probabilities", "counts")
FORMATS = ("npy", "csv", "parquet")


def read_table(
    path: str | PathLike,
    *,
    image_ids: str | PathLike | None = None,
    class_ids: str | PathLike | None = None,
) -> tuple[pd.DataFrame, str | None]:
    """Read anybody's table; with it comes which of `VALUES` it holds, where the file says it.

    Parameters
    ----------
    path
        ``.csv`` (also ``.csv.gz``) or ``.parquet``: a column ``image_id``, and a column a class;
        ``.npz``: arrays ``image_id``, ``class_id`` and one of ``log_probs``, ``probs``, ``counts``;
        ``.npy``: the array alone.
    image_ids, class_ids
        For ``.npy`` only: text files, a name a line.

    Returns
    -------
    table : DataFrame of shape (n_images, n_classes), float64
        Indexed by image id; columns are class ids; both text.
    kind

    Raises
    ------
    ValueError
        If the file is not such a table, a name stands twice or an entry is no number; the row is
        given.
    """
    path, kind = Path(path), None
    ending = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    if ending == ".npy":
        table = _read_npy(path, image_ids, class_ids)
    elif image_ids is not None or class_ids is not None:
        raise ValueError("holds its names itself; image and class ids are for a .npy array")
    elif ending == ".npz":
        table, kind = _read_npz(path)
    elif ending in (".csv", ".csv.gz"):
        table = read_csv_table(path, (IMAGE_ID,)).rename(columns=unquoted)
        table = _named(table.assign(**{IMAGE_ID: table[IMAGE_ID].map(unquoted)}))
    elif ending == ".parquet":
        table = _named(_read_parquet(path))
    else:
        raise ValueError(f"ends in {ending!r}; give .npz, .npy, .csv or .parquet")
    for name, values in (("image", table.index), ("class", table.columns)):
        if values.duplicated().any():
            twice = cut(values[values.duplicated()][0])
            raise ValueError(f"{name} id '{twice}' stands twice")
    if index := [name for name in map(str, table.columns) if _NUMBERED.fullmatch(name)]:
        raise ValueError(
            f"class {index[0]!r} is what pandas calls its row numbers: write the table with "
            "index=False, or take that column out"
        )
    return _numbers(table), kind


def is_simulated(path: str | PathLike) -> bool:
    """Whether an ``.npz`` says of itself, in ``meta``, that its numbers are simulated."""
    if Path(path).suffix != ".npz":
        return False
    arrays = load_arrays(path, ("meta",), wrong="cannot be read as .npz ({})")
    try:
        meta = parse_json(str(arrays["meta"]))
    except (KeyError, ValueError):
        return False  # another program's
    return isinstance(meta, dict) and bool(meta.get("simulated"))


def _read_parquet(path):
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with open_file(path) as stream, ParquetFile(stream) as file:
            cells = file.metadata.num_rows * file.metadata.num_columns
            if cells > MOST_CELLS:
                raise ValueError(f"it has {cells} cells, more than {MOST_CELLS}")
            # What pandas says beside the columns is its own; an index of numbers is no class.
            columns = [name for name in file.schema_arrow.names if not _INDEX.fullmatch(name)]
            table = file.read(columns=columns).to_pandas(ignore_metadata=True)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"cannot be read as Parquet ({cut(error, 200)})") from error
    return table


def _named(table):
    """A table with its image ids as index."""
    if IMAGE_ID not in table:
        columns = ", ".join(map(str, table.columns[:5]))
        raise ValueError(f"has no column {IMAGE_ID!r} (it has {columns})")
    if not pd.api.types.is_string_dtype(table[IMAGE_ID]):
        raise ValueError(f"{IMAGE_ID} is not text: ids of numbers lose digits")
    empty = (table[IMAGE_ID] == "") | table[IMAGE_ID].isna()
    if empty.any():
        # A CSV's header is row 1.
        raise ValueError(f"row {empty.to_numpy().argmax() + 2}: {IMAGE_ID} is empty")
    return table.set_index(IMAGE_ID)


def _read_npz(path):
    kinds = {"log_probs": "log-probabilities", "probs": "probabilities", "counts": "counts"}
    names = ("image_id", "class_id", *kinds)
    arrays = load_arrays(path, names, wrong="cannot be read as .npz ({})")
    if isinstance(arrays, np.ndarray):
        raise ValueError("is a single array; name it .npy")
    name, *others = [key for key in kinds if key in arrays] or [None]
    if name is None or others or not {"image_id", "class_id"} < set(arrays):
        raise ValueError(f"must hold image_id, class_id and one of {', '.join(kinds)}")
    return _frame(arrays[name], arrays["image_id"], arrays["class_id"]), kinds[name]


def _read_npy(path, image_ids, class_ids):
    if image_ids is None or class_ids is None:
        raise ValueError("names neither images nor classes; give --image-ids and --class-ids")
    values = load_arrays(path, wrong="cannot be read as an array ({})")
    if not isinstance(values, np.ndarray):
        raise ValueError("is an archive of arrays; name it .npz")
    return _frame(values, _lines(image_ids), _lines(class_ids))


def _lines(path):
    try:
        names = read_text(path).splitlines()
    except ValueError as error:
        raise ValueError(f"{path} {error}") from error
    for row, name in enumerate(names):
        if not name.strip():
            raise ValueError(f"{path} line {row + 1} is empty")
    return [name.strip() for name in names]


def _frame(values, image_ids, class_ids):
    for name, ids in (("image", image_ids), ("class", class_ids)):
        if np.asarray(ids).dtype.kind != "U":
            raise ValueError(f"{name} ids are not text: ids of numbers lose digits")
        if np.ndim(ids) != 1:
            raise ValueError(f"{name} ids have shape {np.shape(ids)}, not one name each")
    if values.shape != (len(image_ids), len(class_ids)):
        raise ValueError(
            f"values have shape {values.shape}, but there are names for {len(image_ids)} images "
            f"and {len(class_ids)} classes"
        )
    return pd.DataFrame(values, index=list(image_ids), columns=list(class_ids))


def _numbers(table):
    table = table.rename(index=str, columns=str)
    for name, dtype in table.dtypes.items():
        if dtype.kind not in "iufbO" and not pd.api.types.is_string_dtype(dtype):
            raise ValueError(f"class '{cut(name)}' is {dtype}, no numbers")
    values = table.to_numpy()
    if values.dtype.kind not in "iufb":
        text = values.astype(object).ravel()
        values = pd.to_numeric(text, errors="coerce").reshape(values.shape)
    numbers = pd.DataFrame(values.astype(float), index=table.index, columns=table.columns)
    wrong = numbers.isna().to_numpy()
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"image '{cut(table.index[row])}': class '{cut(table.columns[column])}' is "
            f"{cut(repr(table.iat[row, column]))}, no number"
        )
    if not len(numbers) or numbers.shape[1] < 2:
        raise ValueError(f"has {len(numbers)} images and {numbers.shape[1]} classes")
    return numbers


def to_soft_labels(
    table: pd.DataFrame, *, values: str, meta: dict, prior: float = PRIOR
) -> SoftLabels:
    """Soft labels of a table.

    Each row is divided by its sum; a probability of 0 is raised to the smallest that float32 holds,
    so that every logarithm is finite.

    `values` is one of `VALUES`; counts say how often each class was chosen. That a few votes named
    a class never does not say that nobody would: a Dirichlet prior of `prior` votes in all, spread
    evenly over the classes, stands beside the row (``votes``, ``meta["prior"]``), and
    `SoftLabels.softened` puts it in, after softening. One vote in all is Perks' prior ([1]_): it
    does not grow with the number of classes. ``fold`` is 0 throughout.

    Raises
    ------
    ValueError
        If a row is not what `values` says; the first one is named.

    References
    ----------
    .. [1] Perks (1947), Some observations on inverse probability. J. Inst. Actuaries 73:285-334.
    """
    numbers = table.to_numpy(dtype=float)
    with np.errstate(over="ignore", invalid="ignore"):  # such sums are refused below
        if values == "log-probabilities":
            numbers = np.exp(numbers)
        total = numbers.sum(axis=1)
    negative = np.any(numbers < 0, axis=1)
    wrong = negative | ~np.isfinite(total) | (total <= 0)
    if values != "counts":
        wrong |= ~(np.abs(total - 1) <= ROW_TOLERANCE)
    if wrong.any():
        row = int(wrong.argmax())
        found = "has a negative entry" if negative[row] else f"sums to {total[row]:.6g}"
        asked = "counts must be 0 or more, and some above" if values == "counts" else "it must be 1"
        remedy = f"these are no {values} (choose with --values: {', '.join(VALUES)})"
        raise ValueError(f"image '{cut(table.index[row])}' {found}; {asked}: {remedy}")
    log_probs = np.log(np.maximum(numbers / total[:, None], FLOOR)).astype(np.float32)
    names = table.index.to_numpy(dtype=str), table.columns.to_numpy(dtype=str)
    fold = np.zeros(len(table), dtype=np.int16)
    meta, votes = {"format": FORMAT} | meta, None
    if values == "counts":
        meta, votes = meta | {"prior": prior}, total
    return SoftLabels(log_probs, *names, fold, meta, votes)


def files_of(path: Path, format: str) -> list[Path]:
    """The files that `write_table` writes."""
    lists = ("image_ids", "class_ids") if format == "npy" else ()
    return [path, *(path.with_suffix(f".{name}.txt") for name in lists)]


def _check_names(names, format):
    """Raise where a list of names, or a CSV (in which pandas quotes no return), would break one."""
    for name in names:
        is_line = name == name.strip() and len(name.splitlines()) == 1
        if "\r" in name or (format == "npy" and not is_line):
            raise ValueError(f"{str(name)!r} cannot be kept in {format}; export it as parquet")


def write_table(path: str | PathLike, soft_labels: SoftLabels, *, format: str) -> list[Path]:
    """Write the probabilities of soft labels in one of `FORMATS`, whole or not at all.

    ``npy`` is float32, with the names in two text files beside it. In ``csv``, names that a
    spreadsheet would take for formulas are quoted (`dataset.formulas`); `read_table` gives them
    back. Gives what was written.

    Raises
    ------
    ValueError
        If a name has a line break, which a list of names cannot hold, or is no UTF-8.
    """
    path = Path(path)
    if format != "parquet":
        _check_names([*soft_labels.image_id, *soft_labels.class_id], format)
    probs = np.exp(soft_labels.log_probs)
    if format == "npy":
        _, *files = files_of(path, format)
        for file, ids in zip(files, (soft_labels.image_id, soft_labels.class_id), strict=True):
            with atomic_write(file) as temporary:
                temporary.write_text("".join(f"{name}\n" for name in ids), "utf-8")
        with atomic_write(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, probs, allow_pickle=False)
        return [path, *files]
    table = pd.DataFrame(probs, columns=soft_labels.class_id)
    table.insert(0, IMAGE_ID, soft_labels.image_id)
    with atomic_write(path) as temporary:
        if format == "csv":
            table = quoted_table(table)
            table.to_csv(temporary, index=False, float_format="%.9g", lineterminator="\n")
        else:
            table.to_parquet(temporary, index=False)
    return [path]
