"""Scaling and choosing voxels, against scikit-learn."""

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.preprocessing import StandardScaler

from brain_teacher.decoding.voxel_scaling import (
    best_voxels,
    voxel_scores,
    zscore,
    zscore_by_run,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_runs_are_scaled_as_scikit_learn_scales_each(dtype):
    rng = np.random.default_rng(0)
    data = (1000 + 7 * rng.standard_normal((60, 5))).astype(dtype)
    run = rng.integers(1, 5, 60)
    scaled = zscore_by_run(data, run)
    assert scaled.dtype == np.float64
    for value in np.unique(run):
        rows = run == value
        expected = StandardScaler().fit_transform(data[rows].astype(np.float64))
        np.testing.assert_allclose(scaled[rows], expected, atol=1e-9)


def test_other_trials_are_scaled_by_those_fitted_on():
    rng = np.random.default_rng(1)
    fit, data = 3 + rng.standard_normal((30, 4)), 5 + rng.standard_normal((8, 4))
    expected = StandardScaler().fit(fit).transform(data)
    np.testing.assert_allclose(zscore(fit, data), expected, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e30, 1e30), st.integers(1, 40))
@example(0.1, 10)  # their mean is 0.09999999999999999, their deviation 1.4e-17
def test_a_constant_voxel_becomes_zero(value, trials):
    for dtype in (np.float32, np.float64):
        data = np.full((trials, 2), value, dtype=dtype)
        assert (zscore(data, data) == 0).all()
        assert (zscore(data, data + dtype(1)) == 0).all()


@pytest.mark.parametrize("value", [16_777_217.0, 1e6 / 3, 12345.678, 0.1])
def test_a_large_constant_in_one_run_becomes_zero_there_only(value):
    rng = np.random.default_rng(0)
    data = (value + value * rng.standard_normal((2000, 1))).astype(np.float32)
    run = np.repeat([1, 2], 1000)
    data[run == 1] = value
    scaled = zscore_by_run(data, run)
    assert (scaled[run == 1] == 0).all()
    assert scaled[run == 2].std() == pytest.approx(1)


def test_a_run_of_one_trial_is_zero():
    assert zscore_by_run(np.array([[3.0], [1], [2]]), np.array([9, 1, 1])).tolist() == [
        [0.0],
        [-1.0],
        [1.0],
    ]


def test_small_deviations_from_a_large_mean_are_kept():
    # float32 tells 1,000,000 from 1,000,001: eight digits.
    data = (1e6 + 10 * np.random.default_rng(0).standard_normal((50, 3))).astype(np.float32)
    np.testing.assert_allclose(zscore(data, data).std(axis=0), 1)


# Choosing voxels


