"""A table of trials as people have it: which of its columns count, and what is left out."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from brain_teacher.dataset.csv_tables import read_csv_table
from brain_teacher.dataset.labels import ENDINGS, WORDS
from brain_teacher.dataset.rules import hold_to
from brain_teacher.dataset.trials import DATA_TYPES
from brain_teacher.errors import cut

IDS = ("image_id", "category")
# Columns that are numbers, and their label in BData.
NUMBERS = {"run": "Run", "data_type": "DataType", "session": "Session", "block": "Block"}
# BIDS' columns of a trial, and the index that pandas writes: never an image's.
OF_THE_TRIAL = {
    "onset", "duration", "response_time", "trial", "trial_type", "stim_file", "sample", "value",
    "subject", "participant_id", "HED", "", "Unnamed: 0",
}  # fmt: skip
LARGEST = 2**31 - 1  # of a number in a voxel file
# What the field calls columns besides, in small letters without what parts words.
ALIASES = {
    "imageid": "image_id", "category": "category", "run": "run", "session": "session",
    "ses": "session", "datatype": "data_type", "block": "block", "onset": "onset",
}  # fmt: skip


def read_trials(file: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read a subject's table of trials, a row a trial; and notes on how it was taken.

    Columns may be called as elsewhere (`ALIASES`: ``Run``, ``ses``), and blanks around names and
    cells are none of theirs. Runs and sessions that have names (``ses-01``), or numbers of more
    than 31 bits, are numbered in the order of these; ``onset`` gives each trial's ``block``, its
    place in the run, where there is no such column. Ids are taken without folder and picture
    ending, if all have one.

    Raises
    ------
    ValueError
        If a column is missing, a cell of one that counts is empty, or no number; the row is given.
    """
    table, notes = by_our_names(read_csv_table(file, ()), (*IDS, "run"))
    if table.empty:
        raise ValueError("has no trials")
    numbers = list(table.columns.intersection(list(NUMBERS)))
    hold_to([((table[[*IDS, *numbers]] == "").any(axis=1), "a cell is empty")], first=2)
    for name in numbers:
        table[name], note = _numbers(name, table[name])
        notes += note
    if "onset" in table and "block" not in table:
        table["block"] = _places(table)
        table = table.drop(columns="onset")
        notes.append("onset gives each trial's place in its run")
    table["image_id"], note = plain_ids(table["image_id"])
    return table, notes + note


def by_our_names(table: pd.DataFrame, needed: Iterable[str]) -> tuple[pd.DataFrame, list[str]]:
    """The table without blanks around names and cells, its columns by the names read here.

    Also notes on what is called otherwise (`ALIASES`).

    Raises
    ------
    ValueError
        If one that is `needed` is not there, or a name stands twice.
    """
    table = table.map(str.strip).rename(columns=str.strip)
    ours, taken = {}, set(table)
    for name in table:
        own = ALIASES.get(re.sub(r"[\W_]", "", name.lower()), name)
        if own != name and own not in taken:
            ours[name] = own
            taken.add(own)
    table = table.rename(columns=ours)
    for name in needed:
        if name not in table:
            known = ", ".join(map(cut, table.columns[:20]))
            raise ValueError(f"has no column {name!r} (it has {known})")
    if len(twice := table.columns[table.columns.duplicated()]):
        raise ValueError(f"column {cut(twice[0])!r} stands twice")
    return table, [f"{name} is taken for {own}" for name, own in ours.items()]


def stimuli_of(
    tables: dict[str, pd.DataFrame], files: dict[str, Path]
) -> tuple[pd.DataFrame, list[str]]:
    """Category and groups of each image, by sorted id; and a note on the columns left out.

    A column belongs to the image, and is a group, where it has one value for each image, whatever
    the subject, and no cell is empty; what else there is belongs to the trial.

    Raises
    ------
    ValueError
        If an image has two categories; file and row are given.
    """
    every = pd.concat(tables).drop(columns=list(NUMBERS), errors="ignore")
    first = every.drop_duplicates("image_id").set_index("image_id").sort_index()
    left_out = []
    for name in first:
        differs = every[name].to_numpy() != first.loc[every["image_id"], name].to_numpy()
        empty = (every[name].isna() | (every[name] == "")).any()
        if name == "category" and differs.any():
            raise ValueError(_two_categories(every, first, int(differs.argmax()), files))
        if name != "category" and (name in OF_THE_TRIAL or empty or differs.any()):
            left_out.append(name)
    stimuli = first.drop(columns=left_out)
    stimuli.insert(0, "category", stimuli.pop("category"))
    return stimuli, _left_out(left_out, files.values())


