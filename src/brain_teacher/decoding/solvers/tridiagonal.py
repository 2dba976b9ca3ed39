"""Symmetric matrices in tridiagonal form: one reduction serves every penalty."""

import numpy as np
from scipy.linalg import get_lapack_funcs


def reduce_to_tridiagonal(matrix):
    """Write a symmetric matrix as ``Q T Q'`` with Q orthogonal and T tridiagonal.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        float32 or float64, C-contiguous.

    Returns
    -------
    diagonal : ndarray of shape (n,)
        Of T.
    beside : ndarray of shape (n - 1,)
        The diagonal next to it.
    rotate : callable
        Takes b (n, m), gives ``Q'b``, C-contiguous.

    Notes
    -----
    A 1 x 1 matrix is given a second row of zeros: LAPACK's wrappers want two.
    """
    if len(matrix) == 1:
        return np.append(matrix, 0), np.zeros(1), lambda b: np.concatenate([b, 0 * b])
    sytrd, ormqr = get_lapack_funcs(("sytrd", "ormqr"), (matrix,))
    packed, diagonal, beside, tau, _ = sytrd(matrix.T, lower=1, lwork=64 * len(matrix))
    reflectors = np.asfortranarray(packed[1:, :-1])

    def rotate(b):
        # Q leaves the first row as it is.
        rotated = np.empty(b.shape, dtype=matrix.dtype, order="F")
        rotated[0] = b[0]
        rest = np.asfortranarray(b[1:])
        rotated[1:] = ormqr("L", "T", reflectors, tau, rest, 64 * b.shape[1], overwrite_c=1)[0]
        return np.ascontiguousarray(rotated)

    return diagonal, beside, rotate


def half_solve(diagonal, beside, penalties, rotated):
    """``inv(L) rotated`` for each penalty, where ``L L'`` is T + penalty.

    Parameters
    ----------
    diagonal, beside
        T, as `reduce_to_tridiagonal` gives it.
    penalties : ndarray of shape (n_penalties,)
    rotated : ndarray of shape (n, m)

    Yields
    ------
    ndarray of shape (n, m)
        A view that the next one may overwrite.

    Raises
    ------
    ValueError
        If T + penalty is not positive definite, to rounding.
    """
    pttrf = get_lapack_funcs("pttrf", (rotated,))
    # Rows are worked through in Python: several penalties at once make them long enough.
    size = max(1, min(len(penalties), 4096 // rotated.shape[1]))
    pivots = np.empty((len(diagonal), size, 1), dtype=rotated.dtype)
    below = np.empty((len(beside), size, 1), dtype=rotated.dtype)
    roots = np.empty((len(rotated), size, rotated.shape[1]), dtype=rotated.dtype)
    step = np.empty_like(roots[0])
    for some in (penalties[k : k + size] for k in range(0, len(penalties), size)):
        for k, penalty in enumerate(some):
            pivots[:, k, 0], below[:, k, 0], failed = pttrf(diagonal + float(penalty), beside)
            check_definite(failed, penalty)
        roots[:] = rotated[:, None]
        for row in range(1, len(roots)):
            np.multiply(roots[row - 1], below[row - 1], out=step)
            roots[row] -= step
        roots /= np.sqrt(pivots)
        yield from (roots[:, k] for k in range(len(some)))


def check_definite(failed, penalty):
    """Raise ``ValueError`` where LAPACK found a matrix with a penalty not positive definite."""
    if failed:
        raise ValueError(
            f"penalty {penalty:g} is too small to be told from 0 beside these voxels; use larger "
            "penalties"
        )
