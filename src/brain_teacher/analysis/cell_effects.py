"""Other subjects and ROIs: the brain minus its controls in each cell. Exploratory, called so."""

from itertools import combinations

import pandas as pd
from statsmodels.stats.multitest import multipletests

from brain_teacher.analysis.sign_flips import sign_flip_p, smallest_p
from brain_teacher.analysis.statistics import paired_difference
from brain_teacher.analysis.verdict import LEVEL

_TOLD = ("seeds", "images", "mean", "low", "high", "p")


def cell_effects(scores, *, teacher, controls):
    """`teacher` minus each control in each cell, with Holm's correction over all of them.

    Parameters
    ----------
    scores : dict of (str, str) to dict of str to Scores
        (subject, ROI) -> by teacher. A group is ``S1+S2``, or has a space (``all subjects``).
    teacher : str
    controls : sequence of str

    Returns
    -------
    DataFrame
        One row a cell and control, in the order given: ``subject``, ``roi``, ``control``,
        ``seeds``, ``images``, ``mean``, ``low``, ``high`` (two-way 95% interval, fractions, not
        corrected), ``p``, ``p_corrected``.
    """
    rows = []
    for (subject, roi), each in scores.items():
        for control in controls:
            try:
                found = paired_difference(each[teacher], each[control])
            except ValueError as error:
                raise ValueError(f"{subject} {roi}, {teacher} minus {control}: {error}") from error
            row = {"subject": subject, "roi": roi, "control": control}
            rows.append(row | {key: getattr(found, key) for key in _TOLD})
    return _with_holm(pd.DataFrame(rows))


def sure_cells(table):
    """(subject, ROI) -> whether it is above every control after Holm's correction."""
    sure = (table["mean"] > 0) & (table["p_corrected"] < LEVEL)
    return sure.groupby([table["subject"], table["roi"]], sort=False).all().to_dict()


def roi_effects(scores):
    """ROI against ROI, paired by seed and image, with Holm's correction over the pairs.

    Parameters
    ----------
    scores : dict of str to Scores
        Of the students that each ROI taught.

    Returns
    -------
    DataFrame
        One row a pair: ``roi``, ``minus``, and then as `cell_effects`. Empty for one ROI.
    """
    rows = []
    for one, two in combinations(scores, 2):
        found = paired_difference(scores[one], scores[two])
        rows.append({"roi": one, "minus": two} | {key: getattr(found, key) for key in _TOLD})
    return _with_holm(pd.DataFrame(rows)) if rows else pd.DataFrame(rows)


def over_subjects(table):
    """Each ROI and control over subjects: exact sign-flips of the subjects' mean effects.

    Parameters
    ----------
    table : DataFrame
        From `cell_effects`; rows of groups of subjects are left out.

    Returns
    -------
    DataFrame
        One row an ROI and control: ``roi``, ``control``, ``subjects``, ``mean``, ``p``,
        ``p_corrected`` (Holm's). Empty where the smallest p that so few subjects can give is none
        below 0.05.
    """
    rows = [
        {
            "roi": roi,
            "control": control,
            "subjects": len(each),
            "mean": each.mean(),
            "p": sign_flip_p(each),
        }
        for (roi, control), each in _single(table).groupby(["roi", "control"], sort=False)["mean"]
        if smallest_p(len(each)) < LEVEL
    ]
    return _with_holm(pd.DataFrame(rows)) if rows else pd.DataFrame(rows)


def replication(table):
    """How often the effect is there again in single subjects, ROI by ROI, in a sentence each.

    Of the table of `cell_effects` the rows of groups of subjects are left out. Then what a test
    over subjects says, or why none is made.
    """
    single, sentences = _single(table), []
    controls = _listed(dict.fromkeys(table["control"]))
    for roi, rows in single.groupby("roi", sort=False):
        up = (rows["mean"] > 0).groupby(rows["subject"]).all()
        sure = sum(sure_cells(rows).values())
        sentences.append(
            f"Replication in single subjects, {roi}: above {controls} in {up.sum()} of {len(up)}, "
            f"in {sure} after Holm's correction over the {len(table)} comparisons."
        )
    tested = over_subjects(table)
    for roi, rows in tested.groupby("roi", sort=False) if len(tested) else ():
        each = (
            f"{100 * row['mean']:+.1f} over {row['control']} (p {row['p_corrected']:.3f})"
            for _, row in rows.iterrows()
        )
        sentences.append(
            f"Over {rows['subjects'].iloc[0]} subjects, {roi}: {', '.join(each)}; exact sign-flips "
            f"of subjects' means, Holm's correction over {len(tested)}."
        )
    most = single.groupby("roi")["subject"].nunique().max() if len(single) else 0
    if most and not len(tested):
        sentences.append(
            f"No test over subjects is made: with {most} of them no sign-flip goes below "
            f"{smallest_p(most):g}."
        )
    return sentences


def roi_words(table):
    """Which ROIs taught better than which others, in a sentence."""
    if not len(table):
        return "One ROI: there is none to hold it against."
    sure = table[table["p_corrected"] < LEVEL]
    ordered = [
        (*((row["roi"], row["minus"]) if row["mean"] > 0 else (row["minus"], row["roi"])), row)
        for _, row in sure.iterrows()
    ]
    each = "; ".join(f"{a} over {b} {100 * abs(row['mean']):+.1f}" for a, b, row in ordered)
    return (
        f"ROI against ROI, paired by seed and image: {len(sure)} of {len(table)} pairs differ "
        f"after Holm's correction{': ' + each if each else ''}."
    )


def _single(table):
    return table[~table["subject"].str.contains("[+ ]")]


def _with_holm(table):
    return table.assign(p_corrected=multipletests(table["p"], method="holm")[1])


def _listed(names):
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
