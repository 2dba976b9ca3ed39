"""Relations: how alike images are, as rows whose inner products say so."""

import numpy as np


def rows_of_similarity(similarity):
    """Rows whose inner products are a similarity, as nearly as any can be.

    Parameters
    ----------
    similarity : ndarray of shape (n, n)
        Symmetric. Of one with negative eigenvalues the nearest that has none is taken.

    Returns
    -------
    ndarray of shape (n, n), float64
    """
    values, vectors = np.linalg.eigh((similarity + similarity.T) / 2)
    return vectors * np.sqrt(values.clip(min=0))


def rows_of_distances(distances):
    """Places as far from one another as is said: classical scaling ([1]_).

    Parameters
    ----------
    distances : ndarray of shape (n, n)
        Symmetric, 0 on the diagonal.

    Returns
    -------
    ndarray of shape (n, n), float64

    References
    ----------
    .. [1] Torgerson (1952), Multidimensional scaling. Psychometrika 17:401-419.
    """
    squares = distances**2
    centred = squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()
    return rows_of_similarity(-centred / 2)


def of_this_spectrum(rows, rng):
    """Rows drawn at random whose centred inner products have the same eigenvalues.

    Parameters
    ----------
    rows : ndarray of shape (n_images, n)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_images, min(n_images - 1, n)), float64
    """
    strengths = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)[: len(rows) - 1]
    drawn = rng.normal(size=(len(rows), len(strengths)))
    directions, _ = np.linalg.qr(drawn - drawn.mean(axis=0))
    return directions * strengths
