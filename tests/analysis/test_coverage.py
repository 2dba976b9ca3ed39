"""Whether the 95% interval of a paired difference holds the truth in 95% of experiments."""

import numpy as np
import pytest
from scipy.special import expit, stdtrit

from brain_teacher.analysis.statistics import Scores, paired_difference


def linear(rng, n_draws, n_seeds, n_images, *, seed=0.02, image=0.3, residual=0.5):
    """Draws of ``mu + seed + image + residual``; the truth is mu, which was put in."""
    differences = (
        0.03
        + rng.normal(0, seed, (n_draws, n_seeds, 1))
        + rng.normal(0, image, (n_draws, 1, n_images))
        + rng.normal(0, residual, (n_draws, n_seeds, n_images))
    )
    return differences, 0.03


def answers(rng, n_draws, n_seeds, n_images, *, seed=0.15, image=0.5):
    """Draws of right minus wrong answers of two teachers that share seeds and images.

    The logit of a right answer is the teacher's own mean plus normal effects: difficulty of the
    image and quality of the seed (both shared by the teachers), the same two for each teacher,
    and seed x image. Their sum is normal, so a teacher's true accuracy over all seeds and images
    is E[expit(N(mean, variance))]: one integral, done by Gauss-Hermite quadrature.
    """
    shape = (n_draws, n_seeds, n_images)
    shared = rng.normal(0, 1.5, (n_draws, 1, n_images)) + rng.normal(0, 0.1, (n_draws, n_seeds, 1))
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    spread = (1.5**2 + 0.1**2 + image**2 + seed**2 + 0.5**2) ** 0.5
    right, truth = [], []
    for mean in (0.5, 0.2):
        logits = mean + shared + rng.normal(0, 0.5, shape)
        logits += rng.normal(0, image, (n_draws, 1, n_images))
        logits += rng.normal(0, seed, (n_draws, n_seeds, 1))
        right.append((rng.random(shape) < expit(logits)).astype(float))
        truth.append(weights @ expit(mean + spread * nodes) / weights.sum())
    return right[0] - right[1], truth[0] - truth[1]


def coverage(draw, n_seeds, n_images, **effects):
    """Share of 2,000 two-way intervals that hold the truth; the same of t over seeds alone."""
    rng = np.random.default_rng(20)
    seeds, zeros = range(n_seeds), Scores(range(n_seeds), np.zeros((n_seeds, n_images)))
    two_way = seeds_alone = 0
    for _ in range(8):  # in parts: all draws at once would take a gigabyte
        draws, truth = draw(rng, 250, n_seeds, n_images, **effects)
        for differences in draws:
            result = paired_difference(Scores(seeds, differences), zeros)
            two_way += result.low <= truth <= result.high
        by_seed = draws.mean(axis=2)
        half = stdtrit(n_seeds - 1, 0.975) * by_seed.std(axis=1, ddof=1) / n_seeds**0.5
        seeds_alone += np.sum(np.abs(by_seed.mean(axis=1) - truth) <= half)
    return two_way / 2000, seeds_alone / 2000


@pytest.mark.parametrize(("n_seeds", "n_images"), [(5, 150), (8, 150), (16, 150), (8, 1000)])
@pytest.mark.parametrize(
    ("draw", "effects"),
    [
        (linear, {}),
        (linear, {"seed": 0.04}),
        (linear, {"image": 0.0}),
        (linear, {"seed": 0.0}),
        (answers, {}),
        (answers, {"seed": 0.3}),
        (answers, {"seed": 0.0}),
    ],
)
def test_interval_covers(draw, effects, n_seeds, n_images):
    two_way, _ = coverage(draw, n_seeds, n_images, **effects)
    assert 0.93 <= two_way <= 0.99


def test_an_interval_over_seeds_alone_does_not_cover():
    # That `test_interval_covers` can fail, and why the two-way interval is here.
    assert coverage(linear, 8, 150)[1] < 0.9
    assert coverage(answers, 16, 150)[1] < 0.93
