"""Two one-sided tests against the margin."""

import re

import numpy as np
import pytest
from scipy.special import stdtrit
from statsmodels.stats.weightstats import ttost_paired

from brain_teacher.analysis.equivalence import equivalence_p
from brain_teacher.analysis.statistics import Scores, paired_difference


def against_zero(differences):
    seeds = range(len(differences))
    return paired_difference(Scores(seeds, differences), Scores(seeds, np.zeros_like(differences)))


def only_seeds(by_seed):
    return against_zero(np.repeat(np.asarray(by_seed, dtype=float)[:, None], 4, axis=1))


@pytest.mark.parametrize("shift", [-0.05, -0.02, 0.0, 0.01, 0.04])
def test_where_only_seeds_vary_it_is_statsmodels_tost(shift):
    by_seed = np.array([0.01, -0.02, 0.03, 0.0, 0.005]) + shift
    expected = ttost_paired(by_seed, np.zeros(5), -0.04, 0.04)[0]
    assert equivalence_p(only_seeds(by_seed), margin=0.04) == pytest.approx(expected)


def test_it_is_below_5_percent_exactly_where_the_90_percent_interval_lies_inside():
    result = against_zero(np.random.default_rng(0).normal(0.01, 0.1, (6, 40)))
    end = max(abs(result.low90), abs(result.high90))
    assert (
        equivalence_p(result, margin=end * 1.001) < 0.05 < equivalence_p(result, margin=end * 0.999)
    )
    assert equivalence_p(result, margin=end) == pytest.approx(0.05)


def test_from_the_printed_t_table():
    # df 4: t[.95] = 2.132; a mean of 0 with se 1/2.132 of the margin is just equivalent.
    result = only_seeds([-0.02, -0.01, 0.0, 0.01, 0.02])
    margin = float(result.se * stdtrit(4, 0.95))
    assert result.df == 4 and margin / result.se == pytest.approx(2.132, abs=1e-3)
    assert equivalence_p(result, margin=margin) == pytest.approx(0.05)


def test_equal_differences_are_no_evidence():
    assert np.isnan(equivalence_p(against_zero(np.zeros((3, 4))), margin=0.04))


def test_margin_is_a_fraction():
    message = "margin is 4; it must be a fraction between 0 and 1 (0.04)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        equivalence_p(only_seeds([0.0, 0.1]), margin=4)
