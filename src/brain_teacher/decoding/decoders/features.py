"""The GOD paper's way: from voxels to image features, and from these to categories."""

import numpy as np

from brain_teacher.decoding.out_of_fold import class_numbers, image_classes, out_of_fold, prepared
from brain_teacher.decoding.solvers import ridge
from brain_teacher.decoding.voxel_scaling import best_voxels

# Logits are SCALE * r with r from -1 to 1. Temperatures from 20 to 0.05 then give 1 to 400 times r:
# at 1, correlations that say nothing (differences of 0.2) stay within 0.02 nats of the prior; at
# 400, a lead of 0.03 makes a category certain among 150 (exp(400 * 0.03) = 160,000).
SCALE = 20.0

# Below this, in standard deviations of the features, a vector has no shape but that of float32's
# rounding: without a varying voxel, the prediction is the mean, whose every z-score is 0.
FLAT = 1e-6

# 8 outer and 56 inner folds of GOD's 1,200 images, 1,000 features and 5 penalties are 380 MB.
MOST_BYTES = 2**28


def decode_features(voxels, plan, *, normalise, select, n_voxels, calibrate, penalty, features):
    """Ridge regression from voxels to image features, then similarity to each category ([1]_).

    Each feature is predicted by a ridge regression. A category's logit is `SCALE` times the
    correlation, over features, between the prediction and the category's mean features
    (`correlation_logits`). The paper has sparse regression and voxels chosen for each feature; here
    one choice of voxels, made by category, serves all features.

    Parameters
    ----------
    voxels, plan, normalise, select, n_voxels, calibrate
        As for every decoder.
    penalty : list of float
        As scikit-learn's ``alpha``; chosen inside the fold.
    features : ImageFeatures
        Of all images of `voxels`, in any order.

    Returns
    -------
    SoftLabels
        ``meta`` has the penalty of each fold, and under ``features`` where they are from.

    Raises
    ------
    ValueError
        If an image has no features, or fewer than 2 features differ between a fold's images.

    References
    ----------
    .. [1] Horikawa & Kamitani (2017), Nat. Commun. 8:15037.
    """
    data, category = prepared(voxels, normalise), class_numbers(voxels)
    images, image_of, class_of = image_classes(voxels)
    values = features.of_images(images).astype(np.float64)

    def solve(pairs):
        chosen = best_voxels(data, category, pairs, n_voxels, by=select)
        logits = []
        for part in _parts(pairs, 8 * len(penalty) * values.shape[1]):
            # Raw features, one set for all folds: with an intercept, ridge to z-scored features
            # is the z-score of ridge to raw ones.
            predicted = ridge.solve_folds(
                data,
                values[image_of],
                pairs[part],
                penalties=penalty,
                chosen=None if chosen is None else chosen[part],
                standardise=normalise == "fold",
            )
            for (fit, _), rows in zip(pairs[part], predicted, strict=True):
                seen = np.unique(image_of[fit])
                logits.append(correlation_logits(rows, values[seen], class_of[seen]))
        return logits

    common = {"normalise": normalise, "calibrate": calibrate}
    labels = out_of_fold(voxels, plan, solve, options={"penalty": penalty}, **common)
    labels.meta["features"] = dict(features.meta)
    return labels


def correlation_logits(predicted, features, category):
    """`SCALE` times the correlation of predicted features with each category's mean features.

    All are first z-scored by the mean and deviation over `features`: else the features' own means,
    which all images share, would make every correlation high.

    Parameters
    ----------
    predicted : ndarray of shape (..., n_features)
        In the units of `features`.
    features : ndarray of shape (n_images, n_features)
        Of the images fitted on, nothing else.
    category : ndarray of int, shape (n_images,)
        From 0 to n_classes - 1, each at least once.

    Returns
    -------
    ndarray of shape (..., n_classes), float64
        Categories with the same mean features have the same logit.

    Raises
    ------
    ValueError
        See `scale_by`.
    """
    scale = scale_by(features)
    member = np.eye(category.max() + 1)[category]
    means = (member / member.sum(axis=0)).T @ scale(features)
    return SCALE * correlations(scale(predicted), means)


def scale_by(features):
    """A function that z-scores features by those of some images; constant ones are left out.

    Parameters
    ----------
    features : ndarray of shape (n_images, n_features)

    Returns
    -------
    callable
        Takes (..., n_features), gives (..., n_features that vary) in float64.

    Raises
    ------
    ValueError
        If fewer than 2 features vary: a correlation needs 2.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    deviation = features.std(axis=0, dtype=np.float64)
    # As for voxels: a constant feature may have a deviation of the size of rounding.
    varies = deviation > 1e-6 * np.abs(mean)
    if varies.sum() < 2:
        raise ValueError(
            f"{varies.sum()} of {len(varies)} image features differ between the images fitted on, "
            "a correlation needs 2; choose another layer"
        )
    return lambda values: (values[..., varies] - mean[varies]) / deviation[varies]


def correlations(rows, columns):
    """Pearson correlation of each row vector with each column vector, over features.

    Parameters
    ----------
    rows : ndarray of shape (..., n_features)
    columns : ndarray of shape (n_columns, n_features)
        Both in standard deviations (`scale_by`).

    Returns
    -------
    ndarray of shape (..., n_columns)
        0 where one of the two is the same in all features.
    """
    return _unit(rows) @ _unit(columns).T


def _unit(vectors):
    centred = vectors - vectors.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    flat = length <= FLAT * np.sqrt(vectors.shape[-1])
    return centred / np.where(flat, np.inf, length)


def _parts(pairs, bytes_per_trial):
    """Slices of a list of folds, so that the predictions of each fit into `MOST_BYTES`."""
    start, size = 0, 0
    for number, (_, held_out) in enumerate(pairs):
        more = len(held_out) * bytes_per_trial
        if number > start and size + more > MOST_BYTES:
            yield slice(start, number)
            start, size = number, 0
        size += more
    yield slice(start, len(pairs))
