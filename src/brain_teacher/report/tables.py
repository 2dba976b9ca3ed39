"""The table of teachers: what each reached, and how far the brain lies from it.

The table holds raw numbers (``table.to_csv`` keeps them); `as_markdown`, `as_text` and
`as_short` round.
"""

import textwrap

import numpy as np
import pandas as pd
from tabulate import tabulate

from brain_teacher.analysis.outcomes import ACCURACY


def _p(p):
    return "<0.001" if p < 0.001 else f"{p:.3f}"


# What has none is a value or SD of the outcome, or a difference.
_FORMATS = {
    "seeds": "{:.0f}".format,
    "p (Holm)": _p,
    "sign-flip p (Holm)": _p,
    "p (equivalence)": _p,
    "T": "{:g}".format,
    "alpha": "{:g}".format,
}
_95 = ("95% low", "95% high")
_WIDE = ("95% low, classes random", "95% high, classes random")
# In the CSV alone: the family is what was planned, so that a reader needs the corrected ones; and
# what a sentence tells, for which a terminal has no room.
_RAW = ("p", "sign-flip p", *_WIDE)
# For a terminal: units stand in the note, and a header's longest word is its column's width.
_SHORT = {"p (equivalence)": "p (equiv.)"}
_NOTE = (
    "{outcome}; SD and differences in {step}. 95%: two-way interval over seeds and test "
    "images, not corrected. p (Holm): of that interval's test, corrected within the family. "
    "Sign-flip: exact, over seeds, on these test images. p (equiv.): that the difference is as "
    "large as the margin of {margin} {step}."
)
_SHORT_NOTE = (
    "Differences in {step}{better}; in brackets two-way 95% intervals over seeds and test images, "
    "not corrected. p: corrected within the family."
)


