"""Scaling and choosing voxels."""

import warnings

import numpy as np


def zscore_by_run(data, run):
    """Z-score each voxel within each run, by that run's own trials (no label is needed).

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
        scaled[rows] = standardise(data[rows], data[rows])
    return scaled


def standardise(fit, data):
    """Z-score `data` by the mean and deviation of `fit`'s rows; constant voxels become 0."""
    # float64: the mean of many float32 would lose digits.
    mean = fit.mean(axis=0, dtype=np.float64)
    deviation = fit.std(axis=0, dtype=np.float64)
    # A constant float32 voxel may have a deviation of the size of rounding, not 0.
    constant = deviation <= 1e-6 * np.abs(mean)
    scale = np.where(constant, 0, 1 / np.where(constant, 1, deviation))
    return (data - mean) * scale


def best_voxels(data, category, count):
    """Indices of the `count` voxels with the largest F-score between categories.

    Parameters
    ----------
    data : ndarray of shape (n_trials, n_voxels)
        Trials to fit on, nothing else.
    category : ndarray of shape (n_trials,)
    count : int
        All voxels, if there are fewer. Constant voxels come last.

    Returns
    -------
    ndarray of int
        In the order of the voxels.
    """
    if count >= data.shape[1]:
        return np.arange(data.shape[1])
    # Imported here: scikit-learn takes a second, and folds do not need it.
    from sklearn.feature_selection import f_classif

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", UserWarning)  # constant voxels: their F is nan
        scores = f_classif(data, category)[0]
    order = np.argsort(-np.nan_to_num(scores, nan=-1.0), kind="stable")
    return np.sort(order[:count])
