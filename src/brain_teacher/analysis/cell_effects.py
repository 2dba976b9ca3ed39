"""Other subjects and ROIs: the brain minus ``none`` in each cell. Exploratory, and called so."""

import pandas as pd
from statsmodels.stats.multitest import multipletests

from brain_teacher.analysis.sign_flips import smallest_p
from brain_teacher.analysis.statistics import paired_difference
from brain_teacher.analysis.verdict import LEVEL


def cell_effects(scores, *, teacher, control):
    """`teacher` minus `control` in each cell, with Holm's correction over the cells.

    Parameters
    ----------
    scores : dict of (str, str) to dict of str to Scores
        (subject, ROI) -> by teacher. A group is ``S1+S2``, or has a space (``all subjects``).
    teacher, control : str

    Returns
    -------
    DataFrame
        One row a cell, in the order given: ``subject``, ``roi``, ``seeds``, ``images``, ``mean``,
        ``low``, ``high`` (two-way 95% interval, fractions, not corrected), ``p``,
        ``p_corrected``.
    """
    rows = []
    for (subject, roi), each in scores.items():
        try:
            found = paired_difference(each[teacher], each[control])
        except ValueError as error:
            raise ValueError(f"{subject} {roi}, {teacher} minus {control}: {error}") from error
        row = {"subject": subject, "roi": roi, "seeds": found.seeds, "images": found.images}
        rows.append(row | {key: getattr(found, key) for key in ("mean", "low", "high", "p")})
    table = pd.DataFrame(rows)
    return table.assign(p_corrected=multipletests(table["p"], method="holm")[1])


def replication(table):
    """How often the effect is there again in single subjects, ROI by ROI, in a sentence each.

    Of the table of `cell_effects` the rows of groups of subjects are left out.
    """
    single = table[~table["subject"].str.contains("[+ ]")]
    sentences = []
    for roi, rows in single.groupby("roi", sort=False):
        n, up = len(rows), rows["mean"] > 0
        sure = (up & (rows["p_corrected"] < LEVEL)).sum()
        sentences.append(
            f"Replication in single subjects, {roi}: above 0 in {up.sum()} of {n}, in {sure} after "
            f"Holm's correction over the {len(table)} cells."
        )
    most = single.groupby("roi").size().max() if len(single) else 0
    if most and smallest_p(most) >= LEVEL:
        sentences.append(
            f"No test over subjects is made: with {most} of them no sign-flip goes below "
            f"{smallest_p(most):g}."
        )
    return sentences
