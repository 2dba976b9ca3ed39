"""Multinomial logistic regression with an L2 penalty."""

import numpy as np
from scipy.special import log_softmax


def fit_predict(voxels, category, held_out, *, C):
    """Fit on some trials and predict others.

    Parameters
    ----------
    voxels : ndarray of shape (n_trials, n_voxels)
        Scaled voxels of the trials to fit on.
    category : ndarray of shape (n_trials,)
    held_out : ndarray of shape (n_held_out, n_voxels)
    C : float
        Inverse strength of the penalty, as in scikit-learn.

    Returns
    -------
    ndarray of shape (n_held_out, n_classes), float64
        Log-probabilities, classes in sorted order.
    """
    from sklearn.linear_model import LogisticRegression

    # scikit-learn's default tolerance, 1e-4, stops too early: the loss is a mean over trials.
    model = LogisticRegression(C=C, tol=1e-7, max_iter=10_000)
    scores = model.fit(voxels, category).decision_function(held_out)
    if scores.ndim == 1:
        scores = np.stack([np.zeros_like(scores), scores], axis=1)
    # Not predict_log_proba: it takes the log of probabilities that may have become 0.
    return log_softmax(scores, axis=1)
