"""The ten designs of noise, and the table that is made of them."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import noise_designs as study
from brain_teacher.decoding.out_of_fold import plan_for


@pytest.mark.parametrize("design", study.DESIGNS)
def test_a_design_is_what_it_says(design):
    first, again, other = (study.draw(design, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.data, again.data)
    assert not np.array_equal(first.data, other.data)
    assert first.data.shape == (len(first.run), study.VOXELS)
    # An image has one category, and each category images enough for folds and inner folds.
    shown = dict(zip(first.image_id, first.category, strict=True))
    assert (first.category == [shown[image] for image in first.image_id]).all()
    assert np.unique([*shown.values()], return_counts=True)[1].min() >= 6


def test_which_designs_make_rounds():
    by = {design.__name__: plan_for(study.draw(design, 0)).by for design in study.DESIGNS}
    assert {name for name, each in by.items() if each == "round"} == {
        "once_a_run", "twice_a_run", "one_repeat", "one_back", "rounds", "unlike_runs"
    }  # fmt: skip


def test_the_leak_is_seen_by_scikit_learn_too_and_in_the_fold_there_is_none():
    with threadpool_limits(1):
        leaking = study.tried(study.once_a_run, lambda t: study.by_scikit_learn(t, "all"), 10)
        honest = study.tried(study.once_a_run, study.WAYS["scikit-learn, run"], 10)
        ours = study.tried(study.once_a_run, study.WAYS["ridge, run"], 10)
    assert leaking[0] > 0.2 and leaking[2] < 1e-9
    assert honest[2] > study.LEVEL and ours[2] > study.LEVEL


def test_what_is_above_chance_is_bold():
    rows = [["once a run", "ridge, run", 20, 0.13, 0.125, 0.2],
            ["once a run", "ridge, all", 20, 0.3, 0.125, 1e-9]]  # fmt: skip
    assert study.table(rows).splitlines()[2].split("|")[1:5] == [
        " once a run ", " 12.5     ", " 13.0         ", " **30.0**     "
    ]  # fmt: skip
