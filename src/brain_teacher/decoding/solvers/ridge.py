"""Ridge regression for many folds and penalties at once, equal to refitting each."""

from typing import NamedTuple

import numpy as np

from brain_teacher.decoding.solvers.ridge_blocks import solve_blocks
from brain_teacher.decoding.solvers.tridiagonal import half_solve, reduce_to_tridiagonal
from brain_teacher.decoding.voxel_scaling import scaled_sides, zscore

# Float32 serves where the largest eigenvalue of X'X is at most this many times the smallest
# penalty: one-hot predictions were then within 3e-5 of float64's (1,200 trials, 300 to 1,500
# voxels, with and without a strong component common to all voxels), as scikit-learn's are.
FLOAT32_RANGE = 1e3

# A voxel that varies this much less over a fit than overall loses digits when it is downdated.
LEAST_VARIANCE = 0.05


def solve_folds(data, targets, pairs, *, penalties, chosen=None, standardise=False):
    """Predict each pair's held-out trials by a ridge regression fitted on the pair's other trials.

    Minimises ``||t - x W - b||^2 + penalty ||W||^2`` with an unpenalised intercept, as
    scikit-learn's ``Ridge(alpha=penalty)``. A trial's own targets are never part of the
    arithmetic of its prediction, not even as something that cancels.

    Parameters
    ----------
    data : ndarray of shape (n_trials, n_voxels)
        float32 is solved in float32 where the penalties allow it (`FLOAT32_RANGE`): twice as
        fast. Everything else is solved in float64.
    targets : ndarray of shape (n_trials, n_targets)
    pairs : list of (fit, held_out)
        Disjoint row numbers; rows in neither are left out of both.
    penalties : sequence of float
        Above 0, in units of squared voxels.
    chosen : list of ndarray of int, optional
        Per pair, the columns to use. All, if left out.
    standardise : bool or ndarray of shape (n_trials,)
        Z-score each voxel by the trials fitted on, or, given runs, run by run: see `scaled_sides`.

    Returns
    -------
    list of ndarray of shape (n_penalties, n_held_out, n_targets), float64
        Per pair.

    Raises
    ------
    ValueError
        If targets are not one row a trial, a pair has no trial to fit on or a trial on both
        sides, or a penalty is too small for the voxels to be told from 0.

    Notes
    -----
    Three ways, all exact:

    - Fixed voxels (nothing chosen or scaled inside the fold): with the hat matrix S of a fit to
      all trials and R = I - S, the left-out block H of a pair is predicted as
      ``-inv(R_HH) R_HF T_F`` from the targets T_F of its fit F alone; this is the leave-one-out
      identity of linear smoothers ([1]_, section 7) for a block.
    - Fewer voxels than trials to fit on: from X'X over all trials, less the left-out block's,
      centred and scaled by the moments of the fit.
    - More voxels, or runs that are each scaled by the fit: from the fit's own X'X or XX'.

    All penalties of a fit share one reduction of the matrix to tridiagonal form ([2]_): cheaper
    than its eigenvectors, and in float32 30 times as accurate.

    References
    ----------
    .. [1] Rifkin & Lippert (2007), Notes on regularized least squares, MIT-CSAIL-TR-2007-025.
    .. [2] Elden (1977), BIT 17:134.
    """
    data, targets = np.asarray(data), np.asarray(targets, dtype=np.float64)
    if targets.ndim != 2 or len(targets) != len(data):
        raise ValueError(
            f"targets have shape {targets.shape}; give one row of targets for each of the "
            f"{len(data)} trials"
        )
    penalties = np.asarray(penalties, dtype=np.float64)
    predicted = [
        np.empty((len(penalties), len(held_out), targets.shape[1])) for _, held_out in pairs
    ]
    x = _prepared(data, standardise, penalties)
    groups = _groups(pairs, chosen, len(data), predicted)
    fixed = chosen is None and standardise is False
    # A block that is the larger part costs more to solve for than its fit.
    blocks = [g for g in groups if fixed and len(g.left_out) < len(g.fit)]
    if blocks:
        solve_blocks(x, targets, blocks, penalties)
    others = [g for g in groups if not fixed or len(g.left_out) >= len(g.fit)]
    gram = None if isinstance(standardise, np.ndarray) else _shared_gram(x, others)
    for group in others:
        equations = _equations(data, x, gram, targets, group, standardise, penalties)
        matrix, right, left, mean = equations
        for k, values in enumerate(_solve_path(matrix, right, left, penalties)):
            for rows, out in zip(group.rows, group.predicted, strict=True):
                np.add(values[rows], mean, out=out[k])
    return predicted


class Group(NamedTuple):
    """The pairs that are fitted on the same trials and voxels: one fit serves them all."""

    fit: np.ndarray
    left_out: np.ndarray
    columns: np.ndarray | None
    held_out: list  # of each of these pairs
    rows: list  # of all that is held out, one pair's after another's, for each pair
    predicted: list  # where each pair's results go


