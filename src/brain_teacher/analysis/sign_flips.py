"""The exact sign-flip test over seeds: beside the two-way interval, with fewer assumptions.

It asks whether the seeds' mean differences could as well have had the other sign, and needs no
normal distribution. But it speaks of other seeds on *these* test images only, and few seeds bound
its p from below.
"""

import math
from dataclasses import dataclass
from itertools import count

import numpy as np
from scipy.stats import permutation_test
from statsmodels.stats.multitest import multipletests

from brain_teacher.analysis.statistics import pair_by_seed
from brain_teacher.seeds import named_rng

# All flips of 16 seeds are 65,536; beyond, that many are drawn.
EXACT = 16


@dataclass(frozen=True)
class SignFlip:
    """A sign-flip test of one comparison."""

    p: float  # two-sided
    p_corrected: float  # Holm's within the family
    seeds: int  # pairs


def sign_flip_p(by_seed):
    """Two-sided p of the seeds' mean differences being symmetrical about 0.

    Every choice of signs is tried; of more than 16 seeds, 65,535 choices drawn at random. For n
    seeds it is never below 2 / 2^n.

    Parameters
    ----------
    by_seed : array_like of shape (n_seeds,)
        Each seed's mean difference.

    Returns
    -------
    float

    Examples
    --------
    Of the eight choices of signs only +++ and --- are as extreme:

    >>> sign_flip_p([0.01, 0.02, 0.04])
    0.25

    In the methods
    --------------
    Beside it stands a sign-flip test over the seeds' mean differences [@ernst2004], exact for up
    to 16 seeds, which assumes no normal distribution.
    """
    # Rounded far below one image: equal differences must be ties whatever their last bits are.
    by_seed = np.round(np.asarray(by_seed, dtype=np.float64), 12)
    if len(by_seed) < 2:
        raise ValueError(f"two seeds are needed for a sign-flip, not {len(by_seed)}")
    if not by_seed.any():
        return 1.0
    result = permutation_test(
        (by_seed,),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf if len(by_seed) <= EXACT else 2**EXACT - 1,
        batch=4096,
        rng=named_rng(0, "sign-flip"),
    )
    return float(result.pvalue)


def sign_flips(scores, *, teacher, family):
    """`teacher` against each control, with Holm's correction within the family.

    Parameters
    ----------
    scores : dict of str to Scores
        By teacher's name.
    teacher : str
    family : sequence of str
        The controls; at least two seeds in common with `teacher` each.

    Returns
    -------
    dict of str to SignFlip
        By control, in the family's order.
    """
    pairs = {name: pair_by_seed(scores[teacher], scores[name])[1] for name in family}
    raw = [sign_flip_p(each.mean(axis=1)) for each in pairs.values()]
    corrected = multipletests(raw, method="holm")[1]
    return {
        name: SignFlip(p, float(p_corrected), len(each))
        for (name, each), p, p_corrected in zip(pairs.items(), raw, corrected, strict=True)
    }


def smallest_p(seeds):
    """The smallest p that a sign-flip of so many seeds can give: 2 / 2^n.

    Examples
    --------
    >>> smallest_p(8)
    0.0078125
    """
    return 2.0 ** (1 - seeds)


def seeds_in_reach(comparisons, *, level=0.05):
    """How many seeds it takes for the smallest p to pass Holm's first step.

    Examples
    --------
    With 8 seeds 6 comparisons pass (6 / 128 = 0.047), 7 do not:

    >>> seeds_in_reach(6), seeds_in_reach(7)
    (8, 9)
    """
    return next(seeds for seeds in count(1) if comparisons * smallest_p(seeds) < level)


def out_of_reach(flips, *, level=0.05):
    """The sentence that says when p < `level` cannot be had in a family, or None where it can."""
    best = multipletests([smallest_p(each.seeds) for each in flips.values()], method="holm")[1]
    if best.max() < level:
        return None
    seeds, comparisons = min(each.seeds for each in flips.values()), len(flips)
    which = "any of them" if best.min() >= level else "all of them"
    return (
        f"The sign-flip test cannot reach p < {level:g} for {which} here: the smallest p of "
        f"{seeds} seeds is {_shown(smallest_p(seeds))}, and Holm's correction for {comparisons} "
        f"comparisons begins at {_shown(min(comparisons * smallest_p(seeds), 1.0))}; it takes "
        f"{seeds_in_reach(comparisons, level=level)} seeds."
    )


def _shown(p):
    # Three digits that count, without exponents: 0.00781.
    return f"{p:.{max(3, 2 - math.floor(math.log10(p)))}f}".rstrip("0").rstrip(".")
