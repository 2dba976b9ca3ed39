"""``DECODERS``: voxels with ids and a fold plan in, out-of-fold soft labels out.

All ``decode(voxels, plan, *, normalise, select, n_voxels, calibrate, ...)``, and take settings of
their own:

voxels : Voxels
    Trials of data type 1 (`training_trials`).
plan : FoldPlan
    Over all images of these trials (`plan_for`).
normalise : {"run", "fold", "centre"}
    Z-score each run by those of its trials that are fitted on (by its own, where the fold leaves it
    out whole), or all by the trials fitted on, or take only the mean of these away: for voxels that
    are principal coordinates, whose inner products are a kernel.
select : {"f-score", "correlation"}
    By what voxels are chosen among the trials fitted on.
n_voxels : int
    How many; all, if there are fewer.
calibrate : bool
    Fit a temperature on predictions of the same fold rule one level down.
"""

from brain_teacher.decoding.decoders import features, logistic, mlp, resnet1d, ridge

DECODERS = {
    "logistic": logistic.DECODER,
    "ridge": ridge.DECODER,
    "features": features.DECODER,
    "mlp": mlp.DECODER,
    "resnet1d": resnet1d.DECODER,
}
