"""What a simulated recording holds besides the signal: drift."""

import numpy as np
import pytest

from brain_teacher.seeds import named_rng
from brain_teacher.simulation.noise import draw_drift

# 7 training runs of 32 trials, then a run that is no training run.
RUN, BLOCK = np.repeat([1, 2, 3, 4, 5, 6, 7, 9], 32), np.tile(np.arange(1, 33), 8)
IS_TRAINING = RUN < 9


@pytest.fixture(scope="module")
def drift():
    return draw_drift(RUN, BLOCK, IS_TRAINING, 400, rng=named_rng(1))


def test_a_drift_is_centred_and_has_a_mean_sd_of_one_over_the_training_trials(drift):
    assert drift.shape == (256, 400)
    np.testing.assert_allclose(drift[IS_TRAINING].mean(axis=0), 0, atol=1e-12)
    assert drift[IS_TRAINING].std(axis=0).mean() == pytest.approx(1, rel=1e-12)


def test_a_drift_is_slow_within_and_across_runs(drift):
    training = drift[IS_TRAINING]
    # From trial to trial within a run it moves by a tenth of its size; white noise by sqrt(2).
    steps = np.diff(training.reshape(7, 32, -1), axis=1)
    assert 0.03 < steps.std() < 0.2
    # Half of the variance is alike in all runs.
    by_run = training.reshape(7, 32, 400)
    alike = by_run.mean(axis=0)
    assert alike.var(axis=0).mean() == pytest.approx(0.55, abs=0.12)
    # Run means differ.
    assert by_run.mean(axis=1).std(axis=0).mean() > 0.3


def test_voxels_are_mixtures_of_eleven_waves_of_time(drift):
    # 8 over the session and 3 over the run.
    values = np.linalg.svd(drift, compute_uv=False)
    assert values[10] > 1e-3 * values[0] and values[11] < 1e-10 * values[0]


def test_the_waves_are_the_same_for_all_and_the_mixtures_are_not(drift):
    other = draw_drift(RUN, BLOCK, IS_TRAINING, 400, rng=named_rng(2))
    within = [np.corrcoef(drift[:, v], other[:, v])[0, 1] for v in range(400)]
    assert abs(np.mean(within)) < 0.1
    # What one subject's voxels span in time, the other's do.
    basis = np.linalg.svd(np.c_[drift, np.ones(256)], full_matrices=False)[0][:, :12]
    np.testing.assert_allclose(basis @ (basis.T @ other), other, atol=1e-9)
