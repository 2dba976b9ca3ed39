"""The exact sign-flip over seeds, what it can reach, and Holm's correction of it."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import wilcoxon

from brain_teacher.analysis.sign_flips import (
    SignFlip,
    out_of_reach,
    seeds_in_reach,
    sign_flip_p,
    sign_flips,
    smallest_p,
)
from brain_teacher.analysis.statistics import Scores


def by_hand(values):
    """Share of all choices of signs whose mean is at least as far from 0."""
    means = [
        abs(np.mean(np.multiply(signs, values))) for signs in product((1, -1), repeat=len(values))
    ]
    return np.mean(np.array(means) >= abs(np.mean(values)) - 1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_every_choice_of_signs_is_counted(seed):
    values = np.random.default_rng(seed).normal(0.02, 0.03, 7)
    assert sign_flip_p(values) == pytest.approx(by_hand(values))
    assert sign_flip_p(-values) == sign_flip_p(values)
    assert sign_flip_p(values[::-1]) == sign_flip_p(values)


def test_on_ranks_it_is_wilcoxons_test():
    # scipy's exact signed-rank test is the sign-flip of the signed ranks.
    values = np.array([3.0, -1.0, 5.0, 2.0, -4.0, 6.0, 7.0, 8.0])
    assert sign_flip_p(values) == pytest.approx(wilcoxon(values, method="exact").pvalue)


def test_equal_differences_are_ties():
    # Of 8 choices those with |mean| >= 0.1 are +++ and ---; 0.1 + 0.1 + 0.1 is not 0.3 in floats.
    assert sign_flip_p([0.1, 0.3 - 0.2, 0.7 - 0.6]) == 0.25
    assert sign_flip_p([0.1, 0.1, -0.2]) == 1.0
    assert sign_flip_p([0.0, 0.0, 0.0]) == 1.0


@pytest.mark.parametrize("seeds", [2, 5, 8, 16])
def test_the_smallest_p_is_reached_and_no_smaller(seeds):
    assert smallest_p(seeds) == 2 / 2**seeds
    assert sign_flip_p(np.arange(1.0, seeds + 1)) == pytest.approx(smallest_p(seeds))


def test_of_many_seeds_signs_are_drawn_the_same_each_time():
    values = np.random.default_rng(3).normal(0.3, 1, 24)
    found = sign_flip_p(values)
    assert found == sign_flip_p(values) and 0 < found < 1
    t = values.mean() / (values.std(ddof=1) / 24**0.5)
    # Near the t-test's p (df 23), as for normal values it must be.
    assert found == pytest.approx(2 * student.sf(abs(t), 23), abs=0.02)


def test_noise_is_called_an_effect_in_at_most_5_percent():
    draws = np.random.default_rng(8).normal(0, 1, (600, 6))
    rate = np.mean([sign_flip_p(draw) < 0.05 for draw in draws])
    # Of 6 seeds p is a multiple of 1/32, so that 0.031 is the true rate.
    assert 0.01 < rate < 0.05


def test_holm_over_the_family():
    up = np.arange(1.0, 9)[:, None] / 100
    scores = {"brain": Scores(range(8), np.zeros((8, 2)))}
    for name, by_seed in (("a", -up), ("b", up * np.array([[1, -1] * 4]).T), ("c", -up[::-1])):
        scores[name] = Scores(range(8), np.repeat(by_seed, 2, axis=1))
    found = sign_flips(scores, teacher="brain", family=["a", "b", "c"])
    assert list(found) == ["a", "b", "c"]
    assert found["a"].p == found["c"].p == pytest.approx(1 / 128)
    assert found["a"].p_corrected == found["c"].p_corrected == pytest.approx(3 / 128)
    assert found["b"].p_corrected == found["b"].p > 0.3
    assert {each.seeds for each in found.values()} == {8}


def test_pairs_join_on_seeds():
    scores = {
        "brain": Scores((1, 2, 3), [[1, 1], [1, 0], [1, 1]]),
        "none": Scores((3, 2, 9), [[0, 0], [0, 0], [1, 1]]),
    }
    found = sign_flips(scores, teacher="brain", family=["none"])["none"]
    assert found == SignFlip(0.5, 0.5, 2)


def family(comparisons, seeds):
    return {f"c{number}": SignFlip(1.0, 1.0, seeds) for number in range(comparisons)}


def test_eight_seeds_pass_holm_up_to_six_comparisons():
    assert seeds_in_reach(6) == 8 and seeds_in_reach(7) == 9
    assert out_of_reach(family(6, 8)) is None
    assert out_of_reach(family(7, 9)) is None
    assert out_of_reach(family(7, 8)) == (
        "The sign-flip test cannot reach p < 0.05 for any of them here: the smallest p of 8 seeds "
        "is 0.00781, and Holm's correction for 7 comparisons begins at 0.0547; it takes 9 seeds."
    )


def test_one_comparison_that_lost_seeds_is_said():
    found = family(5, 9) | {"lost": SignFlip(1.0, 1.0, 5)}
    assert out_of_reach(found) == (
        "The sign-flip test cannot reach p < 0.05 for all of them here: the smallest p of 5 seeds "
        "is 0.0625, and Holm's correction for 6 comparisons begins at 0.375; it takes 8 seeds."
    )


def test_one_seed_is_too_few():
    with pytest.raises(ValueError, match="^two seeds are needed for a sign-flip, not 1$"):
        sign_flip_p([0.1])
