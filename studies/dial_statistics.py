"""What the dial's draws say together: counts with exact bounds, intervals and tests over draws.

Pure: arrays and dictionaries in, numbers out. A draw's *accuracy* is, by teacher, the test accuracy
of each seed's student.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests


@dataclass(frozen=True)
class Interval:
    """A mean with its 95% interval; NaN where there are too few values for one."""

    mean: float
    low: float
    high: float

    def lies_within(self, margin):
        """Whether the whole interval lies between -margin and margin."""
        return -margin < self.low and self.high < margin


def paired(accuracy, teacher, control):
    """`teacher` minus `control`, seed by seed.

    Parameters
    ----------
    accuracy : dict of str to dict of int to float
        By teacher and seed; a seed that diverged is absent, and drops out of its pair.
    teacher, control : str

    Returns
    -------
    ndarray of shape (n_common_seeds,)

    Examples
    --------
    >>> paired({"brain": {0: 0.5, 1: 0.75}, "none": {0: 0.25, 2: 0.5}}, "brain", "none")
    array([0.25])
    """
    seeds = sorted(accuracy[teacher].keys() & accuracy[control].keys())
    return np.array([accuracy[teacher][seed] - accuracy[control][seed] for seed in seeds])


def over_draws(differences):
    """Mean of the draws' means, with Student's 95% interval over draws.

    Parameters
    ----------
    differences : sequence of ndarray
        Of each draw, one value a pair of seeds.

    Returns
    -------
    Interval
    """
    means = np.array([each.mean() for each in differences])
    if len(means) < 2:
        return Interval(float(means.mean()), np.nan, np.nan)
    low, high = stats.ttest_1samp(means, 0).confidence_interval(0.95)
    return Interval(float(means.mean()), float(low), float(high))


def exact_bounds(count, n):
    """Clopper and Pearson's 95% interval of a share, from `count` of `n`."""
    found = stats.binomtest(count, n).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def sign_flips(differences, *, flips, rng):
    """Two-sided p of the mean of the draws' means, under flips of the sign of each pair.

    Draws are kept as they are: what is tested is whether in *these* draws seeds favour one side.

    Parameters
    ----------
    differences : sequence of ndarray
        Of each draw, one value a pair of seeds.
    flips : int
        Random ones; (hits + 1) / (flips + 1) is reported. All there are, if they are not more.
    rng : numpy.random.Generator

    Returns
    -------
    float
    """
    # A draw counts as much as any other, however many of its pairs are left.
    shares = np.concatenate([each / len(each) for each in differences])
    test = stats.permutation_test(
        (shares,), np.sum, permutation_type="samples", n_resamples=flips, vectorized=True, rng=rng
    )
    return float(test.pvalue)


def against_family(draws, *, teacher, family, flips, rng):
    """`teacher` against each control over all draws together, Holm's correction in the family.

    Parameters
    ----------
    draws : sequence of dict
        The accuracy of each draw.
    teacher : str
    family : sequence of str
    flips : int
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to dict
        By control: ``mean``, ``p`` and ``p_corrected``.
    """
    rows = {}
    for control in family:
        differences = [paired(accuracy, teacher, control) for accuracy in draws]
        mean = float(np.mean([each.mean() for each in differences]))
        rows[control] = {"mean": mean, "p": sign_flips(differences, flips=flips, rng=rng)}
    corrected = multipletests([row["p"] for row in rows.values()], method="holm")[1]
    for row, p in zip(rows.values(), corrected, strict=True):
        row["p_corrected"] = float(p)
    return rows


def between_redraws(accuracy, *, seeds):
    """What redraws of the noise add to the variance of accuracy, beyond what seeds explain.

    Seeds are paired, the same in every redraw, so the model is two-way,
    ``accuracy[r, s] = mu + redraw[r] + seed[s] + residual[r, s]``: a one-way analysis would count
    the seeds' own variance as error within redraws, and find too little between them. The redraws'
    variance is (MS_redraw - MS_residual) / n_seeds; its share is of the variance, over redraws, of
    a mean over `seeds` seeds. The interval is exact for normal effects, from F = MS_redraw /
    MS_residual ([1]_, ch. 4).

    Parameters
    ----------
    accuracy : array_like of shape (n_redraws, n_seeds)
        At least two of each.
    seeds : int
        How many seeds a table has whose share is asked for.

    Returns
    -------
    dict
        ``sd``, of the redraws, in the unit of `accuracy`; ``share``, ``share_low``, ``share_high``
        (95%), 0 to 1; ``p``, of no variance between redraws.

    Raises
    ------
    ValueError
        If nothing is left of the residual.

    References
    ----------
    .. [1] Searle, Casella & McCulloch (1992), Variance Components.
    """
    accuracy = np.asarray(accuracy, dtype=float)
    n_redraws, n_seeds = accuracy.shape
    by_redraw, by_seed = accuracy.mean(axis=1, keepdims=True), accuracy.mean(axis=0, keepdims=True)
    residual = accuracy - by_redraw - by_seed + accuracy.mean()
    df = n_redraws - 1, (n_redraws - 1) * (n_seeds - 1)
    ms_redraw = n_seeds * by_redraw.var(ddof=1)
    ms_residual = (residual**2).sum() / df[1]
    if ms_residual < 1e-20:  # rounding
        raise ValueError("every seed answers each redraw alike: no error is known")
    f = ms_redraw / ms_residual
    found = {"sd": float(np.sqrt(max(ms_redraw - ms_residual, 0) / n_seeds))}
    places = {"share": 1.0, "share_low": stats.f.ppf(0.975, *df)}
    places["share_high"] = stats.f.ppf(0.025, *df)
    for name, under in places.items():
        ratio = max(f / under - 1, 0) / n_seeds  # of the redraws' variance to the residual's
        found[name] = float(ratio / (ratio + 1 / seeds))
    return found | {"p": float(stats.f.sf(f, *df))}
