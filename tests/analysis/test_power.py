"""What an effect takes: against McNemar's known numbers, simulation, and the intervals' own SE."""

import numpy as np
import pytest
from scipy.special import stdtr
from scipy.stats import norm

from brain_teacher.analysis.power import (
    Spread,
    images_needed,
    plan_sentences,
    predicted_error,
    seeds_needed,
    spread_of,
    stated_spread,
    visible_effect,
)
from brain_teacher.analysis.statistics import Scores, paired_difference, smallest_effect
from brain_teacher.analysis.two_way import two_way_error


@pytest.mark.parametrize(("discordant", "known"), [(0.08, 1600), (0.2, 3900)])
def test_two_points_take_as_many_images_as_paired_proportions_do(discordant, known):
    # Connor (1987), Biometrics 43, for McNemar's test: (1.96 sqrt(d) + 0.84 sqrt(d - x^2))^2 / x^2.
    z, power = norm.ppf(0.975), norm.ppf(0.8)
    connor = (z * discordant**0.5 + power * (discordant - 0.02**2) ** 0.5) ** 2 / 0.02**2
    found = images_needed(stated_spread(discordant=discordant, seed_sd=0), 0.02, seeds=8)
    assert found == pytest.approx(connor, rel=0.01)
    assert found == pytest.approx(known, rel=0.02)


def test_the_components_that_were_put_in_are_found():
    rng = np.random.default_rng(4)
    found = []
    for _ in range(1000):  # the seeds' component is then right to 2.6% (SE)
        draw = rng.normal(0, 0.04, (8, 1)) + rng.normal(0, 0.3, (1, 200))
        spread = spread_of(draw + rng.normal(0, 0.5, (8, 200)))
        found.append((spread.seed, spread.image, spread.residual))
    assert np.mean(found, axis=0) == pytest.approx([0.04**2, 0.3**2, 0.5**2], rel=0.1)


def test_a_negative_component_is_none():
    # Row means all equal: MS_seed is 0, below the residual.
    spread = spread_of(np.array([[1.0, 0.0, 2.0], [0.0, 2.0, 1.0]]))
    assert spread.seed == 0 and spread.residual > 0


def test_the_error_predicted_is_the_error_found():
    spread, rng = Spread(0.02**2, 0.3**2, 0.4**2), np.random.default_rng(6)
    draws = rng.normal(0, 0.4, (400, 8, 300)) + rng.normal(0, 0.02, (400, 8, 1))
    draws += rng.normal(0, 0.3, (400, 1, 300))
    se, df = predicted_error(spread, seeds=8, images=300)
    assert draws.mean(axis=(1, 2)).std() == pytest.approx(se, rel=0.1)
    found_se, found_df = two_way_error(draws)
    assert (found_se**2).mean() ** 0.5 == pytest.approx(se, rel=0.03)
    assert np.median(found_df) == pytest.approx(df, rel=0.2)


def test_a_pilot_of_the_same_size_sees_what_the_result_would_say():
    rng = np.random.default_rng(2)
    paired = rng.normal(0.01, 0.05, (6, 1)) + rng.normal(0, 0.3, (6, 90)) + rng.normal(0, 0.2, 90)
    result = paired_difference(Scores(range(6), paired), Scores(range(6), np.zeros((6, 90))))
    seen = visible_effect(spread_of(paired), seeds=6, images=90)
    assert seen == pytest.approx(smallest_effect(result), rel=1e-9)


def test_an_effect_of_that_size_is_seen_four_times_in_five():
    spread, rng = Spread(0.02**2, 0.25**2, 0.3**2), np.random.default_rng(9)
    effect = visible_effect(spread, seeds=8, images=200)
    draws = effect + rng.normal(0, 0.3, (2000, 8, 200)) + rng.normal(0, 0.02, (2000, 8, 1))
    draws += rng.normal(0, 0.25, (2000, 1, 200))
    se, df = two_way_error(draws)
    p = 2 * stdtr(df, -np.abs(draws.mean(axis=(1, 2))) / se)
    assert np.mean(p < 0.05) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("options", [{}, {"power": 0.9}, {"level": 0.05 / 6}])
def test_the_counts_are_the_fewest(options):
    spread = Spread(0.015**2, 0.3**2, 0.4**2)
    images = images_needed(spread, 0.03, seeds=8, **options)
    seeds = seeds_needed(spread, 0.03, images=2000, **options)
    assert 2 < images < 10_000 and 2 < seeds < 20
    for count, fewer in ((images, images - 1), (seeds, seeds - 1)):
        sizes = [(8, count), (8, fewer)] if count == images else [(count, 2000), (fewer, 2000)]
        enough, little = (visible_effect(spread, seeds=s, images=i, **options) for s, i in sizes)
        assert enough <= 0.03 < little


def test_what_no_count_gives_is_none():
    assert images_needed(Spread(0.04**2, 0.1, 0), 0.02, seeds=4) is None
    assert seeds_needed(Spread(0.01**2, 0.2, 0), 0.02, images=960) is None


def test_sentences():
    spread = stated_spread(discordant=0.08, seed_sd=0)
    assert plan_sentences(spread, 0.02, seeds=8, images=2000, comparisons=6) == [
        "An effect of 2 points at 80% power (p < 0.05, uncorrected) takes with 8 seeds 1,572 test "
        "images, or with 2,000 test images 2 seeds.",
        # By hand: 2.802 sqrt(0.08 / 2000) = 1.8; z[1 - 0.05/12] + z[0.8] = 2.638 + 0.842: 2.2.
        "What 8 seeds and 2,000 test images could not see: anything below 1.8 points (below 2.2 at "
        "Holm's first step, p < 0.05 / 6).",
    ]


def test_where_neither_count_is_enough_alone_both_are_raised():
    spread = stated_spread(discordant=0.2, seed_sd=0.06)
    first, _ = plan_sentences(spread, 0.04, seeds=8, images=960, comparisons=6)
    assert (
        "with 8 seeds no number of test images that can be had, or with 960 test images no" in first
    )
    seeds, images = map(int, first.rstrip(".").replace(",", "").split("with ")[-1].split()[:3:2])
    assert seeds in (16, 32, 64)
    assert visible_effect(spread, seeds=seeds, images=images) <= 0.04
    assert images_needed(spread, 0.04, seeds=seeds // 2) is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stated_spread(discordant=12, seed_sd=0), "discordant is 12; it is a share, above"),
        (lambda: stated_spread(discordant=0.1, seed_sd=1), "seed_sd is 1; it is a fraction"),
        (lambda: spread_of(np.zeros((1, 5))), "two seeds and two images are needed, the pilot has"),
        (lambda: spread_of(np.ones((2, 5))), "all differences are equal: nothing is known of"),
        (
            lambda: visible_effect(Spread(1, 1, 1), seeds=1, images=9),
            "two seeds and two images are",
        ),
        (
            lambda: images_needed(Spread(1, 1, 1), 0.0, seeds=2),
            "the effect is 0.0; it must be above",
        ),
        (
            lambda: visible_effect(Spread(1, 1, 1), seeds=2, images=9, power=0.4),
            "power is 0.4; it must be at least 0.5 and below 1",
        ),
    ],
)
def test_faults(call, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        call()
