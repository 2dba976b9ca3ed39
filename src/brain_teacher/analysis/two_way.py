"""The error of a mean over seeds and images: two-way crossed random effects, no replication."""

import numpy as np
from scipy.special import stdtrit


def two_way_error(differences):
    """Standard error of the grand mean and its degrees of freedom, as `paired_difference` says.

    Parameters
    ----------
    differences : ndarray of shape (..., n_seeds, n_images)
        At least two of each. Leading axes are further experiments.

    Returns
    -------
    se, df : ndarray of shape (...)
    """
    return error_of(*mean_squares(differences), *differences.shape[-2:])


def error_of(ms_seed, ms_image, ms_residual, n_seeds, n_images):
    """`two_way_error` from the mean squares, arrays of one shape."""
    df_seed, df_image = n_seeds - 1, n_images - 1
    df_residual, df_all = df_seed * df_image, n_seeds * n_images - 1
    total, bound = ms_seed + ms_image - ms_residual, np.maximum(ms_seed, ms_image)
    pooled = (df_seed * ms_seed + df_image * ms_image + df_residual * ms_residual) / df_all
    # The tolerances let ties in whole numbers be ties whatever the order of summation.
    bounded, alone = total < bound * (1 - 1e-12), bound < ms_residual * (1 - 1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = total**2 / (
            ms_seed**2 / df_seed + ms_image**2 / df_image + ms_residual**2 / df_residual
        )
    df = np.select([alone, bounded], [df_all, np.where(ms_seed > ms_image, df_seed, df_image)], df)
    total = np.select([alone, bounded], [pooled, bound], total)
    return np.sqrt(total / (n_seeds * n_images)), df


def by_class(differences, category):
    """One value a seed and class, of which `two_way_error` has classes random as well.

    Images are nested in classes: ``d[s, i] = mu + seed[s] + class[c] + image[i] + (seed x class)[s,
    c] + residual[s, i]``. The mean of a class is one draw of a class, with its images' and the
    residual's share in it, so that classes take the images' place in the two-way model. Of unequal
    classes the mean over images is the ratio sum(n m) / sum(n), with n images and the mean m in a
    class; what varies of it to the first order is ``grand + n / mean(n) (m - grand)`` ([1]_, ch.
    6), which is m where classes are equal, and keeps each seed's mean over images.

    Parameters
    ----------
    differences : ndarray of shape (..., n_seeds, n_images)
    category : ndarray of str, shape (n_images,)

    Returns
    -------
    ndarray of shape (..., n_seeds, n_classes)

    References
    ----------
    .. [1] Cochran (1977), Sampling Techniques.
    """
    classes, column, counts = np.unique(category, return_inverse=True, return_counts=True)
    means = differences @ (np.eye(len(classes))[column] / counts)
    grand = differences.mean(axis=(-2, -1), keepdims=True)
    return grand + counts / counts.mean() * (means - grand)


def least_visible(se, df, *, power, level=0.05):
    """The true difference, in the unit of `se`, that is seen with `power`: two-sided, at `level`.

    ``(t[1 - level/2] + t[power]) SE``. Raises ``ValueError`` unless 0.5 <= `power` < 1.
    """
    if not 0.5 <= power < 1:
        raise ValueError(f"power is {power}; it must be at least 0.5 and below 1")
    return float((stdtrit(df, 1 - level / 2) + stdtrit(df, power)) * se)


def mean_squares(differences):
    """Mean squares of seeds, images and the residual of two-way layouts (..., seeds, images)."""
    n_seeds, n_images = differences.shape[-2:]
    by_seed = differences.mean(axis=-1, keepdims=True)
    by_image = differences.mean(axis=-2, keepdims=True)
    mean = by_seed.mean(axis=-2, keepdims=True)
    residual = differences - by_seed - by_image + mean
    return (
        n_images * np.sum((by_seed - mean) ** 2, axis=(-2, -1)) / (n_seeds - 1),
        n_seeds * np.sum((by_image - mean) ** 2, axis=(-2, -1)) / (n_images - 1),
        np.sum(residual**2, axis=(-2, -1)) / ((n_seeds - 1) * (n_images - 1)),
    )


def interval_of_mean(values, *, level=0.95):
    """Two-way interval of a mean over seeds and images, by Student's t.

    Parameters
    ----------
    values : ndarray of shape (n_seeds, n_images)
    level : float

    Returns
    -------
    low, high : float
    """
    se, df = two_way_error(values)
    half, mean = float(se * stdtrit(df, (1 + level) / 2)), float(values.mean())
    return mean - half, mean + half
