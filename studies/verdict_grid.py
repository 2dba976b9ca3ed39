"""How often the verdict is right: a grid of known truths, drawn from variance components.

    python studies/verdict_grid.py [--draws N] [--write docs/verdict.md] [--components STUDENTS]

Answers are drawn as normal ones would be: a teacher's mean is true accuracy plus seed, image and
residual; its mean squares are Wishart, and independent of the means. So a draw is a handful of
numbers, whatever the seeds and images, and each verdict is decided by the code that decides real
ones. `--components` prints the components of a folder of students, which stand below.
"""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import click
import numpy as np
from scipy.special import stdtr, stdtrit
from scipy.stats import wishart
from tabulate import tabulate

from brain_teacher.analysis import verdict as words
from brain_teacher.analysis.power import Spread, spread_of
from brain_teacher.analysis.statistics import pair_by_seed, scores_of
from brain_teacher.analysis.two_way import error_of
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.seeds import named_rng
from dial_table import put_between_marks
from verdict_truths import TEACHERS, TRUTHS, Truth

FAMILY = TEACHERS[:-1]
# Variances of one teacher's answers, beyond what all teachers share and contrasts lose: half the
# mean over all pairs of teachers of a pair's difference. Of the sample's 56 students, simulated.
COMPONENTS = Spread(seed=0.00038, image=0.0155, residual=0.109)
MARGIN, DRAWS = 0.04, 10_000
SIZES = ((8, 960), (16, 2000))
EFFECTS = (0.02, 0.04, 0.08, 0.13)


def components_of(scores):
    """A `Spread` of one teacher's answers, from the differences of all pairs of teachers."""
    pairs = combinations(scores.values(), 2)
    found = [spread_of(pair_by_seed(a, b)[1]) for a, b in pairs]
    means = {key: np.mean([vars(each)[key] for each in found]) / 2 for key in vars(found[0])}
    return Spread(**{key: float(value) for key, value in means.items()})


@dataclass(frozen=True, eq=False)
class Noise:
    """What a size's draws have in common whatever is true: deviations of means, mean squares."""

    means: np.ndarray  # (draws, teachers)
    squares: tuple[np.ndarray, np.ndarray, np.ndarray]  # each (draws, teachers, teachers)
    size: tuple[int, int]


def draw_noise(components, *, seeds, images, draws, rng):
    """Means and mean squares of so many experiments in which all teachers are alike."""
    n, c = len(TEACHERS), components
    variance = c.seed / seeds + c.image / images + c.residual / (seeds * images)
    terms = (
        (seeds - 1, c.residual + images * c.seed),
        (images - 1, c.residual + seeds * c.image),
        ((seeds - 1) * (images - 1), c.residual),
    )
    squares = (
        wishart.rvs(df, np.eye(n) * scale / df, size=draws, random_state=rng) for df, scale in terms
    )
    return Noise(rng.normal(0, variance**0.5, (draws, n)), tuple(squares), (seeds, images))


def contrasts(noise, true, weights):
    """Mean, SE and df of weighted sums of teachers: arrays (draws, n_contrasts)."""
    means = (noise.means + true) @ weights.T
    squares = (np.einsum("ci,dij,cj->dc", weights, each, weights) for each in noise.squares)
    return means, *error_of(*squares, *noise.size)


def holm(p):
    """Holm's correction along the last axis, for many experiments at once."""
    order = np.argsort(p, axis=-1)
    steps = np.take_along_axis(p, order, -1) * np.arange(p.shape[-1], 0, -1)
    corrected = np.minimum(np.maximum.accumulate(steps, axis=-1), 1.0)
    return np.take_along_axis(corrected, np.argsort(order, axis=-1), -1)


def verdicts(noise, true):
    """How often each verdict is given: a dict of words to counts."""
    rows = np.eye(len(TEACHERS))
    mean, se, df = contrasts(noise, true, rows[-1] - rows[:-1])
    differ = holm(2 * stdtr(df, -np.abs(mean) / se)) < words.LEVEL
    half, half_se, half_df = contrasts(noise, true, rows[1:-1] - (rows[0] + rows[-1]) / 2)
    bound = stdtrit(half_df, 0.975) * half_se
    none, resolved = mean[:, 0], stdtrit(df[:, :1], 0.975) * se[:, :1] < mean[:, :1] / 2
    within = np.abs(none) + stdtrit(df[:, 0], 0.95) * se[:, 0] < MARGIN
    shown = np.column_stack(
        [
            differ & (mean > 0),
            resolved & (half > bound),
            resolved & (half < -bound),
            differ[:, 0] & (none < 0),
            within,
        ]
    )
    patterns, counts = np.unique(shown, axis=0, return_counts=True)
    found = {}
    for pattern, count in zip(patterns, counts, strict=True):
        said = _said(pattern)
        found[said] = found.get(said, 0) + int(count)
    return found


def _said(pattern):
    above, most, less, (harmed, within) = np.split(pattern, np.cumsum([6, 5, 5]))
    return words.words_of(
        set(FAMILY),
        above={name for name, holds in zip(FAMILY, above, strict=True) if holds},
        most={name for name, holds in zip(FAMILY[1:], most, strict=True) if holds},
        less={name for name, holds in zip(FAMILY[1:], less, strict=True) if holds},
        harmed=harmed,
        within=within,
    )