def _two_categories(every, first, row, files):
    subject, number = every.index[row]
    image, value = every["image_id"].iloc[row], every["category"].iloc[row]
    return (
        f"{files[subject]}: row {number + 2}: category of image '{image}' is {value!r}, elsewhere "
        f"{first['category'][image]!r}; an image has one"
    )


def _left_out(names: list[str], files: Iterable[Path]) -> list[str]:
    if not names:
        return []
    listed, places = ", ".join(repr(name) for name in names), ", ".join(map(str, files))
    return [f"{places}: left out, as a trial's or not said of every image: {listed}"]


def _numbers(name: str, column: pd.Series) -> tuple[pd.Series, list[str]]:
    """A column of whole numbers; what has names is numbered, and a note says so."""
    if name == "data_type":
        column = column.map(_kind)
    numbers = pd.to_numeric(column, errors="coerce")
    counted = name in ("run", "session")
    if counted and (numbers.isna().all() or (numbers.abs() > LARGEST).any()) and _is_sound(numbers):
        by_length = sorted(column.unique(), key=lambda text: (len(text), text))
        codes = column.map({text: code for code, text in enumerate(by_length, start=1)})
        said = f"{name}: {by_length[0]} is 1 ... {by_length[-1]} is {len(by_length)}"
        return codes.astype(float), [said]
    wrong = ~np.isfinite(numbers) | (numbers != numbers.round())
    hold_to([(wrong, f"{name} is {cut(column[wrong.idxmax()])!r}, no whole number")], first=2)
    if name == "data_type":
        wrong = ~numbers.isin(DATA_TYPES)
        is_wrong = f"is {numbers[wrong.idxmax()]:g}, not 1 (training), 2 (test) or 3 (imagery)"
        hold_to([(wrong, f"data_type {is_wrong}")], first=2)
    return numbers.astype(float), []


def _kind(text: str) -> object:
    """The data type of a word; what is none stays as it is."""
    return next((n for word, n in WORDS.items() if text.lower().startswith(word)), text)


def _is_sound(numbers: pd.Series) -> bool:
    """All names, or all finite numbers: a mixture is a mistake."""
    return bool(numbers.isna().all() or np.isfinite(numbers).all())


def _places(table: pd.DataFrame) -> pd.Series:
    """Each trial's place in its run, from 1, by its onset."""
    onset = pd.to_numeric(table["onset"], errors="coerce")
    wrong = ~np.isfinite(onset)
    comma = "; write decimals with a point" * bool(table["onset"].str.contains(",").any())
    said = f"onset is {cut(table['onset'][wrong.idxmax()])!r}, no number{comma}"
    hold_to([(wrong, said)], first=2)
    runs = [table[name] for name in ("session", "data_type", "run") if name in table]
    return onset.groupby(runs).rank(method="first")


def plain_ids(ids: pd.Series) -> tuple[pd.Series, list[str]]:
    """Ids without a folder before them and the ending of a picture behind, if all have it.

    A note says so.
    """
    files = ids.map(lambda name: PurePosixPath(name.replace("\\", "/")))
    if not all(file.suffix.lower() in ENDINGS for file in files):
        return ids, []
    plain = files.map(lambda file: file.stem)
    first = ids.groupby(plain).transform("first")
    if (other := ids != first).any():
        one, two, name = first[other].iloc[0], ids[other].iloc[0], plain[other].iloc[0]
        raise ValueError(
            f"{one} and {two} are both image {name!r}: give each image an id of its own"
        )
    return plain, [f"{ids.iloc[0]} is image {plain.iloc[0]!r}: ids go without folder and ending"]
