r"""Multinomial logistic regression with an L2 penalty, for many folds and penalties at once.

Trial i is of class y_i, W has a column of weights a class, b the intercepts; scikit-learn's
objective is ::

    sum_i [logsumexp_k F_ik - F_i,y_i] + lam / 2 ||W||^2,    F = X W + b,    lam = 1 / C.

At its minimum W = X'A with lam A = Y - P: one-hot classes less probabilities. So A, one number a
trial and class, is all there is to find, and of the voxels only the kernel G = X X' is needed. X is
centred by the means of the fit; then b is the mean of F.

Newton's step has the Hessian of the softmax in it, diag(p) - pp' for each trial. With a number c
in its place the step from the residual R = Y - P - lam A is ::

    dA = inv(lam I + c G) (R - mean of R),    dF = (R - lam dA) / c = G dA + db:

one Cholesky factor a penalty, one solve a step, and no product with G at all. It preconditions a
BFGS iteration that remembers one step ([1]_, section 7.2); the inner product of weights X'A with a
gradient -X'R is the sum of -F R. F is linear in A, so that a search along the step needs softmaxes
only. Arrays are (pairs, classes, trials), padded where a batch has fits of several sizes.

References
----------
.. [1] Nocedal & Wright (2006), Numerical Optimization, 2nd ed.
"""

import warnings

import numpy as np
from scipy.linalg import get_lapack_funcs

from brain_teacher.decoding.voxel_scaling import scaled_sides

# Arrays of a batch should stay in a core's cache, its kernels in memory.
ARRAY_BYTES, KERNEL_BYTES = 2**19, 2**26
# float32 down to this tolerance, and down to this share of C times the squared norm of a trial.
# Measured: from 1e-6 and 3e-9 on the iteration may not end, from 1.6e-8 on it takes more steps.
SINGLE, SINGLE_SHARE = 1e-5, 5e-8
MOST_STEPS, MOST_TRIES = 1000, 30
# A search has gone far enough where the slope has fallen to this share. The first steps from
# nothing make or break the speed: with 0.3 a fit may take half as many steps again.
SLOPE_LEFT = 0.1


def solve_folds(data, category, pairs, *, C, chosen=None, standardise=False, tolerance=1e-4):
    """Fit every pair at every penalty, and predict its held-out trials.

    Parameters
    ----------
    data : ndarray of shape (n_trials, n_voxels)
    category : ndarray of int, shape (n_trials,)
        Class numbers from 0; every class occurs in every fit.
    pairs : list of (fit, held_out)
        Row numbers. Of the held-out trials only the voxels are read, after the fit.
    C : sequence of float
        Inverse strengths of the penalty, as in scikit-learn; intercepts are not penalised.
    chosen : list of ndarray of int, optional
        Per pair the voxels to use; all, if None.
    standardise : bool or ndarray of shape (n_trials,)
        Z-score voxels by the trials of the fit, or, given runs, run by run: see `scaled_sides`.
    tolerance : float
        The error to aim at, in the probability of a held-out trial.

    Returns
    -------
    list of ndarray of shape (n_C, n_held_out, n_classes), float64
        Logits of each pair.

    Raises
    ------
    ValueError
        If `data` is not finite, a C is not above 0, a fit lacks a class, or there is but one class.

    Warns
    -----
    RuntimeWarning
        If a fit is not within the tolerance after 1,000 steps: trials that differ in size by a
        factor of 1,000 can do that, z-scored ones have not.

    Notes
    -----
    The last step is no longer than `tolerance`, as proposed and as taken: the root mean square of
    what it adds to the fit's logits. The largest error then was at most 0.4 times the tolerance in
    all that was tried: 16 and 150 classes, 60 to 1,000 voxels in units of 1 and 30 deviations, C
    from 0.0001 to 1,000, tolerances from 1e-6 to 3e-3.
    """
    data, category, C = np.asarray(data), np.asarray(category), np.asarray(C, dtype=np.float64)
    n_classes = int(category.max()) + 1
    _check(data, category, pairs, C, n_classes)
    order = np.argsort(C, kind="stable")
    precision = _precision(data, pairs, C.max(), standardise, tolerance)
    solved = [None] * len(pairs)
    for dtype in np.unique(precision):
        kernels = _kernels(data.astype(dtype), pairs, chosen, standardise)
        sizes = {p: len(pairs[p][0]) for p in np.flatnonzero(precision == dtype).tolist()}
        for n, members in _batches(sizes, n_classes, np.dtype(dtype).itemsize):
            fits = [category[pairs[p][0]] for p in members]
            grams, cross = zip(*map(kernels, members), strict=True)
            batch = _padded(grams, fits, n, n_classes)
            dual, intercept = _solve_path(*batch, C=C[order], tolerance=tolerance)
            for b, p in enumerate(members):
                logits = dual[:, b, :, : len(fits[b])] @ cross[b].T + intercept[:, b]
                solved[p] = np.empty((len(C), len(cross[b]), n_classes))
                solved[p][order] = np.swapaxes(logits, 1, 2)
    return solved


def _check(data, category, pairs, C, n_classes):
    if not np.isfinite(data).all():
        trial, voxel = np.argwhere(~np.isfinite(data))[0]
        raise ValueError(f"voxel {voxel} of trial {trial} is {data[trial, voxel]}; leave one out")
    if not (C > 0).all():
        raise ValueError(f"C must be above 0, not {C.min():g}")
    if n_classes < 2:
        raise ValueError("all trials are of one class; decoding needs two")
    for number, (fit, _) in enumerate(pairs):
        counts = np.bincount(category[fit], minlength=n_classes)
        if not counts.all():
            lacking = f"the fit of pair {number} has no trial of class {counts.argmin()}"
            raise ValueError(f"{lacking}; choose other folds")


def _precision(data, pairs, C, standardise, tolerance):
    """The dtype of each pair, by the size of its fit's trials."""
    if standardise is not False:
        size = np.full(len(pairs), float(data.shape[1]))
    else:
        # Not centred: what centring takes away costs digits, too.
        norms = np.vecdot(data, data, dtype=np.float64)
        size = np.array([norms[fit].mean() for fit, _ in pairs])
    return np.where(tolerance >= np.maximum(SINGLE, SINGLE_SHARE * C * size), "f4", "f8")


def _kernels(data, pairs, chosen, standardise):
    """A function of a pair's number: its centred kernels, fit by fit and held out by fit."""

    def own(number):
        columns = None if chosen is None else chosen[number]
        how = {"standardise": standardise, "columns": columns}
        x, held_out = scaled_sides(data, pairs[number], **how)
        if standardise is False:
            centre = x.mean(axis=0, dtype=np.float64).astype(data.dtype)
            x, held_out = x - centre, held_out - centre
        x, held_out = x.astype(data.dtype), held_out.astype(data.dtype)
        return x @ x.T, held_out @ x.T

    def shared(number):
        fit, held_out = pairs[number]
        gram = every.take(fit, axis=0).take(fit, axis=1)
        cross = every.take(held_out, axis=0).take(fit, axis=1)
        of_trial = gram.mean(axis=1, dtype=np.float64)
        of_voxels = (of_trial - of_trial.mean()).astype(data.dtype)
        gram -= of_trial.astype(data.dtype)[:, None]
        gram -= of_voxels
        cross -= cross.mean(axis=1, dtype=np.float64).astype(data.dtype)[:, None]
        cross -= of_voxels
        return gram, cross

    entries = sum(len(fit) * (len(fit) + len(held_out)) for fit, held_out in pairs)
    if chosen is not None or standardise is not False or len(data) ** 2 > entries:
        return own
    every = data @ data.T
    return shared


