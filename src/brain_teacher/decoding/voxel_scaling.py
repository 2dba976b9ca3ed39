"""Scaling and choosing voxels."""

import numpy as np

# The deviation of n trials makes a new trial's z-score a Student's t with n - 1 degrees of freedom:
# up to n = 3 its variance is infinite, and one trial has no deviation at all.
FEWEST = 4


def scaled_sides(data, sides, *, standardise=False, columns=None):
    """The voxels of one fold as its decoder sees them, scaled by the trials that it is fitted on.

    Parameters
    ----------
    data : ndarray of shape (n_trials, n_voxels)
        As recorded.
    sides : sequence of ndarray of int
        The trials fitted on, then others: those to validate on, those held out.
    standardise : bool or ndarray of shape (n_trials,)
        Z-score by the trials fitted on. Given the run of each trial, each run by its own trials:
        by those that are fitted on, or where there are none, by those of the side (no label is
        needed). Where a run has fewer than `FEWEST` such trials, its deviation is that of all
        trials fitted on, each from its run's mean; its mean is theirs, or, where none of it is
        fitted on, that of all that are: one trial is its own mean, which would leave nothing.
    columns : ndarray of int, optional
        The voxels to use; all, if left out.

    Returns
    -------
    list of ndarray of shape (n_trials of the side, n_columns)
        float64 where they are scaled. A voxel that does not vary is 0.

    Raises
    ------
    ValueError
        If a run has fewer than `FEWEST` trials, and no run has two that are fitted on.

    In the methods
    --------------
    {% if decode.normalise == "run" %}Each voxel was z-scored run by run, by those trials of the
    run that the decoder was fitted on; a run that was left out whole, by its own trials.{% elif
    decode.normalise == "fold" %}Each voxel was z-scored by the trials that the decoder was fitted
    on.{% else %}Of each voxel the mean of the trials that the decoder was fitted on was taken
    away; its scale was kept.{% endif %}
    """
    parts = [data.take(side, axis=0) for side in sides]
    if columns is not None:
        parts = [part.take(columns, axis=1) for part in parts]
    if isinstance(standardise, np.ndarray):
        return _scaled_by_run(parts, [standardise[side] for side in sides])
    return [zscore(parts[0], part) for part in parts] if standardise else parts


def centred_sides(data, sides, *, standardise=False, columns=None):
    """`scaled_sides` as networks see them: around the mean of the trials fitted on, in float32."""
    parts = scaled_sides(data, sides, standardise=standardise, columns=columns)
    mean = parts[0].mean(axis=0, dtype=np.float64)
    return [(part - mean).astype(np.float32) for part in parts]


def _scaled_by_run(parts, runs):
    fitted = {run: parts[0][runs[0] == run] for run in np.unique(runs[0])}
    pooled, scaled = None, [np.empty(part.shape) for part in parts]
    for part, run_of, out in zip(parts, runs, scaled, strict=True):
        for run in np.unique(run_of):
            rows = run_of == run
            own = fitted.get(run, part[rows])
            mean, deviation = _moments_of(own)
            if len(own) < FEWEST:
                pooled = _pooled_deviation(fitted.values()) if pooled is None else pooled
                deviation = pooled
                if run not in fitted:
                    mean = parts[0].mean(axis=0, dtype=np.float64)
            out[rows] = (part[rows] - mean) * scale_of(mean, deviation)
    return scaled


def _pooled_deviation(groups):
    """The deviation within groups of trials, of all groups together."""
    freedom = sum(len(rows) - 1 for rows in groups)
    if not freedom:
        raise ValueError(
            "no run has two trials to fit on, so that nothing says how far a voxel varies within "
            "runs; choose decode.normalise: fold"
        )
    squares = (len(rows) * rows.var(axis=0, dtype=np.float64) for rows in groups)
    return np.sqrt(sum(squares) / freedom)


def zscore_by_run(data, run):
    """Z-score each voxel within each run, by all trials of the run (no label is needed).

    Right for folds only that leave whole runs out (`runs_stay_whole`).

    Parameters
    ----------
    data : ndarray of shape (n_trials, n_voxels)
    run : ndarray of shape (n_trials,)

    Returns
    -------
    ndarray of shape (n_trials, n_voxels), float64
        A voxel that is constant within a run is 0 there.
    """
    scaled = np.empty(data.shape, dtype=np.float64)
    for value in np.unique(run):
        rows = run == value
        scaled[rows] = zscore(data[rows], data[rows])
    return scaled


