"""Soft labels: a decoder's out-of-fold log-probabilities, with ids."""

import json
from dataclasses import dataclass, field

import numpy as np
from scipy.special import log_softmax

from brain_teacher.dataset.ids import rows_of
from brain_teacher.decoding.calibration import at_bound, fit_temperature
from brain_teacher.decoding.folds import plan_folds
from brain_teacher.decoding.log_probs import check_log_probs, mean_nll
from brain_teacher.files import read_npz

FORMAT = 1
ARRAYS = ("log_probs", "image_id", "class_id", "fold")
NO_COLUMN = "has no column for category '{}'"


@dataclass(frozen=True)
class SoftLabels:
    """Out-of-fold log-probabilities of one subject's ROI, or of several combined.

    Attributes
    ----------
    log_probs : ndarray of shape (n_images, n_classes), float32
        Natural log; each row's ``exp`` sums to 1.
    image_id, class_id : ndarray of str
        Names of the rows and of the columns, each once.
    fold : ndarray of int, shape (n_images,)
        The fold whose decoder, which never saw the image, gave the row. Of a combined table: the
        image fold of the group's temperature; 0 where none was fitted.
    meta : dict
        What the table is: subject, ROI, decoder, fold plan, calibration, data set, fingerprint.

    Raises
    ------
    ValueError
        If shapes and ids do not agree, an id stands twice, or a row does not sum to 1 within 1e-4.
    """

    log_probs: np.ndarray
    image_id: np.ndarray
    class_id: np.ndarray
    fold: np.ndarray
    meta: dict = field(default_factory=dict)

    def __post_init__(self):
        shape = (len(self.image_id), len(self.class_id))
        if self.log_probs.shape != shape:
            raise ValueError(f"log_probs has shape {self.log_probs.shape}, its ids say {shape}")
        if len(self.fold) != len(self.image_id):
            raise ValueError(f"fold has {len(self.fold)} entries for {shape[0]} images")
        for name in ("image_id", "class_id"):
            values, counts = np.unique(getattr(self, name), return_counts=True)
            if (counts > 1).any():
                raise ValueError(f"{name} '{values[counts > 1][0]}' stands twice")
        check_log_probs(self.log_probs, self.image_id)

    def take(self, image_ids):
        """The rows of some images, in the order given; joined by id."""
        lacks = "has no row for image '{}' ({} are missing)"
        rows = rows_of(image_ids, self.image_id, lacks=lacks)
        return self._part(rows, np.arange(len(self.class_id)))

    def sorted(self):
        """The same table with rows and columns in the order of their ids."""
        return self._part(np.argsort(self.image_id), np.argsort(self.class_id))

    def _part(self, rows, columns):
        # np.ix_: by rows and then columns, the result would lie in Fortran's order.
        log_probs, classes = self.log_probs[np.ix_(rows, columns)], self.class_id[columns]
        return SoftLabels(log_probs, self.image_id[rows], classes, self.fold[rows], self.meta)

    def truth(self, category):
        """Column of the right class of each row, given the rows' categories."""
        return rows_of(category, self.class_id, lacks=NO_COLUMN)

    def arrays(self):
        """What a soft-label file holds, ready for ``np.savez``."""
        meta = np.array(json.dumps(self.meta, sort_keys=True))
        return {name: getattr(self, name) for name in ARRAYS} | {"meta": meta}


def read_soft_labels(path):
    """Read a soft-label file.

    Parameters
    ----------
    path : path-like
        Of `brain-teacher decode` or `brain-teacher import-soft-labels`.

    Returns
    -------
    SoftLabels

    Raises
    ------
    ValueError
        If the file is broken, an array is missing, the format is a later one, or the content is
        not soft labels.
    """
    arrays, meta = read_npz(path, ARRAYS, what="soft-label")
    if meta.get("format") != FORMAT:
        raise ValueError(f"has format {meta.get('format')!r}; this version reads {FORMAT}")
    return SoftLabels(meta=meta, **{name: arrays[name] for name in ARRAYS})


def combine(tables, categories_of):
    """Combine subjects (or ROIs) as a product of experts ([1]_), then calibrate the product.

    ``log q = sum_s log p_s - (S - 1) log prior`` for the images that all saw, with the class
    frequencies among them as priors. Then one temperature per image fold (folds by hash,
    whatever folds the decoders used), fitted on the other folds' rows, where the tables are
    calibrated themselves.

    Parameters
    ----------
    tables : list of SoftLabels
        With the same classes. A single one is only sorted.
    categories_of : callable
        Image ids -> category of each.

    Returns
    -------
    SoftLabels
        In the order of the image ids; ``meta`` has the mean NLL before and after the temperature.

    Raises
    ------
    ValueError
        If classes or calibration differ, or no image was seen by all.

    References
    ----------
    .. [1] Hinton (2002), Training products of experts by minimizing contrastive divergence.
    """
    if len(tables) == 1:
        return tables[0].sorted()
    tables = [table.sorted() for table in tables]
    first = tables[0]
    classes = first.class_id
    for table in tables[1:]:
        if not np.array_equal(table.class_id, classes):
            raise ValueError(f"{_name(table)} and {_name(first)} have different classes")
        if table.meta.get("calibrated") != first.meta.get("calibrated"):
            raise ValueError(f"only one of {_name(table)} and {_name(first)} is calibrated")
    shared = set(first.image_id).intersection(*(set(table.image_id) for table in tables[1:]))
    if not shared:
        raise ValueError("no image was seen by all of the subjects")
    images = np.array(sorted(shared))
    category = np.asarray(categories_of(images))
    truth = rows_of(category, classes, lacks=f"{_name(first)} {NO_COLUMN}")
    total = np.zeros((len(images), len(classes)))
    for table in tables:
        total += table.take(images).log_probs.astype(np.float64)
    counts = np.array([(category == name).sum() for name in classes])
    if (counts == 0).any():
        raise ValueError(f"no image of class '{classes[counts == 0][0]}' was seen by all")
    total = log_softmax(total - (len(tables) - 1) * np.log(counts / len(images)), axis=1)
    fold, calibrated, temperatures = np.zeros(len(images), dtype=np.int16), total, []
    if first.meta.get("calibrated"):
        for number, held_out in enumerate(plan_folds(images, category, by="image").predict):
            fold[np.isin(images, held_out)] = number
        calibrated, temperatures = calibrate_by_fold(total, truth, fold)
    meta = {
        "format": FORMAT,
        "combined": [_name(table) for table in tables],
        "images_left_out": int(sum(len(table.image_id) for table in tables))
        - len(images) * len(tables),
        "simulated": any(table.meta.get("simulated", False) for table in tables),
        "calibrated": bool(first.meta.get("calibrated")),
        "temperatures": temperatures,
        "temperatures_at_bound": sum(map(at_bound, temperatures)),
        "nll_before": mean_nll(total, truth),
        "nll": mean_nll(calibrated, truth),
        **{key: first.meta[key] for key in ("features",) if key in first.meta},
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
