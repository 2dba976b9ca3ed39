"""The pictures of the decoders: a map of all cells, and one cell from near.

Every ``*_figure`` gives a figure and its points as a table; the caller saves both.
"""

import numpy as np
from matplotlib.colors import Normalize

from brain_teacher.decoding.quality import class_similarity, reliability
from brain_teacher.report.cell_curves import reliability_figure, similarity_figure
from brain_teacher.report.cell_guesses import guesses_figure, top_guesses
from brain_teacher.report.layout import COLOUR_MAP, new_figure, write_caption, write_title
from brain_teacher.report.words import said_simulated


def accuracy_figure(scores, *, dataset, simulated, noise=""):
    """Top-1 accuracy of every subject and ROI, a panel for each decoder.

    `scores` has a row for each cell: ``subject``, ``roi``, ``decoder``, ``top1``, ``top1_low``,
    ``top1_high``, ``chance`` (fractions) and ``images``; other columns are left alone. `noise` is
    what was said of noise in the voxels' place. Raises ``ValueError`` if there is no cell, or one
    stands twice.
    """
    if scores.empty:
        raise ValueError("no cells to draw")
    decoders = list(scores["decoder"].unique())
    subjects, rois = list(scores["subject"].unique()), list(scores["roi"].unique())
    width = 2.4 + max(0.68 * len(rois), 4.2)
    height = len(decoders) * (0.5 + 0.46 * len(subjects))
    figure = new_figure(width, 2.0 + height)
    axes = figure.subplots(len(decoders), 1, sharex=True, squeeze=False)[:, 0]
    norm = Normalize(0, 100 * max(scores["top1"].max(), 1.5 * scores["chance"].max()))
    for decoder, ax in zip(decoders, axes, strict=True):
        table = scores[scores["decoder"] == decoder]
        draw_accuracy(table, ax, subjects=subjects, rois=rois, norm=norm)
        ax.set_title(decoder, loc="left", fontsize=10)
    for ax in axes[:-1]:
        ax.tick_params(axis="x", length=0, labelbottom=False)
    # 0.2 inches wide, however high.
    bar = figure.colorbar(axes[0].images[0], ax=list(axes), pad=0.02, aspect=height / 0.2)
    bar.set_label("top-1 accuracy (%)")
    chances = sorted(scores["chance"].unique())
    for place in (100 * chance for chance in chances):
        bar.ax.axhline(place, color="white", linewidth=3)
        bar.ax.axhline(place, color="black", linewidth=1.2, linestyle=(0, (2, 1)))
    bar.ax.annotate("chance", (0, 100 * chances[-1]), (-3, 0), xycoords=("axes fraction", "data"),
                    textcoords="offset points", ha="right", va="center", fontsize=8)  # fmt: skip
    write_title(
        figure,
        f"{dataset} ({said_simulated(simulated)}): top-1 accuracy in %, out of fold, "
        f"{_span(scores['images'])} images; "
        f"chance {', '.join(f'{100 * chance:.3g}%' for chance in chances)}",
    )
    write_caption(
        figure,
        "Below each value its exact 95% interval (images as independent: somewhat narrow for "
        "cross-validation; not corrected for the number of fields). In brackets: not above chance, "
        "the interval's lower end is at or below it."
        + (f" {noise[0].upper()}{noise[1:]}." if noise else ""),
    )
    columns = ["subject", "roi", "decoder", "top1", "top1_low", "top1_high", "chance", "images"]
    return figure, scores[columns].assign(dataset=dataset, simulated=simulated)


