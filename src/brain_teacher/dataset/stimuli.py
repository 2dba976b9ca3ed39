"""``stimuli.csv``: which number is which image, and what it shows."""

import re
from collections.abc import Collection
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from brain_teacher.dataset.csv_tables import read_csv_table
from brain_teacher.dataset.ids import image_ids_from_numbers, rows_of, split_image_id
from brain_teacher.dataset.labels import without_ending
from brain_teacher.dataset.places import inside
from brain_teacher.dataset.rules import hold_to
from brain_teacher.dataset.trials import IMAGERY

STIMULI_FILE = "stimuli.csv"
# Of an image, or of a category that was imagined.
GODS_NAME = re.compile(r"n\d{8}(_\d{1,6})?")


def read_stimuli(folder: str | PathLike) -> pd.DataFrame | None:
    """Read ``stimuli.csv``, if the data set has one: which number is which image.

    It is indexed by ``stimulus_id`` (float64); columns ``image_id``, ``category`` and any groups
    are text.

    Raises
    ------
    ValueError
        If a column is missing, a cell is empty, no number, or stands twice, or an image has more
        than one category or group; the row is given.
    """
    path = Path(folder) / STIMULI_FILE
    if not path.exists():
        return None
    table = read_csv_table(inside(folder, path), ("stimulus_id", "image_id", "category"))
    numbers = pd.to_numeric(table.pop("stimulus_id"), errors="coerce")
    first = table.groupby("image_id").transform("first")
    differs = (table[first.columns] != first).any(axis=1)
    rules = (
        (numbers.isna(), "stimulus_id is no number"),
        (numbers.duplicated() & numbers.notna(), "stimulus_id stands in an earlier row too"),
        ((table == "").any(axis=1), "a cell is empty"),
        (differs, "the image has another category or group in an earlier row"),
    )
    hold_to(rules, first=2)
    table.index = pd.Index(numbers.to_numpy(np.float64), name="stimulus_id")
    return table


def name_trials(stimulus_ids, stimuli, *, data_type=None, names=None):
    """Image, category and groups of each trial: columns ``image_id``, ``category`` and the groups.

    Parameters
    ----------
    stimulus_ids : ndarray of shape (n_trials,), float64
    stimuli : DataFrame or None
        From `read_stimuli`; None means GOD's rule.
    data_type : ndarray of shape (n_trials,), optional
        Imagery trials (3) show no image: where their number names none, the category stands for it.
    names : ndarray of str, shape (n_trials,), optional
        The image of each trial, where the recording itself names it (``image_id`` of
        `read_bdata`).

    Raises
    ------
    ValueError
        If a number is not in `stimuli`, or names another image there than in the recording, or an
        image is not called by GOD's rule where there are no `stimuli`; the row is given.
    """
    if stimuli is None and names is not None:
        return _by_their_names(names)
    if stimuli is None:
        imagined = np.zeros(len(stimulus_ids), bool) if data_type is None else data_type == IMAGERY
        imagined &= stimulus_ids == np.floor(stimulus_ids)
        ids = np.empty(len(stimulus_ids), dtype="<U16")
        ids[~imagined] = image_ids_from_numbers(stimulus_ids, seen=~imagined)
        ids[imagined] = [f"n{int(number):08d}" for number in stimulus_ids[imagined]]
        return pd.DataFrame({"image_id": ids, "category": [i.split("_")[0] for i in ids]})
    unknown = ~np.isin(stimulus_ids, stimuli.index)
    if unknown.any():
        number = stimulus_ids[unknown][0]
        hold_to(
            [(unknown, f"stimulus_id {number} is not in {STIMULI_FILE}; add it there")], first=0
        )
    trials = stimuli.loc[stimulus_ids].reset_index(drop=True)
    if names is not None:
        differs = np.array([*map(without_ending, trials["image_id"])]) != names
        row = differs.argmax()
        said = (
            f"stimulus_id {stimulus_ids[row]:.15g} is '{names[row]}' by the recording's value map, "
            f"but '{trials['image_id'][row]}' by {STIMULI_FILE}; correct one of them"
        )
        hold_to([(differs, said)], first=0)
    return trials


def name_labels(labels, stimuli):
    """`name_trials` of the labels that `read_bdata` gives."""
    names = labels.get("image_id")
    return name_trials(labels["stimulus_id"], stimuli, data_type=labels["DataType"], names=names)


def _by_their_names(names):
    """Images that are named as GOD's are, or imagined categories, with their category."""
    category = np.array([name.split("_")[0] for name in names])
    wrong = np.array([not GODS_NAME.fullmatch(name) for name in names])
    said = (
        f"image '{names[wrong.argmax()]}' is not called by GOD's rule (n01443537_22563); say in "
        f"{STIMULI_FILE} which stimulus_id is which image, and what it shows"
    )
    hold_to([(wrong, said)], first=0)
    return pd.DataFrame({"image_id": names, "category": category})


def image_categories(image_ids: Collection[str], stimuli: pd.DataFrame | None) -> np.ndarray:
    """Category of each image id, from ``stimuli.csv`` or by GOD's rule."""
    if stimuli is None:
        return np.array([split_image_id(image)[0] for image in image_ids])
    known = stimuli.drop_duplicates("image_id")
    lacks = f"image '{{}}' is not in {STIMULI_FILE}; add it there"
    rows = rows_of(image_ids, known["image_id"], lacks=lacks)
    return known["category"].to_numpy(dtype=str)[rows]
