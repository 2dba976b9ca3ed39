"""Whether subjects agree about single images: a figure of every ROI."""

from brain_teacher.report.layout import BLUE, VERMILION, new_figure, write_caption, write_title
from brain_teacher.report.words import said_simulated

_STYLES = [(BLUE, "o"), (VERMILION, "D"), ("#009E73", "s"), ("#CC79A7", "^"), ("#000000", "v")]


def agreement_figure(table, *, dataset, simulated):
    """Between-subject reliability by ROI, a marker a decoder.

    `table` has a row for each: ``decoder``, ``roi`` and the fields of `Reliability`. Gives the
    figure, and its points.
    """
    figure = new_figure(2.4 + max(0.68 * table["roi"].nunique(), 4.2), 4.4)
    draw_agreement(table, figure.subplots())
    subjects, images = table["subjects"].max(), table["images"].max()
    write_title(
        figure,
        f"{dataset} ({said_simulated(simulated)}): do {subjects} subjects agree about single "
        f"images? Out of fold, {images} images",
    )
    write_caption(
        figure,
        "Correlation between subjects of what their soft labels say of an image beyond its class "
        "and fold (their means taken away), the mean over pairs of subjects; bars are 95% "
        "intervals over images. Chance is 0, the line.",
    )
    return figure, table.assign(dataset=dataset, simulated=simulated)


def draw_agreement(table, ax):
    """Draw the rows of `agreement_figure` on `ax`, decoders side by side; returns `ax`."""
    rois, decoders = [*dict.fromkeys(table["roi"])], [*dict.fromkeys(table["decoder"])]
    ax.axhline(0, color="0.4", linewidth=1, gid="chance")
    for number, decoder in enumerate(decoders):
        rows = table[table["decoder"] == decoder]
        colour, marker = _STYLES[number % len(_STYLES)]
        aside = 0.14 * (number - (len(decoders) - 1) / 2)
        ax.errorbar(
            [rois.index(roi) + aside for roi in rows["roi"]],
            rows["mean"],
            yerr=[rows["mean"] - rows["low"], rows["high"] - rows["mean"]],
            fmt=marker,
            color=colour,
            capsize=3,
            label=decoder,
        )
    ax.set_xticks(range(len(rois)), rois)
    ax.set_ylabel("correlation between subjects")
    ax.spines[["top", "right"]].set_visible(False)
    if len(decoders) > 1:
        ax.legend(frameon=False, fontsize=8)
    return ax
