"""All outcomes of all teachers: a table, and one picture."""

import textwrap

import numpy as np
import pandas as pd
from tabulate import tabulate

from brain_teacher.analysis.further import FURTHER
from brain_teacher.report.layout import BLUE, VERMILION, new_figure, write_caption, write_title

LEVEL = 0.05
COLUMNS = 5


def further_rows(table, *, teacher, primary):
    """A row an outcome, for people: `teacher`'s mean, then it minus each control.

    A star stands where the difference is told from 0 by Holm's p over the whole table.
    """
    rows = []
    for outcome, part in table.groupby("outcome", sort=False):
        entry = FURTHER[outcome]
        own = part[part["teacher"] == teacher].iloc[0]
        said = " (primary)" if outcome == primary else entry.better
        row = {"outcome": f"{entry.label}, {entry.unit}{said}", teacher: entry.number(own["mean"])}
        for each in part[part["teacher"] != teacher].itertuples():
            star = "*" if each.p_holm < LEVEL else ""
            row[f"- {each.teacher}"] = f"{entry.signed(each.minus)}{star}"
        rows.append(row)
    return pd.DataFrame(rows)


def as_markdown(rows):
    """The table of `further_rows` as Markdown."""
    aligned = ("left", *["right"] * (len(rows.columns) - 1))
    return tabulate(
        rows, headers="keys", tablefmt="github", showindex=False, colalign=aligned,
        disable_numparse=True,
    )  # fmt: skip


def as_text(rows):
    """The same for a terminal."""
    headers = [textwrap.fill(name, 11) for name in rows.columns]
    aligned = ("left", *["right"] * (len(rows.columns) - 1))
    return tabulate(
        rows.assign(outcome=[textwrap.fill(text, 30) for text in rows["outcome"]]),
        headers=headers, tablefmt="simple", showindex=False, colalign=aligned,
        disable_numparse=True,
    )  # fmt: skip


def further_figure(table, *, teacher, baseline, title):
    """A panel an outcome: each teacher minus `baseline`, with its interval; the caller saves it."""
    outcomes = list(dict.fromkeys(table["outcome"]))
    names = [name for name in dict.fromkeys(table["teacher"]) if name != baseline]
    lines = -(-len(outcomes) // COLUMNS)
    figure = new_figure(2.6 * COLUMNS + 1, lines * (1.1 + 0.24 * len(names)) + 1)
    axes = figure.subplots(lines, COLUMNS, squeeze=False, sharey=True)
    for ax in axes.flat[len(outcomes) :]:
        ax.set_visible(False)
    for ax, outcome in zip(axes.flat, outcomes, strict=False):
        part = table[table["outcome"] == outcome].set_index("teacher")
        draw_outcome(part, names, ax, outcome=outcome, teacher=teacher, baseline=baseline)
    write_title(figure, title)
    write_caption(
        figure,
        f"Each teacher's students minus those of {baseline} (whose mean stands above the panel), "
        "with 95% intervals, two-way over paired seeds and images (ECE: over seeds), not "
        f"corrected; right of 0 is more, which is better unless a panel says otherwise. Filled: "
        f"{teacher}. All but the primary outcome are exploratory.",
    )
    return figure


def draw_outcome(part, names, ax, *, outcome, teacher, baseline):
    """Draw one outcome, a line a teacher; gives `ax`."""
    entry = FURTHER[outcome]
    ax.axvline(0, color="0.2", linewidth=1, gid="zero")
    for row, name in enumerate(names):
        mean, low, high = (
            entry.scale * part.loc[name, f"over{end}"] for end in ("", "_low", "_high")
        )
        ours = name == teacher
        colour = VERMILION if ours else BLUE
        if np.isfinite([low, high]).all():
            ax.plot([low, high], [row, row], color=colour, linewidth=1.6, gid="interval")
        ax.plot(mean, row, "o" if ours else "s", color=colour, markersize=5,
                markerfacecolor=colour if ours else "white")  # fmt: skip
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=8)
    shown = textwrap.fill(f"{entry.label}{entry.better}", 28, break_on_hyphens=False)
    at = f"{baseline}: {entry.number(part.loc[baseline, 'mean'])} {entry.unit}"
    ax.set_title(f"{shown}\n{at}", fontsize=8, loc="left")
    ax.set_xlabel(entry.step, fontsize=8)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax
