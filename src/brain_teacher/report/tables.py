"""The table of teachers: what each reached, and how far the brain lies from it.

The table holds raw numbers (``table.to_csv`` keeps them); `as_markdown` and `as_text` round.
"""

import textwrap

import numpy as np
import pandas as pd
from tabulate import tabulate


def _p(p):
    return "<0.001" if p < 0.001 else f"{p:.3f}"


_FORMATS = {
    "seeds": "{:.0f}".format,
    "accuracy (%)": "{:.1f}".format,
    "SD of seeds (points)": "{:.1f}".format,
    "95% low": "{:+z.1f}".format,
    "95% high": "{:+z.1f}".format,
    "p (Holm)": _p,
    "sign-flip p (Holm)": _p,
    "p (equivalence)": _p,
    "T": "{:g}".format,
    "alpha": "{:g}".format,
}
_SIGNED_POINTS = "{:+z.1f}".format
# In the CSV alone: the family is what was planned, so that a reader needs the corrected ones.
_RAW = ("p", "sign-flip p")
# For a terminal: units stand in the note, and a header's longest word is its column's width.
_SHORT = {"p (equivalence)": "p (equiv.)"}
_NOTE = (
    "Accuracy in %; SD and differences in points. 95%: two-way interval over seeds and test "
    "images, not corrected. p (Holm): of that interval's test, corrected within the family. "
    "Sign-flip: exact, over seeds, on these test images. p (equiv.): that the difference is as "
    "large as the margin of {margin:g} points."
)


def teacher_table(scores, differences, *, teacher, flips, equivalence, recipes=None):
    """One row a teacher: the controls in the family's order, then `teacher`.

    Parameters
    ----------
    scores : dict of str to Scores
    differences : dict of str to Difference
        `teacher` minus each control, from `compare_to_controls`.
    teacher : str
    flips : dict of str to SignFlip
        By control, from `sign_flips`.
    equivalence : dict of str to float
        By control, from `equivalence_p`.
    recipes : dict of str to (float, float), optional
        Temperature and alpha by teacher, where they differ between teachers; one without a soft
        term is absent.

    Returns
    -------
    DataFrame
        Columns ``teacher``, ``seeds``, ``accuracy (%)`` (mean over seeds), ``SD of seeds
        (points)``, ``TEACHER minus this (points)``, ``95% low``, ``95% high`` (two-way, points,
        not corrected), ``p``, ``p (Holm)``, ``sign-flip p``, ``sign-flip p (Holm)``, ``p
        (equivalence)``; of `recipes` ``T`` and ``alpha``. NaN where there is nothing to say: the
        comparison of `teacher` with itself, the SD of one seed.

    Raises
    ------
    ValueError
        If a teacher has no scores.
    """
    rows = []
    for name in in_order(scores, differences, teacher):
        accuracy, difference = 100 * scores[name].accuracy, differences.get(name)
        flip = flips.get(name)
        row = {
            "teacher": name,
            "seeds": len(accuracy),
            "accuracy (%)": accuracy.mean(),
            "SD of seeds (points)": accuracy.std(ddof=1) if len(accuracy) > 1 else np.nan,
            f"{teacher} minus this (points)": 100 * difference.mean if difference else np.nan,
            "95% low": 100 * difference.low if difference else np.nan,
            "95% high": 100 * difference.high if difference else np.nan,
            "p": difference.p if difference else np.nan,
            "p (Holm)": difference.p_corrected if difference else np.nan,
            "sign-flip p": flip.p if flip else np.nan,
            "sign-flip p (Holm)": flip.p_corrected if flip else np.nan,
            "p (equivalence)": equivalence.get(name, np.nan),
        }
        if recipes:
            row["T"], row["alpha"] = recipes.get(name, (np.nan, np.nan))
        rows.append(row)
    return pd.DataFrame(rows)


def in_order(scores, differences, teacher):
    """The controls in the family's order, then `teacher`; an error if one has no scores."""
    names = [*differences, teacher]
    if missing := [name for name in names if name not in scores]:
        raise ValueError(f"no scores of {', '.join(missing)}")
    return names


def as_markdown(table, caption, *, margin):
    """The table for a README or report, under its caption, with a note on intervals and p.

    Parameters
    ----------
    table : DataFrame
        From `teacher_table`.
    caption : str
        Says what was compared, and *simulated* where it was.
    margin : float
        A fraction.

    Returns
    -------
    str
    """
    headers, cells = _shown(table)
    text = tabulate(cells, headers=headers, tablefmt="pipe", **_layout(headers))
    return f"{caption}\n\n{text}\n\n{_note(margin)}\n"


def as_text(table, title, *, margin):
    """The same for a terminal of 100 columns, under a title; else as `as_markdown`."""
    headers, cells = _shown(table)
    wrapped = [_wrapped(header) for header in headers]
    height = max(map(len, wrapped))
    top = list(zip(*([*lines, *[""] * (height - len(lines))] for lines in wrapped), strict=True))
    # As rows, since tabulate makes a header's column two wider than the header.
    lines = tabulate([*top, *cells], tablefmt="plain", **_layout(headers)).splitlines()
    lines.insert(height, "-" * max(map(len, lines)))
    note = textwrap.fill(_note(margin), 92, break_on_hyphens=False)
    return "\n".join([title, "", *map(str.rstrip, lines), "", note, ""])


def _shown(table):
    columns = [column for column in table.columns if column not in _RAW]
    cells = [[_cell(column, row[column]) for column in columns] for _, row in table.iterrows()]
    return columns, cells


def _wrapped(header):
    """A header's lines, a word a line where it must be."""
    short = _SHORT.get(header, header).removesuffix(" (points)").removesuffix(" (%)")
    return textwrap.wrap(short, 6, break_long_words=False)


def _layout(headers):
    return {
        # The cells are rounded text already: parsed again, "+7.0" would lose its sign and zero.
        "disable_numparse": True,
        "colalign": ("left", *["right"] * (len(headers) - 1)),
    }


def _note(margin):
    return _NOTE.format(margin=100 * margin)


def _cell(column, value):
    if column == "teacher":
        return value
    return "" if pd.isna(value) else _FORMATS.get(column, _SIGNED_POINTS)(value)


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
