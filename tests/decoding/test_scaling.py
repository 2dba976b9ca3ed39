"""Scaling and choosing voxels, against scikit-learn."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.preprocessing import StandardScaler

from brain_teacher.decoding.scaling import best_voxels, standardise, zscore_by_run
from making_decoding import make_voxels


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
    np.testing.assert_allclose(standardise(fit, data), expected, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e30, 1e30), st.integers(1, 40))
@example(0.1, 10)  # their mean is 0.09999999999999999, their deviation 1.4e-17
def test_a_constant_voxel_becomes_zero(value, trials):
    for dtype in (np.float32, np.float64):
        data = np.full((trials, 2), value, dtype=dtype)
        assert (standardise(data, data) == 0).all()
        assert (standardise(data, data + dtype(1)) == 0).all()


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
    np.testing.assert_allclose(standardise(data, data).std(axis=0), 1)


def test_the_best_voxels_are_those_of_scikit_learn():
    voxels = make_voxels(categories=5, images=6, voxels=40, signal=0.5)
    for count in (1, 7, 39):
        select = SelectKBest(f_classif, k=count).fit(voxels.data, voxels.category)
        chosen = best_voxels(voxels.data, voxels.category, count)
        assert chosen.tolist() == select.get_support(indices=True).tolist()


@pytest.mark.parametrize("count", [12, 13, 300])
def test_all_voxels_where_there_are_fewer(count):
    voxels = make_voxels()
    assert best_voxels(voxels.data, voxels.category, count).tolist() == list(range(12))


@pytest.mark.parametrize("value", [0.0, 1.1, 12345.678])
def test_constant_voxels_come_last(value):
    voxels = make_voxels(signal=0)
    data = voxels.data.copy()
    data[:, [0, 5]] = value
    rest = [voxel for voxel in range(12) if voxel not in (0, 5)]
    assert best_voxels(data, voxels.category, 10).tolist() == rest
    assert best_voxels(data, voxels.category, 11).tolist() == sorted([0, *rest])


def test_a_voxel_that_never_varies_within_a_category_is_the_best():
    voxels = make_voxels(signal=0)
    data = voxels.data.astype(np.float64)
    data[:, 4] = np.unique(voxels.category, return_inverse=True)[1]
    assert best_voxels(data, voxels.category, 1).tolist() == [4]
