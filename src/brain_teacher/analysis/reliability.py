"""Do brains agree about single images? What soft labels say of an image beyond its class."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from brain_teacher.analysis.image_specific import (
    fold_directions,
    image_specific,
    mean_correlation,
)

PERMUTATIONS = 999
# Permutations at a time, which bounds the memory.
_PART = 100


@dataclass(frozen=True)
class Reliability:
    """How well subjects agree about single images, beyond class and fold; chance is 0."""

    mean: float  # correlation, the mean over pairs of subjects
    # 95%, for other images of these classes seen by these subjects.
    low: float
    high: float
    p: float  # one-sided, of images being exchangeable within their class
    subjects: int
    images: int


def between_subjects(tables, categories_of, *, rng, permutations=PERMUTATIONS):
    """Between-subject reliability of the image-specific part of soft labels.

    Of each subject's probabilities the means of the image's class and of its folds, in any
    subject, are taken away (`image_specific`); what is left is correlated between subjects, over
    all images and classes together, and the mean over pairs of subjects is given. Probabilities,
    since they are what teaches: in logarithms, the noise of what a decoder all but excludes counts
    most.

    The interval is a jackknife over images within class ([1]_, ch. 11; the means are taken anew
    without each image): the mean +- 1.96 SE with
    ``SE^2 = sum over classes and images of (r[-i] - the class's mean r[-i])^2``. The usual factor
    of (n - 1) / n is left out: what is left of rows around a mean of n varies less by just that.
    For `p` what is left of each subject's images is exchanged within their classes, and the folds'
    means are taken away anew ([2]_).

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
        If there are fewer than two tables, their classes differ, no two images that all saw are of
        one class, or folds of single images leave nothing.

    References
    ----------
    .. [1] Efron & Tibshirani (1993), An Introduction to the Bootstrap.
    .. [2] Freedman & Lane (1983), Journal of Business & Economic Statistics 1, 292-298.

    In the methods
    --------------
    {% if made.between %}How well subjects agree about single pictures was measured by correlating,
    between subjects, what their soft labels say beyond the means of class and fold; the interval
    is a jackknife over pictures [@efron1993], and p comes from exchanging pictures within their
    classes [@freedman1983].{% endif %}
    """
    parts, number, directions = _specific_of_all(tables, categories_of)
    inner = np.einsum("sik,tik->ist", parts, parts)
    observed = mean_correlation(inner.sum(axis=0))
    half = 1.96 * _jackknife_error(inner, number, directions)
    draws = [min(_PART, permutations - done) for done in range(0, permutations, _PART)]
    exchanged = [_exchanged(parts, number, directions, rng, each) for each in draws]
    as_large = (np.concatenate(exchanged) >= observed - 1e-12).sum()
    return Reliability(
        mean=float(observed),
        low=float(observed - half),
        high=float(observed + half),
        p=float((1 + as_large) / (1 + permutations)),
        subjects=len(parts),
        images=len(number),
    )


def _jackknife_error(inner, number, directions):
    """Standard error of the mean correlation, over images within class.

    `inner` (images, subjects, subjects) are products of what is left of the rows. Without image i,
    whose leverage is h, their sum is less by 1 / (1 - h) of its own.
    """
    free = 1 - 1 / np.bincount(number)[number] - (directions**2).sum(axis=1)
    # An image that its class and fold determine has nothing left, and takes nothing away.
    share = np.divide(1, free, out=np.zeros_like(free), where=free > 1e-9)[:, None, None]
    without = mean_correlation(inner.sum(axis=0) - share * inner)
    deviation = image_specific(without[:, None], number)[:, 0]
    return np.sqrt((deviation**2).sum())


def _specific_of_all(tables, categories_of):
    """Image-specific probabilities (subjects, images, classes); each's class; `fold_directions`."""
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
    tables = [table.take(images) for table in tables]
    folds = [table.fold for table in tables]
    directions = fold_directions(number, *folds)
    if len(images) - len(np.unique(number)) <= directions.shape[1]:
        raise ValueError("the folds are of single images, so that nothing is left of these")
    rows = [np.exp(table.log_probs.astype(float)) for table in tables]
    return np.array([image_specific(each, number, *folds) for each in rows]), number, directions


def _exchanged(parts, number, directions, rng, permutations):
    """Mean correlations where each subject's images are exchanged within classes, one a draw."""
    subjects, _, classes = parts.shape
    inner = np.zeros((permutations, subjects, subjects))
    inner[:] = np.einsum("sik,tik->st", parts, parts) * np.eye(subjects)
    by_fold = np.zeros((permutations, subjects, directions.shape[1], classes))
    for each in np.unique(number):
        rows = parts[:, number == each]
        still = np.arange(rows.shape[1])
        order = rng.permuted(np.tile(still, (permutations, subjects, 1)), axis=2)
        for a, b in combinations(range(subjects), 2):
            products = rows[a] @ rows[b].T
            inner[:, a, b] += products[order[:, a], order[:, b]].sum(axis=1)
        for a in range(subjects):
            by_fold[:, a] += directions[number == each].T @ rows[a][order[:, a]]
    return mean_correlation(inner - np.einsum("psrk,ptrk->pst", by_fold, by_fold))
