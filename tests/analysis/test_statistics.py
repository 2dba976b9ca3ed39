"""Paired two-way differences: mean squares, bound, interval, Holm and faults."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtrit
from scipy.stats import ttest_1samp
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from brain_teacher.analysis.statistics import (
    Scores,
    compare_to_controls,
    pair_by_seed,
    paired_difference,
    smallest_effect,
)

# Row means 2, 4, 6 and column means 2, 4, 6 about 4; by hand:
# SS_seed = 3 (4 + 0 + 4) = 24, SS_image = 24, residuals 1 -1 0 / -1 0 1 / 0 1 -1 (SS 6).
HAND = np.array([[1.0, 1.0, 4.0], [1.0, 4.0, 7.0], [4.0, 7.0, 7.0]])


def against_zero(differences):
    """`paired_difference` of these differences."""
    differences = np.asarray(differences, dtype=float)
    seeds = tuple(range(len(differences)))
    return paired_difference(Scores(seeds, differences), Scores(seeds, np.zeros_like(differences)))


def fails_with(message):
    return pytest.raises(ValueError, match=f"^{re.escape(message)}$")


# Golden values


def test_two_way_by_hand():
    # MS 12, 12, 1.5; SE^2 = (12 + 12 - 1.5) / 9 = 2.5; df = 22.5^2 / (72 + 72 + 0.5625).
    result = against_zero(HAND)
    assert result.mean == pytest.approx(4)
    assert result.se == pytest.approx(2.5**0.5)
    assert result.df == pytest.approx(506.25 / 144.5625)
    assert (result.seeds, result.images) == (3, 3)
    assert not result.constant


def test_mean_squares_are_those_of_anova():
    differences = (
        np.random.default_rng(1).normal(size=(4, 6)) + np.arange(6) + np.arange(4)[:, None]
    )
    table = pd.DataFrame(
        [(s, i, differences[s, i]) for s in range(4) for i in range(6)], columns=["s", "i", "d"]
    )
    anova = anova_lm(ols("d ~ C(s) + C(i)", table).fit())
    seed, image, residual = anova["mean_sq"]
    total = seed + image - residual
    assert min(seed, image) > residual  # so that the bound is not what this test sees
    result = against_zero(differences)
    assert result.se == pytest.approx((total / 24) ** 0.5, rel=1e-9)
    assert result.df == pytest.approx(
        total**2 / (seed**2 / 3 + image**2 / 5 + residual**2 / 15), rel=1e-9
    )


def test_intervals_and_p_from_the_printed_t_table():
    # Images do not differ beyond the residual, so df is seeds - 1 = 4: t[.975] 2.776, t[.95] 2.132.
    by_seed = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    result = against_zero(np.repeat(by_seed[:, None], 4, axis=1))
    se = (0.025 / 5) ** 0.5
    assert result.se == pytest.approx(se)
    assert (result.low, result.high) == pytest.approx(
        (0.3 - 2.776 * se, 0.3 + 2.776 * se), abs=1e-4
    )
    assert (result.low90, result.high90) == pytest.approx(
        (0.3 - 2.132 * se, 0.3 + 2.132 * se), abs=1e-4
    )
    # Where only seeds vary, the classical one-sample t-test over seeds is the same test.
    assert result.p == pytest.approx(ttest_1samp(by_seed, 0).pvalue)
    assert result.p_corrected == result.p


@pytest.mark.parametrize(
    ("differences", "se_squared", "df"),
    [
        # MS 1.125, 0.125, 0.125: the sum equals the larger term, so Satterthwaite's df stand.
        (
            [[1, 1, 1, 0], [0, 0, 0, 0]],
            1.125 / 8,
            1.125**2 / (1.125**2 + 0.125**2 / 3 + 0.125**2 / 3),
        ),
        # MS 0.9, 0, 0.4: the larger one alone, and the two seeds.
        ([[1, 1, 1, 1, 0], [0, 0, 0, 0, 1]], 0.9 / 10, 1),
        # MS 0, 0.9, 0.4: and the two images.
        ([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1]], 0.9 / 10, 1),
        # MS 1/6, 0, 1/2: neither seeds nor images are there, and all six are one sample.
        ([[1, 0], [0, 0], [0, 1]], np.var([1, 0, 0, 0, 0, 1], ddof=1) / 6, 5),
        ([[1, 0, 0], [0, 0, 1]], np.var([1, 0, 0, 0, 0, 1], ddof=1) / 6, 5),
        # MS 0.125, 0.125, 0.4583.
        ([[1, 0, 1, 0], [0, 1, 0, 0]], np.var([1, 0, 1, 0, 0, 1, 0, 0], ddof=1) / 8, 7),
        # MS 0, 0, 0.5: a Latin square.
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 0.25 / 9, 8),
    ],
)
def test_bound_by_hand(differences, se_squared, df):
    result = against_zero(differences)
    assert result.se == pytest.approx(se_squared**0.5)
    assert result.df == pytest.approx(df)


def test_holm_by_hand():
    # Only seeds vary: t on df 2, p about 0.09, 0.003, 0.07.
    spread = np.array([-1.0, 0.0, 1.0]) / 100
    scores = {"brain": Scores((0, 1, 2), np.zeros((3, 2)))}
    for control, shift in (("small", 0.018), ("large", 0.1), ("middle", 0.02)):
        scores[control] = Scores((0, 1, 2), np.repeat((spread - shift)[:, None], 2, axis=1))
    result = compare_to_controls(scores, teacher="brain", family=("small", "large", "middle"))
    raw = {name: difference.p for name, difference in result.items()}
    corrected = {name: difference.p_corrected for name, difference in result.items()}
    assert list(result) == ["small", "large", "middle"]
    assert raw["large"] < raw["middle"] < raw["small"]
    # The smallest p times 3, the next times 2, the last times 1, never falling (Holm 1979).
    assert corrected["large"] == pytest.approx(3 * raw["large"])
    assert corrected["middle"] == pytest.approx(2 * raw["middle"])
    assert raw["small"] < 2 * raw["middle"]
    assert corrected["small"] == pytest.approx(2 * raw["middle"])


def test_smallest_effect_from_the_printed_t_table():
    # df 4: t[.975] = 2.776, t[.8] = 0.941.
    by_seed = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    result = against_zero(np.repeat(by_seed[:, None], 4, axis=1))
    assert smallest_effect(result) == pytest.approx((2.776 + 0.941) * result.se, rel=1e-3)
    assert smallest_effect(result, power=0.5) == pytest.approx(2.776 * result.se, rel=1e-3)


def test_smallest_effect_is_seen_four_times_in_five():
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 0.03, (1000, 8, 1)) + rng.normal(0, 0.3, (1000, 8, 150))
    # The true SE gives the effect that is then planted; df are near those of eight seeds.
    effect = (stdtrit(7, 0.975) + stdtrit(7, 0.8)) * (0.03**2 / 8 + 0.3**2 / 1200) ** 0.5
    seen = np.mean([against_zero(draw + effect).p < 0.05 for draw in noise])
    assert 0.72 < seen < 0.88


# Differences that are all the same


@pytest.mark.parametrize(("value", "p"), [(0.25, 0.0), (-1.0, 0.0), (0.0, 1.0)])
def test_equal_differences_say_so(value, p):
    result = against_zero(np.full((3, 4), value))
    assert result.constant
    assert [result.low, result.low90, result.mean, result.high90, result.high] == [value] * 5
    assert (result.p, result.se) == (p, 0)
    assert smallest_effect(result) == 0


def test_rounding_is_no_difference():
    a, b = Scores((0, 1), [[1.1, 0.1], [0.1, 1.1]]), Scores((0, 1), [[1.0, 0.0], [0.0, 1.0]])
    assert len(np.unique(a.correct - b.correct)) > 1
    assert paired_difference(a, b).constant


# Pairs


def test_pairs_join_on_seeds():
    a = Scores((3, 1, 2), [[3, 3], [1, 1], [2, 2]])
    b = Scores((1, 4, 3), [[10, 0], [40, 0], [30, 0]])
    seeds, differences = pair_by_seed(a, b)
    assert seeds == (1, 3)
    np.testing.assert_array_equal(differences, [[-9, 1], [-27, 3]])
    assert paired_difference(a, b).seeds == 2


def test_other_teachers_and_absent_seeds_are_left_alone():
    rng = np.random.default_rng(0)
    scores = {
        name: Scores(range(4), rng.integers(0, 2, (4, 9))) for name in ("brain", "none", "smooth")
    }
    scores["none"] = Scores((0, 1, 3), scores["none"].correct[[0, 1, 3]])
    result = compare_to_controls(scores, teacher="brain", family=["none"])
    assert list(result) == ["none"]
    assert result["none"] == paired_difference(scores["brain"], scores["none"])
    assert result["none"].seeds == 3


# Faults


@pytest.mark.parametrize(
    ("seeds", "correct", "message"),
    [
        ((1, 2), [1, 0], "correct has 1 dimensions, not 2: seeds x images"),
        ((1, 2), [[1, 0]], "2 seeds for 1 rows of correct"),
        ((1, 2, 1), [[1], [0], [1]], "seeds occur more than once: 1"),
        ((), np.empty((0, 3)), "no scores: correct has shape (0, 3)"),
        (
            (1, 7),
            [[1, 0], [np.nan, 1]],
            "seed 7: correct is not finite; leave a diverged seed out",
        ),
    ],
)
def test_scores_are_checked(seeds, correct, message):
    with fails_with(message):
        Scores(seeds, correct)


def test_scores_keep_their_own_copy():
    correct = np.ones((2, 2))
    scores = Scores((1, 2), correct)
    correct[:] = 0
    assert scores.correct.min() == 1
    with pytest.raises(ValueError, match="read-only"):
        scores.correct[0, 0] = 0


def test_pairs_are_checked():
    ones = Scores((1, 2), np.ones((2, 3)))
    with fails_with("3 images against 4; join the scores on image ids"):
        paired_difference(ones, Scores((1, 2), np.ones((2, 4))))
    with fails_with("two common seeds are needed, but seeds 1, 2 and 2, 3 share 2"):
        paired_difference(ones, Scores((2, 3), np.ones((2, 3))))
    with fails_with("two common seeds are needed, but seeds 1, 2 and 3, 4 share none"):
        paired_difference(ones, Scores((3, 4), np.ones((2, 3))))
    with fails_with("two images are needed, but the scores have one"):
        paired_difference(Scores((1, 2), [[1], [0]]), Scores((1, 2), [[1], [1]]))


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ((), "the family is empty: name at least one control"),
        (("none", "none"), "the family names none more than once"),
        (("none", "brain"), "brain is in its own family of controls"),
        (("none", "smooth", "semantic"), "no students of smooth, semantic; train them first"),
        (
            ("none", "late"),
            "brain minus late: two common seeds are needed, but seeds 1, 2 and 2, 3 share 2",
        ),
    ],
)
def test_family_is_checked(family, message):
    ones = Scores((1, 2), np.ones((2, 3)))
    scores = {"brain": ones, "none": ones, "late": Scores((2, 3), np.ones((2, 3)))}
    with fails_with(message):
        compare_to_controls(scores, teacher="brain", family=family)


@pytest.mark.parametrize("power", [0.4, 1.0])
def test_power_is_checked(power):
    with fails_with(f"power is {power}; it must be at least 0.5 and below 1"):
        smallest_effect(against_zero(HAND), power=power)
