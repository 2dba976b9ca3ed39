"""Ridge regression as a decoder."""

from brain_teacher.decoding.decoders.decoder import Decoder
from brain_teacher.settings import Block, Penalties


class Ridge(Block):
    """Ridge regression to one-hot categories."""

    penalty: Penalties = [10.0, 100.0, 1000.0, 10_000.0, 100_000.0]


def decode_ridge(voxels, plan, *, normalise, select, n_voxels, calibrate, penalty):
    """Ridge regression to one-hot categories, the penalty chosen inside the fold.

    A predicted one-hot value f of a class with frequency p says log(f / p) = log(1 + (f - p) / p),
    which is f / p - 1 where little is known: the logits are f / p, a temperature then stretches
    them.

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
    penalty : list of float
        As scikit-learn's ``alpha``.

    Returns
    -------
    SoftLabels
        ``meta`` has the penalty of each fold.

    In the methods
    --------------
    Categories were decoded by ridge regression to one-hot categories, with a penalty chosen inside
    the fold among {{ own.penalty }}; the logits are the predictions over the categories'
    frequencies.
    """
    import numpy as np

    from brain_teacher.decoding.out_of_fold import Scheme, out_of_fold
    from brain_teacher.decoding.solvers import ridge

    def solve(data, category, pairs, **settings):
        one_hot = np.eye(category.max() + 1)[category]
        predicted = ridge.solve_folds(data, one_hot, pairs, penalties=penalty, **settings)
        frequencies = (one_hot[fit].mean(axis=0) for fit, _ in pairs)
        return [p / f for p, f in zip(predicted, frequencies, strict=True)]

    scheme = Scheme(normalise, select, n_voxels, calibrate)
    return out_of_fold(voxels, plan, solve, scheme, options={"penalty": penalty})


DECODER = Decoder("ridge regression to one-hot categories", decode_ridge, Ridge)