def make_recording(*, categories=5, images=6, voxels=40, signal=0.5, seed=0):
    """Unbalanced, shuffled trials on an offset, with pairs of outer and of inner folds."""
    rng = np.random.default_rng(seed)
    category = np.repeat(np.arange(categories), images)
    fold = np.tile(np.arange(images), categories) % 3
    keep = np.sort(rng.permutation(len(category))[: len(category) * 9 // 10])
    order = rng.permutation(keep)
    category, fold = category[order], fold[order]
    data = signal * rng.standard_normal((categories, voxels))[category] + 7
    data += rng.standard_normal(data.shape)
    names = np.array([f"c{k}" for k in category])
    pairs = [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(3)]
    pairs += [
        (np.flatnonzero((fold != f) & (fold != g)), np.flatnonzero(fold == g))
        for f in range(3)
        for g in range(3)
        if f != g
    ]
    return data, names, pairs


def strongest_correlation(data, category):
    """The largest |r| with a one-hot column, by numpy's corrcoef."""
    one_hot = (category[:, None] == np.unique(category)).astype(float)
    table = np.corrcoef(data, one_hot, rowvar=False)
    return np.abs(table[: data.shape[1], data.shape[1] :]).max(axis=1)


EXPECTED = {
    "f-score": lambda data, category: f_classif(data, category)[0],
    "correlation": strongest_correlation,
}
by_both = pytest.mark.parametrize("by", list(EXPECTED))


@by_both
@pytest.mark.parametrize(("categories", "images"), [(5, 6), (2, 30), (12, 6)])
def test_scores_are_those_of_each_fold_alone(by, categories, images):
    data, category, pairs = make_recording(categories=categories, images=images)
    scores = voxel_scores(data, category, pairs, by=by)
    for (fit, _), found in zip(pairs, scores, strict=True):
        # atol: scikit-learn does not centre, which costs a small F its digits.
        expected = EXPECTED[by](data[fit], category[fit])
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@by_both
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_scores_of_any_fit_are_those_of_the_fit_alone(by, data):
    recording, category, _ = make_recording(seed=data.draw(st.integers(0, 1000)))
    fit = np.array(
        data.draw(
            st.lists(st.integers(0, len(category) - 1), unique=True, min_size=6).filter(
                lambda rows: 1 < len(np.unique(category[rows])) < len(rows)
            )
        )
    )
    found = voxel_scores(recording, category, [(fit, [])], by=by)[0]
    expected = EXPECTED[by](recording[fit], category[fit])
    # 1 / (1 + score): a huge F is a ratio to what rounding leaves of the variance within.
    np.testing.assert_allclose(1 / (1 + found), 1 / (1 + expected), rtol=0, atol=1e-9)


@pytest.mark.parametrize("count", [1, 7, 39])
def test_the_best_voxels_are_those_of_scikit_learn(count):
    data, category, pairs = make_recording()
    for (fit, _), chosen in zip(
        pairs, best_voxels(data, category, pairs, count, by="f-score"), strict=True
    ):
        select = SelectKBest(f_classif, k=count).fit(data[fit], category[fit])
        assert chosen.tolist() == select.get_support(indices=True).tolist()


def test_a_category_with_one_trial_counts_and_one_without_does_not():
    data, category, _ = make_recording()
    once, never = np.flatnonzero(category == "c0"), np.flatnonzero(category == "c1")
    fit = np.setdiff1d(np.arange(len(data)), [*once[1:], *never])
    for by, expected in EXPECTED.items():
        np.testing.assert_allclose(
            voxel_scores(data, category, [(fit, never)], by=by)[0],
            expected(data[fit], category[fit]),
            rtol=1e-9,
        )


@by_both
def test_the_order_of_voxels_changes_no_bit(by):
    # Large enough for a matrix product to fail here.
    data, category, pairs = make_recording(categories=40, images=9, voxels=301)
    order = np.random.default_rng(1).permutation(301)
    np.testing.assert_array_equal(
        voxel_scores(data[:, order], category, pairs, by=by),
        voxel_scores(data, category, pairs, by=by)[:, order],
    )


@by_both
def test_the_order_of_trials_does_not_matter(by):
    data, category, pairs = make_recording()
    order = np.random.default_rng(1).permutation(len(data))
    place = np.argsort(order)
    moved = [(place[fit], place[held_out]) for fit, held_out in pairs]
    np.testing.assert_allclose(
        voxel_scores(data[order], category[order], moved, by=by),
        voxel_scores(data, category, pairs, by=by),
        rtol=1e-10,
    )


@by_both
def test_trials_outside_the_fit_do_not_matter(by):
    data, category, pairs = make_recording()
    fit, held_out = pairs[0]
    other, names = data.copy(), category.copy()
    other[held_out] += 5 * np.random.default_rng(1).standard_normal(data[held_out].shape)
    names[held_out] = names[held_out[::-1]]
    assert (names != category).any()
    np.testing.assert_allclose(
        voxel_scores(other, names, [(fit, held_out)], by=by),
        voxel_scores(data, category, [(fit, held_out)], by=by),
        rtol=1e-9,
    )


@pytest.mark.parametrize("count", [12, 13, 300])
def test_all_voxels_where_there_are_no_more(count):
    data, category, pairs = make_recording(voxels=12)
    assert best_voxels(data, category, pairs, count, by="f-score") is None


@by_both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 1.1, 12345.678])
def test_constant_voxels_come_last(by, dtype, value):
    data, category, pairs = make_recording(voxels=12, signal=0)
    data = data.astype(dtype)
    data[:, [0, 5]] = value
    rest = [voxel for voxel in range(12) if voxel not in (0, 5)]
    for chosen in best_voxels(data, category, pairs, 10, by=by):
        assert chosen.tolist() == rest
    for chosen in best_voxels(data, category, pairs, 11, by=by):
        assert chosen.tolist() == sorted([0, *rest])
    assert (voxel_scores(data, category, pairs, by=by)[:, [0, 5]] == -1).all()


