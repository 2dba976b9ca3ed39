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

from brain_teacher.decoding.decoders.logistic import decode_logistic
from brain_teacher.decoding.decoders.ridge import decode_ridge


def decode_features(voxels, plan, **settings):
    """See `brain_teacher.decoding.decoders.features.decode_features`."""
    from brain_teacher.decoding.decoders.features import decode_features as decode

    return decode(voxels, plan, **settings)


def decode_resnet1d(voxels, plan, **settings):
    """See `brain_teacher.decoding.decoders.resnet1d.decode_resnet1d`; loads torch."""
    from brain_teacher.decoding.decoders.resnet1d import decode_resnet1d as decode

    return decode(voxels, plan, **settings)


DECODERS = {
    "logistic": decode_logistic,
    "ridge": decode_ridge,
    "features": decode_features,
    "resnet1d": decode_resnet1d,
}
