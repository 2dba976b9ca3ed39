"""Multinomial logistic regression as a decoder."""

from brain_teacher.decoding.out_of_fold import class_numbers, out_of_fold, prepared
from brain_teacher.decoding.solvers import logistic
from brain_teacher.decoding.voxel_scaling import best_voxels


def decode_logistic(voxels, plan, *, normalise, select, n_voxels, calibrate, C):
    """Multinomial logistic regression with an L2 penalty, chosen inside the fold.

    Parameters
    ----------
    voxels, plan, normalise, select, n_voxels, calibrate
        As for every decoder: see `brain_teacher.decoding.decoders.table`.
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
