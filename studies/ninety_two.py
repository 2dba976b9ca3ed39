"""What people, IT and early visual cortex know of six categories: three sources of 92 pictures.

    python studies/ninety_two.py [--runs runs] [--write docs/people.md]

Reads what `preprocess` and `decode` wrote of `SOURCES` (the commands stand in docs/people.md), and
draws the figure beside the page.
"""

from pathlib import Path

import click
import numpy as np
from scipy.stats import binomtest
from tabulate import tabulate

from brain_teacher.dataset.trials import read_voxels
from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.report.figure_files import save_figure
from brain_teacher.report.layout import BLUE, VERMILION, new_figure, write_caption, write_title
from dial_table import put_between_marks

MARK, FIGURE, MEAN = "ninety-two", "ninety-two.png", "mean"
SOURCES = {
    "16 people's judgements": ("behaviour92", "judgement"),
    "IT, 15 subjects (Cichy)": ("cichy92", "IT"),
    "IT, 4 subjects (Kriegeskorte)": ("kriegeskorte92", "IT"),
    "EVC, 15 subjects (Cichy)": ("cichy92", "EVC"),
}
NEIGHBOURS, LARGEST = 5, 23 / 92


def named_by_neighbours(kernel, category):
    """How many pictures their five nearest name rightly, each left out in turn.

    Parameters
    ----------
    kernel : ndarray of shape (n_images, n_images)
        The dissimilarity is 1 - kernel.
    category : ndarray of str, shape (n_images,)

    Returns
    -------
    int
        A tie goes to the nearest of those that tie.
    """
    distance = 1 - kernel
    np.fill_diagonal(distance, np.inf)
    right = 0
    for image, own in enumerate(category):
        nearest = np.argsort(distance[image], kind="stable")[:NEIGHBOURS]
        names = category[nearest].tolist()
        right += own == max(names, key=lambda name: (names.count(name), -names.index(name)))
    return int(right)


def measure(runs):
    """A row a source: neighbours' hits by subject, and the decoder's hits of the mean."""
    rows = {}
    for label, (dataset, roi) in SOURCES.items():
        hits = {}
        for path in sorted((Path(runs) / dataset / "voxels").glob(f"*_{roi}.npz")):
            voxels, _ = read_voxels(path)
            data = voxels.data.astype(float)
            hits[path.stem.split("_")[0]] = named_by_neighbours(data @ data.T, voxels.category)
        if MEAN not in hits:
            raise click.ClickException(f"{runs}/{dataset}/voxels has no {MEAN} {roi}; preprocess")
        table = read_soft_labels(
            Path(runs) / dataset / "soft_labels" / f"{MEAN}_{roi}_logistic.npz"
        )
        named = table.class_id[table.log_probs.argmax(axis=1)]
        of_image = dict(zip(voxels.image_id, voxels.category, strict=True))
        truth = np.array([of_image[image] for image in table.image_id])
        nats = -table.log_probs[np.arange(len(truth)), np.searchsorted(table.class_id, truth)]
        rows[label] = hits, int((named == truth).sum()), float(nats.mean())
    return rows


def interval(count, n=92):
    """Clopper and Pearson's 95% interval of a share."""
    found = binomtest(count, n).proportion_ci(0.95, method="exact")
    return found.low, found.high


def as_table(rows):
    """The table in Markdown."""
    lines = []
    for label, (hits, decoded, nats) in rows.items():
        single = [count for subject, count in hits.items() if subject != MEAN]
        low, high = interval(decoded)
        lines.append(
            (label, f"{hits[MEAN]}/92", f"{min(single)} to {max(single)}", f"{decoded}/92",
             f"{decoded / 92:.3f} [{low:.3f}, {high:.3f}]", f"{nats:.2f}")
        )  # fmt: skip
    headers = ("who", "neighbours, mean", "neighbours, single", "logistic, mean", "top-1", "NLL")
    return tabulate(lines, headers, tablefmt="github", disable_numparse=True)


def draw(rows):
    """Single subjects as points, the mean's decoder with its interval, a line at the largest."""
    figure = new_figure(7, 4)
    ax = figure.subplots()
    for place, (hits, decoded, _) in enumerate(rows.values()):
        single = [100 * count / 92 for subject, count in hits.items() if subject != MEAN]
        spread = np.linspace(-0.15, 0.15, len(single))
        points = {"color": BLUE, "marker": "o", "markersize": 4, "linestyle": "none", "alpha": 0.5}
        ax.plot(single, place + spread, **points, label="single subjects" * (not place))
        mean = {"color": BLUE, "marker": "o", "markersize": 8, "linestyle": "none"}
        ax.plot(100 * hits[MEAN] / 92, place - 0.28, **mean, label="the mean" * (not place))
        ax.plot(100 * np.array(interval(decoded)), [place + 0.28] * 2, color=VERMILION)
        diamond = {"color": VERMILION, "marker": "D", "markersize": 7, "linestyle": "none"}
        ax.plot(
            100 * decoded / 92, place + 0.28, **diamond, label="the mean, logistic" * (not place)
        )
    ax.axvline(100 * LARGEST, color="0.3", linestyle=":", label="the largest category")
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(len(rows) + 0.9, -0.6)  # with room for the legend
    ax.set_xlim(0, 100)
    ax.set_xlabel("pictures named rightly (%)")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, loc="lower right")
    write_title(
        figure, "What people, IT and early visual cortex know of six categories (real data)"
    )
    write_caption(
        figure,
        "92 pictures, each left out in turn. Points: its five nearest neighbours name it. "
        "Diamonds: multinomial logistic regression on the kernel, with the exact 95% interval "
        "(pictures as independent).",
    )
    return figure


@click.command(help=__doc__.split("\n")[0])
@click.option("--runs", default="runs", help="Where the commands of docs/people.md wrote.")
@click.option("--write", type=click.Path(path_type=Path), help="A page, between its marks.")
def main(runs, write):
    rows = measure(runs)
    click.echo(as_table(rows))
    if write:
        put_between_marks(write, MARK, as_table(rows))
        save_figure(write.with_name(FIGURE), draw(rows), dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
