"""Recordings that say by themselves what was seen, or that are another subject's."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from brain_teacher.sources.checks.findings import Findings, first_of

# What a column of a table may be, that came among the voxels.
LABELS = ("category", "image_id", "run")
# Values that chance would have to repeat: of two levels, 1 in 65,000 columns would do so.
LEAST = 16


def check_labels(found: Findings, file: Path, voxels: np.ndarray, trials: pd.DataFrame) -> None:
    """Say which voxels tell the trial's labels, as columns of a table among them do.

    Such a voxel has one value for each category, image or run, or counts the rows: no brain does.
    `voxels` are (n_trials, n_voxels), `trials` their ``category``, ``image_id`` and ``run``.
    """
    # Of means that are given again for each trial, all voxels would be so.
    first = ~pd.Series([hash(row.tobytes()) for row in voxels], dtype=object).duplicated()
    voxels, trials = voxels[first], trials[first.to_numpy()]
    said = np.zeros(voxels.shape[1], bool)
    for name in LABELS:
        told = _told(voxels, trials[name].to_numpy()) & ~said
        said |= told
        if told.any():
            found.cautions.append(
                f"{file}: {_named(told)} one value for each {name.removesuffix('_id')}: columns of "
                "the table of trials among the voxels? A decoder would read them there"
            )
    steps = np.diff(voxels, axis=0)
    counts = (steps == steps[:1]).all(axis=0) & (steps != 0).any(axis=0) & ~said
    if len(voxels) >= LEAST and counts.any():
        found.cautions.append(
            f"{file}: {_named(counts)} the trials' numbers: the index of a table among the voxels?"
        )


def _told(voxels, label):
    """Which voxels have one value for each label, and not the same for all."""
    _, code, size = np.unique(label, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(size[code] > 1)
    kinds, first, code = np.unique(code[rows], return_index=True, return_inverse=True)
    if len(kinds) < 2 or len(rows) - len(kinds) < LEAST:
        return np.zeros(voxels.shape[1], bool)
    values = voxels[rows]
    constant = (values == values[first][code]).all(axis=0)
    return constant & (values != values[:1]).any(axis=0)


def _named(mask):
    numbers = [str(number) for number in np.flatnonzero(mask)]
    return f"voxel{'s' * (len(numbers) > 1)} {first_of(numbers)} {'have' if numbers[1:] else 'has'}"


def check_shared(found: Findings, trials: dict[str, set[int]]) -> None:
    """Say which subjects' files hold the same trials; `trials` are hashes of their voxels."""
    for (one, first), (two, second) in combinations(trials.items(), 2):
        if both := len(first & second):
            found.cautions.append(
                f"{two}: {both:,} of {len(second):,} trials have exactly the voxels of trials of "
                f"{one}: one recording under two names? Subjects would seem to agree"
            )
