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
    n_seeds, n_images = differences.shape[-2:]
    df_seed, df_image = n_seeds - 1, n_images - 1
    ms_seed, ms_image, ms_residual = mean_squares(differences)
    total, bound = ms_seed + ms_image - ms_residual, np.maximum(ms_seed, ms_image)
    # The tolerances let ties in whole numbers be ties whatever the order of summation.
    nearly = bound * (1 - 1e-12)
    # Every seed and every image averages the same though single answers differ (a Latin
    # square): chance alone made the bound 0, and the residual is the only error left.
    square = bound <= 1e-12 * ms_residual
    bounded = total < nearly
    with np.errstate(divide="ignore", invalid="ignore"):
        df = total**2 / (
            ms_seed**2 / df_seed + ms_image**2 / df_image + ms_residual**2 / (df_seed * df_image)
        )
    df_bound = np.minimum(
        np.where(ms_seed >= nearly, df_seed, np.inf), np.where(ms_image >= nearly, df_image, np.inf)
    )
    df = np.select([square, bounded], [min(df_seed, df_image), df_bound], df)
    total = np.select([square, bounded], [ms_residual, bound], total)
    return np.sqrt(total / (n_seeds * n_images)), df


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