def _groups(pairs, chosen, n_trials, predicted):
    members = {}
    for number, (fit, held_out) in enumerate(pairs):
        inside = np.zeros(n_trials, dtype=bool)
        inside[fit] = True
        if not len(fit):
            raise ValueError(f"pair {number} has no trial to fit on")
        if inside[held_out].any():
            both = np.asarray(held_out)[inside[held_out]]
            raise ValueError(f"pair {number} has trial {both[0]} on both sides")
        columns = None if chosen is None else np.asarray(chosen[number])
        key = inside.tobytes(), b"" if columns is None else columns.tobytes()
        members.setdefault(key, (inside, columns, []))[2].append(number)
    groups = []
    for inside, columns, numbers in members.values():
        held_out = [np.asarray(pairs[k][1], dtype=int) for k in numbers]
        ends = np.cumsum([len(rows) for rows in held_out])
        rows = [slice(end - len(own), end) for own, end in zip(held_out, ends, strict=True)]
        fit, left_out = np.flatnonzero(inside), np.flatnonzero(~inside)
        results = [predicted[k] for k in numbers]
        groups.append(Group(fit, left_out, columns, held_out, rows, results))
    return groups


def _prepared(data, standardise, penalties):
    """The voxels centred over all trials (z-scored, where wanted), in the precision to solve in."""
    if isinstance(standardise, np.ndarray):
        return data  # each fit is scaled by itself
    x = zscore(data, data) if standardise else data - data.mean(axis=0, dtype=np.float64)
    return _in_precision(x, data.dtype, penalties)


def _in_precision(x, dtype, penalties):
    """Voxels as float32 if they were recorded so and the penalties allow it."""
    if dtype == np.float32:
        single = x.astype(np.float32)
        if _largest_eigenvalue(single) <= FLOAT32_RANGE * penalties.min():
            return single
    return x


def _largest_eigenvalue(x):
    """Of x'x, by the power method: 10% too small on noise, exact where one stands out."""
    vector = x[np.einsum("ij,ij->i", x, x).argmax()].astype(x.dtype)
    size = 0.0
    for _ in range(5):
        length = np.linalg.norm(vector)
        if length == 0:
            return 0.0
        vector = x.T @ (x @ (vector / length))
        size = float(np.linalg.norm(vector))
    return size


class Gram(NamedTuple):
    """Sums over all trials of the centred voxels."""

    products: np.ndarray
    sums: np.ndarray
    squares: np.ndarray


def _shared_gram(x, groups):
    """X'X over all trials, where downdating it is less work than making it anew for each fit."""
    n, n_voxels = x.shape
    anew = downdated = 0
    for group in groups:
        width = n_voxels if group.columns is None else len(group.columns)
        if width < len(group.fit):
            anew += len(group.fit) * width**2
            downdated += len(group.left_out) * width**2
    if anew <= downdated + n * n_voxels**2:
        return None
    return Gram(x.T @ x, x.sum(axis=0, dtype=np.float64), _squares(x))


def _squares(x):
    return np.square(x).sum(axis=0, dtype=np.float64)


def _equations(data, x, gram, targets, group, standardise, penalties):
    """Matrix, right and left of ``left inv(matrix + penalty) right + mean``, the predictions."""
    mean = targets[group.fit].mean(axis=0)
    right = targets[group.fit] - mean
    found = None if gram is None else _downdated(x, gram, group, standardise)
    if found is not None:
        matrix, scale, left = found
        # The targets are centred: the mean of the voxels drops out.
        right = _take(x, group.fit, group.columns).T @ right.astype(x.dtype)
        right *= scale[:, None]
        return matrix, right, left, mean
    own, left = _scaled(data, x, group, standardise, penalties)
    right = right.astype(own.dtype)
    if own.shape[1] < len(own):
        return own.T @ own, own.T @ right, left, mean
    return own @ own.T, right, left @ own.T, mean


def _scaled(data, x, group, standardise, penalties):
    """The group's fitted and held-out voxels, scaled and centred by the fit."""
    how = {"standardise": standardise, "columns": group.columns}
    own, *left = scaled_sides(data, [group.fit, *group.held_out], **how)
    centre = own.mean(axis=0, dtype=np.float64)
    own, left = own - centre, np.concatenate(left) - centre
    if isinstance(standardise, np.ndarray):
        own = _in_precision(own, data.dtype, penalties)
    else:
        own = own.astype(x.dtype)
    return own, left.astype(own.dtype)


def _downdated(x, gram, group, standardise):
    """The fit's own X'X, its scale and the held-out voxels; None where digits would be lost."""
    n, columns = len(group.fit), group.columns
    out = _take(x, group.left_out, columns)
    if out.shape[1] >= n:
        return None
    products, sums, squares = gram
    if columns is not None:
        products = products[np.ix_(columns, columns)]
        sums, squares = sums[columns], squares[columns]
    shift = (sums - out.sum(axis=0, dtype=np.float64)) / n
    own = squares - _squares(out) - n * shift**2
    if (own < LEAST_VARIANCE * n / len(x) * squares).any():
        return None
    scale = np.sqrt(n / np.where(own > 0, own, np.inf)) if standardise else np.ones(len(own))
    shift, scale = shift.astype(x.dtype), scale.astype(x.dtype)
    matrix = products - out.T @ out
    matrix -= np.outer(n * shift, shift)
    matrix *= scale[:, None]
    matrix *= scale
    held_out = _take(x, np.concatenate(group.held_out), columns)
    return matrix, scale, (held_out - shift) * scale


def _take(x, rows, columns):
    return x[rows] if columns is None else x[np.ix_(rows, columns)]


def _solve_path(matrix, right, left, penalties):
    """Yield ``left inv(matrix + penalty) right`` for each penalty."""
    diagonal, beside, rotate = reduce_to_tridiagonal(matrix)
    both = rotate(np.concatenate([left.T, right], axis=1))
    for root in half_solve(diagonal, beside, penalties, both):
        yield root[:, : len(left)].T @ root[:, len(left) :]
