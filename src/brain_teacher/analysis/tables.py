"""The table of teachers: what each reached, and how far the brain lies from it.

The table holds raw numbers (``table.to_csv`` keeps them); `as_markdown` and `as_text` round.
"""

import textwrap

import numpy as np
import pandas as pd
from tabulate import tabulate

_FORMATS = {
    "seeds": "{:.0f}".format,
    "accuracy (%)": "{:.1f}".format,
    "SD of seeds (points)": "{:.1f}".format,
    "95% low": "{:+z.1f}".format,
    "95% high": "{:+z.1f}".format,
    "p": lambda p: "<0.001" if p < 0.001 else f"{p:.3f}",
    "p (Holm)": lambda p: "<0.001" if p < 0.001 else f"{p:.3f}",
}
_SIGNED_POINTS = "{:+z.1f}".format
_NOTE = (
    "95%: two-way interval over seeds and test images, in points, not corrected. "
    "p (Holm): corrected within the family."
)


def teacher_table(scores, differences, *, teacher):
    """One row a teacher: the controls in the family's order, then `teacher`.

    Parameters
    ----------
    scores : dict of str to Scores
    differences : dict of str to Difference
        `teacher` minus each control, from `compare_to_controls`.
    teacher : str

    Returns
    -------
    DataFrame
        Columns ``teacher``, ``seeds``, ``accuracy (%)`` (mean over seeds), ``SD of seeds
        (points)``, ``TEACHER minus this (points)``, ``95% low``, ``95% high`` (two-way, points,
        not corrected), ``p``, ``p (Holm)``. NaN where there is nothing to say: the comparison of
        `teacher` with itself, the SD of one seed.

    Raises
    ------
    ValueError
        If a teacher has no scores.
    """
    names = [*differences, teacher]
    if missing := [name for name in names if name not in scores]:
        raise ValueError(f"no scores of {', '.join(missing)}")
    rows = []
    for name in names:
        accuracy, difference = 100 * scores[name].accuracy, differences.get(name)
        rows.append(
            {
                "teacher": name,
                "seeds": len(accuracy),
                "accuracy (%)": accuracy.mean(),
                "SD of seeds (points)": accuracy.std(ddof=1) if len(accuracy) > 1 else np.nan,
                f"{teacher} minus this (points)": 100 * difference.mean if difference else np.nan,
                "95% low": 100 * difference.low if difference else np.nan,
                "95% high": 100 * difference.high if difference else np.nan,
                "p": difference.p if difference else np.nan,
                "p (Holm)": difference.p_corrected if difference else np.nan,
            }
        )
    return pd.DataFrame(rows)


def as_markdown(table, caption):
    """The table for a README or report, under its caption, with a note on interval and p.

    Parameters
    ----------
    table : DataFrame
        From `teacher_table`.
    caption : str
        Says what was compared, and *simulated* where it was.

    Returns
    -------
    str
    """
    return f"{caption}\n\n{_aligned(table, list(table.columns), 'pipe')}\n\n{_NOTE}\n"


def as_text(table, title):
    """The table for a terminal, under its title, with a note on interval and p.

    Parameters
    ----------
    table : DataFrame
        From `teacher_table`.
    title : str
        Says what was compared, and *simulated* where it was.

    Returns
    -------
    str
    """
    # A word a line where it must be: the table fits a terminal of 100 columns.
    headers = [textwrap.fill(column, 6, break_long_words=False) for column in table.columns]
    return f"{title}\n\n{_aligned(table, headers, 'simple')}\n\n{textwrap.fill(_NOTE, 92)}\n"


def _aligned(table, headers, layout):
    cells = [[_cell(column, value) for column, value in row.items()] for _, row in table.iterrows()]
    return tabulate(
        cells,
        headers=headers,
        tablefmt=layout,
        # The cells are rounded text already: parsed again, "+7.0" would lose its sign and zero.
        disable_numparse=True,
        colalign=("left", *["right"] * (len(table.columns) - 1)),
    )


def _cell(column, value):
    if column == "teacher":
        return value
    return "" if pd.isna(value) else _FORMATS.get(column, _SIGNED_POINTS)(value)
