"""Multinomial logistic regression as a decoder."""

from functools import partial

from brain_teacher.decoding.decoders.decoder import Decoder
from brain_teacher.settings import Block, Penalties


class Logistic(Block):
    """Multinomial logistic regression."""

    C: Penalties = [0.003, 0.01, 0.03, 0.1, 0.3]


def decode_logistic(voxels, plan, *, normalise, select, n_voxels, calibrate, C):
    """Multinomial logistic regression with an L2 penalty, chosen inside the fold.

    Parameters
    ----------
    voxels : Voxels
        Trials of training.
    plan : FoldPlan
        Over all images of these trials (`plan_for`).
    normalise : {"run", "fold", "centre"}
        Z-score each run by its trials that are fitted on, or all by these; or take away their mean.
    select : {"f-score", "correlation"}
        By what voxels are chosen among the trials fitted on.
    n_voxels : int
        How many; all, if there are fewer.
    calibrate : bool
        Fit a temperature inside the fold.
    C : list of float
        Inverse strengths of the penalty, as in scikit-learn.

    Returns
    -------
    SoftLabels
        ``meta`` has the C of each fold.

    In the methods
    --------------
    Categories were decoded by multinomial logistic regression with an L2 penalty, whose inverse
    strength C was chosen inside the fold among {{ own.C }}.
    """
    from brain_teacher.decoding.out_of_fold import Scheme, out_of_fold
    from brain_teacher.decoding.solvers import logistic

    scheme = Scheme(normalise, select, n_voxels, calibrate)
    return out_of_fold(voxels, plan, partial(logistic.solve_folds, C=C), scheme, options={"C": C})


DECODER = Decoder("multinomial logistic regression", decode_logistic, Logistic)
