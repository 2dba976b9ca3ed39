"""Designs in which something else than the brain tells the category."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brain_teacher.sources.checks.designs import check_design
from brain_teacher.sources.checks.findings import Findings

CATEGORIES = np.array(["cat", "dog", "house", "tree"])


def trials_of(category, run):
    """Trials, each of a picture of its own."""
    category = np.asarray(category)
    ids = [f"{name}-{k}" for k, name in enumerate(category)]
    return pd.DataFrame({"image_id": ids, "category": category, "run": run})


def balanced(runs=8, seed=0):
    """Every category three times a run, in a random order."""
    rng = np.random.default_rng(seed)
    order = [rng.permutation(np.repeat(CATEGORIES, 3)) for _ in range(runs)]
    return trials_of(np.concatenate(order), np.repeat(np.arange(1, runs + 1), 12))


def said(trials):
    found = Findings()
    check_design(found, Path("S1.h5"), trials)
    assert not found.problems
    return found.cautions


@pytest.mark.parametrize("seed", range(5))
def test_a_balanced_design_is_none_of_them(seed):
    assert said(balanced(seed=seed)) == []


def test_rows_in_any_order_do_not_restart():
    trials = balanced()
    assert said(trials.sample(frac=1, random_state=0)) == []
    assert said(trials[::-1]) == []


def test_runs_that_are_numbered_anew():
    trials = balanced()
    trials["run"] = np.where(trials["run"] > 4, trials["run"] - 4, trials["run"])
    assert said(trials) == [
        "S1.h5: the runs are numbered anew after 48 training trials: runs of one number are taken "
        "for one run, and scaled together; number them through, or say of which session each trial "
        "is (Session)"
    ]


def test_runs_of_one_category():
    trials = trials_of(np.tile(CATEGORIES, 6).repeat(5), np.arange(24).repeat(5))
    first, *_ = said(trials)
    assert first == (
        "S1.h5: 24 of 24 runs show one category: scaled by run nothing of it is left, and not "
        "scaled a decoder tells runs, not categories"
    )


def test_runs_that_show_one_category_more_often():
    often = np.concatenate([np.repeat(name, 8) for name in CATEGORIES])
    rng = np.random.default_rng(0)
    runs = [rng.permutation([*often[8 * k : 8 * k + 8], *CATEGORIES]) for k in (0, 1, 2, 3) * 2]
    (text,) = [text for text in said(trials_of(np.concatenate(runs), np.arange(8).repeat(12)))
               if "the run tells" in text]  # fmt: skip
    # 9 of 12 pictures of a run are of one category, and it leads whichever of the 12 is taken out.
    assert text == (
        "S1.h5: the run tells the category: the commonest of its others is right for 75% of the "
        "trials (chance 25%), so that time alone may decode; choose decode.folds.by: run, and see "
        "what `controls` makes of time alone"
    )


def test_blocks_of_pictures_of_one_category():
    trials = balanced()
    trials = trials.sort_values(["run", "category"], kind="stable", ignore_index=True)
    (text,) = said(trials)
    # Of the 11 trials of a run that have one before, 8 are as that.
    assert text.startswith(
        "S1.h5: the trial before tells the category: its own is right for 73% of the trials "
        "(chance 25%)"
    )


def test_a_block_of_one_picture_is_one_trial_many_times():
    trials = balanced()
    blocks = trials.loc[np.arange(len(trials)).repeat(4)]
    assert said(blocks) == []


def test_rows_of_one_run_may_be_no_trials():
    trials = balanced().sort_values("category")
    assert said(trials.assign(run=1)) == []
