"""Ridge regression as a decoder."""

import numpy as np

from brain_teacher.decoding.out_of_fold import class_numbers, out_of_fold, prepared
from brain_teacher.decoding.solvers import ridge
from brain_teacher.decoding.voxel_scaling import best_voxels


def decode_ridge(voxels, plan, *, normalise, select, n_voxels, calibrate, penalty):
    """Ridge regression to one-hot categories, the penalty chosen inside the fold.

    A predicted one-hot value f of a class with frequency p says log(f / p) = log(1 + (f - p) / p),
    which is f / p - 1 where little is known: the logits are f / p, a temperature then stretches
    them.

    Parameters
    ----------
    voxels, plan, normalise, select, n_voxels, calibrate
        As for every decoder: see `brain_teacher.decoding.decoders.table`.
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
