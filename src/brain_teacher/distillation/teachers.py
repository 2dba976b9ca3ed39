"""``TEACHERS``: soft labels in, targets out. Which images help is decided by what they differ in.

Every teacher is a function ``(log_probs, truth, *, temperature, rng) -> probs or None``:

log_probs : ndarray of shape (n_images, n_classes), float64
    The brain's soft labels of the training images.
truth : ndarray of int, shape (n_images,)
    Column of each image's category.
temperature : float
    T of the loss.
rng : numpy.random.Generator
    Named for the teacher and the student's seed.

and gives probabilities of shape (n_images, n_classes), or None for hard labels only.
"""

import numpy as np
from scipy.optimize import elementwise
from scipy.special import entr, logsumexp

from brain_teacher.decoding.soft_labels import soften
from brain_teacher.distillation.targets import Targets
from brain_teacher.seeds import named_rng


def none(log_probs, truth, *, temperature, rng):
    """Hard labels only."""
    return None


def smooth(log_probs, truth, *, temperature, rng):
    """Uniform targets; softening leaves them unchanged. Loss, alpha and T as for the brain."""
    return np.full(log_probs.shape, 1 / log_probs.shape[1])


def smooth_matched(log_probs, truth, *, temperature, rng):
    """1 - e on the true class, the rest even, e per image: the entropy is that of the brain's q_T.

    As confident as the brain, image by image, and knows nothing else. Not softened again.
    """
    n_images, n_classes = log_probs.shape
    wanted = entr(brain(log_probs, truth, temperature=temperature, rng=rng)).sum(axis=1)
    highest = 1 - 1 / n_classes

    def excess(e, wanted):
        return entr(1 - e) + entr(e / (n_classes - 1)) * (n_classes - 1) - wanted

    # Rounding can put an even q_T a hair above the largest entropy there is.
    wanted = np.minimum(wanted, excess(highest, 0.0))
    low, high = np.zeros(n_images), np.full(n_images, highest)
    e = elementwise.find_root(excess, (low, high), args=(wanted,)).x
    probs = np.repeat((e / (n_classes - 1))[:, None], n_classes, axis=1)
    probs[np.arange(n_images), truth] = 1 - e
    return probs


def permuted_images(log_probs, truth, *, temperature, rng):
    """The brain's rows exchanged within a class, no image keeping its own.

    A new derangement for each seed. What is left of the brain is what it says of the class.
    """
    source = np.arange(len(truth))
    for column in np.unique(truth):
        rows = np.flatnonzero(truth == column)
        if len(rows) < 2:
            raise ValueError(
                "permuted-images needs at least 2 images in each class; class number "
                f"{column + 1} of the sorted classes has one"
            )
        source[rows] = rows[_derangement(len(rows), rng)]
    return brain(log_probs[source], truth, temperature=temperature, rng=rng)


def brain_class(log_probs, truth, *, temperature, rng):
    """The class mean of the brain's q at T = 1, the same for every image of the class, softened."""
    mean = np.empty_like(log_probs)
    for column in np.unique(truth):
        rows = truth == column
        mean[rows] = logsumexp(log_probs[rows], axis=0) - np.log(rows.sum())
    return brain(mean, truth, temperature=temperature, rng=rng)


def brain(log_probs, truth, *, temperature, rng):
    """The brain's soft labels, softened by the temperature of the loss."""
    return np.exp(soften(log_probs, temperature=temperature))


def _derangement(n, rng):
    # A random permutation has no fixed point with probability 1/e: a few tries do.
    while True:
        order = rng.permutation(n)
        if (order != np.arange(n)).all():
            return order


TEACHERS = {
    "none": none,
    "smooth": smooth,
    "smooth-matched": smooth_matched,
    "permuted-images": permuted_images,
    "brain-class": brain_class,
    "brain": brain,
}


def draw_targets(teacher, soft_labels, category, *, temperature, seed):
    """A teacher's targets for one student.

    Parameters
    ----------
    teacher : str
        A key of `TEACHERS`.
    soft_labels : SoftLabels
        Of the training images.
    category : ndarray of str, shape (n_images,)
        Of each row.
    temperature : float
    seed : int
        The student's; only ``permuted-images`` draws from it.

    Returns
    -------
    Targets or None
        None means hard labels only.
    """
    # In the order of the ids: what is drawn must not depend on a file's order.
    category_of = dict(zip(soft_labels.image_id, category, strict=True))
    rows = soft_labels.sorted()
    probs = TEACHERS[teacher](
        rows.log_probs.astype(np.float64),
        rows.truth([category_of[image] for image in rows.image_id]),
        temperature=temperature,
        rng=named_rng("teacher", teacher, seed),
    )
    if probs is None:
        return None
    return Targets(probs.astype(np.float32), rows.image_id, rows.class_id)
