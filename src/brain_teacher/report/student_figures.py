"""Pictures of many brains: students by ROI and subject, learning curves, and decoder quality."""

import numpy as np
from scipy.stats import spearmanr

from brain_teacher.report.layout import (
    BLUE,
    VERMILION,
    new_figure,
    shorten,
    write_caption,
    write_title,
)

MARKERS = "oDs^vPX*<>"
STYLES = ("-", "--", ":", "-.")


def cells_figure(rows, bands, *, chance, title):
    """Accuracy of brain-taught students by subject (a panel each) and ROI, over the controls.

    `rows` hold ``subject``, ``roi``, ``accuracy`` (of each seed, fractions), ``low``, ``high`` (the
    interval of the mean), ``sure`` (whether it is above every control after Holm); `bands` are
    mean, lower and upper end of its interval by control, fractions as `chance` is.
    """
    subjects = list(dict.fromkeys(row["subject"] for row in rows))
    rois = list(dict.fromkeys(row["roi"] for row in rows))
    across = min(len(subjects), 3)
    down = -(-len(subjects) // across)
    figure = new_figure(max(8.0, across * (1.2 + 0.42 * len(rois))), 1.6 + 2.5 * down)
    panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
    for subject, ax in zip(subjects, panels, strict=False):
        _draw_bands(ax, bands)
        ax.axhline(100 * chance, color="0.2", linewidth=1, linestyle=":", gid="chance")
        for row in (row for row in rows if row["subject"] == subject):
            _draw_cell(ax, rois.index(row["roi"]), row)
        ax.set_title(shorten(subject), loc="left", fontsize=10)
        ax.set_xticks(range(len(rois)), rois, rotation=45, ha="right")
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_axisbelow(True)
    for ax in panels[len(subjects) :]:
        ax.remove()
    for ax in panels[::across][:down]:
        ax.set_ylabel("test accuracy (%)")
    write_title(figure, title)
    seeds = sorted({len(row["accuracy"]) for row in rows})
    write_caption(
        figure,
        f"Each point is a seed ({' or '.join(map(str, seeds))}), bars are 95% intervals of the "
        "mean over seeds and test images; filled: above hard labels, smoothing as sure and the "
        "class means, each after Holm's correction over all cells. Bands: "
        + ", ".join(f"{name} {100 * band[0]:.1f}%" for name, band in bands.items())
        + " with their 95% intervals. Dotted: chance. Exploratory.",
    )
    return figure


def _draw_bands(ax, bands):
    shades = zip(bands.items(), ("0.80", "0.90"), STYLES, strict=False)
    for (name, (mean, low, high)), shade, style in shades:
        ax.axhspan(100 * low, 100 * high, color=shade, linewidth=0, zorder=0, gid=f"band {name}")
        ax.axhline(100 * mean, color="0.35", linewidth=0.8, linestyle=style, zorder=1)
        ax.annotate(
            name, (1, 100 * mean), xycoords=ax.get_yaxis_transform(), xytext=(2, -2),
            textcoords="offset points", fontsize=7, color="0.35",
        )  # fmt: skip


def _draw_cell(ax, x, row):
    accuracy = 100 * np.asarray(row["accuracy"])
    spread = np.linspace(-0.18, 0.18, len(accuracy)) if len(accuracy) > 1 else [0.0]
    ax.plot(x + np.asarray(spread), accuracy, ".", color=BLUE, markersize=4, alpha=0.6, zorder=2)
    ends = [100 * row["low"], 100 * row["high"]]
    ax.plot([x, x], ends, color=VERMILION, linewidth=1.6, zorder=3, gid="interval")
    style = {"markerfacecolor": VERMILION if row["sure"] else "white", "zorder": 4, "gid": "mean"}
    ax.plot(x, accuracy.mean(), "D", markersize=5, markeredgecolor=VERMILION, **style)


def effects_figure(table, *, title):
    """What brains teach beyond each control, a panel each: by ROI, subject by subject and together.

    `table` is from `cell_effects`.
    """
    controls, rois = (list(dict.fromkeys(table[key])) for key in ("control", "roi"))
    subjects = list(dict.fromkeys(table["subject"]))
    figure = new_figure(8.0, 1.4 + 2.1 * len(controls))
    panels = figure.subplots(len(controls), 1, sharex=True, sharey=True, squeeze=False).ravel()
    spread = np.linspace(-0.3, 0.3, len(subjects)) if len(subjects) > 1 else [0.0]
    for control, ax in zip(controls, panels, strict=True):
        ax.axhline(0, color="0.2", linewidth=1, gid="zero")
        for number, (subject, aside) in enumerate(zip(subjects, spread, strict=True)):
            mine = table[(table["control"] == control) & (table["subject"] == subject)]
            at = np.array([rois.index(roi) for roi in mine["roi"]]) + aside
            mean, low, high = (100 * mine[key].to_numpy() for key in ("mean", "low", "high"))
            together = "+" in subject
            style = {"color": VERMILION if together else str(0.1 + 0.5 * number / len(subjects))}
            style |= {"label": "all subjects" if together else subject, "gid": "mean"}
            ends = [mean - low, high - mean]
            marker = "D" if together else MARKERS[number % len(MARKERS)]
            ax.errorbar(at, mean, yerr=ends, fmt=marker, markersize=4, linewidth=1.2, **style)
        ax.set_ylabel(f"minus {control}", fontsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xticks(range(len(rois)), rois, rotation=45, ha="right")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=8, frameon=False)
    write_title(figure, title)
    write_caption(
        figure,
        "Points of test accuracy; bars are two-way 95% intervals over seeds and test images, not "
        "corrected. Cells share students, pictures and overlapping ROIs. Exploratory.",
    )
    return figure


def curves_figure(curves, *, teacher, title):
    """Learning curves of each teacher's students: mean over seeds, and the seeds' range.

    `curves` are arrays (n_seeds, n_epochs) by teacher, of whom `teacher` stands out, and measure:
    ``train_loss``, ``validation_accuracy``, ``validation_nll``. Epochs with a NaN are left out.
    """
    measures = {
        "train_loss": "training loss (its own for each teacher)",
        "validation_accuracy": "accuracy on validation (%)",
        "validation_nll": "NLL on validation (nats)",
    }
    figure = new_figure(11.0, 4.6)
    for (name, label), ax in zip(measures.items(), figure.subplots(1, 3), strict=True):
        for number, (who, each) in enumerate(curves.items()):
            values = np.asarray(each[name]) * (100 if name.endswith("accuracy") else 1)
            there = ~np.isnan(values).any(axis=0)
            values, epochs = values[:, there], 1 + np.flatnonzero(there)
            colour = VERMILION if who == teacher else str(0.1 + 0.55 * number / len(curves))
            style = {"color": colour, "linestyle": STYLES[number % 4], "label": who}
            if who == teacher:
                ends = values.min(axis=0), values.max(axis=0)
                ax.fill_between(epochs, *ends, color=colour, alpha=0.15, linewidth=0)
                style |= {"linewidth": 2.2, "linestyle": "-", "zorder": 5}
            ax.plot(epochs, values.mean(axis=0), **style)
        ax.set_xlabel("epoch")
        ax.set_title(label, loc="left", fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=8, frameon=False)
    write_title(figure, title)
    said = f"Lines are means over seeds; the shaded range is that of the seeds of {teacher}."
    write_caption(figure, said)
    return figure


def quality_figure(rows, *, baseline, source, title):
    """Does a better decoder teach better? Students' accuracy against soft labels' top-1, by cell.

    `rows` hold ``subject``, ``roi``, ``top1`` (of the soft labels), ``accuracy`` (of each seed),
    fractions as `baseline` is: the mean accuracy of students without a teacher. `source` is what
    the soft labels come from, in a word or two.
    """
    rois = list(dict.fromkeys(row["roi"] for row in rows))
    top1 = 100 * np.array([row["top1"] for row in rows])
    accuracy = 100 * np.array([np.mean(row["accuracy"]) for row in rows])
    figure = new_figure(7.5, 5.0)
    ax = figure.subplots()
    for number, roi in enumerate(rois):
        mine = np.array([row["roi"] == roi for row in rows])
        marker, shade = MARKERS[number % len(MARKERS)], str(0.75 * number / len(rois))
        ax.plot(top1[mine], accuracy[mine], marker, color=shade, markersize=6, label=roi)
    ax.axhline(100 * baseline, color=BLUE, linewidth=1, linestyle="--", gid="baseline")
    ax.annotate(
        "no teacher", (1, 100 * baseline), xycoords=ax.get_yaxis_transform(), xytext=(0, 3),
        textcoords="offset points", ha="right", fontsize=8, color=BLUE,
    )  # fmt: skip
    ax.set_xlabel(f"{source}: top-1 (%)")
    ax.set_ylabel("students taught by it: test accuracy (%)")
    ax.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", fontsize=8, frameon=False)
    write_title(figure, title)
    write_caption(figure, quality_words(rows))
    return figure


def quality_words(rows):
    """Spearman's correlation over the cells (`rows` as for `quality_figure`), in a sentence.

    Cells of one subject are no replicates.
    """
    if len(rows) < 4:
        return "Too few cells for a correlation."
    by_subject = {}
    for row in rows:
        by_subject.setdefault(row["subject"], []).append(row)
    each = [f"{subject} {_rho(mine)}" for subject, mine in by_subject.items() if len(mine) > 3]
    within = f"; within subjects: {', '.join(each)}" if len(each) > 1 else ""
    return (
        f"Spearman's correlation over {len(rows)} cells: {_rho(rows)}{within}. Cells share "
        "subjects, pictures and overlapping ROIs: no p is given. Exploratory."
    )


def _rho(rows):
    top1, accuracy = zip(*[(row["top1"], np.mean(row["accuracy"])) for row in rows], strict=True)
    if len(set(top1)) == 1 or len(set(accuracy)) == 1:
        return "not defined (all are equal)"
    return f"{spearmanr(top1, accuracy).statistic:.2f}"
