"""One decoded cell: whether its probabilities are true, and which classes it confuses."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from brain_teacher.report.layout import (
    BLUE,
    COLOUR_MAP,
    VERMILION,
    new_figure,
    shorten,
    write_caption,
    write_title,
)

# Of curves: Okabe & Ito's colours, told apart by marker and dash as well.
_STYLES = [
    (BLUE, "o", "-"),
    (VERMILION, "D", "--"),
    ("#009E73", "s", "-."),
    ("#CC79A7", "^", ":"),
    ("#000000", "v", (0, (5, 1, 1, 1, 1, 1))),
]
# More names than this cannot be read beside a matrix.
_NAMED_CLASSES = 50


def reliability_figure(curves, *, title, caption=""):
    """How often the first guess is right, by the probability that it was given.

    `curves` has the rows of `quality.reliability` by label, of one curve or several. Returns the
    figure, and its points with the curve's label as ``curve``.
    """
    figure = new_figure(6.6 if len(curves) == 1 else 8.6, 6.8)
    axes = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    draw_reliability(curves, axes)
    if len(curves) > 1:
        axes[0].legend(bbox_to_anchor=(1, 1), fontsize=8, frameon=False, handlelength=3.5)
    write_title(figure, title)
    write_caption(
        figure,
        "Each marker is a bin of the top-1 probability, at its mean; bars are exact 95% intervals. "
        "On the dashed line a probability means what it says; above it they are too modest, "
        f"below it too sure. Below: images in each bin. {caption}".strip(),
    )
    points = [pd.DataFrame(rows).assign(curve=label) for label, rows in curves.items()]
    return figure, pd.concat(points, ignore_index=True)


def draw_reliability(curves, axes):
    """Draw `curves` (as for `reliability_figure`) on two axes: below, the images in each bin."""
    upper, lower = axes
    upper.plot([0, 100], [0, 100], color="0.4", linewidth=1, linestyle=(0, (4, 3)), gid="diagonal")
    for number, (label, rows) in enumerate(curves.items()):
        colour, marker, dash = _STYLES[number % len(_STYLES)]
        table = 100 * pd.DataFrame(rows)[["confidence", "accuracy", "low", "high"]]
        x, y = table["confidence"], table["accuracy"]
        # By hand it could be -1e-14.
        error = np.maximum([y - table["low"], table["high"] - y], 0)
        upper.errorbar(x, y, error, color=colour, marker=marker, linestyle=dash, markersize=6,
                       linewidth=1.4, elinewidth=0.9, capsize=2.5, label=label)  # fmt: skip
        images = [row["images"] for row in rows]
        lower.vlines(x, 0, images, color=colour, linewidth=1.4)
        lower.plot(x, images, marker, color=colour, markersize=5, gid="images")
    upper.set(xlim=(0, 100), ylim=(-2, 102), ylabel="right (%)")
    lower.set_ylim(bottom=0)
    lower.set(xlabel="probability of the first guess (%)", ylabel="images")
    lower.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    for ax in axes:
        ax.grid(color="0.9", linewidth=0.6)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    return axes


def similarity_figure(matrix, class_id, *, title, names=None, superclass=None, caption=""):
    """Which classes the decoder takes for one another.

    `matrix` is from `quality.class_similarity`, (n_classes, n_classes); `names` and `superclass`
    are by class id, and where every class has a superclass, the classes are in its order. Returns
    the figure, and its points: a row for each pair, ``class_a``, ``class_b``, ``similarity``.
    """
    class_id = [str(name) for name in class_id]
    known = superclass if superclass and all(name in superclass for name in class_id) else None
    # A superclass stands where the first of its classes does.
    first = {known[name]: name for name in sorted(class_id, reverse=True)} if known else {}
    ids = sorted(class_id, key=lambda name: (first[known[name]] if known else "", name))
    order = [class_id.index(name) for name in ids]
    matrix = np.asarray(matrix)[np.ix_(order, order)]
    side = 3.4 + 0.24 * len(ids) if len(ids) <= _NAMED_CLASSES else 8.0
    figure = new_figure(max(side + 1.4, 6.0), max(side + 0.9, 5.4))
    ax = figure.subplots()
    labels = [shorten((names or {}).get(name, name)) for name in ids]
    draw_similarity(matrix, ax, labels=labels, groups=[known[n] for n in ids] if known else None)
    bar = figure.colorbar(ax.images[0], ax=ax, pad=0.02, shrink=0.8)
    bar.set_label("similarity (nats)")
    write_title(figure, title)
    hidden = "" if len(ids) <= _NAMED_CLASSES else f"Names of {len(ids)} classes: see the table. "
    write_caption(
        figure,
        "Log-probability of one class where the other is shown, above the mean of all wrong "
        f"classes, averaged over both directions. {hidden}{caption}".strip(),
    )
    a, b = np.triu_indices(len(ids), 1)
    points = {"class_a": np.array(ids)[a], "class_b": np.array(ids)[b], "similarity": matrix[a, b]}
    return figure, pd.DataFrame(points)


def draw_similarity(matrix, ax, *, labels, groups=None):
    """Draw a matrix whose classes have `labels`, with lines between `groups` of neighbours."""
    classes = len(labels)
    ax.imshow(matrix, cmap=COLOUR_MAP, interpolation="nearest")
    ax.set_facecolor("0.85")
    named = classes <= _NAMED_CLASSES
    if named:
        slanted = 90 if max(map(len, labels)) > 3 else 0
        ax.set_xticks(range(classes), labels, rotation=slanted, fontsize=8)
        ax.set_yticks(range(classes), labels, fontsize=8)
    else:
        ax.set_xticks([])
        ax.set_yticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    groups = groups or [""] * classes
    starts = [c for c in range(classes) if c == 0 or groups[c] != groups[c - 1]]
    for start, end in zip(starts, [*starts[1:], classes], strict=True):
        if start:
            for line in (ax.axhline, ax.axvline):
                line(start - 0.5, color="white", linewidth=2.5 if named else 1, gid="border")
        # A narrow one among many has no room for its name.
        if (end - start) * _NAMED_CLASSES >= classes:
            ax.annotate(groups[start], (1, (start + end - 1) / 2), (5, 0),
                        xycoords=("axes fraction", "data"), textcoords="offset points",
                        va="center", fontsize=9, gid="superclass")  # fmt: skip
    return ax
