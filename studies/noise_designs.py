"""Noise in ten designs: whether any order of trials lets a decoder tell what it cannot know.

    python studies/noise_designs.py [--only NAME] [--draws N] [--write FILE]

Every recording is Gaussian noise; only the order of the trials differs. Each is decoded by ridge
regression, logistic regression and the two networks (few steps), z-scored by run and by fold, and
redone by ridge regression in scikit-learn, a fold at a time; images are left out, whatever the runs
are. A field says how many of all draws' images are right; where the exact one-sided p of so many by
chance is below 0.001 in 20 draws, 200 decide. Beside it, what z-scoring each run by all of its
trials would give. Last, pairwise identification in an order as GOD's, 1,200 trials of 150
categories.
"""

import os

# Before numpy: BLAS reads them once.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

from pathlib import Path

import click
import numpy as np
from sklearn.linear_model import Ridge
from tabulate import tabulate
from threadpoolctl import threadpool_limits

from brain_teacher.dataset.trials import Voxels
from brain_teacher.decoding.chance import agreement_by_chance, p_by_chance
from brain_teacher.decoding.decoders.mlp import Mlp
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from brain_teacher.decoding.quality import quality
from brain_teacher.decoding.voxel_scaling import zscore_by_run
from brain_teacher.seeds import named_rng
from brain_teacher.simulation.orders import rounds_of_runs, shuffled_runs
from dial_table import put_between_marks

DRAWS, MORE_DRAWS, LEVEL = 20, 200, 0.001
VOXELS, PENALTY = 100, 100.0
OWN = {
    "ridge": {"penalty": [PENALTY]},
    "logistic": {"C": [0.01]},
    "mlp": Mlp(steps=[30], batch=64, hidden=32).model_dump() | {"device": "cpu"},
    "resnet1d": {
        "seed": 0, "width": 2, "steps": 8, "batch": 32, "learning_rate": 0.01,
        "weight_decay": 0.05, "precision": "float32", "device": "cpu",
    },
}  # fmt: skip


def each_run_shows(categories, runs, times=1):
    """(category, run) of every trial, each category `times` times a run."""
    shown = np.tile(np.repeat(np.arange(categories), times), runs)
    return shown, np.repeat(np.arange(runs), categories * times)


def once_a_run(rng):
    """8 categories, each once in each of 12 runs."""
    return each_run_shows(8, 12)


def twice_a_run(rng):
    """6 categories, each twice in each of 6 runs."""
    return each_run_shows(6, 6, times=2)


def one_repeat(rng):
    """8 categories once in each of 12 runs, and one of them once more in one run."""
    category, run = each_run_shows(8, 12)
    return np.append(category, 0), np.append(run, 0)


def one_back(rng):
    """8 categories once in each of 12 runs, two images of each run shown a second time."""
    category, run = each_run_shows(8, 12)
    image = np.arange(96)
    again = np.concatenate([rng.choice(image[run == r], 2, replace=False) for r in range(12)])
    return tuple(np.append(column, column[again]) for column in (category, run, image))


def rounds(rng, categories=24):
    """24 categories in 8 rounds of two runs, as GOD's are of three."""
    category = np.repeat(np.arange(categories), 8)
    runs = rounds_of_runs(category, rng=rng)
    shown = np.concatenate(runs)
    return category[shown], np.repeat(np.arange(len(runs)), [len(r) for r in runs]), shown


def shuffled(rng):
    """16 categories of 8 images, shuffled into 4 runs: the sample's order."""
    runs = shuffled_runs(128, rng=rng)
    shown = np.concatenate(runs)
    return shown // 8, np.repeat(np.arange(len(runs)), [len(r) for r in runs]), shown


def unbalanced(rng):
    """5 categories of 6 to 30 images, shuffled into 6 runs."""
    category = rng.permutation(np.repeat(np.arange(5), [6, 12, 18, 24, 30]))
    return category, np.arange(90) // 15


def unlike_runs(rng):
    """6 categories, of which each run shows three often and three once."""
    often = [np.arange(6)[(np.arange(6) + r) % 2 == 0] for r in range(8)]
    category = np.concatenate([[*range(6), *own, *own] for own in often])
    return category, np.repeat(np.arange(8), 12)


