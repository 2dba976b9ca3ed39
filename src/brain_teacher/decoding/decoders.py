"""``DECODERS``: voxels with ids and a fold plan in, out-of-fold soft labels out.

All take ``(voxels, plan, *, normalise, select, n_voxels, calibrate, ...)`` and settings of their
own:

voxels : Voxels
    Trials of data type 1 (`training_trials`).
plan : FoldPlan
    Over all images of these trials (`plan_for`).
normalise : {"run", "fold", "centre"}
    Z-score each run by its own trials, or by the trials fitted on, or take only the mean of these
    away: for voxels that are principal coordinates, whose inner products are a kernel.
select : {"f-score", "correlation"}
    By what voxels are chosen among the trials fitted on.
n_voxels : int
    How many; all, if there are fewer.
calibrate : bool
    Fit a temperature on predictions of the same fold rule one level down.
"""

import numpy as np

from brain_teacher.decoding import logistic, ridge
from brain_teacher.decoding.driver import class_numbers, out_of_fold, prepared
from brain_teacher.decoding.scaling import best_voxels


def decode_logistic(voxels, plan, *, normalise, select, n_voxels, calibrate, C):
    """Multinomial logistic regression with an L2 penalty, chosen inside the fold.

    Parameters
    ----------
    voxels, plan, normalise, select, n_voxels, calibrate
        As for every decoder.
    C : list of float
        Inverse strengths of the penalty, as in scikit-learn.

    Returns
    -------
    SoftLabels
        ``meta`` has the C of each fold.
    """
    data, category = prepared(voxels, normalise), class_numbers(voxels)

    def solve(pairs):
        chosen = best_voxels(data, category, pairs, n_voxels, by=select)
        return logistic.solve_folds(
            data, category, pairs, C=C, chosen=chosen, standardise=normalise == "fold"
        )

    common = {"normalise": normalise, "calibrate": calibrate}
    return out_of_fold(voxels, plan, solve, options={"C": C}, **common)


def decode_ridge(voxels, plan, *, normalise, select, n_voxels, calibrate, penalty):
    """Ridge regression to one-hot categories, the penalty chosen inside the fold.

    A predicted one-hot value f of a class with frequency p says log(f / p) = log(1 + (f - p) / p),
    which is f / p - 1 where little is known: the logits are f / p, a temperature then stretches
    them.

    Parameters
    ----------
    voxels, plan, normalise, select, n_voxels, calibrate
        As for every decoder.
    penalty : list of float
        As scikit-learn's ``alpha``.

    Returns
    -------
    SoftLabels
        ``meta`` has the penalty of each fold.
    """
    data, category = prepared(voxels, normalise), class_numbers(voxels)
    one_hot = np.eye(category.max() + 1)[category]

    def solve(pairs):
        chosen = best_voxels(data, category, pairs, n_voxels, by=select)
        predicted = ridge.solve_folds(
            data,
            one_hot,
            pairs,
            penalties=penalty,
            chosen=chosen,
            standardise=normalise == "fold",
        )
        frequencies = (one_hot[fit].mean(axis=0) for fit, _ in pairs)
        return [p / f for p, f in zip(predicted, frequencies, strict=True)]

    common = {"normalise": normalise, "calibrate": calibrate}
    return out_of_fold(voxels, plan, solve, options={"penalty": penalty}, **common)


def decode_features(voxels, plan, **settings):
    """See `brain_teacher.decoding.features.decode_features`."""
    from brain_teacher.decoding.features import decode_features as decode

    return decode(voxels, plan, **settings)


def decode_resnet1d(voxels, plan, **settings):
    """See `brain_teacher.decoding.resnet1d.decode_resnet1d`; loads torch."""
    from brain_teacher.decoding.resnet1d import decode_resnet1d as decode

    return decode(voxels, plan, **settings)


DECODERS = {
    "logistic": decode_logistic,
    "ridge": decode_ridge,
    "features": decode_features,
    "resnet1d": decode_resnet1d,
}
