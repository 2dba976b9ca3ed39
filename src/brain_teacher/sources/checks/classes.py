"""Categories that do not agree: of trials, folders, ``dataset.yaml`` and tables of soft labels."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from brain_teacher.dataset.description import FILE, Description
from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.errors import nearest
from brain_teacher.sources.checks.findings import Findings, listed

TABLES = "soft_labels"


def check_classes(
    found: Findings,
    folder: Path,
    description: Description,
    shown: pd.Series,
    every: Collection[str],
) -> None:
    """Hold the categories that are named anywhere against those of the trials.

    `shown` has the category of each training image, by id; `every` those of all trials, of tests
    and imagery too.
    """
    if shown.empty:
        return
    for key in ("categories", "superclasses"):
        named = getattr(description, key)
        if unknown := sorted(set(named) - set(every)):
            found.cautions.append(
                f"{folder / FILE}: {key} has {listed(unknown)}, which no trial shows"
                + nearest(unknown[0], set(every) - set(named))
            )
    lost = sorted(set(shown) - set(description.superclasses))
    if lost and description.superclasses:
        found.cautions.append(
            f"{folder / FILE}: superclasses lacks {listed(lost)}, so that no teacher or control "
            "takes any superclass"
        )
    for file in sorted((folder / TABLES).glob("*.npz")):
        if (table := found.read(file, read_soft_labels, file)) is not None:
            found.cautions += [f"{file}: {text}" for text in _disagreements(table, shown)]


def _disagreements(table, shown):
    """What of a table's classes is not as the trials have it."""
    classes, categories = set(table.class_id), set(shown)
    if lost := sorted(categories - classes):
        yield f"has no class {listed(lost)}" + nearest(lost[0], classes - categories)
    if unknown := sorted(classes - categories):
        yield f"has classes {listed(unknown)}, which no training image shows"
    rows = np.flatnonzero(np.isin(table.image_id, shown.index))
    guess = pd.Series(table.class_id[table.log_probs[rows].argmax(axis=1)], dtype=str)
    usual = guess.groupby(shown[table.image_id[rows]].to_numpy()).agg(_majority).dropna()
    other = usual[usual != usual.index]
    if len(other):
        pairs = ", ".join(f"'{name}' '{most}'" for name, most in list(other.items())[:3])
        yield (
            f"calls most pictures of {len(other)} categories by another class ({pairs}): was a "
            "category renamed, or are two exchanged?"
        )


def _majority(names):
    """What more than half of some names are."""
    counts = names.value_counts()
    return counts.index[0] if 2 * counts.iloc[0] > len(names) else None
