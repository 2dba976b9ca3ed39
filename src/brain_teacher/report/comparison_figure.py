"""The picture of a comparison: accuracy by teacher, and the brain minus each control.

Nothing here touches pyplot or matplotlib's settings, so that a notebook's own figures stay as
they are.
"""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from brain_teacher.analysis.outcomes import ACCURACY
from brain_teacher.analysis.statistics import pair_by_seed
from brain_teacher.analysis.verdict import LEVEL
from brain_teacher.report.layout import BLUE, VERMILION
from brain_teacher.report.tables import in_order

_CONTROL, _TEACHER, _FAINT, _BAND = BLUE, VERMILION, "0.72", "0.93"


def comparison_figure(scores, differences, *, teacher, chance, margin, title, outcome=ACCURACY):
    """A figure of both panels with title and caption; the caller saves it.

    `scores` are by teacher, `differences` by control (`compare_to_controls`), both of `outcome`;
    `chance`, the outcome of guessing, and `margin`, the verdict's d, are in the outcome's own unit
    (a fraction, nats). The title says *simulated* where it was.
    """
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08, wspace=0.04)
    figure = Figure(figsize=(10, 2.6 + 0.42 * (len(differences) + 1)), layout=layout)
    axes = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1))
    what = {"teacher": teacher, "margin": margin, "outcome": outcome}
    draw_comparison(scores, differences, axes, chance=chance, **what)
    figure.suptitle(textwrap.fill(title, 90), x=0.01, ha="left", fontsize=12, fontweight="bold")
    caption = _caption(scores, differences, **what)
    caption = textwrap.fill(caption, 165, break_on_hyphens=False)
    figure.supxlabel(caption, x=0.01, ha="left", fontsize=8, color="0.25")
    return figure


def draw_comparison(scores, differences, axes, *, teacher, chance, margin, outcome=ACCURACY):
    """Draw both panels, one row a teacher: controls in the family's order, then `teacher`.

    On the left every small point is a seed, thin lines join the students of one seed, and the
    large marker is the mean. On the right the large marker is the mean difference with its two-way
    95% interval, over a wider faint bar with classes random as well; small points are the seeds'
    own means, and the band is +-`margin`; a filled marker on a solid bar has a Holm-corrected p <
    0.05, a hollow one on a dashed bar has not. Returns the two `axes`; raises ``ValueError`` if a
    teacher has no scores.
    """
    names = in_order(scores, differences, teacher)
    left, right = axes
    _draw_outcome(scores, names, left, teacher, chance, outcome)
    _draw_differences(scores, differences, right, teacher, margin, outcome)
    for ax in axes:
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_yticks(range(len(names)), names)
        ax.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="y", color="0.87", linewidth=0.6)
        ax.set_axisbelow(True)
        ax.spines[["top", "right", "left"]].set_visible(False)
    return axes


def figure_points(scores, outcome=ACCURACY):
    """The picture's points, to lie beside it as CSV: a row a student.

    Columns ``teacher``, ``seed``, the outcome (``accuracy``, a fraction).
    """
    rows = [
        (name, seed, value)
        for name, each in scores.items()
        for seed, value in zip(each.seeds, each.accuracy, strict=True)
    ]
    return pd.DataFrame(rows, columns=["teacher", "seed", outcome.label])


def _draw_outcome(scores, names, ax, teacher, chance, outcome):
    points = figure_points({name: scores[name] for name in names}, outcome)
    table = points.pivot(index="teacher", columns="seed", values=outcome.label).loc[names]
    table, chance = outcome.scale * table, outcome.scale * chance
    rows = np.arange(len(names))
    # A seed that a teacher lacks is NaN, where matplotlib breaks the line.
    ax.plot(table, rows, color=_FAINT, linewidth=0.7, zorder=1, gid="pairs")
    for row, name in enumerate(names):
        colour, marker = (_TEACHER, "D") if name == teacher else (_CONTROL, "o")
        seeds = table.loc[name]
        ax.plot(seeds, [row] * len(seeds), ".", color=colour, markersize=5, alpha=0.6, zorder=2)
        _mark(ax, seeds.mean(), row, colour, marker, filled=True)
    ax.axvline(chance, color="0.2", linewidth=1, linestyle=":", zorder=0, gid="chance")
    unit = outcome.unit if outcome.unit == "%" else f" {outcome.unit}"
    _write_above(ax, chance, f"chance {chance:.3g}{unit}")
    ax.set_xlabel(f"{outcome.label} on test images ({outcome.unit}{outcome.better})")


def _draw_differences(scores, differences, ax, teacher, margin, outcome):
    scale = outcome.scale
    ax.axvspan(-scale * margin, scale * margin, color=_BAND, linewidth=0, zorder=0, gid="margin")
    ax.axvline(0, color="0.2", linewidth=1, zorder=1, gid="zero")
    for row, (name, each) in enumerate(differences.items()):
        sure = each.p_corrected < LEVEL
        _, by_seed = pair_by_seed(scores[teacher], scores[name])
        by_seed = scale * by_seed.mean(axis=1)
        # A little below the bar, so that neither hides the other.
        ax.plot(by_seed, [row + 0.22] * len(by_seed), ".", color="0.45", markersize=5, alpha=0.7)
        wide = [scale * each.low_classes, scale * each.high_classes]
        ax.plot(wide, [row, row], color=_FAINT, linewidth=6, solid_capstyle="butt", zorder=2,
                gid="classes")  # fmt: skip
        ends, dash = [scale * each.low, scale * each.high], "-" if sure else (0, (2, 1.5))
        ax.plot(ends, [row, row], color=_TEACHER, linewidth=2, linestyle=dash, marker="|",
                markersize=8, zorder=3, gid="interval")  # fmt: skip
        _mark(ax, scale * each.mean, row, _TEACHER, "D", filled=sure)
    _write_above(ax, 0, f"±{outcome.given(margin)} {outcome.step}")
    ax.set_xlabel(f"{teacher} minus control ({_long(outcome)}{outcome.better})")


def _long(outcome):
    return outcome.step.replace("points", "percentage points")


def _write_above(ax, x, text):
    at = {"xycoords": ax.get_xaxis_transform(), "textcoords": "offset points", "ha": "center"}
    ax.annotate(text, (x, 1), xytext=(0, 3), fontsize=8, color="0.2", **at)


def _mark(ax, x, y, colour, marker, *, filled):
    style = {"markerfacecolor": colour if filled else "white", "markeredgecolor": colour}
    ax.plot(x, y, marker, markersize=8, markeredgewidth=1.3, zorder=4, gid="mean", **style)


def _caption(scores, differences, teacher, margin, outcome):
    # Every teacher has the same test images.
    images = scores[teacher].correct.shape[1]
    counts = sorted({each.seeds for each in differences.values()})
    seeds = counts[0] if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return (
        f"Left: each small point is a seed, thin lines join the students of one seed, large "
        f"markers are means. Right: bars are two-way 95% intervals over {seeds} paired seeds and "
        f"{images} test images for these classes (not corrected), faint bars have classes random "
        f"as well, small points are single seeds, the band is ±{outcome.given(margin)} "
        f"{_long(outcome)}. Filled on a solid bar: Holm-corrected p < {LEVEL:g} within the family "
        f"of {len(differences)}; hollow on a dashed bar: not."
    )
