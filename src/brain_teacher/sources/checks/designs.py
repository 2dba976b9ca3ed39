"""What the order of the trials would let a decoder tell, whatever the brain did."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from brain_teacher.sources.checks.findings import Findings

# One in 1,000 recordings of a random order is said to be none; less than 10 points do not matter.
LEVEL, MATTERS = 0.001, 0.1


def check_design(found: Findings, file: Path, trials: pd.DataFrame) -> None:
    """Say which of the designs that mislead the training trials of one subject have.

    `trials` (``image_id``, ``category``, ``run``) stand in the order of the recording. A recording
    of one run says nothing of its order: its rows may be pictures, not trials.
    """
    if trials["run"].nunique() > 1:
        found.cautions += [f"{file}: {text}" for design in DESIGNS if (text := design(trials))]


def _restarts(trials):
    """Runs of one number in stretches apart, each time beginning with the first run again."""
    run = trials["run"].to_numpy()
    begins = np.flatnonzero(np.diff(run, prepend=run[0] - 1))
    falls = begins[1:][np.diff(run[begins]) < 0]
    again = len(begins) > trials["run"].nunique()
    if not again or (run[falls] != run.min()).any() or 2 * len(begins) > len(run):
        return None
    return (
        f"the runs are numbered anew after {falls[0]} training trials: runs of one number are "
        "taken for one run, and scaled together; number them through, or say of which session each "
        "trial is (Session)"
    )


def _one_category(trials):
    run = trials.groupby("run")["category"]
    alone = (run.nunique() == 1) & (run.size() > 1)
    if not alone.any():
        return None
    return (
        f"{alone.sum()} of {len(alone)} runs show one category: scaled by run nothing of it is "
        "left, and not scaled a decoder tells runs, not categories"
    )


def _told_by_run(trials):
    """Guess the commonest category among the other pictures of the run."""
    counts = pd.crosstab(trials["run"], trials["category"])
    own = trials.groupby(["run", "image_id"])["category"].transform("size").to_numpy()
    others = counts.loc[trials["run"]].to_numpy(copy=True)
    column = counts.columns.get_indexer(trials["category"])
    others[np.arange(len(trials)), column] -= own
    best = others == others.max(axis=1, keepdims=True)
    right = best[np.arange(len(trials)), column] / best.sum(axis=1)
    share = trials["category"].value_counts(normalize=True)
    return _said(
        right, share.max(), trials, "the run tells the category: the commonest of its others is"
    )


def _told_by_neighbour(trials):
    """Guess the category of the trial before, if that showed another picture of the run."""
    before = trials.shift()
    is_other = (before["run"] == trials["run"]) & (before["image_id"] != trials["image_id"])
    right = (before["category"] == trials["category"])[is_other]
    share = trials["category"].value_counts(normalize=True)
    return _said(
        right, (share**2).sum(), trials[is_other], "the trial before tells the category: its own is"
    )


def _said(right, chance, trials, what):
    images = trials["image_id"].nunique()
    if not images or np.mean(right) < chance + MATTERS:
        return None
    hits = round(float(np.mean(right)) * images)
    if binomtest(hits, images, chance, alternative="greater").pvalue > LEVEL:
        return None
    return (
        f"{what} right for {np.mean(right):.0%} of the trials (chance {chance:.0%}), so that time "
        "alone may decode; choose decode.folds.by: run, and see what `controls` makes of time alone"
    )


DESIGNS = (_restarts, _one_category, _told_by_run, _told_by_neighbour)
