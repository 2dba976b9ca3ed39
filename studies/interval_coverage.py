"""How often the 95% intervals of a difference hold the truth, where the truth is known.

    python studies/interval_coverage.py [--draws N] [--write docs/verdict.md]

Two intervals and two truths: the two-way one is for these classes, whose own effects are part of
what is asked; the one with classes random as well is for classes like them.
"""

from pathlib import Path

import click
import numpy as np
from scipy.special import stdtrit
from tabulate import tabulate

from brain_teacher.analysis.two_way import by_class, two_way_error
from brain_teacher.seeds import named_rng
from dial_table import put_between_marks
from verdict_grid import COMPONENTS

# Of a difference, which has the variance of two teachers; and of seeds within a class.
SEED, IMAGE, RESIDUAL = ((2 * variance) ** 0.5 for variance in vars(COMPONENTS).values())
SEED_BY_CLASS = 0.02
# Images of a class by the number of classes; the sample has 16 classes of 60.
SEEDS, PER_CLASS, CLASS_SD = (5, 8, 16), {6: 20, 16: 20, 150: 4}, (0.0, 0.05, 0.1)
SIZES = [*((2, 16, 60), (3, 16, 60)), *((s, c, n) for s in SEEDS for c, n in PER_CLASS.items())]
DRAWS, PART = 10_000, 2_000_000  # draws; numbers at once


def draw_nested(rng, draws, sizes, *, seeds, class_sd):
    """Differences (draws, seeds, images), and the mean effect of the classes that were drawn.

    `sizes` are the images of each class; the mean over all classes that there are is 0.
    """
    category = np.repeat(np.arange(len(sizes)), sizes)
    values = rng.normal(0, RESIDUAL, (draws, seeds, len(category)))
    values += rng.normal(0, SEED, (draws, seeds, 1))
    values += rng.normal(0, IMAGE, (draws, 1, len(category)))
    values += rng.normal(0, SEED_BY_CLASS, (draws, seeds, len(sizes)))[..., category]
    effects = rng.normal(0, class_sd, (draws, 1, len(sizes)))[..., category]
    return values + effects, effects.mean(axis=(1, 2))


def coverage(rng, draws, sizes, *, seeds, class_sd):
    """Shares of intervals that hold their truth.

    Of the two-way one for these classes, of the one with classes random as well for classes like
    them, and of the two-way one for classes like them, which it is not for.
    """
    category, held, done = np.repeat(np.arange(len(sizes)), sizes), np.zeros(3), 0
    while done < draws:
        part = min(max(1, PART // (seeds * len(category))), draws - done)
        values, truth = draw_nested(rng, part, sizes, seeds=seeds, class_sd=class_sd)
        mean = values.mean(axis=(1, 2))
        two_way, nested = two_way_error(values), two_way_error(by_class(values, category))
        for place, (error, (se, df)) in enumerate(
            ((mean - truth, two_way), (mean, nested), (mean, two_way))
        ):
            held[place] += np.sum(np.abs(error) <= stdtrit(df, 0.975) * se)
        done += part
    return held / draws


def coverage_table(draws):
    """The table as Markdown: a row a number of seeds and classes, a group of columns an SD."""
    rows = []
    for seeds, classes, per_class in SIZES:
        row = [seeds, f"{classes} x {per_class}"]
        for class_sd in CLASS_SD:
            rng = named_rng("interval coverage", seeds, classes, class_sd)
            sizes = [per_class] * classes
            found = coverage(rng, draws, sizes, seeds=seeds, class_sd=class_sd)
            row += [f"{100 * share:.1f}" for share in found]
        rows.append(row)
    head = ["seeds", "classes x images"]
    for class_sd in CLASS_SD:
        said = f"SD {100 * class_sd:g}"
        head += [f"{said}: two-way", f"{said}: classes random", f"{said}: two-way, other classes"]
    return tabulate(rows, head, tablefmt="pipe", disable_numparse=True)


@click.command(help=__doc__.splitlines()[0])
@click.option("--draws", default=DRAWS, show_default=True)
@click.option("--write", type=click.Path(path_type=Path), help="A page with the table's marks.")
def main(draws, write):
    text = coverage_table(draws)
    print(text)
    if write is not None:
        put_between_marks(write, "coverage", text)


if __name__ == "__main__":
    main()
