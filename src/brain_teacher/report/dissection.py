"""What each part of the soft labels adds: a table, sentences and two figures."""

import textwrap

import numpy as np
from tabulate import tabulate

from brain_teacher.analysis.dissection import found
from brain_teacher.report.layout import BLUE, VERMILION, new_figure, write_caption, write_title

_KEYS = ("mean", "low", "high")


def dissection_text(table, adds, *, title):
    """The table in points for a terminal or a page, under its title.

    `table` is from `contributions`; `adds` says of each tested part what it is about.
    """
    rows = []
    for _, row in table.iterrows():
        rows.append(
            {
                "part": row["part"],
                "accuracy (%)": f"{100 * row['accuracy']:.1f}",
                "minus none": _interval(row, "none_"),
                "minus": row["against"],
                "adds [95%]": _interval(row, "") if row["against"] else "",
                "p (Holm)": _p(row["p_corrected"]) if row["against"] else "",
                "brain minus it": _interval(row, "brain_"),
            }
        )
    text = tabulate(rows, headers="keys", tablefmt="pipe", disable_numparse=True)
    return "\n\n".join([title, text, textwrap.fill(dissection_words(table, adds), 100)])


def _interval(row, begun):
    mean, low, high = (100 * row.get(begun + key, np.nan) for key in _KEYS)
    return "" if np.isnan(mean) else f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def _p(p):
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def dissection_words(table, adds):
    """What was found to help, what to harm, and of what nothing was shown, in sentences."""
    tested = table[table["against"] != ""].set_index("part")
    if not len(tested):
        return "No part was held against another."
    sentences = []
    told = {"Found to help": found(table)[0], "Found to harm": found(table)[1]}
    for beginning, names in told.items():
        if names:
            each = (f"{adds[name]} {_interval(tested.loc[name], '')}" for name in names)
            sentences.append(f"{beginning}: {'; '.join(each)}.")
    sure = {name for names in told.values() for name in names}
    if open_ := [adds[name] for name in tested.index if name not in sure]:
        sentences.append(f"Not shown, either way: {'; '.join(open_)}.")
    sentences.append(
        "Points of test accuracy that a part has beyond the one without it, with two-way 95% "
        "intervals over seeds and test images, for these classes; Holm's correction over "
        f"{len(tested)} parts. Exploratory."
    )
    return " ".join(sentences)


def contributions_figure(table, adds, *, title):
    """What each tested part adds to the one without it, with its interval; the caller saves it."""
    rows = table[table["against"] != ""].reset_index(drop=True)
    sure = set(found(table)[0]) | set(found(table)[1])
    figure = new_figure(9.5, 1.9 + 0.36 * len(rows))
    ax = figure.subplots()
    ax.axvline(0, color="0.2", linewidth=1, gid="zero")
    for place, row in rows.iterrows():
        colour = VERMILION if row["part"] in sure else BLUE
        ends = [100 * row["low"], 100 * row["high"]]
        style = "-" if row["part"] in sure else "--"
        ax.plot(ends, [place, place], color=colour, linestyle=style, linewidth=1.6, gid="interval")
        face = colour if row["part"] in sure else "white"
        ax.plot(100 * row["mean"], place, "D", color=colour, markerfacecolor=face, gid="mean")
    names = [f"{adds[row['part']]}\n{row['part']} - {row['against']}" for _, row in rows.iterrows()]
    ax.set_yticks(range(len(rows)), names, fontsize=8)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlabel("added test accuracy (points)")
    ax.spines[["top", "right"]].set_visible(False)
    write_title(figure, title)
    write_caption(
        figure,
        "Bars are two-way 95% intervals over seeds and test images, for these classes, not "
        "corrected; filled and solid: p < 0.05 after Holm's correction over these "
        f"{len(rows)} parts. Exploratory.",
    )
    return figure


def doses_figure(curves, *, title):
    """Accuracy minus ``none`` along each dose: a panel a curve; the caller saves it.

    `curves` are, by what the dose is, its label and a list of (dose, row of `contributions`).
    """
    figure = new_figure(max(5.0, 3.6 * len(curves)), 4.2)
    axes = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for ax, (what, unsorted) in zip(axes, curves.items(), strict=True):
        points = sorted(unsorted, key=lambda each: each[0])
        doses = [dose for dose, _ in points]
        mean, low, high = (
            np.array([100 * row[f"none_{key}"] for _, row in points]) for key in _KEYS
        )
        ax.axhline(0, color="0.2", linewidth=1, gid="zero")
        ax.errorbar(
            doses, mean, yerr=[mean - low, high - mean], color=VERMILION, marker="D",
            markersize=5, linewidth=1.4, capsize=3, gid="dose",
        )  # fmt: skip
        ax.set_xticks(doses, [f"{dose:g}" for dose in doses])
        ax.set_xlabel(what)
        ax.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("test accuracy minus none (points)")
    write_title(figure, title)
    write_caption(
        figure,
        "Bars are two-way 95% intervals over seeds and test images, for these classes, of each "
        "point alone; points share students and images. Line at 0: hard labels alone. Exploratory.",
    )
    return figure