def _batches(sizes, n_classes, itemsize):
    """Padded size and pairs to solve together; a pair's padding depends on its own size only."""
    by_size = {}
    for number, size in sizes.items():
        most = min(ARRAY_BYTES // (n_classes * size), KERNEL_BYTES // size**2) // itemsize
        by_size.setdefault(-(-size // 8) * 8 if most > 1 else size, []).append((number, most))
    for n, members in by_size.items():
        most = max(1, min(most for _, most in members))
        for start in range(0, len(members), most):
            yield n, [number for number, _ in members[start : start + most]]


def _padded(grams, fits, n, n_classes):
    """Kernels and one-hot classes of a batch, and which trials are real."""
    dtype = grams[0].dtype
    gram = np.zeros((len(fits), n, n), dtype)
    one_hot = np.zeros((len(fits), n_classes, n), dtype)
    real = np.zeros((len(fits), 1, n), dtype)
    for b, category in enumerate(fits):
        m = len(category)
        gram[b, :m, :m] = grams[b]
        one_hot[b, category, np.arange(m)] = 1
        real[b, :, :m] = 1
    return gram, one_hot, real


def _solve_path(gram, one_hot, real, *, C, tolerance):
    """Solve a batch at each C in turn, each from the solution before.

    Gives A, (n_C, n_pairs, n_classes, n_trials), and b, (n_C, n_pairs, n_classes, 1).
    """
    n_pairs, n_classes, _ = one_hot.shape
    size = real.sum(axis=(1, 2))
    variance = np.trace(gram, axis1=1, axis2=2) / size
    # Without weights, the best logits are those of the class frequencies.
    dual, logits = np.zeros_like(one_hot), np.log(one_hot.sum(axis=2, keepdims=True)) * real
    probs = _softmax(logits.copy(), real)
    solution = np.empty((len(C), *one_hot.shape), one_hot.dtype)
    intercept = np.empty((len(C), n_pairs, n_classes, 1))
    for number, strength in enumerate(C):
        # scikit-learn's two classes share one weight vector: half the norm, so half the penalty.
        lam = one_hot.dtype.type((2 if n_classes == 2 else 1) / strength)
        newton = _preconditioner(gram, real, lam, _curvature(variance / lam, n_classes))
        residual = one_hot - probs - lam * dual
        memory, going = None, np.ones(n_pairs, dtype=bool)
        for _ in range(MOST_STEPS):
            along = d_dual, d_logits = _direction(newton, residual, memory)
            proposed = np.sqrt(_dot(d_logits, d_logits) / (n_classes * size))
            at = dual, logits, probs, residual
            length, probs, after = _search(one_hot, real, lam, at, along, going)
            d_dual *= _spread(length)
            d_logits *= _spread(length)
            dual += d_dual
            logits += d_logits
            residual -= after
            memory, residual = (d_dual, d_logits, residual), after
            going &= ~(proposed * np.maximum(length, 1) <= tolerance)
            if not going.any():
                break
        else:
            fits = f"{going.sum()} of {n_pairs} fits at C = {strength:g}"
            advice = "use a smaller C or a larger tolerance"
            said = f"{fits} need more than {MOST_STEPS} steps; {advice}"
            warnings.warn(said, RuntimeWarning, stacklevel=3)
        solution[number] = dual
        intercept[number] = logits.sum(axis=2, keepdims=True) / _spread(size)
    return solution, intercept


def _curvature(scale, n_classes):
    """The number c, from nothing but `scale`: the mean of G's diagonal over lam.

    Were trials unrelated (G diagonal), the logit of a trial's own class would stand out by ``scale
    (1 - p) K / (K - 1)``, p being its probability: p is the root of an equation. In all that was
    tried p was right to 0.2. The other classes share the rest, and have most of the Hessian.
    """
    others = n_classes - 1
    low, high = np.full_like(scale, 1 / n_classes), np.ones_like(scale)
    for _ in range(25):
        p = 0.5 * (low + high)
        larger = p * (1 + others * np.exp(-scale * (1 - p) * n_classes / others)) < 1
        low, high = np.where(larger, p, low), np.where(larger, high, p)
    return (1 - low) / others


def _preconditioner(gram, real, lam, c):
    """A function of the residual: the step that has c in place of the softmax's Hessian."""
    potrf, potrs = get_lapack_funcs(("potrf", "potrs"), dtype=gram.dtype)
    n_pairs, n, _ = gram.shape
    c, size = _spread(c.astype(gram.dtype)), real.sum(axis=2, keepdims=True)
    system = c * gram
    system.reshape(n_pairs, -1)[:, :: n + 1] += lam
    # LAPACK has columns first: a symmetric matrix is its own transpose, trials are columns.
    factors = [potrf(matrix.T, lower=1, clean=0, overwrite_a=1)[0] for matrix in system]

    def step(residual):
        d_dual = residual - residual.sum(axis=2, keepdims=True) / size * real
        for factor, columns in zip(factors, d_dual, strict=True):
            potrs(factor, columns.T, lower=1, overwrite_b=1)
        d_logits = residual - lam * d_dual
        d_logits /= c
        return d_dual, d_logits

    return step


def _direction(newton, residual, memory):
    """The BFGS step; `memory` is the last step and how much the residual fell by it."""
    if memory is None:
        return newton(residual)
    last_dual, last_logits, fall = memory
    curvature = _dot(last_logits, fall)
    # A pair that went nowhere remembers nothing.
    inverse = np.where(curvature > 0, 1 / np.where(curvature > 0, curvature, 1), 0)
    first = inverse * _dot(last_logits, residual)
    d_dual, d_logits = newton(residual - _spread(first) * fall)
    more = _spread(first - inverse * _dot(fall, d_logits))
    d_dual += more * last_dual
    d_logits += more * last_logits
    return d_dual, d_logits


def _search(one_hot, real, lam, at, along, going):
    """How far to go: Newton's method on the slope, bisection where that does not halve it.

    Gives the length, (n_pairs,), 0 where not `going` or where rounding leaves no way down, and the
    probabilities and the residual there.
    """
    dual, logits, probs, residual = at
    d_dual, d_logits = along
    start = slope = _dot(residual, d_logits)
    penalty = lam * _dot(d_dual, d_logits)
    going = going & (start > 0)
    length, low = np.zeros_like(start), np.zeros_like(start)
    high = before = np.full_like(start, np.inf)
    for _ in range(MOST_TRIES):
        weighted = probs * d_logits
        mean = weighted.sum(axis=1)
        curvature = _dot(weighted, d_logits) - np.vecdot(mean, mean) + penalty
        newton = length + slope / np.where(curvature > 0, curvature, 1)
        # Far out the softmax is flat, and Newton's method goes anywhere.
        newton = np.where(low > 0, np.minimum(newton, 4 * low), newton)
        astray = (newton <= low) | (newton >= high) | (abs(slope) > 0.5 * before)
        middle = np.where(np.isfinite(high), 0.5 * (low + high), 4 * low)
        length = np.where(going, np.where(astray, middle, newton), length)
        before = abs(slope)
        probs = _softmax(_spread(length) * d_logits + logits, real)
        residual = _spread(length) * d_dual + dual
        residual *= -lam
        residual += one_hot
        residual -= probs
        slope = _dot(residual, d_logits)
        going &= abs(slope) > SLOPE_LEFT * start
        if not going.any():
            break
        low = np.where(going & (slope > 0), length, low)
        high = np.where(going & (slope <= 0), length, high)
    return length, probs, residual


def _softmax(logits, real):
    """Probabilities in place of logits; 0 in the padding."""
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits *= real / logits.sum(axis=1, keepdims=True)
    return logits


def _dot(a, b):
    """The inner product, pair by pair."""
    return np.vecdot(a.reshape(len(a), -1), b.reshape(len(b), -1))


def _spread(values):
    return values[:, None, None]