def draw_accuracy(table, ax, *, subjects=None, rois=None, norm=None):
    """Draw one decoder's map: subjects down, ROIs across, every value in its field.

    `table` is as for `accuracy_figure`, of one decoder; `subjects` and `rois` are the rows and
    columns in order (else the table's own), `norm` is matplotlib's, of the colours in %. A cell
    that the table lacks is an empty field with a dash. Returns `ax`.
    """
    twice = table.duplicated(["subject", "roi"])
    if twice.any():
        first = table[twice].iloc[0]
        raise ValueError(f"{first['subject']} {first['roi']} stands twice in the table")
    subjects = subjects or list(table["subject"].unique())
    rois = rois or list(table["roi"].unique())
    grid = table.pivot(index="subject", columns="roi", values="top1")
    grid = grid.reindex(index=subjects, columns=rois)
    image = ax.imshow(100 * grid, cmap=COLOUR_MAP, norm=norm or Normalize(0, None), aspect="auto")
    ax.set_facecolor("0.9")
    cells = table.set_index(["subject", "roi"])
    for row, subject in enumerate(subjects):
        for column, roi in enumerate(rois):
            if (subject, roi) in cells.index:
                _write_field(ax, column, row, cells.loc[(subject, roi)], image)
            else:
                ax.text(column, row, "–", ha="center", va="center", color="0.3", gid="none")
    slant = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(range(len(rois)), rois, **(slant if max(map(len, rois)) > 5 else {}))
    ax.set_yticks(range(len(subjects)), subjects)
    ax.tick_params(length=0)
    ax.set_xticks(np.arange(1, len(rois)) - 0.5, minor=True)
    ax.set_yticks(np.arange(1, len(subjects)) - 0.5, minor=True)
    ax.grid(which="minor", color="white", linewidth=1.5)
    ax.tick_params(which="minor", length=0)
    ax.spines[:].set_visible(False)
    return ax


def cell_figures(
    soft_labels, category, *, origin, scores, images=None, names=None, superclass=None
):
    """All pictures of one cell: ``reliability``, ``similarity`` and ``guesses``.

    Each is a figure and a table, which carries `origin` in columns: ``dataset``, ``simulated``,
    ``subject``, ``roi``, ``decoder``. `category` is that of each row, `scores` are from
    `quality.quality`, `names` and `superclass` by class id. `images` are RGB by image id, of those
    to show (`choose_images`): without them there are no guesses, and no similarity of two classes.
    """
    cell = f"{origin['subject']}, {origin['roi']}, {origin['decoder']}"
    heading = f"{origin['dataset']} ({said_simulated(origin['simulated'])}), {cell}"
    found = {
        "reliability": reliability_figure(
            {cell: reliability(soft_labels, category)},
            title=f"{heading}: are its probabilities true?",
            caption=_calibration_words(scores),
        )
    }
    if len(soft_labels.class_id) > 2:
        found["similarity"] = similarity_figure(
            class_similarity(soft_labels, category),
            soft_labels.class_id,
            title=f"{heading}: which classes it takes for one another",
            names=names,
            superclass=superclass,
            caption=_superclass_words(scores),
        )
    if images:
        found["guesses"] = guesses_figure(
            top_guesses(soft_labels, category, list(images)),
            images,
            title=f"{heading}: its first guesses",
            names=names,
        )
    return {name: (figure, points.assign(**origin)) for name, (figure, points) in found.items()}


def _write_field(ax, column, row, cell, image):
    red, green, blue, _ = image.cmap(image.norm(100 * cell["top1"]))
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
    style = {"color": "white" if dark else "black", "ha": "center", "va": "center"}
    style |= {"textcoords": "offset points"}
    value = f"{100 * cell['top1']:.1f}"
    interval = f"{100 * cell['top1_low']:.0f}–{100 * cell['top1_high']:.0f}"
    said = {"text": f"({value})", "gid": "not above"}
    if cell["top1_low"] > cell["chance"]:
        said = {"text": value, "fontweight": "bold", "gid": "above"}
    ax.annotate(xy=(column, row), xytext=(0, 4.5), fontsize=9, **said, **style)
    ax.annotate(interval, (column, row), (0, -8), fontsize=7, gid="interval", **style)


def _calibration_words(scores):
    if "ece" not in scores:
        return ""
    return (
        f"ECE {100 * scores['ece']:.1f}% (95% interval {100 * scores['ece_low']:.1f} to "
        f"{100 * scores['ece_high']:.1f}); true probabilities would give "
        f"{100 * scores['ece_chance']:.1f}% with as many images, p = {scores['ece_p']:.3f}."
    )


def _superclass_words(scores):
    if "superclass_rho" not in scores:
        return ""
    words = f"Spearman's correlation with 'same superclass' {scores['superclass_rho']:.2f}"
    if "superclass_rho_low" in scores:
        low, high = scores["superclass_rho_low"], scores["superclass_rho_high"]
        words += f" (95% interval {low:.2f} to {high:.2f})"
    return f"{words}; chance 0, permutation p = {scores['superclass_rho_p']:.3f}."


def _span(values):
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
