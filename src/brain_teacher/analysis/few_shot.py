"""Categories that no student was trained on, told apart by a few pictures of each."""

import numpy as np

from brain_teacher.decoding.solvers.logistic import solve_folds
from brain_teacher.seeds import named_rng

DRAWS = 20
# Of the probe, in scikit-learn's terms; one for all, chosen before any result.
C = 1.0


def few_shot(features, category, image_id, *, shots, draws=DRAWS):
    """How often each image is named rightly by a few others of each category, in two ways.

    Each draw takes `shots` images of each category (the same for every student, by the images'
    ids); all other images are named by the nearest mean of these, and by a *linear probe*:
    multinomial logistic regression with an L2 penalty, ``C = 1``.

    Parameters
    ----------
    features : ndarray of shape (n_images, n_features)
        Z-scored by other images.
    category, image_id : ndarray of str, shape (n_images,)
    shots : int
    draws : int

    Returns
    -------
    dict of str to ndarray of shape (n_images,)
        ``mean`` and ``probe``: the share of the draws in which the image was named rightly, of
        those in which it was not among the few. In the order of the images' ids.

    Raises
    ------
    ValueError
        If there are fewer than two categories, or one has no image beside the few.
    """
    order = np.argsort(image_id, kind="stable")
    features, category = np.asarray(features, dtype=np.float64)[order], np.asarray(category)[order]
    classes, number, counts = np.unique(category, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise ValueError("there is one category; telling apart takes two")
    if counts.min() <= shots:
        few = classes[counts.argmin()]
        raise ValueError(f"category '{few}' has {counts.min()} images; {shots} of them teach")
    pairs = _pairs(number, shots, draws)
    right = {"mean": np.zeros(len(order)), "probe": np.zeros(len(order))}
    times = np.zeros(len(order))
    logits = solve_folds(features, number, pairs, C=[C])
    for (few, others), probe in zip(pairs, logits, strict=True):
        means = np.array(
            [features[few[number[few] == k]].mean(axis=0) for k in range(len(classes))]
        )
        near = features[others] @ means.T - (means**2).sum(axis=1) / 2
        right["mean"][others] += near.argmax(axis=1) == number[others]
        right["probe"][others] += probe[0].argmax(axis=1) == number[others]
        times[others] += 1
    if not times.all():
        raise ValueError(f"an image is among the few in each of {draws} draws; draw more often")
    return {name: each / times for name, each in right.items()}


def _pairs(number, shots, draws):
    """Rows of the few and of all others, a pair a draw."""
    pairs = []
    for draw in range(draws):
        rng = named_rng("few shots", shots, draw)
        few = [
            rng.permutation(np.flatnonzero(number == k))[:shots] for k in range(number.max() + 1)
        ]
        few = np.sort(np.concatenate(few))
        pairs.append((few, np.setdiff1d(np.arange(len(number)), few)))
    return pairs
