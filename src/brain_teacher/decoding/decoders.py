"""``DECODERS``: voxels with ids and a fold plan in, out-of-fold soft labels out."""

import numpy as np
from scipy.special import log_softmax

from brain_teacher.dataset.trials import TRAINING
from brain_teacher.decoding import logistic
from brain_teacher.decoding.calibration import at_bound, fit_temperature
from brain_teacher.decoding.folds import plan_folds
from brain_teacher.decoding.scaling import best_voxels, standardise, zscore_by_run
from brain_teacher.decoding.soft_labels import FORMAT, SoftLabels

# A run's z-scored trials sum to 0: where its categories are all different, a held-out trial is
# minus the sum of its run-mates, which were fitted on and are not of its category. On noise, 8
# categories once a run, this gave 19 of 96 right where chance is 12; in GOD's design (50 of 150
# categories a run) nothing of it was seen (20 of 3,600, chance 24).
CAUTION = (
    "no run shows a category twice, so z-scoring by run can tell a decoder which categories the "
    "run still lacks: compare with decode.normalise: fold, or decode.folds.by: run"
)


def training_trials(voxels):
    """The trials that decoders use (data type 1), in an order that does not depend on the file."""
    training = voxels.data_type == TRAINING
    if not training.any():
        raise ValueError(f"no trial has DataType {TRAINING} (training)")
    voxels = voxels.take(training)
    # Sums of floats depend on their order: sorted trials make shuffled files give equal bits.
    order = sorted(
        range(len(voxels.data)),
        key=lambda t: (voxels.image_id[t], int(voxels.run[t]), voxels.data[t].tobytes()),
    )
    return voxels.take(np.array(order))


def plan_for(voxels, *, by, group=None):
    """The fold plan of some trials: ``by`` image, run, or group (a column of ``stimuli.csv``)."""
    if by == "group" and group not in voxels.groups:
        known = ", ".join(sorted(voxels.groups)) or "none"
        raise ValueError(f"stimuli.csv has no group column {group!r} (it has {known})")
    unit = {"image": None, "run": voxels.run, "group": voxels.groups.get(group)}[by]
    return plan_folds(voxels.image_id, voxels.category, by=by, unit=unit)


def decode_logistic(voxels, plan, *, normalise, n_voxels, C, calibrate, group=None):
    """Multinomial logistic regression, everything fitted inside the fold.

    Parameters
    ----------
    voxels : Voxels
        Trials of data type 1 (`training_trials`).
    plan : FoldPlan
        Over all images of these trials.
    normalise : {"run", "fold"}
        Z-score each run by its own trials, or by the trials fitted on.
    n_voxels : int
        The best by F-score among the trials fitted on; all, if there are fewer.
    C : float
        Inverse strength of the L2 penalty.
    calibrate : bool
        Fit a temperature on predictions of the same fold rule one level down.
    group : str, optional
        The group column, where ``plan.by`` is ``group``.

    Returns
    -------
    SoftLabels
        One row an image: its trials' log-probabilities averaged, then normalised. ``meta`` says the
        temperatures and how many hit a bound.

    Raises
    ------
    ValueError
        If the plan misses an image, a class has no image on a side to be fitted on, or the inner
        folds cannot be made.
    """
    data = zscore_by_run(voxels.data, voxels.run) if normalise == "run" else voxels.data
    classes = np.unique(voxels.category)

    def predict(fit, held_out):
        missing = np.setdiff1d(classes, voxels.category[fit])
        if len(missing):
            raise ValueError(
                f"folds by {plan.by} leave no image of category '{missing[0]}' to fit on; choose "
                "other folds (decode.folds.by)"
            )
        x, x_held_out = data[fit], data[held_out]
        if normalise == "fold":
            x, x_held_out = standardise(x, x), standardise(x, x_held_out)
        chosen = best_voxels(x, voxels.category[fit], n_voxels)
        trials = logistic.fit_predict(
            x[:, chosen], voxels.category[fit], x_held_out[:, chosen], C=C
        )
        return average_trials(trials, voxels.image_id[held_out])

    images = np.unique(voxels.image_id)
    never = np.setdiff1d(images, np.concatenate(plan.predict))
    if len(never):
        raise ValueError(f"the fold plan never predicts image '{never[0]}'")
    log_probs = np.empty((len(images), len(classes)))
    fold, temperatures = np.empty(len(images), dtype=np.int16), []
    for number, (fit_images, predict_images) in enumerate(zip(plan.fit, plan.predict, strict=True)):
        fit = np.isin(voxels.image_id, fit_images)
        rows = np.isin(images, predict_images)
        predicted = predict(fit, np.isin(voxels.image_id, predict_images))[1]
        if calibrate:
            temperatures.append(_inner_temperature(voxels, fit, predict, by=plan.by, group=group))
            predicted = log_softmax(predicted / temperatures[-1], axis=1)
        log_probs[rows], fold[rows] = predicted, number
    meta = {
        "format": FORMAT,
        "folds": {"by": plan.by, "number": len(plan.fit)},
        "calibrated": calibrate,
        "temperatures": temperatures,
        "temperatures_at_bound": sum(map(at_bound, temperatures)),
    }
    if normalise == "run" and plan.by == "image" and not repeats_in_run(voxels):
        meta["caution"] = CAUTION
    return SoftLabels(log_probs.astype(np.float32), images, classes, fold, meta)


def repeats_in_run(voxels):
    """Whether some run shows some category more than once."""
    pairs = np.stack([voxels.run.astype(str), voxels.category])
    return len(np.unique(pairs, axis=1).T) < len(voxels.run)


def _inner_temperature(voxels, fit, predict, *, by, group):
    """The temperature for one outer fold, from its own images only."""
    try:
        inner = plan_for(voxels.take(fit), by=by, group=group)
    except ValueError as error:
        raise ValueError(
            f"the temperature cannot be fitted inside the fold ({error}); set decode.calibrate: "
            "false, or choose other folds"
        ) from error
    classes = np.unique(voxels.category)
    category_of = dict(zip(voxels.image_id, voxels.category, strict=True))
    log_probs, truth = [], []
    for fit_images, predict_images in zip(inner.fit, inner.predict, strict=True):
        images, predicted = predict(
            np.isin(voxels.image_id, fit_images), np.isin(voxels.image_id, predict_images)
        )
        log_probs.append(predicted)
        truth.append(np.searchsorted(classes, [category_of[image] for image in images]))
    return fit_temperature(np.concatenate(log_probs), np.concatenate(truth))


def average_trials(log_probs, image_id):
    """Average the log-probabilities of each image's trials, then normalise.

    Returns
    -------
    images : ndarray of str
        Sorted.
    log_probs : ndarray of shape (n_images, n_classes)
    """
    images, image_of = np.unique(image_id, return_inverse=True)
    total = np.zeros((len(images), log_probs.shape[1]))
    np.add.at(total, image_of, log_probs)
    return images, log_softmax(total / np.bincount(image_of)[:, None], axis=1)


# Name -> decoder. All take (voxels, plan, *, normalise, n_voxels, C, calibrate, group).
DECODERS = {"logistic": decode_logistic}
