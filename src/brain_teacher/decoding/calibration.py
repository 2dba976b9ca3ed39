"""One temperature that makes log-probabilities honest."""

import numpy as np
from scipy.optimize import root_scalar

LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(log_probs, truth):
    """The temperature T that minimises the NLL of ``softmax(log_probs / T)`` ([1]_, section 4.2).

    The NLL is convex in 1/T: its minimum is where its slope, the mean over images of
    ``E_p[log_probs] - log_probs[truth]``, crosses 0.

    Parameters
    ----------
    log_probs : ndarray of shape (n_images, n_classes)
        Predictions for images that the decoder did not see.
    truth : ndarray of int, shape (n_images,)
        Column of the right class.

    Returns
    -------
    float
        Between 0.05 and 20, never worse than 1; see `at_bound`.

    References
    ----------
    .. [1] Guo, Pleiss, Sun & Weinberger (2017), arXiv:1706.04599.

    In the methods
    --------------
    {% if decode.calibrate %}The decoder's probabilities were calibrated by one temperature
    [@guo2017] a fold, fitted on predictions inside the fold.{% else %}The decoder's probabilities
    were left uncalibrated.{% endif %}
    """
    of_truth = log_probs[np.arange(len(truth)), truth].mean()
    shifted = log_probs - log_probs.max(axis=1, keepdims=True)

    def slope(log_inverse):
        weights = np.exp(shifted * np.exp(log_inverse))
        expected = (weights * log_probs).sum(axis=1) / weights.sum(axis=1)
        return expected.mean() - of_truth

    softest, hardest = -np.log(HIGHEST), -np.log(LOWEST)
    if slope(softest) >= 0:
        return HIGHEST
    if slope(hardest) <= 0:
        return LOWEST
    crossing = root_scalar(slope, bracket=(softest, hardest), method="brentq", xtol=1e-6)
    return float(np.exp(-crossing.root))


def at_bound(temperature):
    """Whether a fitted temperature ran into a bound: the data did not decide it."""
    return temperature < LOWEST * 1.01 or temperature > HIGHEST / 1.01
