"""What all decoders share: trials, plans, and the way from logits to out-of-fold soft labels."""

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from brain_teacher.dataset.trials import TRAINING
from brain_teacher.decoding.calibration import at_bound, fit_temperature
from brain_teacher.decoding.folds import plan_folds
from brain_teacher.decoding.log_probs import mean_nll
from brain_teacher.decoding.rounds import find_rounds
from brain_teacher.decoding.soft_labels import BRAIN, FORMAT, SoftLabels
from brain_teacher.decoding.voxel_scaling import (
    best_voxels,
    runs_stay_whole,
    zscore_by_run,
)


class Scheme(NamedTuple):
    """What every decoder is told; see `brain_teacher.decoding.decoders.table`."""

    normalise: str
    select: str
    n_voxels: int
    calibrate: bool


def training_trials(voxels):
    """The trials that decoders use (data type 1), in an order that does not depend on the file."""
    training = voxels.data_type == TRAINING
    if not training.any():
        raise ValueError(f"no trial has DataType {TRAINING} (training)")
    voxels = voxels.take(training)
    # Sums of floats depend on their order: sorted trials make shuffled files give equal bits.
    # An image shown twice in a run: sorted voxels decide, whatever the order of the columns.
    keys = [np.sort(row).tobytes() for row in voxels.data]
    keys = zip(voxels.image_id, map(int, voxels.run), keys, range(len(keys)), strict=True)
    return voxels.take(np.array([place for *_, place in sorted(keys)]))


# With three, an inner fold would be fitted on one round: one trial of each category, which have no
# F-score.
FEWEST_ROUNDS = 4


def plan_for(voxels, *, by="auto", group=None, count="auto"):
    """The fold plan of some trials.

    Parameters
    ----------
    voxels : Voxels
    by : {"auto", "image", "round", "run", "group"}
        See `plan_folds`; rounds are found by `find_rounds`. ``auto``: by round where the runs make
        `FEWEST_ROUNDS` at least, of different images; else by image. The plan says which.
    group : str, optional
        A group column, where `by` is ``group``.
    count : int or {"auto", "most"}
        How many folds, where they are by image.

    Returns
    -------
    FoldPlan
        Image ids to fit on and to predict, fold by fold; ``print`` tells how many.

    Raises
    ------
    ValueError
        If there is no such group, the runs make no rounds, or folds cannot be made (`plan_folds`).

    In the methods
    --------------
    All soft labels are out of fold: the decoder that speaks of a picture never saw a trial of it.
    {% if decode.folds.by == "image" %}Folds were made by image{% elif decode.folds.by == "auto"
    %}Folds were made by round where the runs make rounds of all categories, else by image{% elif
    decode.folds.by == "group" %}A fold left out one group of pictures (column {{
    decode.folds.group }} of the stimuli){% else %}A fold left out one {{ decode.folds.by }}{%
    endif %}{% if decode.folds.by in ("auto", "image") %}, {% if decode.folds.count == "auto" %}at
    most eight of them{% elif decode.folds.count == "most" %}as many as the smallest category has
    images{% else %}{{ decode.folds.count }} of them{% endif %}{% endif %}{% if made.folds %}; here
    that gave {{ made.folds }}{% endif %}.
    Whatever the decoder was fitted with (voxels, scale, penalty, temperature) came from the trials
    of the fold's other side, by the same rule one level down.
    """
    if by == "auto":
        return _by_round(voxels) or plan_for(voxels, by="image", count=count)
    if by == "group" and group not in voxels.groups:
        known = ", ".join(sorted(voxels.groups)) or "none"
        raise ValueError(f"stimuli.csv has no group column {group!r} (it has {known})")
    unit = None
    if by == "round":
        unit = find_rounds(voxels.run, voxels.category)
    elif by != "image":
        unit = voxels.run if by == "run" else voxels.groups[group]
    return plan_folds(voxels.image_id, voxels.category, by=by, unit=unit, count=count, group=group)


def _by_round(voxels):
    """The plan by round; None where there are no rounds, or too few."""
    try:
        plan = plan_for(voxels, by="round")
    except ValueError:
        return None
    return plan if len(plan.predict) >= FEWEST_ROUNDS else None


def plan_inner(voxels, plan):
    """The rule of the outer `plan` one level down, over `voxels`: one fold's side to fit on."""
    try:
        # What is left of a category may be less than was asked for.
        fewest = np.bincount(image_classes(voxels)[2]).min()
        count = plan.count if isinstance(plan.count, str) else min(plan.count, int(fewest))
        return plan_for(voxels, by=plan.by, group=plan.group, count=count)
    except ValueError as error:
        raise ValueError(
            f"penalty and temperature cannot be chosen inside the fold ({error}); give one penalty "
            "and set decode.calibrate: false, or choose other folds"
        ) from error


