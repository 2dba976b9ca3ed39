"""Multinomial logistic regression as a decoder."""

from brain_teacher.decoding.decoders.decoder import Decoder
from brain_teacher.settings import Block, Penalties


class Logistic(Block):
    """Multinomial logistic regression."""

    C: Penalties = [0.003, 0.01, 0.03, 0.1, 0.3]


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
    from brain_teacher.decoding.out_of_fold import class_numbers, out_of_fold, prepared
    from brain_teacher.decoding.solvers import logistic
    from brain_teacher.decoding.voxel_scaling import best_voxels

    data, category = prepared(voxels, normalise), class_numbers(voxels)

    def solve(pairs):
        chosen = best_voxels(data, category, pairs, n_voxels, by=select)
        return logistic.solve_folds(
            data, category, pairs, C=C, chosen=chosen, standardise=normalise == "fold"
        )

    common = {"normalise": normalise, "calibrate": calibrate}
    return out_of_fold(voxels, plan, solve, options={"C": C}, **common)


DECODER = Decoder("multinomial logistic regression", decode_logistic, Logistic)
