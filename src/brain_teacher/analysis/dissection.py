"""What a part of the soft labels adds: each part minus the one without it. Exploratory."""

import pandas as pd
from statsmodels.stats.multitest import multipletests

from brain_teacher.analysis.statistics import paired_difference
from brain_teacher.analysis.verdict import LEVEL

# What each row holds a part against, by the beginning of its columns' names.
BESIDE = ("none", "brain")


def contributions(scores, against):
    """Each part minus its reference, with Holm's correction [1]_ over those that are tested.

    Parameters
    ----------
    scores : dict of str to Scores
        By part, with ``none``, ``brain`` and every reference among them.
    against : dict of str to str or None
        Each part's reference, in the order of the rows; None for the points of a curve, which are
        shown and not tested.

    Returns
    -------
    DataFrame
        One row a part: ``part``, ``against``, ``seeds``, ``images``, ``accuracy``; ``mean``,
        ``low``, ``high`` (part minus reference, two-way 95% interval, not corrected), ``p``,
        ``p_corrected``, missing for a point of a curve; ``none_mean``, ``none_low``, ``none_high``
        (part minus ``none``); ``brain_mean``, ``brain_low``, ``brain_high`` (``brain`` minus part:
        what it leaves out). Fractions.

    References
    ----------
    .. [1] Holm (1979), Scandinavian Journal of Statistics 6, 65-70.
    """
    rows = []
    for part, reference in against.items():
        mine = scores[part]
        row = {"part": part, "against": reference or "", "seeds": len(mine.seeds)}
        row |= {"images": mine.correct.shape[1], "accuracy": float(mine.correct.mean())}
        if reference is not None:
            row |= _told(paired_difference(mine, scores[reference]))
        for other, pair in zip(BESIDE, ((part, "none"), ("brain", part)), strict=True):
            if other != part:
                found = _told(paired_difference(*(scores[name] for name in pair)))
                row |= {f"{other}_{key}": found[key] for key in ("mean", "low", "high")}
        rows.append(row)
    table = pd.DataFrame(rows)
    tested = table["against"] != ""
    if tested.any():
        corrected = multipletests(table.loc[tested, "p"], method="holm")[1]
        table.loc[tested, "p_corrected"] = corrected
    return table


def _told(difference):
    return {key: getattr(difference, key) for key in ("mean", "low", "high", "p")}


def found(table):
    """Which parts add something, and which take something away, after Holm's correction.

    Parameters
    ----------
    table : DataFrame
        From `contributions`.

    Returns
    -------
    helps, harms : list of str
    """
    sure = table[table["p_corrected"] < LEVEL]
    return sure.loc[sure["mean"] > 0, "part"].tolist(), sure.loc[sure["mean"] < 0, "part"].tolist()