def short_runs(rng):
    """6 categories in 32 runs of 3 trials: few are left of a run, often one."""
    return rng.permutation(np.repeat(np.arange(6), 16)), np.arange(96) // 3


def shown_thrice(rng):
    """6 categories of 8 images, each shown three times, in runs drawn anew each time."""
    image = np.concatenate([rng.permutation(48) for _ in range(3)])
    return image // 8, np.arange(144) // 12, image


DESIGNS = (
    once_a_run, twice_a_run, one_repeat, one_back, rounds, shuffled, unbalanced, unlike_runs,
    short_runs, shown_thrice,
)  # fmt: skip


def draw(design, seed, voxels=VOXELS):
    """A recording of noise in a design; each trial is an image of its own unless it says which."""
    rng = named_rng("noise designs", design.__name__, seed)
    category, run, *image = design(rng)
    image = image[0] if image else np.arange(len(category))
    # Within a run, trials come in any order.
    order = rng.permutation(len(category))
    category, run, image = category[order], run[order], image[order]
    data = rng.standard_normal((len(category), voxels)).astype(np.float32)
    names, images = (np.array([f"{letter}{k:04}" for k in ids])
                     for letter, ids in (("c", category), ("i", image)))  # fmt: skip
    return training_trials(Voxels(data, images, names, run.astype(np.int32)))


