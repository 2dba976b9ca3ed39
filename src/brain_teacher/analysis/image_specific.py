"""What rows say of single images, beyond their class and their fold, and how that correlates."""

from itertools import combinations

import numpy as np


def image_specific(rows, category, *folds):
    """What rows say of each image beyond its class and its fold: both means taken away.

    Decoders of two folds differ by what their folds left out: where these are unequally many images
    of a class, all rows of a fold are shifted alike, in every subject, and even noise would agree.

    Parameters
    ----------
    rows : array_like of shape (n_images, n_classes)
        Probabilities, say.
    category : array_like of str, shape (n_images,)
    *folds : array_like of int, shape (n_images,)
        Each a way to part the images into folds.

    Returns
    -------
    ndarray of shape (n_images, n_classes)
        Residuals of least squares by class and by fold; zeros where an image is alone in its
        category.

    Examples
    --------
    >>> image_specific([[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]], ["a", "a", "b"])
    array([[ 0.25, -0.25],
           [-0.25,  0.25],
           [ 0.  ,  0.  ]])
    """
    rows, basis = _within_class(rows, category), fold_directions(category, *folds)
    return rows - basis @ (basis.T @ rows)


def fold_directions(category, *folds):
    """What folds can differ by beyond what classes do: orthonormal columns (n_images, rank)."""
    marks = [np.asarray(fold)[:, None] == np.unique(fold) for fold in folds]
    marks = np.column_stack([np.empty((len(category), 0)), *marks])
    directions, size, _ = np.linalg.svd(_within_class(marks, category), full_matrices=False)
    return directions[:, size > 1e-9 * len(marks)]


def mean_correlation(inner):
    """The mean over pairs of correlations, of inner products (..., tables, tables).

    0 for a pair of which one has nothing left.
    """
    first, second = map(list, zip(*combinations(range(inner.shape[-1]), 2), strict=True))
    own = np.maximum(np.diagonal(inner, axis1=-2, axis2=-1), 0)
    # What rounding leaves, of rows that differ by class only or of others that were taken away, is
    # nothing: probabilities are up to 1.
    least = np.maximum(1e-24, 1e-12 * own.max(axis=tuple(range(own.ndim - 1))))
    known = (own[..., first] > least[first]) & (own[..., second] > least[second])
    pairs, scale = inner[..., first, second], np.sqrt(own[..., first] * own[..., second])
    return np.divide(pairs, scale, out=np.zeros_like(pairs), where=known).mean(axis=-1)


def _within_class(rows, category):
    rows = np.asarray(rows, dtype=float)
    _, number, count = np.unique(category, return_inverse=True, return_counts=True)
    total = np.zeros((len(count), rows.shape[1]))
    np.add.at(total, number, rows)
    return rows - (total / count[:, None])[number]
