"""What pretrained students may have seen before: results for those classes, and for the others."""

import numpy as np
import pandas as pd

from brain_teacher.analysis.outcomes import ACCURACY
from brain_teacher.analysis.statistics import Scores, paired_difference, scores_of

SEEN, NEW = "seen before", "new"


def audit(answers, *, seen, teacher, family, outcome=ACCURACY):
    """An outcome and its differences over the test images of classes seen before, and of the rest.

    Students choose among all classes in both groups; only the images are divided.

    Parameters
    ----------
    answers : dict of str to dict of int to Answers
        By teacher and seed, all over the same test images.
    seen : collection of str
        Class ids that the weights were trained on; others than the students' do not matter.
    teacher : str
    family : sequence of str
        The controls.
    outcome : Outcome

    Returns
    -------
    DataFrame
        A row for each group that has images and each teacher, the controls in the family's order,
        then `teacher`: ``classes`` (`SEEN`, `NEW`), ``n classes``, ``images``, ``teacher``,
        the outcome (``accuracy (%)``), ``TEACHER minus this (points)``, ``95% low``, ``95% high``
        (two-way, in the same unit), ``p``; none is corrected for the number of comparisons. NaN
        for `teacher` itself, and where a group has one image.
    """
    scores = {name: scores_of(answers[name], outcome=outcome) for name in (*family, teacher)}
    scale, minus = outcome.scale, outcome.minus(teacher)
    category = scores[teacher].category
    was_seen, rows = np.isin(category, list(seen)), []
    for group, columns in ((SEEN, was_seen), (NEW, ~was_seen)):
        if not columns.any():
            continue
        part = {name: Scores(each.seeds, each.correct[:, columns]) for name, each in scores.items()}
        size = {"n classes": len(np.unique(category[columns])), "images": int(columns.sum())}
        for name, each in part.items():
            row = {"classes": group, **size, "teacher": name}
            row[outcome.column] = scale * each.accuracy.mean()
            found = None
            if name != teacher and size["images"] > 1:
                found = paired_difference(part[teacher], each)
            row[minus] = scale * found.mean if found else np.nan
            row["95% low"] = scale * found.low if found else np.nan
            row["95% high"] = scale * found.high if found else np.nan
            row["p"] = found.p if found else np.nan
            rows.append(row)
    return pd.DataFrame(rows)
