"""What is right by chance: of who knows the class counts alone, and of guesses as they are."""

import numpy as np
from scipy.stats import binom, rankdata


def top_by_chance(counts, most=1):
    """The share of images that are among the first `most` guesses of who knows the class counts.

    Who puts the largest classes first, image by image the same. With equal counts it is `most` /
    classes, 1 at most.

    Examples
    --------
    >>> [top_by_chance([5, 3, 2], most) for most in (1, 2)]
    [0.5, 0.8]
    """
    counts = np.sort(counts)[::-1]
    return float(counts[:most].sum() / counts.sum())


def pairwise_by_chance(counts):
    """Pairwise identification by who knows the class counts alone; 0.5 with equal counts.

    The share of the other classes that are smaller than the right one, ties half; the mean over
    images.

    Examples
    --------
    >>> pairwise_by_chance([6, 3, 1])
    0.75
    """
    below = (rankdata(counts) - 1) / (len(counts) - 1)
    return float(np.average(below, weights=counts))


def agreement_by_chance(guessed, shown):
    """How often guesses are right that are independent of what was shown.

    The sum over classes of the share of guesses times the share of images (Cohen's expected
    agreement, [1]_). Where either has all classes equally often it is 1 / classes.

    Parameters
    ----------
    guessed, shown : ndarray of int, shape (n_images,)
        Class numbers.

    References
    ----------
    .. [1] Cohen (1960), Educational and Psychological Measurement 20.

    Examples
    --------
    >>> agreement_by_chance(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 2]))
    0.4375
    """
    classes = 1 + max(np.max(guessed), np.max(shown))
    guesses, images = (np.bincount(numbers, minlength=classes) for numbers in (guessed, shown))
    return float(guesses @ images / len(shown) ** 2)


def p_by_chance(guessed, shown):
    """Exact one-sided p of so many right guesses, were they independent of what was shown.

    Binomial, at `agreement_by_chance`.

    Examples
    --------
    >>> round(p_by_chance(np.array([0, 1, 0, 1]), np.array([0, 1, 0, 1])), 4)  # 1 of 16
    0.0625
    """
    hits = int((np.asarray(guessed) == shown).sum())
    return float(binom.sf(hits - 1, len(shown), agreement_by_chance(guessed, shown)))