def teacher_table(
    scores, differences, *, teacher, flips, equivalence, recipes=None, outcome=ACCURACY
):
    """One row a teacher: the controls in the family's order, then `teacher`.

    `scores` are by teacher; `differences`, `flips` and `equivalence` by control, as
    `compare_to_controls`, `sign_flips` and `equivalence_p` give them; `recipes` are (T, alpha) by
    teacher, where they differ between teachers; one without a soft term is absent.

    Returns
    -------
    DataFrame
        Columns ``teacher``, ``seeds``, the outcome (``accuracy (%)``, a mean over seeds), ``SD of
        seeds (points)``, ``TEACHER minus this (points)``, ``95% low``, ``95% high`` (two-way, in
        the same unit, not corrected), the same with classes random as well, ``p``, ``p (Holm)``,
        ``sign-flip p``, ``sign-flip p (Holm)``, ``p (equivalence)``; of `recipes` ``T`` and
        ``alpha``. NaN where there is nothing to say: the comparison of `teacher` with itself, the
        SD of one seed.
    """
    rows, scale = [], outcome.scale
    for name in in_order(scores, differences, teacher):
        values, difference = scale * scores[name].accuracy, differences.get(name)
        flip = flips.get(name)
        row = {
            "teacher": name,
            "seeds": len(values),
            outcome.column: values.mean(),
            f"SD of seeds ({outcome.step})": values.std(ddof=1) if len(values) > 1 else np.nan,
            outcome.minus(teacher): scale * difference.mean if difference else np.nan,
            _95[0]: scale * difference.low if difference else np.nan,
            _95[1]: scale * difference.high if difference else np.nan,
            _WIDE[0]: scale * difference.low_classes if difference else np.nan,
            _WIDE[1]: scale * difference.high_classes if difference else np.nan,
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


def as_markdown(table, caption, *, margin, outcome=ACCURACY):
    """`teacher_table` for a README or report, under its caption, with a note on intervals and p.

    The caption says what was compared, and *simulated* where it was; `margin` is a fraction, or
    nats, as the outcome is.
    """
    headers, cells = _shown(table, outcome)
    text = tabulate(cells, headers=headers, tablefmt="pipe", **_layout(headers))
    return f"{caption}\n\n{text}\n\n{_note(margin, outcome)}\n"


def as_text(table, title, *, margin, outcome=ACCURACY):
    """The same for a terminal of 100 columns, under a title; else as `as_markdown`."""
    headers, cells = _shown(table, outcome)
    wrapped = [_wrapped(header, outcome) for header in headers]
    height = max(map(len, wrapped))
    top = list(zip(*([*lines, *[""] * (height - len(lines))] for lines in wrapped), strict=True))
    # As rows, since tabulate makes a header's column two wider than the header.
    lines = tabulate([*top, *cells], tablefmt="plain", **_layout(headers)).splitlines()
    lines.insert(height, "-" * max(map(len, lines)))
    note = textwrap.fill(_note(margin, outcome), 92, break_on_hyphens=False)
    return "\n".join([title, "", *map(str.rstrip, lines), "", note, ""])


def as_short(table, title, *, verdict, outcome=ACCURACY):
    """Four columns of it, for a phone or a terminal of 80; then `verdict`, some sentences."""
    teacher = table["teacher"].iloc[-1]
    cells = [
        [_cell(name, row[name], _formats(outcome), outcome) for name in ("teacher", outcome.column)]
        + [_with_interval(row, outcome.minus(teacher), outcome)]
        + [_cell("p (Holm)", row["p (Holm)"], _FORMATS, outcome)]
        for _, row in table.iterrows()
    ]
    headers = ["teacher", outcome.column, f"{teacher} minus this", "p (Holm)"]
    text = tabulate(cells, headers=headers, tablefmt="pipe", **_layout(headers))
    note = _SHORT_NOTE.format(step=outcome.step, better=outcome.better)
    return f"{title}\n\n{text}\n\n{note}\n\n{verdict}\n"


def _with_interval(row, column, outcome):
    mean, low, high = (_cell(name, row[name], {}, outcome) for name in (column, *_95))
    return f"{mean} [{low}, {high}]" if mean else ""


def _formats(outcome):
    plain = f"{{:.{outcome.digits}f}}".format
    return {outcome.column: plain, f"SD of seeds ({outcome.step})": plain} | _FORMATS


def _shown(table, outcome):
    columns = [column for column in table.columns if column not in _RAW]
    formats, rows = _formats(outcome), (row for _, row in table.iterrows())
    return columns, [[_cell(name, row[name], formats, outcome) for name in columns] for row in rows]


def _wrapped(header, outcome):
    """A header's lines, a word a line where it must be."""
    short = _SHORT.get(header, header)
    short = short.removesuffix(f" ({outcome.step})").removesuffix(f" ({outcome.unit})")
    return textwrap.wrap(short, 6, break_long_words=False)


def _layout(headers):
    # The cells are rounded text already: parsed again, "+7.0" would lose its sign and zero.
    return {"disable_numparse": True, "colalign": ("left", *["right"] * (len(headers) - 1))}


def _note(margin, outcome):
    name = f"{outcome.label[0].upper()}{outcome.label[1:]} in {outcome.unit}{outcome.better}"
    return _NOTE.format(outcome=name, step=outcome.step, margin=outcome.given(margin))


def _cell(column, value, formats, outcome):
    if column == "teacher":
        return value
    if pd.isna(value):
        return ""
    return formats[column](value) if column in formats else format(value, outcome.sign)


def audit_markdown(table, caption, outcome=ACCURACY):
    """The table of `audit` for a report, under its caption."""
    signed = [column for column in table if "minus" in column or column.startswith("95%")]
    formats = dict.fromkeys(signed, f"{{:{outcome.sign}}}")
    formats |= {outcome.column: f"{{:.{outcome.digits}f}}", "p": "{:.3f}"}
    cells = [
        ["" if pd.isna(value) else formats.get(name, "{}").format(value) for name, value in each]
        for each in (row.items() for _, row in table.iterrows())
    ]
    align = ["left" if name in ("classes", "teacher") else "right" for name in table]
    text = tabulate(cells, list(table), "pipe", disable_numparse=True, colalign=align)
    return f"{caption}\n\n{text}\n"
