"""How a student is like a brain: representational similarity, image by image.

A *dissimilarity matrix* has ``1 - r`` for each pair of images, r the correlation of what a layer,
or an ROI, makes of the two ([1]_). Two of them are alike as their pairs' ranks correlate
(Spearman's rho). Intervals are over images, never over pairs, which share images: of a statistic of
pairs, the *pseudo-values* ``n theta - (n - 1) theta[-i]``, one an image, have theta (less its bias)
as their mean, and vary as images make theta vary ([2]_); so they take the place of the images'
values in the two-way statistics. Noise that is a pair's alone they count up to twice ([3]_):
intervals are too wide rather than too narrow.

References
----------
.. [1] Kriegeskorte, Mur & Bandettini (2008), Frontiers in Systems Neuroscience 2, 4.
.. [2] Arvesen (1969), Annals of Mathematical Statistics 40, 2076-2100.
.. [3] Efron & Stein (1981), Annals of Statistics 9, 586-596.
"""

import numpy as np
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

# Of fewer images, 21 pairs at most, nothing can be said.
FEWEST = 8


def dissimilarities(rows):
    """``1 - r`` of each pair of rows, in the order of `scipy.spatial.distance.pdist`; float32.

    A row that does not vary is as unlike all others as one that is not correlated with them.
    """
    found = pdist(np.asarray(rows, dtype=np.float64), "correlation")
    return np.where(np.isfinite(found), found, 1).astype(np.float32)


def alike(one, other):
    """Spearman's rho of two sets of dissimilarities of the same pairs, as pseudo-values.

    Parameters
    ----------
    one, other : ndarray of shape (n_pairs,)
        From `dissimilarities`, of the same images in the same order.

    Returns
    -------
    ndarray of shape (n_images,)
        Pseudo-values, whose mean is rho, less its bias. Ranks are those among all pairs.

    Raises
    ------
    ValueError
        If there are fewer than 8 images, or the pairs differ in number.
    """
    if len(one) != len(other):
        raise ValueError(f"{len(one)} pairs against {len(other)}: the images are not the same")
    a, b = (squareform(rankdata(each) - (len(each) + 1) / 2, checks=False) for each in (one, other))
    n = len(a)
    if n < FEWEST:
        raise ValueError(f"{n} images; likeness takes {FEWEST}")
    # Each pair stands twice in a square matrix; so it does in all of these sums.
    products = [a * b, a * a, b * b, a, b]
    whole = [each.sum() for each in products]
    without = [total - 2 * each.sum(axis=1) for total, each in zip(whole, products, strict=True)]
    return n * _correlation(*whole, n * (n - 1)) - (n - 1) * _correlation(
        *without, (n - 1) * (n - 2)
    )


def _correlation(ab, aa, bb, a, b, count):
    """Pearson's r from sums over `count` pairs; 0 where one side does not vary."""
    covariance, spread = ab - a * b / count, (aa - a * a / count) * (bb - b * b / count)
    return np.where(spread > 1e-9, covariance / np.sqrt(np.maximum(spread, 1e-9)), 0.0)


def mean_of(sets):
    """The mean of several subjects' dissimilarities, each brought to mean 0 and SD 1 ([1]_).

    References
    ----------
    .. [1] Nili et al. (2014), PLoS Computational Biology 10, e1003553.
    """
    scaled = [(each - each.mean()) / max(float(each.std()), 1e-12) for each in sets]
    return np.mean(scaled, axis=0)
