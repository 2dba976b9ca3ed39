"""All outcomes of all teachers as one table, with Holm's correction over what is exploratory."""

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit
from statsmodels.stats.multitest import multipletests

from brain_teacher.analysis.statistics import are_paired, pair_by_seed, paired_difference
from brain_teacher.analysis.two_way import interval_of_mean


def further_table(scores, *, teacher, family, baseline, primary):
    """Every outcome by teacher: its mean, `teacher` minus it, and it minus `baseline`.

    Parameters
    ----------
    scores : dict of str to dict of str to Scores
        Outcome (a key of `FURTHER`) -> teacher -> scores.
    teacher : str
    family : sequence of str
        The controls.
    baseline : str
        Of the figure: usually ``none``.
    primary : str
        The outcome that decides elsewhere, and so is not corrected for here.

    Returns
    -------
    DataFrame
        A row an outcome and teacher, columns ``outcome``, ``teacher``, ``seeds``, ``images``, and
        in the outcome's own unit (fractions, nats, rho, kappa): ``mean``, ``low``, ``high``;
        ``minus``, ``minus_low``, ``minus_high``, ``p``, ``p_holm`` of `teacher` minus this one;
        ``over``, ``over_low``, ``over_high`` of this one minus `baseline`. Intervals are of 95% and
        not corrected: two-way over seeds and images (of likeness and consistency, over the images'
        pseudo-values); of the ECE, which is one value a student, over seeds. ``p_holm`` is
        corrected over the whole table but the primary outcome. NaN where there is no such thing.
    """
    rows = []
    for outcome, by_teacher in scores.items():
        for name in (*family, teacher):
            own = by_teacher[name]
            seeds, images = own.correct.shape
            row = {"outcome": outcome, "teacher": name, "seeds": seeds, "images": images}
            row |= dict(zip(("mean", "low", "high"), _mean(own), strict=True))
            against = _difference(by_teacher[teacher], own) if name != teacher else None
            keys = ("minus", "minus_low", "minus_high", "p")
            row |= dict(zip(keys, against or (np.nan,) * 4, strict=True))
            over = _difference(own, by_teacher[baseline]) if name != baseline else None
            keys = ("over", "over_low", "over_high")
            row |= dict(zip(keys, over or (np.nan,) * 3, strict=False))
            rows.append(row)
    table = pd.DataFrame(rows)
    table["p_holm"] = np.nan
    there = table["p"].notna() & (table["outcome"] != primary)
    if there.any():
        table.loc[there, "p_holm"] = multipletests(table.loc[there, "p"], method="holm")[1]
    return table


def _mean(scores):
    """Mean and interval: two-way, or over the seeds of a value that a student has one of."""
    values = scores.correct
    mean = float(values.mean())
    if len(values) < 2:
        return mean, np.nan, np.nan
    if values.shape[1] > 1:
        return mean, *interval_of_mean(values)
    return _over_seeds(values[:, 0])[:3]


def _difference(a, b):
    """Mean, interval and p of ``a - b``; None unless two seeds are common."""
    if not are_paired(a, b):
        return None
    if a.correct.shape[1] > 1:
        found = paired_difference(a, b)
        return found.mean, found.low, found.high, found.p
    return _over_seeds(pair_by_seed(a, b)[1][:, 0])


def _over_seeds(values):
    mean, df = float(values.mean()), len(values) - 1
    se = float(values.std(ddof=1)) / len(values) ** 0.5
    half = float(se * stdtrit(df, 0.975))
    p = float(2 * stdtr(df, -abs(mean) / se)) if se else float(mean == 0)
    return mean, mean - half, mean + half, p
