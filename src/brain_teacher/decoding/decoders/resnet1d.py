"""A ResNet18 over the voxels as a one-channel signal: the 2021 project's decoder, made right."""

from typing import Annotated, Literal

from pydantic import Field

from brain_teacher.decoding.decoders.decoder import Decoder
from brain_teacher.settings import Block, Count, Number, Positive, Whole


class Resnet1d(Block):
    """A 1-D ResNet18 over the voxels."""

    moved = {"device": "--device, or BRAIN_TEACHER_DEVICE"}

    seed: Annotated[Whole, Field(ge=0)] = 0
    width: Count = 16
    steps: Count = 300
    batch: Annotated[Whole, Field(ge=2)] = 64
    learning_rate: Positive = 0.02
    weight_decay: Annotated[Number, Field(ge=0)] = 0.5
    precision: Literal["float32", "bfloat16", "auto"] = "auto"


def decode_resnet1d(
    voxels, plan, *, normalise, select, n_voxels, calibrate, seed, device, precision, **training
):
    """A 1-D ResNet18 over the voxels, one network a fold, its epoch chosen inside the fold.

    A quarter of the inner folds is the network's validation set: it chooses the epoch, and the
    temperature is fitted on it. All else (voxels, their scale, weights) comes from the fold's other
    trials.

    A convolution needs an order of its voxels. They are put in the order of their scores, best
    first: the place of a voxel in the file then changes nothing.

    Parameters
    ----------
    voxels, plan, normalise, select, n_voxels, calibrate
        As for every decoder.
    seed : int
        With the fold's number it gives the weights and the order of the trials; nothing else does.
    device, precision, **training
        See `brain_teacher.networks.resnet1d_training.fit_predict`.

    Returns
    -------
    SoftLabels
        ``meta`` has the epoch of each fold, and the device and precision that were used.

    Raises
    ------
    ValueError
        If the inner folds cannot be made, or a network diverged.

    In the methods
    --------------
    Categories were decoded by a one-dimensional ResNet18 [@he2016] of width {{ own.width }} over
    the voxels in the order of their scores (at most {{ own.steps }} steps in batches of {{
    own.batch }}, learning rate {{ own.learning_rate }}, weight decay {{ own.weight_decay }},
    precision {{ own.precision }}, seed {{ own.seed }}), its epoch chosen on a quarter of the inner
    folds.
    """
    from brain_teacher.decoding.calibration import fit_temperature
    from brain_teacher.decoding.out_of_fold import (
        Scheme,
        average_trials,
        class_numbers,
        collect,
        image_classes,
        standardise_by,
        trial_pairs,
    )
    from brain_teacher.decoding.voxel_scaling import centred_sides
    from brain_teacher.networks.devices import choose_device, choose_precision
    from brain_teacher.networks.resnet1d_training import fit_predict
    from brain_teacher.seeds import named_seed

    device = choose_device(device)
    precision = choose_precision(precision, device)
    category, scheme = class_numbers(voxels), Scheme(normalise, select, n_voxels, calibrate)
    _, image_of, class_of = image_classes(voxels)
    chosen, answers = [], []
    pairs, how = trial_pairs(voxels, plan), standardise_by(voxels, normalise)
    for number, (side, held_out) in enumerate(pairs):
        fit, validation = _validated(voxels, plan, side)
        order = _best_first(voxels.data, category, fit, n_voxels, by=select, standardise=how)
        sides = fit, validation, held_out
        scaled = centred_sides(voxels.data, sides, standardise=how, columns=order)
        *logits, epoch = fit_predict(
            scaled[0],
            category[fit],
            scaled[1],
            category[validation],
            scaled[2],
            n_classes=int(category.max()) + 1,
            seed=named_seed("resnet1d", seed, number),
            device=device,
            precision=precision,
            **training,
        )
        temperature = 1.0
        if calibrate:
            rows, of_validation = average_trials(logits[0], image_of[validation])
            temperature = fit_temperature(of_validation, class_of[rows])
        answers.append((logits[1], temperature))
        chosen.append(epoch)
    meta = {"epoch": chosen, "device": device, "precision": precision}
    return collect(voxels, plan, pairs, answers, scheme, meta=meta)


def _validated(voxels, plan, side):
    """Trials to fit on and to validate on, of those that a fold is fitted on."""
    from brain_teacher.decoding.out_of_fold import one_inner_pair

    try:
        (pair,) = one_inner_pair(voxels, plan, side)
    except ValueError as error:
        raise ValueError(
            f"resnet1d has no fold to choose its epoch by ({error.__cause__ or error}); choose "
            "other folds (decode.folds.by)"
        ) from error
    return pair


def _best_first(data, category, fit, n_voxels, *, by, standardise=False):
    """The columns of the best voxels, best first; of equally good ones, by what they measured."""
    import numpy as np

    from brain_teacher.decoding.voxel_scaling import voxel_scores

    scores = voxel_scores(data, category, [(fit, [])], by=by, standardise=standardise)[0]
    measured = np.ascontiguousarray(data[fit].T)
    order = sorted(range(len(scores)), key=lambda v: (-scores[v], measured[v].tobytes()))
    # Constant voxels (-1) say nothing, but would pull the others' mean towards 0.
    varying = max(int((scores >= 0).sum()), 1)
    return np.array(order[: min(n_voxels, varying)])


DECODER = Decoder("a 1-D ResNet18 over the voxels", decode_resnet1d, Resnet1d, torch=True)
