"""The temperature: laws, a known one found again, and bounds that are said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.metrics import log_loss

from brain_teacher.decoding.calibration import HIGHEST, LOWEST, at_bound, fit_temperature


def draw(n, n_classes, *, temperature=1.0, seed=0):
    """Log-probabilities whose truth is drawn from their softmax at `temperature`."""
    rng = np.random.default_rng(seed)
    log_probs = log_softmax(2 * rng.standard_normal((n, n_classes)), axis=1)
    cumulated = np.exp(log_softmax(log_probs / temperature, axis=1)).cumsum(axis=1)
    truth = (rng.random((n, 1)) > cumulated[:, :-1]).sum(axis=1)
    return log_probs, truth


def nll(log_probs, truth, temperature):
    scaled = log_softmax(log_probs / temperature, axis=1)
    return -scaled[np.arange(len(truth)), truth].mean()


def test_the_nll_is_that_of_scikit_learn():
    log_probs, truth = draw(60, 4)
    expected = log_loss(truth, np.exp(log_softmax(log_probs / 1.7, axis=1)), labels=range(4))
    assert nll(log_probs, truth, 1.7) == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [0.3, 0.8, 1, 1.7, 5])
def test_a_known_temperature_is_found_again(temperature):
    # 20,000 images: log T had a standard deviation of 0.007 to 0.016 over 20 seeds.
    fitted = fit_temperature(*draw(20_000, 5, temperature=temperature))
    assert np.log(fitted) == pytest.approx(np.log(temperature), abs=0.06)


@pytest.mark.parametrize("seed", range(5))
def test_no_temperature_of_a_fine_grid_is_better(seed):
    log_probs, truth = draw(60, 4, temperature=0.5 + seed / 2, seed=seed)
    fitted = fit_temperature(log_probs, truth)
    grid = np.geomspace(LOWEST, HIGHEST, 1001)
    losses = [nll(log_probs, truth, temperature) for temperature in grid]
    assert nll(log_probs, truth, fitted) <= min(losses) + 1e-9
    assert abs(np.log(fitted / grid[np.argmin(losses)])) < 2 * np.log(grid[1] / grid[0])
    other = minimize(lambda x: nll(log_probs, truth, np.exp(x[0])), [0.0], method="Nelder-Mead")
    assert fitted == pytest.approx(np.exp(other.x[0]), rel=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(2, 6), st.floats(0.01, 50), st.integers(0, 2**32 - 1))
def test_the_nll_never_rises_above_that_of_no_temperature(n, n_classes, scale, seed):
    rng = np.random.default_rng(seed)
    log_probs = log_softmax(scale * rng.standard_normal((n, n_classes)), axis=1)
    truth = rng.integers(0, n_classes, n)
    fitted = fit_temperature(log_probs, truth)
    assert LOWEST * (1 - 1e-12) <= fitted <= HIGHEST * (1 + 1e-12)

    assert nll(log_probs, truth, fitted) <= nll(log_probs, truth, 1) + 1e-12
    np.testing.assert_array_equal(
        (log_probs / fitted).argmax(axis=1), log_probs.argmax(axis=1)
    )  # accuracy cannot change


def test_the_order_of_images_does_not_matter():
    log_probs, truth = draw(200, 5, temperature=2)
    order = np.random.default_rng(0).permutation(200)
    assert fit_temperature(log_probs[order], truth[order]) == pytest.approx(
        fit_temperature(log_probs, truth), rel=1e-4
    )


@pytest.mark.parametrize("confidence", [0.6, 0.9, 1 - 1e-12])
def test_predictions_that_are_never_wrong_run_into_the_lower_bound(confidence):
    log_probs = np.log([[confidence, 1 - confidence]] * 5)
    fitted = fit_temperature(log_probs, np.zeros(5, int))
    assert fitted == pytest.approx(LOWEST) and at_bound(fitted)


def test_predictions_that_are_always_wrong_run_into_the_upper_bound():
    fitted = fit_temperature(np.log([[0.9, 0.1]] * 5), np.ones(5, int))
    assert fitted == pytest.approx(HIGHEST) and at_bound(fitted)


def test_predictions_that_say_nothing_are_said_to_be_at_a_bound():
    assert at_bound(fit_temperature(np.log(np.full((5, 2), 0.5)), np.zeros(5, int)))


@pytest.mark.parametrize("temperature", [0.06, 1.0, 19.0])
def test_within_the_bounds_is_not_at_a_bound(temperature):
    assert not at_bound(temperature)
