"""Controls of the decoder: recordings exchanged within runs, and time in their place."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_teacher.commands.controls import LEVEL
from brain_teacher.dataset.trials import Voxels
from brain_teacher.decoding.controls import permute_trials, time_voxels
from brain_teacher.decoding.decoders.logistic import decode_logistic
from brain_teacher.decoding.out_of_fold import plan_for
from brain_teacher.decoding.quality import quality
from helpers.recordings import make_voxels
from noise_designs import draw, unbalanced


def rng():
    return np.random.default_rng(4)


def same_columns(one, other):
    assert list(one.columns()) == list(other.columns())
    for name, column in one.columns().items():
        np.testing.assert_array_equal(column, other.columns()[name])


# permute_trials


@settings(max_examples=25, deadline=None)
@given(shows=st.integers(1, 3), images=st.integers(2, 4), seed=st.integers(0, 1000))
def test_recordings_change_places_within_their_run_and_nothing_else_does(shows, images, seed):
    voxels = make_voxels(shows=shows, images=images, seed=seed)
    before = voxels.data.copy()
    permuted = permute_trials(voxels, rng=np.random.default_rng(seed))
    same_columns(permuted, voxels)
    np.testing.assert_array_equal(voxels.data, before)
    assert permuted.data.dtype == voxels.data.dtype
    for run in np.unique(voxels.run):
        rows = voxels.run == run
        # As sets of rows: each recording is there once.
        old, new = (sorted(map(tuple, data[rows])) for data in (voxels.data, permuted.data))
        assert old == new


def test_every_exchange_within_a_run_is_as_likely():
    voxels = make_voxels(categories=4, images=2)
    generator = rng()
    counts, orders = np.zeros((8, 8)), {}
    for _ in range(2000):
        data = permute_trials(voxels, rng=generator).data
        came_from = (data[:, None] == voxels.data).all(axis=2)
        counts += came_from
        order = tuple(came_from.argmax(axis=1)[voxels.run == 1])
        orders[order] = orders.get(order, 0) + 1
    # 2000 / 4! = 83 each, with a standard deviation of 9.
    assert len(orders) == 24 and min(orders.values()) > 83 - 5 * 9
    same_run = voxels.run[:, None] == voxels.run
    assert (counts[~same_run] == 0).all()
    # 2000 draws of 1/4: 500 with a standard deviation of 19.
    np.testing.assert_allclose(counts[same_run], 500, atol=5 * 19.4)


def test_runs_of_one_number_in_two_data_types_are_two_runs():
    voxels = make_voxels(categories=4, images=1)
    both = Voxels(
        **{name: np.tile(getattr(voxels, name), 2) for name in ("image_id", "category", "run")},
        data=np.concatenate([voxels.data, 100 + voxels.data]),
        data_type=np.repeat([1, 2], 4),
    )
    data = permute_trials(both, rng=rng()).data
    assert (data[:4] < 50).all() and (data[4:] > 50).all()


def test_the_draw_does_not_depend_on_the_order_of_the_rows():
    voxels = make_voxels()
    order = np.random.default_rng(1).permutation(16)
    one = permute_trials(voxels, rng=rng()).take(order)
    np.testing.assert_array_equal(permute_trials(voxels.take(order), rng=rng()).data, one.data)
    other = permute_trials(voxels, rng=np.random.default_rng(5))
    assert (other.data != permute_trials(voxels, rng=rng()).data).any()


def test_where_no_run_shows_two_categories_there_is_nothing_to_exchange():
    voxels = make_voxels(categories=4, images=4)
    alone = replace(voxels, run=np.unique(voxels.category, return_inverse=True)[1])
    with pytest.raises(ValueError) as caught:
        permute_trials(alone, rng=rng())
    assert str(caught.value) == (
        "no run shows two categories: exchanging trials within runs changes none; there is no "
        "such control for this recording"
    )


# time_voxels


def test_the_columns_of_time_by_hand():
    # Runs 3 and 8, of 3 and 2 trials; rows not in order.
    voxels = Voxels(
        data=np.ones((5, 2), dtype=np.float32),
        image_id=np.array(list("abcde")),
        category=np.array(list("xyxyx")),
        run=np.array([8, 3, 3, 8, 3]),
        position=np.array([2, 3, 1, 1, 2]),
    )
    timed = time_voxels(voxels)
    same_columns(timed, voxels)
    assert timed.data.shape == (5, 2 + 1 + 3 + 8) and timed.data.dtype == np.float32
    np.testing.assert_array_equal(timed.data[:, 0], [0, 1, 1, 0, 1])
    np.testing.assert_array_equal(timed.data[:, 1], [1, 0, 0, 1, 0])
    # Trials at 1/6, 3/6 and 5/6 of the longest run: cos(pi / 6) is 0.866.
    place = np.array([3, 5, 1, 1, 3]) / 6
    np.testing.assert_allclose(timed.data[:, 2], place, atol=1e-7)
    np.testing.assert_allclose(timed.data[:, 3], [0, -0.866, 0.866, 0.866, 0], atol=1e-3)
    np.testing.assert_allclose(timed.data[:, 5], 0, atol=1e-6)  # cos(pi / 2), cos(3 pi / 2) ...
    # Over both runs: 1/12, 3/12, 5/12 in run 3 and 7/12, 9/12 in run 8.
    time = np.array([9, 5, 1, 7, 3]) / 12
    np.testing.assert_allclose(timed.data[:, 6], np.cos(np.pi * time), atol=1e-6)
    np.testing.assert_allclose(timed.data[:, 13], np.cos(8 * np.pi * time), atol=1e-6)


def test_what_was_recorded_does_not_matter_and_rows_may_be_shuffled():
    voxels = make_voxels(shows=2)
    timed = time_voxels(voxels)
    other = replace(voxels, data=np.ones((32, 1), dtype=np.float32))
    np.testing.assert_array_equal(time_voxels(other).data, timed.data)
    order = np.random.default_rng(1).permutation(32)
    np.testing.assert_array_equal(time_voxels(voxels.take(order)).data, timed.data[order])


def test_runs_of_one_trial_have_a_time():
    voxels = make_voxels()
    alone = replace(voxels, run=np.arange(16), position=np.ones(16, dtype=int))
    assert np.isfinite(time_voxels(alone).data).all()


def test_time_says_nothing_of_noise_with_unequal_classes():
    """Who names the largest class is right more often than 1 in 5: that is no drift."""
    alarms, before = 0, 0
    for seed in range(8):
        timed = time_voxels(draw(unbalanced, seed))
        how = {"normalise": "fold", "select": "f-score", "n_voxels": 100, "calibrate": False}
        labels = decode_logistic(timed, plan_for(timed, by="image"), C=[0.01], **how)
        found = quality(labels, timed.category_of(labels.image_id))
        before += found["top1_low"] > 1 / 5
        alarms += found["top1_p"] < LEVEL
    assert before > 2 and alarms == 0, (before, alarms)