@by_both
def test_rounding_around_a_large_mean_is_constant_as_it_is_for_scaling(by):
    data, category, pairs = make_recording()
    data[:, 3] = 1000 * (1 + 1e-8 * data[:, 3])
    assert (zscore(data, data)[:, 3] == 0).all()
    assert (voxel_scores(data, category, pairs, by=by)[:, 3] == -1).all()


@by_both
@pytest.mark.parametrize("wild", [1.0, 1e3, 1e8])
def test_a_voxel_that_varies_only_outside_the_fit_is_constant(by, wild):
    data, category, pairs = make_recording()
    fit, held_out = pairs[0]
    data[:, 3] = 1.1
    data[held_out[0], 3] += wild
    assert voxel_scores(data, category, [(fit, held_out)], by=by)[0, 3] == -1


@by_both
def test_one_wild_trial_outside_the_fit_costs_no_digits(by):
    data, category, pairs = make_recording()
    fit, held_out = pairs[0]
    data[held_out[0], [3, 5]] = 1e8, 1e10
    np.testing.assert_allclose(
        voxel_scores(data, category, [(fit, held_out)], by=by)[0],
        EXPECTED[by](data[fit], category[fit]),
        # 1e10 leaves a float64 six digits below 1, the overall mean of 26 trials is as large.
        rtol=1e-5,
    )


def test_a_voxel_that_never_varies_within_a_category_is_the_best():
    data, category, pairs = make_recording(signal=0)
    data[:, 4] = np.unique(category, return_inverse=True)[1]
    for chosen in best_voxels(data, category, pairs, 1, by="f-score"):
        assert chosen.tolist() == [4]


def test_a_voxel_that_answers_to_one_category_alone_correlates_perfectly():
    data, category, pairs = make_recording(signal=0)
    data[:, 4] = 3 - 2.0 * (category == "c2")
    scores = voxel_scores(data, category, pairs, by="correlation")
    np.testing.assert_allclose(scores[:, 4], 1)
    assert (scores <= 1).all()


def test_of_equal_voxels_the_first_are_chosen():
    data, category, pairs = make_recording(voxels=1)
    for chosen in best_voxels(np.repeat(data, 5, axis=1), category, pairs, 2, by="f-score"):
        assert chosen.tolist() == [0, 1]


def test_the_data_are_left_alone():
    data, category, pairs = make_recording()
    before = data.copy()
    voxel_scores(data, category, pairs, by="f-score")
    np.testing.assert_array_equal(data, before)


def test_what_cannot_be_scored_is_said():
    data = np.random.default_rng(0).standard_normal((6, 3))
    category = np.array(["a", "a", "b", "b", "c", "c"])
    pairs = [(np.arange(4), [4]), (np.array([0, 2, 4]), [1])]
    message = (
        "pair 1 is fitted on 3 trials (categories: 3); to choose voxels by f-score it needs two "
        "categories, one of them twice, at least: use all voxels, or other folds"
    )
    refuses(message, voxel_scores, data, category, pairs, by="f-score")
    assert voxel_scores(data, category, pairs, by="correlation").shape == (2, 3)
    message = (
        "pair 0 is fitted on 2 trials (categories: 1); to choose voxels by correlation it needs "
        "two categories at least: use all voxels, or other folds"
    )
    refuses(message, best_voxels, data, category, [(np.arange(2), [2])], 2, by="correlation")
    message = "voxels cannot be scored by 'anova'; use one of f-score, correlation"
    refuses(message, best_voxels, data, category, pairs, 2, by="anova")


def refuses(message, function, *arguments, **settings):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(*arguments, **settings)