def runs_stay_whole(run, pairs):
    """Whether one scaling by run serves all folds: `scaled_sides` would give each the same.

    So it is where every pair has a run on one side, or in neither, as a whole, and no run is too
    short to have a deviation of its own.
    """
    number, size = np.unique(run, return_inverse=True, return_counts=True)[1:]
    counts = (np.bincount(number[side], minlength=len(size)) for pair in pairs for side in pair)
    return size.min() >= FEWEST and all(((n == 0) | (n == size)).all() for n in counts)


def zscore(fit, data):
    """Z-score `data` by the mean and deviation of `fit`'s rows; constant voxels become 0."""
    mean, deviation = _moments_of(fit)
    return (data - mean) * scale_of(mean, deviation)


def _moments_of(rows):
    # float64: the mean of many float32 would lose digits.
    return rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)


def scale_of(mean, deviation):
    """What to multiply a centred voxel by: 1 / deviation, and 0 for a constant voxel."""
    # A constant float32 voxel may have a deviation of the size of rounding, not 0.
    constant = deviation <= 1e-6 * np.abs(mean)
    return np.where(constant, 0, 1 / np.where(constant, 1, deviation))


def best_voxels(data, category, pairs, count, *, by, standardise=False):
    """The `count` best voxels of each pair by `voxel_scores`, whose arguments these are.

    Returns
    -------
    list of ndarray of int, or None
        Per pair the chosen columns, ascending; of equally good voxels the first. None if there are
        no more than `count` voxels: all are used.

    In the methods
    --------------
    In each fold the {{ decode.voxels }} voxels with the largest {% if decode.select == "f-score"
    %}F of a one-way analysis of variance over categories{% else %}absolute correlation with any
    one category{% endif %} were kept; all, where there were no more.
    """
    if count >= data.shape[1]:
        return None
    scores = voxel_scores(data, category, pairs, by=by, standardise=standardise)
    order = np.argsort(-scores, axis=1, kind="stable")
    return list(np.sort(order[:, :count], axis=1))


def voxel_scores(data, category, pairs, *, by, standardise=False):
    """How well each voxel tells the categories apart, among the trials of a pair's fit.

    Parameters
    ----------
    data : ndarray of shape (n_trials, n_voxels)
        The scores do not depend on the voxels' scale or offset.
    category : ndarray of shape (n_trials,)
    pairs : list of (fit, held_out)
        Row numbers. Only `fit` is looked at.
    by : {"f-score", "correlation"}
        The F of a one-way analysis of variance, or the largest absolute Pearson correlation with
        the one-hot column of a category. A category without a trial in the fit does not count.
    standardise : bool or ndarray of shape (n_trials,)
        As for `scaled_sides`: where runs are given, each fit is scored as it is scaled, run by run.

    Returns
    -------
    ndarray of shape (n_pairs, n_voxels), float64
        F in [0, inf] (inf: constant within every category) or |r| in [0, 1]; -1 for a voxel that
        is constant over the fit. A voxel's score does not depend, to the bit, on the voxels
        beside it.

    Raises
    ------
    ValueError
        If `by` is unknown, or a fit has one category only, or (F) no category with two trials.

    Notes
    -----
    Class sums over all trials are made once and downdated by those left out of the fit, in float64
    around the overall mean: one copy of the data, then work in proportion to what is left out.
    Scaled by run, each fit has voxels of its own, and sums.
    """
    if by not in SCORES:
        raise ValueError(f"voxels cannot be scored by {by!r}; use one of {', '.join(SCORES)}")
    if isinstance(standardise, np.ndarray):
        return _scores_by_run(data, category, pairs, by, standardise)
    code = np.unique(category, return_inverse=True)[1]
    rank = np.argsort(code, kind="stable")  # trials by category: a class is a stretch of rows
    code = code[rank]
    x = data[rank].astype(np.float64)
    mean = x.mean(axis=0)
    x -= mean
    every = _moments(x, code, code.max() + 1)
    known, scores = {}, np.empty((len(pairs), data.shape[1]))
    for number, (fit, _) in enumerate(pairs):
        inside = np.isin(rank, fit)
        key = inside.tobytes()
        if key not in known:
            counts = np.bincount(code[inside], minlength=len(every[0]))
            _check(counts, number, by)
            known[key] = _scores(x, code, inside, every, counts, mean, by)
        scores[number] = known[key]
    return scores


