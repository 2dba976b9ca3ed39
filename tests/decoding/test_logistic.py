"""The logistic regression against scikit-learn's, solved tightly and without any short cut."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from brain_teacher.decoding.logistic import fit_predict


@pytest.fixture(autouse=True)
def one_thread():
    """As the command has it: one thread repeats to the bit, and is faster."""
    with threadpool_limits(1):
        yield


def draw(n_voxels, n_classes, *, seed=0):
    rng = np.random.default_rng(seed)
    category = np.array([f"c{c}" for c in rng.permutation(np.arange(48) % n_classes)])
    centres = 0.5 * rng.standard_normal((n_classes, n_voxels))
    centre_of = dict(zip(np.unique(category), centres, strict=True))
    voxels = np.array([centre_of[c] for c in category]) + rng.standard_normal((48, n_voxels))
    return voxels, category, rng.standard_normal((20, n_voxels))


@pytest.mark.parametrize("n_voxels", [5, 47, 48, 49, 300])
@pytest.mark.parametrize("n_classes", [2, 6])
@pytest.mark.parametrize("C", [0.001, 0.01, 1])
def test_probabilities_are_those_of_scikit_learn(n_voxels, n_classes, C):
    voxels, category, held_out = draw(n_voxels, n_classes)
    log_probs = fit_predict(voxels, category, held_out, C=C)
    model = LogisticRegression(C=C, tol=1e-10, max_iter=100_000, solver="newton-cg")
    expected = model.fit(voxels, category).predict_proba(held_out)
    assert log_probs.shape == (20, n_classes) and log_probs.dtype == np.float64
    assert np.abs(np.exp(log_probs) - expected).max() < 1e-4


def test_classes_are_in_sorted_order():
    voxels, category, _ = draw(300, 6)
    log_probs = fit_predict(voxels, category, voxels, C=1)
    assert (np.unique(category)[log_probs.argmax(axis=1)] == category).all()


@pytest.mark.parametrize("n_classes", [2, 6])
def test_certainty_is_a_large_number_and_no_infinity(n_classes):
    # The logarithm of a probability that became 0 is -inf, and a warning.
    voxels, category, held_out = draw(5, n_classes)
    log_probs = fit_predict(voxels, category, 1e5 * held_out, C=1)
    assert np.isfinite(log_probs).all() and log_probs.min() < -1000


def test_inputs_are_left_alone():
    voxels, category, held_out = draw(300, 6)
    before = [array.copy() for array in (voxels, category, held_out)]
    fit_predict(voxels, category, held_out, C=1)
    for array, copy in zip((voxels, category, held_out), before, strict=True):
        np.testing.assert_array_equal(array, copy)
