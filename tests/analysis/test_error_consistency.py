"""Error consistency against scikit-learn's kappa."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from brain_teacher.analysis.error_consistency import error_consistency


def observers(seed=0, images=300, shared=0.7):
    rng = np.random.default_rng(seed)
    hard = rng.standard_normal(images)
    return [shared * hard + rng.standard_normal(images) > cut for cut in (-0.8, 0.1)]


def test_pseudo_values_are_the_jackknifes_of_cohens_kappa():
    one, two = observers(images=40)
    found, kappa = error_consistency(one, two), cohen_kappa_score(one, two)
    for image in range(40):
        without = cohen_kappa_score(np.delete(one, image), np.delete(two, image))
        assert found[image] == pytest.approx(40 * kappa - 39 * without)


def test_who_errs_alike_has_one_and_who_errs_apart_none():
    one, _ = observers()
    assert error_consistency(one, one).mean() == pytest.approx(1)
    apart = [error_consistency(*observers(seed, shared=0)).mean() for seed in range(40)]
    assert np.mean(apart) == pytest.approx(0, abs=0.03)
    assert error_consistency(*observers()).mean() > 0.15


def test_an_observer_without_errors_says_nothing():
    one, _ = observers(images=20)
    with pytest.raises(ValueError, match="right on 20 of 20 images: kappa says nothing"):
        error_consistency(one, np.ones(20, bool))