def _scores_by_run(data, category, pairs, by, run):
    known, scores = {}, np.empty((len(pairs), data.shape[1]))
    for number, (fit, _) in enumerate(pairs):
        key = np.sort(fit).tobytes()
        if key not in known:
            _check(np.unique(category[fit], return_counts=True)[1], number, by)
            (x,) = scaled_sides(data, [fit], standardise=run)
            known[key] = voxel_scores(x, category[fit], [(np.arange(len(fit)), [])], by=by)[0]
        scores[number] = known[key]
    return scores


def _check(counts, number, by):
    n, present = counts.sum(), np.count_nonzero(counts)
    if present < 2 or (by == "f-score" and n == present):
        need = "two categories" + (", one of them twice," if by == "f-score" else "")
        raise ValueError(
            f"pair {number} is fitted on {n} trials (categories: {present}); to choose voxels by "
            f"{by} it needs {need} at least: use all voxels, or other folds"
        )


def _moments(x, code, n_classes):
    """Class sums (n_classes, n_voxels) and sums of squares (n_voxels,), column by column.

    Not by a matrix product, whose rounding depends on where a column stands: the same voxels must
    be chosen whatever their order.
    """
    sums, squares = np.zeros((n_classes, x.shape[1])), np.zeros(x.shape[1])
    # Every class's first trial, every class's second, ...: four times as fast as add.reduceat.
    counts = np.bincount(code, minlength=n_classes)
    turn = np.arange(len(x)) - (np.cumsum(counts) - counts)[code]
    for rows in (np.flatnonzero(turn == k) for k in range(turn.max(initial=-1) + 1)):
        part = x[rows]
        sums[code[rows]] += part
        squares += np.square(part, out=part).sum(axis=0)
    return sums, squares


def _scores(x, code, inside, every, counts, mean, by):
    """Scores over the rows `inside`, from the moments of all rows."""
    n_classes, n = len(counts), counts.sum()
    if 2 * n < len(x):
        sums, squares = _moments(x[inside], code[inside], n_classes)
    else:
        left_out = _moments(x[~inside], code[~inside], n_classes)
        sums, squares = every[0] - left_out[0], every[1] - left_out[1]
    shift = sums.sum(axis=0) / n
    sums -= counts[:, None] * shift
    squares -= n * shift**2
    # Where nearly all of a voxel's variance was left out (one wild trial), the difference has
    # lost its digits: those voxels are computed anew, around their own mean.
    lost = np.flatnonzero(squares < 1e-6 * every[1])
    if len(lost):
        own = x[np.ix_(inside, lost)]
        shift[lost] = own.mean(axis=0)
        sums[:, lost], squares[lost] = _moments(own - shift[lost], code[inside], n_classes)
    scale = scale_of(mean + shift, np.sqrt(np.maximum(squares, 0) / n))
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = SCORES[by](sums, squares, counts)
    return np.where(scale == 0, -1.0, scores)


def _f_score(sums, squares, counts):
    n, present = counts.sum(), np.count_nonzero(counts)
    sums *= sums
    sums *= 1 / np.maximum(counts, 1)[:, None]
    between = sums.sum(axis=0)
    within = np.maximum(squares - between, 0)
    return between / (present - 1) / (within / (n - present))


def _correlation(sums, squares, counts):
    # A one-hot column's sum of squares around its mean is count (1 - count / n).
    spread = counts * (1 - counts / counts.sum())
    np.abs(sums, out=sums)
    sums *= (np.where(spread > 0, 1, 0) / np.sqrt(np.where(spread > 0, spread, 1)))[:, None]
    return np.minimum(sums.max(axis=0) / np.sqrt(squares), 1)


SCORES = {"f-score": _f_score, "correlation": _correlation}