@dataclass(frozen=True)
class Cell:
    """The verdicts of one truth, effect and size; the truth None is that of no effect."""

    truth: Truth | None
    effect: float
    size: tuple[int, int]
    counts: dict[str, int]

    @property
    def right(self):
        """Of all draws, the share whose verdict explains rightly."""
        return self._share(lambda said: self.truth is not None and self.truth.is_right(said))

    @property
    def wrong(self):
        """Of all draws, the share whose verdict explains wrongly."""
        return self._share(lambda _: True) - self.right

    @property
    def false_image(self):
        """Of all draws, the share that says single images were taught where none was."""
        if self.truth is not None and self.truth.is_right(words.IMAGES):
            return 0.0
        return self.counts.get(words.IMAGES, 0) / sum(self.counts.values())

    def _share(self, counts):
        explaining = {said: n for said, n in self.counts.items() if said in words.EXPLAINING}
        return sum(n for said, n in explaining.items() if counts(said)) / sum(self.counts.values())


def grid(components, *, draws):
    """A `Cell` for each truth, effect and size."""
    cells = []
    for seeds, images in SIZES:
        rng = named_rng("verdict grid", seeds, images)
        noise = draw_noise(components, seeds=seeds, images=images, draws=draws, rng=rng)
        nothing = verdicts(noise, np.zeros(len(TEACHERS)))
        cells.append(Cell(None, 0.0, noise.size, nothing))
        cells += [
            Cell(truth, effect, noise.size, verdicts(noise, truth.means(effect)))
            for truth in TRUTHS
            for effect in EFFECTS
        ]
    return cells


def grid_table(cells):
    """The grid as Markdown: a row a truth and size, a column an effect."""
    rows = {}
    for cell in cells:
        if cell.truth is not None:
            row = [cell.truth.name, " ".join(f"{share:g}" for share in cell.truth.shares)]
            row.append("{} x {:,}".format(*cell.size))
            shown = f"{100 * cell.right:.1f} / {100 * cell.wrong:.1f}"
            rows.setdefault((cell.truth, cell.size), row).append(shown)
    ordered = [rows[truth, size] for truth in TRUTHS for size in SIZES]
    head = ["truth", "shares", "seeds x images", *(f"+{100 * each:g}" for each in EFFECTS)]
    align = ["left", "left", *["right"] * (len(head) - 2)]
    return tabulate(ordered, head, tablefmt="pipe", disable_numparse=True, colalign=align)


def summary(cells):
    """What the grid shows, in a line a statement."""
    far = [cell for cell in cells if cell.truth is None or not cell.truth.is_near_half()]
    near = [cell for cell in cells if cell not in far]
    able = [cell for cell in far if cell.right + cell.wrong >= 0.5]
    together = {
        (truth.name, size): _of_explaining(c for c in far if (c.truth, c.size) == (truth, size))
        for truth, size in {(c.truth, c.size) for c in far if c.truth is not None}
    }
    kept = max((share for share in together.values() if share <= words.LEVEL), default=0)
    worst = [_percent(max(cell.wrong for cell in some)) for some in (far, near)]
    over = sorted(
        f"{name} at {size[0]} x {size[1]:,}, {_percent(share)}"
        for (name, size), share in together.items()
        if share > words.LEVEL
    )
    return "\n".join(
        [
            f"- An effect is explained wrongly in at most {worst[0]} of the draws of a cell; where "
            f"a share lies within 0.05 of one half, in at most {worst[1]}.",
            f"- Of the verdicts that explain, all effects of a truth and size together, at most "
            f"{_percent(kept)} are wrong, shares within 0.05 of one half left out; missed by: "
            f"{'; '.join(over) or 'none'}.",
            f"- In the {len(able)} of {len(far)} such cells in which half of the draws or more "
            f"explain, at most {_percent(max(_of_explaining([cell]) for cell in able))} of these "
            "are wrong.",
            f"- The image verdict is false in at most "
            f"{_percent(max(cell.false_image for cell in cells))} of the draws.",
        ]
    )


def _of_explaining(cells):
    """The share of wrong ones among the verdicts that explain."""
    right, wrong = np.sum([(cell.right, cell.wrong) for cell in cells], axis=0)
    return wrong / max(right + wrong, 1e-9)


def _percent(share):
    return f"{100 * share:.1f}%"


@click.command(help=__doc__.splitlines()[0])
@click.option("--draws", default=DRAWS, show_default=True)
@click.option("--write", type=click.Path(path_type=Path), help="A page with the marks of the grid.")
@click.option("--components", type=click.Path(exists=True, path_type=Path), help="Of students.")
def main(draws, write, components):
    if components is not None:
        students = {}
        for each in student_folder.read_all(components).values():
            students.setdefault(each.meta["teacher"], {})[each.meta["seed"]] = each
        print(components_of({name: scores_of(each) for name, each in students.items()}))
        return
    cells = grid(COMPONENTS, draws=draws)
    text = f"{grid_table(cells)}\n\n{draws:,} draws a cell.\n\n{summary(cells)}"
    print(text)
    if write is not None:
        put_between_marks(write, "grid", text)


if __name__ == "__main__":
    main()
