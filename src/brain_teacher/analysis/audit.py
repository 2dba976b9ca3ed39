"""What pretrained students may have seen before: results for those classes, and for the others."""

import numpy as np
import pandas as pd
from tabulate import tabulate

from brain_teacher.analysis.comparison import scores_of
from brain_teacher.analysis.statistics import Scores, paired_difference

SEEN, NEW = "seen before", "new"


def audit(answers, *, seen, teacher, family):
    """Accuracy and differences over the test images of classes seen before, and of the others.

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

    Returns
    -------
    DataFrame
        A row for each group that has images and each teacher, the controls in the family's order,
        then `teacher`: ``classes`` (`SEEN`, `NEW`), ``n classes``, ``images``, ``teacher``,
        ``accuracy (%)``, ``TEACHER minus this (points)``, ``95% low``, ``95% high`` (two-way,
        points), ``p``; none is corrected for the number of comparisons. NaN for `teacher` itself,
        and where a group has one image.
    """
    scores = {name: scores_of(answers[name]) for name in (*family, teacher)}
    category = _categories(answers[teacher])
    was_seen, rows = np.isin(category, list(seen)), []
    for group, columns in ((SEEN, was_seen), (NEW, ~was_seen)):
        if not columns.any():
            continue
        part = {name: Scores(each.seeds, each.correct[:, columns]) for name, each in scores.items()}
        size = {"n classes": len(np.unique(category[columns])), "images": int(columns.sum())}
        for name, each in part.items():
            row = {"classes": group, **size, "teacher": name}
            row["accuracy (%)"] = 100 * each.accuracy.mean()
            found = None
            if name != teacher and size["images"] > 1:
                found = paired_difference(part[teacher], each)
            row[f"{teacher} minus this (points)"] = 100 * found.mean if found else np.nan
            row["95% low"] = 100 * found.low if found else np.nan
            row["95% high"] = 100 * found.high if found else np.nan
            row["p"] = found.p if found else np.nan
            rows.append(row)
    return pd.DataFrame(rows)


def audit_sentence(table, *, teacher, control, weights):
    """The two groups in a sentence.

    Parameters
    ----------
    table : DataFrame
        From `audit`.
    teacher, control : str
    weights : str
        What the students began with.

    Returns
    -------
    str
    """
    parts = []
    for _, row in table[table["teacher"] == control].iterrows():
        text = f"{row['classes']} ({row['n classes']} classes, {row['images']:,} images)"
        if not np.isnan(row["95% low"]):
            low, high, mean = row[["95% low", "95% high", f"{teacher} minus this (points)"]]
            text += f" {mean:+z.1f} points (95% interval {low:+z.1f} to {high:+z.1f})"
        parts.append(text)
    return (
        f"Pretraining: the students began with {weights}, which may have seen some of the classes; "
        f"{teacher} minus {control}: {'; '.join(parts)}. Not corrected."
    )


def audit_markdown(table, caption):
    """The table for a report, under its caption.

    Parameters
    ----------
    table : DataFrame
        From `audit`.
    caption : str

    Returns
    -------
    str
    """
    signed = [column for column in table if "minus" in column or column.startswith("95%")]
    formats = dict.fromkeys(signed, "{:+z.1f}") | {"accuracy (%)": "{:.1f}", "p": "{:.3f}"}
    cells = [
        ["" if pd.isna(value) else formats.get(name, "{}").format(value) for name, value in each]
        for each in (row.items() for _, row in table.iterrows())
    ]
    align = ["left" if name in ("classes", "teacher") else "right" for name in table]
    text = tabulate(cells, list(table), "pipe", disable_numparse=True, colalign=align)
    return f"{caption}\n\n{text}\n"


def _categories(students):
    """Of the test images, in the order of their ids."""
    student = next(each for each in students.values() if not each.diverged)
    return student.category["test"][np.argsort(student.image_id["test"])]
