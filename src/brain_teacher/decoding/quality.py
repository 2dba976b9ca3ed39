"""How good soft labels are: accuracy beside chance, with its interval; NLL."""

import numpy as np
from scipy.stats import binomtest

from brain_teacher.decoding.soft_labels import mean_nll


def exact_interval(hits, n):
    """Exact 95% interval of a proportion (Clopper & Pearson 1934).

    Examples
    --------
    >>> [round(end, 3) for end in exact_interval(81, 96)]
    [0.755, 0.91]
    """
    interval = binomtest(int(hits), int(n)).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)


def quality(soft_labels, category):
    """Top-1 accuracy of out-of-fold soft labels, beside chance.

    Parameters
    ----------
    soft_labels : SoftLabels
    category : ndarray of str, shape (n_images,)
        Of each row.

    Returns
    -------
    dict
        ``top1`` with its exact 95% interval ``top1_low``, ``top1_high`` (images as independent),
        ``chance`` (1 / classes), ``nll`` in nats, ``images``.
    """
    truth = soft_labels.truth(category)
    hits = int((soft_labels.log_probs.argmax(axis=1) == truth).sum())
    low, high = exact_interval(hits, len(truth))
    return {
        "top1": hits / len(truth),
        "top1_low": low,
        "top1_high": high,
        "chance": 1 / len(soft_labels.class_id),
        "nll": mean_nll(soft_labels.log_probs, truth),
        "images": len(np.asarray(category)),
    }