def prepared(voxels, pairs, normalise):
    """The data that solvers get, and what they are told to z-score by inside each fold.

    Z-scored by all its trials, a run sums to 0: a held-out trial is minus the sum of its run-mates,
    and noise decodes. So a run is scaled inside each fold (`scaled_sides`), but where all folds
    leave whole runs out, which one scaling serves.

    Returns
    -------
    data : ndarray of shape (n_trials, n_voxels)
    standardise : bool or ndarray of shape (n_trials,)
        See `scaled_sides`.
    """
    if normalise == "run" and runs_stay_whole(voxels.run, pairs):
        return zscore_by_run(voxels.data, voxels.run), False
    return voxels.data, standardise_by(voxels, normalise)


def standardise_by(voxels, normalise):
    """What `scaled_sides` is told, for a fold of some trials: runs, True or False."""
    return voxels.run if normalise == "run" else normalise == "fold"


def class_numbers(voxels):
    """The category of each trial as a number, classes in sorted order."""
    return np.unique(voxels.category, return_inverse=True)[1]


def out_of_fold(voxels, plan, solve, scheme, *, options, inner_pairs=None):
    """Out-of-fold soft labels from a solver; what is chosen is chosen inside the fold.

    Parameters
    ----------
    voxels : Voxels
        Trials of data type 1 (`training_trials`).
    plan : FoldPlan
        Over all images of these trials.
    solve : callable
        ``(data, category, pairs, *, chosen, standardise)``: voxels (`prepared`), class numbers,
        a list of ``(fit, held_out)`` trial indices, for each of them the voxels to use or None for
        all, and what to z-score by (`scaled_sides` does both for one pair). Gives, for each, logits
        of shape (n_options, n_held_out, n_classes). It gets the outer folds and all inner folds at
        once, so that it can share work between them.
    scheme : Scheme
        Where a temperature is fitted on the inner folds' predictions, the same predictions choose
        the option: the one with the lowest NLL, after its temperature.
    options : dict of one str to list
        What the options are, e.g. ``{"C": [0.01, 0.1]}``; of equal ones the first is taken.
    inner_pairs : callable, optional
        ``(voxels, plan, fit)`` to the pairs that choose, among the trials `fit`: `each_inner_fold`,
        if not given, or `one_inner_pair`.

    Returns
    -------
    SoftLabels
        One row an image: its trials' log-probabilities averaged, then normalised. ``meta`` says
        the option and temperature of each fold, and how many temperatures hit a bound.

    Raises
    ------
    ValueError
        If the plan misses an image, a class has no image on a side to be fitted on, or the inner
        folds cannot be made.
    """
    ((name, values),) = options.items()
    outer = trial_pairs(voxels, plan)
    inner = [[] for _ in outer]
    if scheme.calibrate or len(values) > 1:
        inner = [(inner_pairs or each_inner_fold)(voxels, plan, fit) for fit, _ in outer]
    everything = [*outer, *(pair for pairs in inner for pair in pairs)]
    data, standardise = prepared(voxels, everything, scheme.normalise)
    category, how = class_numbers(voxels), {"by": scheme.select, "standardise": standardise}
    chosen = best_voxels(data, category, everything, scheme.n_voxels, **how)
    logits = iter(solve(data, category, everything, chosen=chosen, standardise=standardise))
    outer_logits = [next(logits) for _ in outer]
    best, answers = [], []
    for own, pairs in zip(outer_logits, inner, strict=True):
        predicted = [(held, next(logits)) for _, held in pairs]
        option, temperature = _choose(predicted, voxels, scheme.calibrate)
        best.append(values[option])
        answers.append((own[option], temperature))
    return collect(voxels, plan, outer, answers, scheme, meta={name: best})


def each_inner_fold(voxels, plan, fit):
    """``(fit, held_out)`` trial indices of the same fold rule among the trials `fit`."""
    part = voxels.take(fit)
    inner = plan_inner(part, plan)
    return [(fit[a], fit[b]) for a, b in trial_pairs(part, inner)]


