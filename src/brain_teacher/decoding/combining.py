"""Several tables of soft labels to one: brains are multiplied, what is none is averaged."""

from dataclasses import replace

import numpy as np
from scipy.special import log_softmax, logsumexp

from brain_teacher.dataset.ids import rows_of
from brain_teacher.decoding.calibration import at_bound, fit_temperature
from brain_teacher.decoding.folds import plan_folds
from brain_teacher.decoding.log_probs import mean_nll
from brain_teacher.decoding.soft_labels import (
    BRAIN,
    FORMAT,
    KINDS,
    NO_COLUMN,
    RECORDED,
    SoftLabels,
)

# What all of them have alike.
_KEPT = ("features", "prior", RECORDED)


def combine(tables, categories_of):
    """Combine subjects, ROIs or voters, by what they are, for the images that are in all tables.

    Brains as a product of experts ([1]_): ``log q = sum_s log p_s - (S - 1) log prior``, with the
    class frequencies among these images as priors. Then one temperature per image fold (folds by
    hash, whatever folds the decoders used), fitted on the other folds' rows, where the tables are
    calibrated themselves. What is no brain is averaged, and its votes are added: people's choices
    are not errors of measurement, that agreeing voters would make ever smaller (DESIGN, rule 4).

    Parameters
    ----------
    tables : list of SoftLabels
        With the same classes. A single one is only sorted.
    categories_of : callable
        Image ids -> category of each.

    Returns
    -------
    SoftLabels
        In the order of the image ids; ``meta`` has the mean NLL, of brains before and after the
        temperature.

    Raises
    ------
    ValueError
        If kinds, classes, priors or calibration differ, or no image was seen by all.

    References
    ----------
    .. [1] Hinton (2002), Training products of experts by minimizing contrastive divergence.

    In the methods
    --------------
    Students were taught by {% if distill.subject == "all" %}all subjects{% else %}subject {{
    distill.subject }}{% endif %}, ROI {{ distill.roi }}, decoder {{ distill.decoder }}{% if
    made.combined %}: brains were multiplied as a product of experts [@hinton2002], with one
    temperature for the product, fitted on the pictures of other folds; what is no brain was
    averaged{% endif %}.
    """
    if len(tables) == 1:
        return tables[0].sorted()
    tables = [table.sorted() for table in tables]
    first = tables[0]
    _check_alike(tables)
    shared = set(first.image_id).intersection(*(set(table.image_id) for table in tables[1:]))
    if not shared:
        raise ValueError("no image was seen by all of the subjects")
    images = np.array(sorted(shared))
    category = np.asarray(categories_of(images))
    truth = rows_of(category, first.class_id, lacks=f"{_name(first)} {NO_COLUMN}")
    left_out = sum(len(table.image_id) for table in tables) - len(images) * len(tables)
    meta = {
        "format": FORMAT,
        "kind": first.kind,
        "combined": [_name(table) for table in tables],
        "images_left_out": int(left_out),
        "simulated": any(table.meta.get("simulated", False) for table in tables),
        "calibrated": bool(first.meta.get("calibrated")),
        **{key: first.meta[key] for key in _KEPT if key in first.meta},
    }
    if imported := [each.meta["imported"] for each in tables if "imported" in each.meta]:
        meta["imported"] = imported
    tables = [table.take(images) for table in tables]
    if first.kind != BRAIN:
        return _averaged(tables, truth, meta)
    return _multiplied(tables, category, truth, meta)


def _check_alike(tables):
    first = tables[0]
    for table in tables[1:]:
        both = f"{_name(table)} and {_name(first)}"
        if table.kind != first.kind:
            kinds = f"{KINDS[table.kind]} and {KINDS[first.kind]}"
            raise ValueError(f"{both} cannot be combined: behind them are {kinds}")
        if not np.array_equal(table.class_id, first.class_id):
            raise ValueError(f"{both} have different classes")
        if table.meta.get("calibrated") != first.meta.get("calibrated"):
            raise ValueError(f"only one of {both} is calibrated")
        if table.meta.get("prior") != first.meta.get("prior"):
            raise ValueError(f"{both} have different priors: import them with the same --prior")


def _averaged(tables, truth, meta):
    """The mean of the tables' probabilities, and the sum of their votes where all have them."""
    mean = logsumexp([table.log_probs.astype(np.float64) for table in tables], axis=0)
    log_probs = (mean - np.log(len(tables))).astype(np.float32)
    counted = all(table.votes is not None for table in tables)
    votes = sum(table.votes for table in tables) if counted else None
    first = tables[0]
    fold = np.zeros(len(truth), dtype=np.int16)
    labels = SoftLabels(log_probs, first.image_id, first.class_id, fold, meta, votes)
    return replace(labels, meta=meta | {"nll": mean_nll(np.log(labels.softened(1.0)), truth)})


def _multiplied(tables, category, truth, meta):
    """The product of experts, calibrated."""
    images, classes = tables[0].image_id, tables[0].class_id
    total = np.zeros(tables[0].log_probs.shape)
    for table in tables:
        total += table.log_probs.astype(np.float64)
    counts = np.array([(category == name).sum() for name in classes])
    if (counts == 0).any():
        raise ValueError(f"no image of class '{classes[counts == 0][0]}' was seen by all")
    total = log_softmax(total - (len(tables) - 1) * np.log(counts / len(images)), axis=1)
    fold, calibrated, temperatures = np.zeros(len(images), dtype=np.int16), total, []
    if meta["calibrated"]:
        for number, held_out in enumerate(plan_folds(images, category, by="image").predict):
            fold[np.isin(images, held_out)] = number
        calibrated, temperatures = calibrate_by_fold(total, truth, fold)
    meta = meta | {
        "temperatures": temperatures,
        "temperatures_at_bound": sum(map(at_bound, temperatures)),
        "nll_before": mean_nll(total, truth),
        "nll": mean_nll(calibrated, truth),
    }
    return SoftLabels(calibrated.astype(np.float32), images, classes, fold, meta)


def calibrate_by_fold(log_probs, truth, fold):
    """Soften each fold's rows by the temperature that fits the other folds' rows best.

    Parameters
    ----------
    log_probs : ndarray of shape (n_images, n_classes), float64
    truth, fold : ndarray of int, shape (n_images,)

    Returns
    -------
    calibrated : ndarray of shape (n_images, n_classes)
    temperatures : list of float
        By fold, from 0.
    """
    calibrated, temperatures = log_probs.copy(), []
    for number in range(int(fold.max()) + 1):
        held_out = fold == number
        temperatures.append(fit_temperature(log_probs[~held_out], truth[~held_out]))
        calibrated[held_out] = log_softmax(log_probs[held_out] / temperatures[-1], axis=1)
    return calibrated, temperatures


def _name(table):
    return "_".join(str(table.meta.get(key, "?")) for key in ("subject", "roi", "decoder"))
