"""Representational similarity against scipy's, and its intervals in simulation."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from brain_teacher.analysis.likeness import alike, dissimilarities, mean_of
from brain_teacher.analysis.statistics import Scores, paired_difference


def rows(seed, images=20, units=30):
    return np.random.default_rng(seed).standard_normal((images, units))


def test_dissimilarity_is_one_minus_the_correlation_of_two_images():
    x = rows(0, 6)
    upper = np.triu_indices(6, 1)
    np.testing.assert_allclose(dissimilarities(x), 1 - np.corrcoef(x)[upper], rtol=1e-5)
    x[2] = 3.0  # does not vary
    assert np.isfinite(dissimilarities(x)).all()


def test_the_pseudo_values_are_those_of_spearmans_rho():
    shared = rows(1)
    one, two = (dissimilarities(shared + 2 * rows(seed)) for seed in (2, 3))
    rho = spearmanr(one, two).statistic
    found = alike(one, two)
    # Without image i, by hand; ranks are those among all pairs.
    n, (first, second) = 20, np.triu_indices(20, 1)
    ranks = [np.argsort(np.argsort(each)).astype(float) for each in (one, two)]
    for image in range(n):
        kept = (first != image) & (second != image)
        without = np.corrcoef(ranks[0][kept], ranks[1][kept])[0, 1]
        assert found[image] == pytest.approx(n * rho - (n - 1) * without, abs=1e-6)
    assert found.mean() == pytest.approx(rho, abs=0.1)
    assert alike(one, one).mean() == pytest.approx(1)


def test_no_two_images_are_enough():
    few = dissimilarities(rows(0, 7))
    with pytest.raises(ValueError, match="7 images; likeness takes 8"):
        alike(few, few)
    with pytest.raises(ValueError, match="the images are not the same"):
        alike(few, few[:-1])


def test_subjects_count_alike_in_their_mean():
    one, two = dissimilarities(rows(0)), 100 * dissimilarities(rows(1))
    mean = mean_of([one, two])
    assert alike(mean, one).mean() == pytest.approx(alike(mean, two).mean(), abs=0.2)


def told_apart(noise, draws=60):
    """In how many experiments two teachers are told apart by p < 0.05; 4 seeds, 16 images."""
    told = 0
    for draw in range(draws):
        rng = np.random.default_rng([9, draw])
        shared = rng.standard_normal((16, 12))
        brain = dissimilarities(shared + rng.standard_normal(shared.shape))
        scores = []
        for each in noise:
            layers = [shared + each * rng.standard_normal(shared.shape) for _ in range(4)]
            scores.append(Scores(range(4), [alike(dissimilarities(x), brain) for x in layers]))
        told += paired_difference(*scores).p < 0.05
    return told


def test_teachers_of_equal_likeness_are_seldom_told_apart_and_unequal_ones_often():
    # In 3 of 60 at most in the mean, and so in 8 but once in a hundred times; the truth is below,
    # since pairs' own noise is counted twice.
    assert told_apart((2, 2)) <= 8
    assert told_apart((0.5, 2)) > 20