def one_inner_pair(voxels, plan, fit):
    """A quarter of the inner folds left out together, for what is costly to fit.

    One fold alone may be 8 images, all right: a temperature fitted on these runs into its bound.
    Fewer folds are left out, where else a category had no trial to fit on.
    """
    held_out = [held for _, held in each_inner_fold(voxels, plan, fit)]
    for count in range(-(-len(held_out) // 4), 0, -1):
        together = np.concatenate(held_out[:count])
        rest = np.setdiff1d(fit, together)
        if np.isin(voxels.category[fit], voxels.category[rest]).all():
            break
    return [(rest, together)]


def collect(voxels, plan, pairs, answers, scheme, *, meta):
    """`SoftLabels` of all folds, in the order of the image ids.

    Parameters
    ----------
    voxels, plan, scheme
        As for `out_of_fold`.
    pairs : list of (fit, held_out)
        The plan's, from `trial_pairs`.
    answers : iterable of (logits, temperature)
        Of each fold: its held-out trials' logits (n_held_out, n_classes) and what to divide their
        log-probabilities by, 1 where nothing was calibrated.
    meta : dict
        What the decoder has to say besides.
    """
    images, image_of, _ = image_classes(voxels)
    classes = np.unique(voxels.category)
    log_probs = np.empty((len(images), len(classes)))
    fold, temperatures = np.empty(len(images), dtype=np.int16), []
    parts = zip(pairs, answers, strict=True)
    for number, ((_, held_out), (logits, temperature)) in enumerate(parts):
        rows, averaged = average_trials(logits, image_of[held_out])
        log_probs[rows] = log_softmax(averaged / temperature, axis=1)
        fold[rows] = number
        temperatures += [temperature] if scheme.calibrate else []
    folds = {"by": plan.by, "number": len(plan.fit)}
    if plan.by == "image":
        folds["count"] = plan.count
    if plan.group is not None:
        folds["group"] = plan.group
    meta = meta | {
        "format": FORMAT,
        "kind": BRAIN,
        "folds": folds,
        "calibrated": scheme.calibrate,
        "temperatures": temperatures,
        "temperatures_at_bound": sum(map(at_bound, temperatures)),
    }
    return SoftLabels(log_probs.astype(np.float32), images, classes, fold, meta)


def image_classes(voxels):
    """Image ids, sorted; the image's number of each trial; the class number of each image."""
    images, first, image_of = np.unique(voxels.image_id, return_index=True, return_inverse=True)
    return images, image_of, class_numbers(voxels)[first]


def trial_pairs(voxels, plan):
    """``(fit, held_out)`` trial indices of each fold of a plan.

    ``ValueError`` if the plan never predicts an image, or leaves a category nothing to fit on.
    """
    if len(never := np.setdiff1d(voxels.image_id, np.concatenate(plan.predict))):
        raise ValueError(f"the fold plan never predicts image '{never[0]}'")
    pairs = []
    classes = np.unique(voxels.category)
    for fit_images, predict_images in zip(plan.fit, plan.predict, strict=True):
        fit, held_out = (
            np.flatnonzero(np.isin(voxels.image_id, side)) for side in (fit_images, predict_images)
        )
        if len(missing := np.setdiff1d(classes, voxels.category[fit])):
            raise ValueError(
                f"folds by {plan.by} leave no image of category '{missing[0]}' to fit on; choose "
                "other folds (decode.folds.by)"
            )
        pairs.append((fit, held_out))
    return pairs


def average_trials(logits, image_of):
    """Average the log-probabilities of each image's trials, then normalise.

    Parameters
    ----------
    logits : ndarray of shape (..., n_trials, n_classes)
    image_of : ndarray of shape (n_trials,)
        The image of each trial.

    Returns
    -------
    images : ndarray
        Sorted.
    log_probs : ndarray of shape (..., n_images, n_classes)
    """
    images, row = np.unique(image_of, return_inverse=True)
    log_probs = log_softmax(logits, axis=-1)
    if len(images) == len(row):  # each image once, by far the most frequent case
        return images, log_probs[..., np.argsort(row), :]
    # One product a table: a row of `share` has 1 / n at the n trials of its image.
    share = (row == np.arange(len(images))[:, None]) / np.bincount(row)[:, None]
    return images, log_softmax(share @ log_probs, axis=-1)


def _choose(predicted, voxels, calibrate):
    """Option and temperature with the lowest NLL on the inner folds' predictions."""
    if not predicted:
        return 0, 1.0
    _, image_of, class_of = image_classes(voxels)
    parts = [average_trials(logits, image_of[held]) for held, logits in predicted]
    truth = class_of[np.concatenate([images for images, _ in parts])]
    best = (np.inf, 0, 1.0)
    for option, log_probs in enumerate(np.concatenate([rows for _, rows in parts], axis=1)):
        temperature = fit_temperature(log_probs, truth) if calibrate else 1.0
        nll = mean_nll(log_softmax(log_probs / temperature, axis=1), truth)
        if nll < best[0]:
            best = (nll, option, temperature)
    return best[1:]
