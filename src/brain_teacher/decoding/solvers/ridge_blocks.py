"""Ridge regression with fixed voxels: every left-out block from one fit to all trials."""

import numpy as np
from scipy.linalg import get_blas_funcs, get_lapack_funcs

from brain_teacher.decoding.solvers.tridiagonal import (
    check_definite,
    half_solve,
    reduce_to_tridiagonal,
)


def solve_blocks(x, targets, groups, penalties):
    """Write the predictions of each group's held-out trials.

    With the hat matrix S of a fit to all trials and R = I - S, the left-out block H of a group is
    predicted as ``-inv(R_HH) R_HF T_F`` from the targets T_F of its fit F alone. R belongs to the
    voxels: it is made once a penalty.

    Parameters
    ----------
    x : ndarray of shape (n_trials, n_voxels)
        Centred over all trials; its precision is that of the work.
    targets : ndarray of shape (n_trials, n_targets)
    groups : list of brain_teacher.decoding.ridge.Group
        Each has a trial to fit on.
    penalties : ndarray of shape (n_penalties,)
    """
    order, atoms, outside = _atoms(groups, len(x))
    x, targets = x[order], targets[order]
    n, n_voxels = x.shape
    primal = n_voxels < n
    matrix = x.T @ x if primal else x @ x.T
    # Centred voxels leave the kernel an eigenvector of ones with eigenvalue 0, which would drown
    # the small ones: it is given the mean eigenvalue, and taken out again below.
    lift = 0.0 if primal else float(np.trace(matrix)) / n
    if not primal:
        matrix += lift / n
    diagonal, beside, rotate = reduce_to_tridiagonal(matrix)
    rotated = rotate(x.T if primal else np.eye(n, dtype=x.dtype))
    potrf, trsm = get_lapack_funcs("potrf", (x,)), get_blas_funcs("trsm", (x,))
    left_out = [np.flatnonzero(rows) for rows in outside]
    place = np.argsort(order)
    places = [
        [np.searchsorted(out, place[held_out]) for held_out in group.held_out]
        for out, group in zip(left_out, groups, strict=True)
    ]
    means = [targets[~rows].mean(axis=0) for rows in outside]
    right_sides = _right_sides(atoms, outside, targets, means, x.dtype)
    roots = half_solve(diagonal, beside, penalties, rotated)
    residual = np.empty((n, n), dtype=x.dtype)
    for k, (penalty, root) in enumerate(zip(penalties, roots, strict=True)):
        np.matmul(root.T, root, out=residual)
        # The hat matrix is x inv(x'x + penalty) x' = I - penalty inv(xx' + penalty), and the mean.
        residual *= -1 if primal else float(penalty)
        if primal:
            residual.flat[:: n + 1] += 1
        residual -= float(penalty / (penalty + lift)) / n
        sides = right_sides(residual)
        for group, out, held_out, mean, right in zip(
            groups, left_out, places, means, sides, strict=True
        ):
            # Transposed, arrays are in LAPACK's order of columns; the block is symmetric.
            block = residual[out][:, out].T
            factor, failed = potrf(block, lower=1, overwrite_a=1, clean=0)
            check_definite(failed, penalty)
            half = trsm(1.0, factor, right.T, side=1, lower=1, trans_a=1, overwrite_b=1)
            solved = trsm(1.0, factor, half, side=1, lower=1, overwrite_b=1).T
            for rows, predicted in zip(held_out, group.predicted, strict=True):
                np.subtract(mean, solved[rows], out=predicted[k])


def _atoms(groups, n_trials):
    """Trials in the order of their atoms, the atoms as slices, and what each group leaves out.

    An atom are trials that no group tells apart: a fold, where there are outer and inner folds.
    What is left out is (n_groups, n_trials), bool, in this order.
    """
    outside = np.ones((len(groups), n_trials), dtype=bool)
    for number, group in enumerate(groups):
        outside[number, group.fit] = False
    atom_of = np.unique(outside, axis=1, return_inverse=True)[1]
    order = np.argsort(atom_of, kind="stable")
    ends = np.cumsum(np.bincount(atom_of))
    atoms = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    return order, atoms, outside[:, order]


def _right_sides(atoms, outside, targets, means, dtype):
    """A function of R that gives ``R_HF (T_F - mean of T_F)`` for each group, one after another.

    It is a sum over the atoms of F, whose products serve all groups.
    """

    def one_by_one(residual):
        for rows, mean in zip(outside, means, strict=True):
            centred = (targets - mean).astype(dtype)
            centred[rows] = 0
            yield residual[rows] @ centred

    # Adding up an atom takes some 25 times as long as multiplying by a trial.
    if 25 * len(atoms) > len(targets):
        return one_by_one
    # Each atom around its own mean, and the means apart: no digit is lost to a large offset, and
    # no right side depends on targets outside its fit.
    atom_means = np.stack([targets[rows].mean(axis=0) for rows in atoms])
    centred = [
        (targets[rows] - mean).astype(dtype) for rows, mean in zip(atoms, atom_means, strict=True)
    ]
    left_out = [np.flatnonzero(rows) for rows in outside]
    atoms_out = outside[:, [rows.start for rows in atoms]]
    without = [[atoms[a] for a in np.flatnonzero(out)] for out in atoms_out]
    within = [np.flatnonzero(~out) for out in atoms_out]
    offsets = [
        (atom_means[own] - mean).astype(dtype) for own, mean in zip(within, means, strict=True)
    ]

    def shared(residual):
        products = [residual[:, rows] @ part for rows, part in zip(atoms, centred, strict=True)]
        sums = np.stack([residual[:, rows].sum(axis=1) for rows in atoms], axis=1)
        for rows, own, others, offset in zip(left_out, within, without, offsets, strict=True):
            right = sums[np.ix_(rows, own)] @ offset
            start = 0
            for other in others:
                part = right[start : start + other.stop - other.start]
                for atom in own:
                    part += products[atom][other]
                start += len(part)
            yield right

    return shared
