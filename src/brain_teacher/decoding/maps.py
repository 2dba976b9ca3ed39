"""Maps of pictures, decoded from voxels out of fold."""

import numpy as np

from brain_teacher.dataset.ids import rows_of
from brain_teacher.decoding.out_of_fold import (
    each_inner_fold,
    image_classes,
    prepared,
    trial_pairs,
)
from brain_teacher.decoding.solvers import ridge


def decode_maps(voxels, plan, maps, image_id, *, normalise, penalty):
    """Ridge regression from all voxels to each place of the pictures' maps, out of fold.

    The regression that speaks of a picture saw no trial of it; its penalty has the smallest squared
    error on the inner folds of the trials that it was fitted to.

    Parameters
    ----------
    voxels, plan, normalise
        As for every decoder.
    maps : ndarray of shape (n_images, n_places)
    image_id : ndarray of str, shape (n_images,)
        Of each map; all images of `voxels`, in any order.
    penalty : list of float
        As scikit-learn's ``alpha``.

    Returns
    -------
    images : ndarray of str
        Sorted.
    decoded : ndarray of shape (len(images), n_places), float64
        The mean over an image's trials.
    """
    images, image_of, _ = image_classes(voxels)
    lacks = "there is no map of image '{}'"
    targets = np.asarray(maps, np.float64)[rows_of(images, image_id, lacks=lacks)][image_of]
    outer = trial_pairs(voxels, plan)
    inner = [each_inner_fold(voxels, plan, fit) if len(penalty) > 1 else [] for fit, _ in outer]
    everything = [*outer, *(pair for pairs in inner for pair in pairs)]
    data, standardise = prepared(voxels, everything, normalise)
    how = {"penalties": penalty, "standardise": standardise}
    predicted = iter(ridge.solve_folds(data, targets, everything, **how))
    answers = [next(predicted) for _ in outer]
    decoded = np.zeros((len(images), targets.shape[1]))
    for (_, held_out), answer, pairs in zip(outer, answers, inner, strict=True):
        errors = np.zeros(len(penalty))
        for _, held in pairs:
            errors += np.square(next(predicted) - targets[held]).sum(axis=(1, 2))
        np.add.at(decoded, image_of[held_out], answer[errors.argmin()])
    return images, decoded / np.bincount(image_of)[:, None]
