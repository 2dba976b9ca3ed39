"""The ladder of contributions: in a sentence, as a table, and as a picture."""

import pandas as pd

from brain_teacher.analysis.outcomes import ACCURACY
from brain_teacher.report.layout import BLUE, VERMILION, new_figure, write_caption, write_title


def ladder_sentence(steps, total, outcome=ACCURACY):
    """What the effect `total` is made of, step by step, with intervals."""
    parts = [
        f"{outcome.signed(each.mean)} [{outcome.signed(each.low)}, {outcome.signed(each.high)}] "
        f"{step.what}"
        for step in steps
        for each in [step.difference]
    ]
    return (
        f"Ladder: of {outcome.signed(total.mean)} {outcome.differ}: {', '.join(parts)} (each rung "
        "minus the one below, two-way 95% intervals for these classes, not corrected)."
    )


def ladder_rows(steps):
    """The steps as plain values: ``what``, ``upper``, ``lower``, mean and intervals."""
    return [
        {"what": each.what, "upper": each.upper, "lower": each.lower, **each.difference.told()}
        for each in steps
    ]


def ladder_figure(steps, *, title, outcome=ACCURACY):
    """What each rung adds, from hard labels on the left to the brain; the caller saves it."""
    figure = new_figure(8.5, 1.9 + 0.42 * len(steps))
    draw_ladder(steps, figure.subplots(), outcome=outcome)
    write_title(figure, title)
    write_caption(
        figure,
        "A bar is what a rung adds to the one below it, from where that one ended; its line is the "
        "two-way 95% interval of that step, over seeds and test images, for these classes, not "
        "corrected.",
    )
    return figure


def draw_ladder(steps, ax, *, outcome=ACCURACY):
    """Draw a bar a step, from where the step before it ended, with its interval; gives `ax`."""
    table = pd.DataFrame(ladder_rows(steps))
    for key in ("mean", "low", "high"):
        table[key] *= outcome.scale
    start = table["mean"].cumsum() - table["mean"]
    ax.axvline(0, color="0.2", linewidth=1, gid="zero")
    for row, step in table.iterrows():
        colour = VERMILION if row == len(table) - 1 else BLUE
        ax.barh(row, step["mean"], left=start[row], height=0.55, color=colour, alpha=0.55)
        ends = start[row] + step[["low", "high"]].to_numpy(dtype=float)
        ax.plot(ends, [row, row], color="0.15", linewidth=1.5, marker="|", gid="interval")
    shown = [f"{step.what}  {outcome.signed(step.difference.mean)}" for step in steps]
    ax.set_yticks(range(len(table)), shown)
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(f"{outcome.label}, from hard labels up ({outcome.step}{outcome.better})")
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax
