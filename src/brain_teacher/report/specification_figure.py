"""The specification curve: every effect in order, and below it which choices made it."""

import numpy as np
from matplotlib.colors import to_hex

from brain_teacher.report.layout import COLOUR_MAP, new_figure, write_caption, write_title
from brain_teacher.report.student_figures import MARKERS


def specification_figure(table, factors, *, planned, title):
    """The curve with its choices; the caller saves it.

    Parameters
    ----------
    table : DataFrame
        One row a specification: the factors, ``mean``, ``low``, ``high`` (fractions), ``verdict``.
    factors : sequence of str
    planned : int
        The row of the plan's own.
    title : str
    """
    import matplotlib

    order = table["mean"].argsort().to_numpy()
    ranked, at = table.iloc[order].reset_index(drop=True), np.arange(len(table))
    choices = [(f, c) for f in factors for c in sorted(table[f].unique(), key=_as_number)]
    height = 0.19 * len(choices)
    figure = new_figure(max(8.0, 2.5 + 0.16 * len(table)), 4.2 + height)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.6, max(height, 1.0)))
    verdicts = list(table["verdict"].value_counts().index)
    colours = matplotlib.colormaps[COLOUR_MAP](np.linspace(0, 0.85, len(verdicts)))
    for number, verdict in enumerate(verdicts):
        mine = (ranked["verdict"] == verdict).to_numpy()
        mean, low, high = (100 * ranked.loc[mine, key] for key in ("mean", "low", "high"))
        top.errorbar(
            at[mine], mean, yerr=[mean - low, high - mean], fmt=MARKERS[number % len(MARKERS)],
            color=to_hex(colours[number]), markersize=4, linewidth=1, gid="effect",
            label=f"{verdict} ({mine.sum()})",
        )  # fmt: skip
    top.axhline(0, color="0.2", linewidth=1, gid="zero")
    place = int(np.flatnonzero(order == planned)[0])
    for ax in (top, below):
        ax.axvline(place, color="0.6", linewidth=1, linestyle="--", zorder=0, gid="planned")
        ax.spines[["top", "right"]].set_visible(False)
    top.set_ylabel("brain - none (points)")
    for row, (factor, choice) in enumerate(choices):
        made = np.flatnonzero((ranked[factor] == choice).to_numpy())
        below.plot(made, np.full(len(made), row), "s", color="0.25", markersize=3, gid="choice")
    below.set_yticks(range(len(choices)), [f"{f} {_shown(c)}" for f, c in choices], fontsize=7)
    below.set_ylim(len(choices) - 0.4, -0.6)
    below.set_xlabel("specifications, by what was found")
    top.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=1, fontsize=8, frameon=False)
    below.set_xticks([])
    write_title(figure, title)
    write_caption(
        figure,
        "Bars are two-way 95% intervals over seeds and test images, not corrected; the colour is "
        "the verdict within each one's own family of controls; dashed: the plan's choice. "
        "Specifications share pictures, brains and students. Exploratory.",
    )
    return figure


def _shown(choice):
    return choice if isinstance(choice, str) else f"{choice:g}"


def _as_number(choice):
    return (0, float(choice), "") if not isinstance(choice, str) else (1, 0.0, choice)
