"""Rows of log-probabilities: what they must be, how they soften, how well they predict."""

import numpy as np
from scipy.special import log_softmax, logsumexp

ROW_TOLERANCE = 1e-4


def check_log_probs(log_probs, image_id):
    """Raise ``ValueError`` unless each row is a natural-log probability distribution."""
    with np.errstate(over="ignore"):  # logits may be anything
        totals = logsumexp(log_probs.astype(np.float64), axis=1)
        sums = np.exp(totals)
    wrong = ~(np.abs(sums - 1) <= ROW_TOLERANCE)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"row {row} (image '{image_id[row]}') sums to {sums[row]:.6g}, not 1: "
            "log_probs must be natural-log probabilities, not logits or probabilities"
        )


def soften(log_probs, *, temperature):
    """Soften soft labels: ``q ~ p ** (1 / T)`` ([1]_, eq. 1 with z = log p).

    Parameters
    ----------
    log_probs : ndarray of shape (n_images, n_classes)
        Natural-log probabilities, not logits: each row's ``exp`` sums to 1.
    temperature : float
        T > 0, no unit. 1 changes nothing; larger is softer.

    Returns
    -------
    ndarray of shape (n_images, n_classes)
        Log-probabilities, same dtype; the order within a row is kept.

    Raises
    ------
    ValueError
        If a row does not sum to 1 within 1e-4, or `temperature` <= 0.

    References
    ----------
    .. [1] Hinton, Vinyals & Dean (2015), arXiv:1503.02531.

    Examples
    --------
    >>> np.exp(soften(np.log([[0.8, 0.2]]), temperature=2.0)).round(3)
    array([[0.667, 0.333]])
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}, not above 0")
    log_probs = np.asarray(log_probs)
    check_log_probs(log_probs, np.arange(len(log_probs)))
    return log_softmax(log_probs / temperature, axis=1).astype(log_probs.dtype)


def mean_nll(log_probs, truth):
    """Mean negative log-probability of the right class, in nats."""
    return float(-log_probs[np.arange(len(truth)), truth].mean(dtype=np.float64))


def with_prior(probs, share):
    """Mix rows with an even prior that has a `share`, 0 to 1, of each.

    After softening, never before it: p^(1/T) makes much of little. Of one vote in eleven, spread
    evenly over 150 classes, T = 2 would make 79% of the row.
    """
    return (1 - share) * probs + share / probs.shape[1]
