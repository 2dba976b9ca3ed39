"""Whether a student and a brain (or people) err on the same images."""

import numpy as np


def error_consistency(one, other):
    """Cohen's kappa of being right or wrong on the same images ([1]_), as pseudo-values.

    ``kappa = (observed - expected) / (1 - expected)``: how much more often both are right or both
    are wrong than two would be that err independently, as often as these do. Two observers who name
    0.8 and 0.6 of the images rightly agree on 0.8 x 0.6 + 0.2 x 0.4 = 0.56 of them by chance.

    Parameters
    ----------
    one, other : ndarray of bool, shape (n_images,)
        Whether each named the image rightly.

    Returns
    -------
    ndarray of shape (n_images,)
        The jackknife's pseudo-values ``n kappa - (n - 1) kappa[-i]``, whose mean is kappa, less its
        bias.

    Raises
    ------
    ValueError
        If one of them is right, or wrong, on every image, or on all but one: kappa says nothing.

    References
    ----------
    .. [1] Geirhos, Meding & Wichmann (2020), NeurIPS, arXiv:2006.16736.
    """
    one, other = (np.asarray(each, dtype=np.float64) for each in (one, other))
    n = len(one)
    for each in (one, other):
        if not 2 <= each.sum() <= n - 2:
            raise ValueError(f"right on {each.sum():.0f} of {n} images: kappa says nothing")
    same = one == other
    whole = kappa(same.mean(), one.mean(), other.mean())
    without = kappa(*((each.sum() - each) / (n - 1) for each in (same, one, other)))
    return n * whole - (n - 1) * without


def kappa(observed, one, other):
    """Cohen's kappa from shares: of images on which both agree, and that each named rightly.

    Examples
    --------
    >>> round(kappa(0.78, 0.8, 0.6), 3)
    0.5
    """
    expected = one * other + (1 - one) * (1 - other)
    return (observed - expected) / (1 - expected)