def decoded(name, trials, normalise):
    """(guessed, shown) class numbers of every image, out of fold, by one of our decoders."""
    common = {"normalise": normalise, "select": "f-score", "n_voxels": VOXELS // 2}
    plan = plan_for(trials, by="image")
    labels = DECODERS[name].decode(trials, plan, calibrate=False, **common, **OWN[name])
    return labels.log_probs.argmax(axis=1), labels.truth(trials.category_of(labels.image_id))


def gods(rng):
    """150 categories in 8 rounds of three runs of 50."""
    return np.concatenate([rng.permutation(150) for _ in range(8)]), np.arange(1200) // 50


def of_god(draws=5):
    """Pairwise identification in GOD's order, a sentence for each way of leaving images out."""
    for by in ("image", "round"):
        found = []
        for seed in range(draws):
            trials = draw(gods, seed)
            plan = plan_for(trials, by=by)
            how = {"normalise": "run", "select": "f-score", "n_voxels": VOXELS // 2}
            labels = DECODERS["ridge"].decode(trials, plan, calibrate=False, **how, **OWN["ridge"])
            found.append(quality(labels, trials.category_of(labels.image_id))["pairwise"])
        error = np.std(found, ddof=1) / draws**0.5
        yield (
            f"GOD's order, ridge, z-scored by run, folds by {by}: pairwise identification "
            f"{np.mean(found):.3f} (SE {error:.3f}, {draws} draws), chance 0.500."
        )


def by_scikit_learn(trials, normalise):
    """The same with scikit-learn, fold by fold; `normalise` may also be all of a run's trials."""
    plan = plan_for(trials, by="image")
    classes, truth = np.unique(trials.category, return_inverse=True)
    one_hot = np.eye(len(classes))[truth]
    guessed, shown = [], []
    for images in plan.predict:
        held_out = np.isin(trials.image_id, images)
        data = scaled(trials, ~held_out, normalise)
        model = Ridge(alpha=PENALTY).fit(data[~held_out], one_hot[~held_out])
        logits = model.predict(data[held_out]) / one_hot[~held_out].mean(axis=0)
        for image in images:
            own = trials.image_id[held_out] == image
            guessed.append(logits[own].mean(axis=0).argmax())
            shown.append(truth[trials.image_id == image][0])
    return np.array(guessed), np.array(shown)


def scaled(trials, fit, normalise):
    """Voxels z-scored by the trials fitted on, by numpy alone."""
    data = trials.data.astype(np.float64)
    if normalise == "all":
        return zscore_by_run(data, trials.run)
    if normalise == "fold":
        return (data - data[fit].mean(axis=0)) / data[fit].std(axis=0)
    return scaled_by_run(data, trials.run, fit)


def scaled_by_run(data, run, fit):
    """Each run by its fitted trials or else its own; of fewer than 4, the deviation is pooled.

    Where none of so few is fitted on, the mean is that of all that are.
    """
    left = {r: data[fit & (run == r)] for r in np.unique(run)}
    fitted = [rows for rows in left.values() if len(rows)]
    squares = sum(((rows - rows.mean(axis=0)) ** 2).sum(axis=0) for rows in fitted)
    pooled = np.sqrt(squares / sum(len(rows) - 1 for rows in fitted))
    result = np.empty(data.shape)
    for r, rows in left.items():
        own = rows if len(rows) else data[run == r]
        deviation = own.std(axis=0) if len(own) > 3 else pooled
        centre = own if len(rows) or len(own) > 3 else data[fit]
        result[run == r] = (data[run == r] - centre.mean(axis=0)) / deviation
    return result


WAYS = {
    **{
        f"{name}, {normalise}": lambda trials, n=name, how=normalise: decoded(n, trials, how)
        for name in OWN
        for normalise in ("run", "fold")
    },
    **{
        f"scikit-learn, {normalise}": lambda trials, how=normalise: by_scikit_learn(trials, how)
        for normalise in ("run", "fold")
    },
}
LEAKING = "scikit-learn, all of a run"


def tried(design, way, draws):
    """Share right, share by chance, and p over some draws."""
    guessed, shown = (np.concatenate(parts) for parts in zip(
        *(way(draw(design, seed)) for seed in range(draws)), strict=True))  # fmt: skip
    chance = agreement_by_chance(guessed, shown)
    return (guessed == shown).mean(), chance, p_by_chance(guessed, shown)


def row_of(design, name, way, draws):
    """One row of the table; 200 draws where 20 look as if noise was decoded."""
    right, chance, p = tried(design, way, draws)
    if p < LEVEL and draws == DRAWS and name != LEAKING:
        draws = MORE_DRAWS
        right, chance, p = tried(design, way, draws)
    return [design.__name__.replace("_", " "), name, draws, right, chance, p]


@click.command(help=__doc__.split("\n")[0])
@click.option("--only", help="Ways whose name begins so: ridge, say.")
@click.option("--draws", type=click.IntRange(min=1), default=DRAWS, show_default=True)
@click.option("--write", "file", type=click.Path(path_type=Path), help="Put the table there, too.")
def main(only, draws, file):
    ways = WAYS | {LEAKING: lambda trials: by_scikit_learn(trials, "all")}
    ways = {name: way for name, way in ways.items() if name.startswith(only or "")}
    rows = []
    with threadpool_limits(1):
        for design in DESIGNS:
            for name, way in ways.items():
                rows.append(row_of(design, name, way, draws))
                click.echo(
                    "{}, {}: {} draws, {:.3f} right, chance {:.3f}, p = {:.2g}".format(*rows[-1])
                )
        text = "\n".join([table(rows), "", *of_god()])
    click.echo(text)
    if file:
        put_between_marks(file, "noise", text)


def table(rows):
    """A line a design, a column a way: the share that is right, in %."""
    ways = list(dict.fromkeys(row[1] for row in rows))
    lines = []
    for design in dict.fromkeys(row[0] for row in rows):
        own = {row[1]: row for row in rows if row[0] == design}
        # With unequal classes, guesses that differ are right by chance in different shares.
        chances = sorted(float(f"{100 * row[4]:.1f}") for row in own.values())
        chance = " to ".join(f"{end}" for end in dict.fromkeys((chances[0], chances[-1])))
        lines.append([design, chance, *(_field(own[name]) for name in ways)])
    return tabulate(lines, ["design", "chance", *ways], tablefmt="pipe", disable_numparse=True)


def _field(row):
    draws, right, p = row[2], row[3], row[5]
    text = f"**{100 * right:.1f}**" if p < LEVEL else f"{100 * right:.1f}"
    return f"{text} ({draws} draws)" if draws == MORE_DRAWS else text


if __name__ == "__main__":
    main()
