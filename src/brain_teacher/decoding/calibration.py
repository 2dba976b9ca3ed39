"""One temperature that makes log-probabilities honest."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(log_probs, truth):
    """The temperature T that minimises the NLL of ``softmax(log_probs / T)`` ([1]_, section 4.2).

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
    """

    def nll(log_temperature):
        scaled = log_softmax(log_probs / np.exp(log_temperature), axis=1)
        return -scaled[np.arange(len(truth)), truth].mean()

    bounds = (np.log(LOWEST), np.log(HIGHEST))
    inside = minimize_scalar(nll, bounds=bounds, method="bounded").x
    # The search never arrives at a bound, and stops early where the NLL is flat.
    return float(np.exp(min((*bounds, 0.0, inside), key=nll)))


def at_bound(temperature):
    """Whether a fitted temperature ran into a bound: the data did not decide it."""
    return temperature < LOWEST * 1.01 or temperature > HIGHEST / 1.01
