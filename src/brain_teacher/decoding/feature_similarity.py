"""How like a category's mean image features predicted ones are."""

import numpy as np

# Logits are SCALE * r with r from -1 to 1. Temperatures from 20 to 0.05 then give 1 to 400 times r:
# at 1, correlations that say nothing (differences of 0.2) stay within 0.02 nats of the prior; at
# 400, a lead of 0.03 makes a category certain among 150 (exp(400 * 0.03) = 160,000).
SCALE = 20.0

# Below this, in standard deviations of the features, a vector has no shape but that of float32's
# rounding: without a varying voxel, the prediction is the mean, whose every z-score is 0.
FLAT = 1e-6


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
