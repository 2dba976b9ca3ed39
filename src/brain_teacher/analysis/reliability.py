"""Do brains agree about single images? What soft labels say of an image beyond its class."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

PERMUTATIONS = 999


@dataclass(frozen=True)
class Reliability:
    """How well subjects agree about single images, beyond the class; chance is 0."""

    mean: float  # correlation, the mean over pairs of subjects
    # 95%, for other images of these classes seen by these subjects.
    low: float
    high: float
    p: float  # one-sided, of images being exchangeable within their class
    subjects: int
    images: int


def image_specific(rows, category):
    """What rows say of each image beyond its class: the class's mean row taken away.

    Parameters
    ----------
    rows : array_like of shape (n_images, n_classes)
        Probabilities, say.
    category : array_like of str, shape (n_images,)

    Returns
    -------
    ndarray of shape (n_images, n_classes)
        Zeros where an image is alone in its category.

    Examples
    --------
    >>> image_specific([[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]], ["a", "a", "b"])
    array([[ 0.25, -0.25],
           [-0.25,  0.25],
           [ 0.  ,  0.  ]])
    """
    rows = np.asarray(rows, dtype=float)
    _, number, count = np.unique(category, return_inverse=True, return_counts=True)
    total = np.zeros((len(count), rows.shape[1]))
    np.add.at(total, number, rows)
    return rows - (total / count[:, None])[number]


def between_subjects(tables, categories_of, *, rng, permutations=PERMUTATIONS):
    """Between-subject reliability of the image-specific part of soft labels.

    Of each subject's probabilities the mean row of the image's class is taken away
    (`image_specific`); what is left is correlated between subjects, over all images and classes
    together, and the mean over pairs of subjects is given. Probabilities, since they are what
    teaches: in logarithms, the noise of what a decoder all but excludes counts most.

    The interval is a jackknife over images within class ([1]_, ch. 11; the class mean is taken
    anew without each image): the mean +- 1.96 SE with
    ``SE^2 = sum over classes and images of (r[-i] - the class's mean r[-i])^2``. The usual factor
    of (n - 1) / n is left out: what is left of rows around a mean of n varies less by just that.
    For `p` each subject's images are exchanged within their classes.

    Parameters
    ----------
    tables : sequence of SoftLabels
        One of each subject, of the same classes. They are joined on the images that all saw.
    categories_of : callable
        Image ids -> category of each.
    rng : numpy.random.Generator
    permutations : int

    Returns
    -------
    Reliability
        0 for a pair of which one subject's rows differ by class only.

    Raises
    ------
    ValueError
        If there are fewer than two tables, their classes differ, or no two images that all saw are
        of one class.

    References
    ----------
    .. [1] Efron & Tibshirani (1993), An Introduction to the Bootstrap.
    """
    parts, number = _specific_of_all(tables, categories_of)
    inner = np.einsum("sik,tik->ist", parts, parts)
    observed = _mean_correlation(inner.sum(axis=0))
    half = 1.96 * _jackknife_error(inner, number)
    as_large = (_exchanged(parts, number, rng, permutations) >= observed - 1e-12).sum()
    return Reliability(
        mean=float(observed),
        low=float(observed - half),
        high=float(observed + half),
        p=float((1 + as_large) / (1 + permutations)),
        subjects=len(parts),
        images=len(number),
    )


def _jackknife_error(inner, number):
    """Standard error of the mean correlation, over images within class.

    `inner` (images, subjects, subjects) are products of what is left of the rows. Without image i
    of a class of n, taken around the mean of the rest, their sum is less by n / (n - 1) of its own.
    """
    count = np.bincount(number)[number]
    share = (count / (count - 1))[:, None, None]
    without = _mean_correlation(inner.sum(axis=0) - share * inner)
    deviation = image_specific(without[:, None], number)[:, 0]
    return np.sqrt((deviation**2).sum())


def _specific_of_all(tables, categories_of):
    """Image-specific probabilities (subjects, images, classes), and the number of each's class."""
    if len(tables) < 2:
        raise ValueError("there is no second subject")
    tables = [table.sorted() for table in tables]
    classes = tables[0].class_id
    if any(not np.array_equal(table.class_id, classes) for table in tables):
        raise ValueError("the subjects' soft labels have different classes")
    shared = sorted(set.intersection(*(set(table.image_id.tolist()) for table in tables)))
    category = np.asarray(categories_of(np.array(shared)))
    _, number, count = np.unique(category, return_inverse=True, return_counts=True)
    repeated = count[number] > 1
    if not repeated.any():
        raise ValueError("no two images that all subjects saw are of one class")
    images, (_, number) = (
        np.array(shared)[repeated],
        np.unique(number[repeated], return_inverse=True),
    )
    rows = [np.exp(table.take(images).log_probs.astype(float)) for table in tables]
    return np.array([image_specific(each, number) for each in rows]), number


def _exchanged(parts, number, rng, permutations):
    """Mean correlations where each subject's images are exchanged within classes, one a draw."""
    inner = np.zeros((permutations, len(parts), len(parts)))
    inner[:] = np.einsum("sik,tik->st", parts, parts) * np.eye(len(parts))
    for each in np.unique(number):
        rows = parts[:, number == each]
        still = np.arange(rows.shape[1])
        order = rng.permuted(np.tile(still, (permutations, len(parts), 1)), axis=2)
        for a, b in combinations(range(len(parts)), 2):
            products = rows[a] @ rows[b].T
            inner[:, a, b] += products[order[:, a], order[:, b]].sum(axis=1)
    return _mean_correlation(inner)


def _mean_correlation(inner):
    """The mean over pairs of correlations, of inner products (..., subjects, subjects)."""
    first, second = map(list, zip(*combinations(range(inner.shape[-1]), 2), strict=True))
    own = np.diagonal(inner, axis1=-2, axis2=-1)
    scale = np.sqrt(own[..., first] * own[..., second])
    pairs = inner[..., first, second]
    # What rounding leaves of rows that differ by class only is nothing: probabilities are up to 1.
    known = np.minimum(own[..., first], own[..., second]) > 1e-24
    return np.divide(pairs, scale, out=np.zeros_like(pairs), where=known).mean(axis=-1)
