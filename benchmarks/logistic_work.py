"""Multinomial logistic regression in folds, against scikit-learn's, at equal error.

`WORK` maps a name to a function of ``quick`` that gives two callables, ours and the peer's, which
return probabilities to compare. The error of a result is its largest difference in probability from
the exact optimum (scikit-learn in float64, to a tolerance of 1e-8). Each side runs at the loosest
tolerance of its own grid whose error is within the row's bar; both are found outside of the timing.
The peer fits float32 where that reaches the bar, float64 otherwise.

Data are made up: class means, strongest in the leading patterns of the brain, in noise that prefers
them less, and some of each voxel's own, z-scored by run. With 150 classes a held-out trial is named
in 7 % of cases (chance 0.7 %). The NLL is lowest at C = 0.003 after a temperature, at 1 without
one, and within 0.1 of that from 0.01 on: C = 0.01 lies between.
"""

from functools import cache

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from brain_teacher.decoding.solvers.logistic import solve_folds
from brain_teacher.decoding.voxel_scaling import best_voxels, zscore_by_run

FOLDS = 8
PATH = (0.001, 0.003, 0.01, 0.03, 0.1)
OURS, PEERS = 10 ** np.arange(1, -6, -0.25), 10 ** np.arange(-2, -8, -0.25)


def make_trials(classes, voxels, *, signal, runs):
    """Data (float32), category, fold: one trial of each class a fold, `runs` runs a fold."""
    rng = np.random.default_rng(0)
    category = np.tile(np.arange(classes), FOLDS)
    fold = np.repeat(np.arange(FOLDS), classes)
    run = np.floor(np.arange(len(fold)) * runs / classes)
    patterns = np.linalg.qr(rng.standard_normal((voxels, voxels)))[0]

    def amplitudes(power):
        variance = np.arange(1.0, voxels + 1) ** -power
        return np.sqrt(variance / variance.mean())

    means = signal * rng.standard_normal((classes, voxels)) * amplitudes(1.5)
    noise = rng.standard_normal((len(fold), voxels)) * amplitudes(0.5)
    data = (means[category] + noise) @ patterns + 0.5 * rng.standard_normal(noise.shape)
    return zscore_by_run(data, run).astype(np.float32), category, fold


def leave_out(fold, *folds):
    """A pair: all other trials to fit, those of the last fold named held out."""
    return np.flatnonzero(~np.isin(fold, folds)), np.flatnonzero(fold == folds[-1])


@cache
def folds_of_god(quick):
    classes, voxels = (30, 125) if quick else (150, 1000)
    data, category, fold = make_trials(classes, voxels, signal=0.2, runs=3)
    pairs = [leave_out(fold, f) for f in range(FOLDS)]
    return at_equal_error(data, category, pairs, (0.01,), np.float32)


@cache
def cell_of_the_sample(quick):
    """Outer and inner folds, 300 voxels chosen inside each; the peer's float32 is 0.0015 off."""
    data, category, fold = make_trials(16, 145 if quick else 580, signal=0.5, runs=0.5)
    pairs = [leave_out(fold, f) for f in range(FOLDS)]
    outer = range(1 if quick else FOLDS)
    pairs += [leave_out(fold, f, g) for f in outer for g in range(FOLDS) if f != g]
    chosen = best_voxels(data, category, pairs, 75 if quick else 300, by="f-score")
    return at_equal_error(data, category, pairs, PATH[::2] if quick else PATH, np.float64, chosen)


def at_equal_error(data, category, pairs, C, peers_dtype, chosen=None):
    """A function of the bar that gives both callables at their loosest tolerances."""
    columns = chosen or [slice(None)] * len(pairs)

    def ours(tolerance):
        logits = solve_folds(data, category, pairs, C=C, chosen=chosen, tolerance=tolerance)
        return softmax(np.concatenate(logits, axis=1), axis=2)

    def peer(tolerance, dtype=peers_dtype):
        rows = []
        for (fit, held_out), used in zip(pairs, columns, strict=True):
            x, y = data[:, used].astype(dtype), category[fit]
            models = [LogisticRegression(C=c, tol=tolerance, max_iter=10_000) for c in C]
            rows.append([model.fit(x[fit], y).predict_proba(x[held_out]) for model in models])
        return np.concatenate(rows, axis=1)

    exact = peer(1e-8, np.float64)

    def loosest(solve, grid, bar):
        for tolerance in grid:
            if np.abs(solve(tolerance) - exact).max() <= bar:
                return lambda: solve(tolerance)
        raise ValueError(f"no tolerance down to {grid[-1]:.0e} has an error of at most {bar}")

    return lambda bar: (loosest(ours, OURS, bar), loosest(peer, PEERS, bar))


WORK = {
    "logistic-0.007": lambda quick: folds_of_god(quick)(0.007),
    "logistic-0.003": lambda quick: folds_of_god(quick)(0.003),
    "logistic-path-cell": lambda quick: cell_of_the_sample(quick)(0.001),
}
