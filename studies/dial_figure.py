"""The dial's figure: what a simulated brain of some quality can teach."""

import numpy as np

from brain_teacher.report.layout import BLUE, VERMILION, new_figure, write_caption, write_title
from dial_statistics import over_draws, paired
from dial_truths import SNR_DIAL

BRAIN = "brain"
SHOWN = {"none": (VERMILION, "D", "-"), "brain-class": (BLUE, "o", "--")}


def teaching_figure(results):
    """``brain`` minus hard labels, and minus its own class means, by the group's top-1.

    `results` are the dial's, by truth; of these, those whose brains see every picture.
    """
    dial = {truth: results[truth] for truth in SNR_DIAL if results.get(truth)}
    figure = new_figure(7, 4.6)
    ax = figure.subplots()
    for control, (colour, marker, dash) in SHOWN.items():
        means = [_draw(ax, draws, control, colour, marker) for draws in dial.values()]
        line = {"color": colour, "marker": marker, "linestyle": dash, "label": f"brain - {control}"}
        ax.plot(*np.reshape(means, (-1, 2)).T, markersize=8, linewidth=1.2, **line)
    for truth, draws in dial.items():
        ax.annotate(
            f"SNR x{SNR_DIAL[truth]}", (np.mean(_top1(draws)), 1), xytext=(0, 3), fontsize=8,
            xycoords=ax.get_xaxis_transform(), textcoords="offset points", ha="center",
        )  # fmt: skip
    ax.axhline(0, color="0.2", linewidth=1, zorder=0)
    ax.set_xlabel("top-1 of the brains' combined soft labels (%)")
    ax.set_ylabel("gain in test accuracy (percentage points)")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    write_title(figure, "What a simulated brain of this quality can teach")
    write_caption(
        figure,
        f"Simulated pictures, and brains that see each of them, at shares of the sample's SNR. "
        f"Small points: {max(map(len, dial.values()), default=0)} draws of both, each a mean over "
        "its paired seeds; large ones: means, with Student's 95% interval over draws.",
    )
    return figure


def _top1(draws):
    return [100 * each.table["top1"] for each in draws]


def _draw(ax, draws, control, colour, marker):
    """The points of one SNR, and the interval of their mean; gives where the mean is."""
    gains = [100 * paired(each.accuracy, BRAIN, control) for each in draws]
    faint = {"color": colour, "markersize": 4, "alpha": 0.4, "linestyle": "none"}
    ax.plot(_top1(draws), [each.mean() for each in gains], marker, **faint)
    found, at = over_draws(gains), np.mean(_top1(draws))
    ax.plot([at, at], [found.low, found.high], color=colour, linewidth=2)
    return at, found.mean
