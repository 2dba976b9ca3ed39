"""What a procedure reports of methods that do not differ; pure: arrays in, numbers out."""

import numpy as np
from tabulate import tabulate

GAIN, CELLS, DRAWS = 0.02, 28, 10_000


def best_epoch(right):
    """The accuracy at each student's best epoch, chosen by the images that are reported.

    Parameters
    ----------
    right : ndarray of bool, shape (n_students, n_epochs, n_images)

    Returns
    -------
    ndarray of shape (n_students,)
    """
    return right.mean(axis=2).max(axis=1)


def gains(scores):
    """Each student minus each other one: what one seed a method reports, over all choices of two.

    Parameters
    ----------
    scores : ndarray of shape (n_students,)

    Returns
    -------
    ndarray of shape (n_students * (n_students - 1),)
    """
    return (scores[:, None] - scores)[~np.eye(len(scores), dtype=bool)]


def best_cells(scores, *, cells, draws, rng):
    """The best of some cells minus one baseline, all of them students of one method.

    Parameters
    ----------
    scores : ndarray of shape (n_students,)
        More of them than `cells`.
    cells, draws : int
        In each draw, another student is the baseline and others are the cells.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (draws,)
    """
    if len(scores) <= cells:
        raise ValueError(f"{cells} cells and a baseline take more than {len(scores)} students")
    dealt = rng.permuted(np.tile(scores, (draws, 1)), axis=1)[:, : cells + 1]
    return dealt[:, 1:].max(axis=1) - dealt[:, 0]


def as_large(differences, gain=GAIN):
    """The share of differences that are as large as a gain."""
    return float(np.mean(differences >= gain - 1e-9))  # 3 of 150 images are 0.02, up to rounding


def identical_methods_table(right, *, few, rng):
    """Three ways to read the same students, as Markdown.

    Parameters
    ----------
    right : tuple of ndarray of bool
        ``(n_students, n_epochs, few)``, of the first images after each epoch; and
        ``(n_students, n_images)``, of all images after the last.
    few : int
        How many images the procedure reports.
    rng : numpy.random.Generator

    Returns
    -------
    str
    """
    by_epoch, last = right
    ways = {
        f"best test epoch, {few} test images (as in 2021)": best_epoch(by_epoch),
        f"last epoch, the same {few}": last[:, :few].mean(axis=1),
        f"last epoch, {last.shape[1]} test images": last.mean(axis=1),
    }
    rows = []
    for name, scores in ways.items():
        found, best = gains(scores), best_cells(scores, cells=CELLS, draws=DRAWS, rng=rng)
        row = [name, f"{100 * scores.mean():.1f}", f"{100 * found.std():.1f}"]
        row += [f"{100 * as_large(found):.0f}%", f"{100 * as_large(best):.0f}%"]
        rows.append([*row, f"{100 * np.median(best):+.1f}"])
    head = ["how accuracy is read", "mean accuracy (%)", "SD of a difference (points)"]
    head += [f'one method is {100 * GAIN:.0f} points "better" or more']
    head += [f"the best of {CELLS} cells is", "median of that best (points)"]
    return tabulate(rows, head, tablefmt="pipe", disable_numparse=True)
