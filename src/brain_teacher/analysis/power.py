"""How many seeds and test images an effect takes: the arithmetic of ``brain-teacher plan``.

The model is that of `paired_difference`: ``d[s, i] = mu + seed[s] + image[i] + residual[s, i]``.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import partial

import numpy as np

from brain_teacher.analysis.outcomes import ACCURACY
from brain_teacher.analysis.two_way import least_visible, mean_squares

# Beyond these nobody trains or photographs: "cannot be had".
MOST = {"seeds": 1000, "images": 1_000_000}
# Below this no share and no effect is seen; arithmetic ends further down, at 1e-320.
LEAST = 1e-6


@dataclass(frozen=True)
class Spread:
    """Variances of the paired difference of single answers, as fractions squared; not all 0."""

    seed: float
    image: float
    residual: float

    def __post_init__(self):
        values = (self.seed, self.image, self.residual)
        if not all(np.isfinite(value) and value >= 0 for value in values):
            raise ValueError(f"variances must be at least 0, they are {values}")
        if not any(values):
            raise ValueError("all differences are equal: nothing is known of their error")


def spread_of(differences):
    """Variance components of a pilot: from the expected mean squares, negative ones as 0.

    Parameters
    ----------
    differences : ndarray of shape (n_seeds, n_images)
        Paired, from `pair_by_seed`; at least two of each.

    Returns
    -------
    Spread
    """
    n_seeds, n_images = differences.shape
    if min(n_seeds, n_images) < 2:
        needed = "two seeds and two images are needed"
        raise ValueError(f"{needed}, the pilot has {n_seeds} and {n_images}")
    seed, image, residual = map(float, mean_squares(differences))
    return Spread(
        max(0.0, (seed - residual) / n_images), max(0.0, (image - residual) / n_seeds), residual
    )


def stated_spread(*, discordant, seed_sd):
    """A spread from two numbers that a person can state.

    Parameters
    ----------
    discordant : float
        Share of the test images that one student of a pair names rightly and the other wrongly,
        above 0, at most 1. Their variance is taken as the images' own, which more seeds do not
        average out: the cautious reading, exact where seeds answer alike.
    seed_sd : float
        SD over seeds of the paired difference in accuracy, a fraction.

    Returns
    -------
    Spread
    """
    if not LEAST <= discordant <= 1:
        raise ValueError(f"discordant is {discordant}; it is a share, above 0 and at most 1 (0.12)")
    if not 0 <= seed_sd < 1:
        raise ValueError(f"seed_sd is {seed_sd}; it is a fraction, at least 0 and below 1 (0.01)")
    return Spread(seed_sd**2, discordant, 0.0)


def predicted_error(spread, *, seeds, images):
    """Standard error of the mean difference and its degrees of freedom, as they are to be expected.

    Those of `paired_difference` with each mean square at its expectation.

    Returns
    -------
    se, df : float
    """
    residual = spread.residual
    seed, image = residual + images * spread.seed, residual + seeds * spread.image
    total, df_seed, df_image = seed + image - residual, seeds - 1, images - 1
    df = total**2 / (seed**2 / df_seed + image**2 / df_image + residual**2 / (df_seed * df_image))
    return math.sqrt(total / (seeds * images)), df


def visible_effect(spread, *, seeds, images, power=0.8, level=0.05):
    """The smallest true difference that so many seeds and images will show.

    ``(t[1 - level/2] + t[power]) SE``, as `smallest_effect` has it of a result.

    Parameters
    ----------
    spread : Spread
    seeds, images : int
        At least 2.
    power : float
        At least 0.5, below 1.
    level : float
        Two-sided. Not corrected; Holm's first step within a family of m is 0.05 / m.

    Returns
    -------
    float
        A fraction: 0.04 is 4 percentage points.
    """
    if seeds < 2 or images < 2:
        raise ValueError(f"two seeds and two images are needed, not {seeds} and {images}")
    se, df = predicted_error(spread, seeds=seeds, images=images)
    return least_visible(se, df, power=power, level=level)


def images_needed(spread, effect, *, seeds, **options):
    """The fewest test images that show an effect with so many seeds; None if no number does.

    Examples
    --------
    McNemar's classical answer for +2 points (2.80^2 x 0.08 / 0.02^2 is 1,570):

    >>> images_needed(stated_spread(discordant=0.08, seed_sd=0), 0.02, seeds=8)
    1572
    """
    return _fewest("images", partial(visible_effect, spread, seeds=seeds, **options), effect)


def seeds_needed(spread, effect, *, images, **options):
    """The fewest seeds that show an effect on so many test images; None if no number does."""
    return _fewest("seeds", partial(visible_effect, spread, images=images, **options), effect)


def _fewest(what, visible, effect):
    """The smallest count from 2 on that sees the effect: what is seen falls with the count."""
    if not LEAST <= effect <= 1 / LEAST:
        raise ValueError(f"the effect is {effect}; it must be above 0, and one that can be seen")
    counts = range(2, MOST[what] + 1)
    place = bisect_left(counts, True, key=lambda count: visible(**{what: count}) <= effect)
    return counts[place] if place < len(counts) else None


def plan_sentences(spread, effect, *, seeds, images, comparisons, power=0.8, outcome=ACCURACY):
    """What an effect takes, and what so many seeds and images cannot see, in two sentences.

    The effect is a fraction, or nats, as the outcome is; `seeds` and `images` are there, or
    planned; Holm's first step divides the level by the `comparisons` of the family.
    """
    options = {"power": power}
    strict = options | {"level": 0.05 / comparisons}
    shown, strictly = (
        outcome.number(visible_effect(spread, seeds=seeds, images=images, **each))
        for each in (options, strict)
    )
    more_images = images_needed(spread, effect, seeds=seeds, **options)
    more_seeds = seeds_needed(spread, effect, images=images, **options)
    takes = [
        f"with {seeds} seeds {_count(more_images, 'test images')}",
        f"with {images:,} test images {_count(more_seeds, 'seeds')}",
    ]
    if more_images is None and more_seeds is None:
        takes += _more_of_both(spread, effect, seeds, options)
    return [
        f"An effect of {outcome.given(effect)} {outcome.differ} at {100 * power:g}% power (p < "
        f"0.05, uncorrected) takes {', or '.join(takes)}.",
        f"What {seeds} seeds and {images:,} test images could not see: anything below "
        f"{shown} {outcome.step} (below {strictly} at Holm's first step, p < 0.05 / "
        f"{comparisons}).",
    ]


def _more_of_both(spread, effect, seeds, options):
    """The first doubling of the seeds with which some number of images is enough."""
    while (seeds := 2 * seeds) <= MOST["seeds"]:
        if (images := images_needed(spread, effect, seeds=seeds, **options)) is not None:
            return [f"with {seeds} seeds {_count(images, 'test images')}"]
    return []


def _count(number, what):
    return f"no number of {what} that can be had" if number is None else f"{number:,} {what}"
