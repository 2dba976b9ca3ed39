"""The effect by class, as a picture: how much classes differ."""

from brain_teacher.analysis.outcomes import ACCURACY
from brain_teacher.report.layout import BLUE, VERMILION, new_figure, write_caption, write_title

# Beyond, names would not be read.
NAMED = 60


def class_figure(effects, difference, *, teacher, control, title, outcome=ACCURACY):
    """`teacher` minus `control` in each class, over the means of all; the caller saves it.

    `effects` are the table of `class_effects`, `difference` is that of all images.
    """
    figure = new_figure(7.5, 2.2 + min(0.2 * len(effects), 12.0))
    minus = f"{teacher} minus {control} ({outcome.step}{outcome.better})"
    draw_class_effects(effects, difference, figure.subplots(), minus=minus, outcome=outcome)
    write_title(figure, title)
    write_caption(
        figure,
        "Each point is a class, bars are two-way 95% intervals over seeds and its images, not "
        f"corrected. Dark band: the same of all images, for these {len(effects)} classes; light "
        "band: with classes random as well. Exploratory.",
    )
    return figure


def draw_class_effects(effects, difference, ax, *, minus, outcome=ACCURACY):
    """Draw a point and a bar a class, and two bands of the whole; gives `ax`."""
    scale, rows = outcome.scale, range(len(effects))
    bands = (("0.92", difference.low_classes, difference.high_classes, "classes"),
             ("0.80", difference.low, difference.high, "images"))  # fmt: skip
    for shade, low, high, gid in bands:
        ax.axvspan(scale * low, scale * high, color=shade, linewidth=0, zorder=0, gid=gid)
    ax.axvline(0, color="0.2", linewidth=1, zorder=1, gid="zero")
    ax.hlines(rows, scale * effects["low"], scale * effects["high"], color=BLUE, linewidth=1.2)
    ax.plot(scale * effects["mean"], rows, "D", color=VERMILION, markersize=4, gid="mean")
    named = len(effects) <= NAMED
    ax.set_yticks(rows if named else [], effects["class"] if named else [])
    ax.set_ylim(len(effects) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0, labelsize=7)
    ax.set_xlabel(minus)
    ax.set_ylabel("class")
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax
