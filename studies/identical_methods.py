"""What a procedure reports of methods that do not differ; pure: arrays in, numbers out."""

import numpy as np
from tabulate import tabulate

GAIN, CELLS, SEEDS, DRAWS = 0.02, 28, 8, 10_000


def best_epoch_accuracy(right):
    """The accuracy at each student's best epoch, chosen by the images that are reported.

    Parameters
    ----------
    right : ndarray of bool, shape (n_students, n_epochs, n_images)

    Returns
    -------
    ndarray of shape (n_students,)
    """
    return right.mean(axis=2).max(axis=1)


def differences(accuracy, *, seeds, draws, rng):
    """Method A minus method B, both of them some students of one method.

    Parameters
    ----------
    accuracy : ndarray of shape (n_students,)
        At least twice as many as `seeds`.
    seeds : int
        Of each method; their mean is taken.
    draws : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (draws,)
    """
    dealt = _dealt(accuracy, 2 * seeds, draws, rng)
    return dealt[:, :seeds].mean(axis=1) - dealt[:, seeds:].mean(axis=1)


def best_cells(accuracy, *, cells, draws, rng):
    """The best of some cells minus one baseline, each of them a student of one method.

    Parameters
    ----------
    accuracy : ndarray of shape (n_students,)
        More of them than `cells`.
    cells, draws : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (draws,)
    """
    dealt = _dealt(accuracy, cells + 1, draws, rng)
    return dealt[:, 1:].max(axis=1) - dealt[:, 0]


def _dealt(accuracy, count, draws, rng):
    """In each draw, some of the students without replacement."""
    if len(accuracy) < count:
        raise ValueError(f"{count} students are dealt, and there are {len(accuracy)}")
    return rng.permuted(np.tile(accuracy, (draws, 1)), axis=1)[:, :count]


def share_at_least(found, gain=GAIN):
    """The share of differences that are as large as a gain."""
    return float(np.mean(found >= gain - 1e-9))  # 3 of 150 images are 0.02, up to rounding


def identical_methods_table(by_epoch, last, *, rng):
    """Four ways to read the same students, as Markdown.

    Parameters
    ----------
    by_epoch : ndarray of bool, shape (n_students, n_epochs, few)
        Which of the first test images each student names, after each epoch.
    last : ndarray of bool, shape (n_students, n_images)
        Which of all test images, after the last.
    rng : numpy.random.Generator

    Returns
    -------
    str
    """
    few, many = by_epoch.shape[2], last.shape[1]
    all_images = last.mean(axis=1)
    ways = [
        (f"1 seed, best test epoch, {few} images (as in 2021)", best_epoch_accuracy(by_epoch), 1),
        (f"1 seed, last epoch, the same {few}", last[:, :few].mean(axis=1), 1),
        (f"1 seed, last epoch, {many} images", all_images, 1),
        (f"mean of {SEEDS} seeds, last epoch, {many} images", all_images, SEEDS),
    ]
    rows = []
    for name, accuracy, seeds in ways:
        found = differences(accuracy, seeds=seeds, draws=DRAWS, rng=rng)
        row = [name, f"{100 * accuracy.mean():.1f}", f"{100 * found.std():.1f}"]
        row += [f"{100 * share_at_least(found):.0f}%", "", ""]
        if seeds == 1:
            best = best_cells(accuracy, cells=CELLS, draws=DRAWS, rng=rng)
            row[4:] = [f"{100 * share_at_least(best):.0f}%", f"{100 * np.median(best):+.0f}"]
        rows.append(row)
    ahead = f"ahead by {100 * GAIN:.0f} points or more"
    head = ["how two methods that are one are read (simulated sample)", "mean accuracy (%)"]
    head += ["SD of their difference (points)", f"the first is {ahead}"]
    head += [f"the best of {CELLS} cells is {ahead}", "median lead of the best cell (points)"]
    return tabulate(rows, head, tablefmt="pipe", disable_numparse=True)
