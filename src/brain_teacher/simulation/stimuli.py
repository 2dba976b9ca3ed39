"""Stimuli: the simulated pictures with their ids, and what BData say of them."""

import numpy as np

from brain_teacher.dataset.ids import number_from_image_id, rows_of
from brain_teacher.seeds import named_rng
from brain_teacher.simulation.knowledge import Named
from brain_teacher.simulation.pictures import (
    N_CATEGORIES,
    N_TRAINING_CATEGORIES,
    TEXTURES,
    draw_mixtures,
    draw_pictures,
)

# Of the form of GOD's synset numbers, but WordNet has none like them.
_FIRST_TRAINING, _FIRST_TEST = 99_000_001, 99_100_001


def category_id(category):
    """Category id of a category's number, training or test.

    Examples
    --------
    >>> category_id(0), category_id(16)
    ('n99000001', 'n99100001')
    """
    beyond = category - N_TRAINING_CATEGORIES
    return f"n{_FIRST_TRAINING + category if beyond < 0 else _FIRST_TEST + beyond:08d}"


def category_numbers(categories):
    """Numbers of the training categories, if there are so many, and of the test categories."""
    return range(categories), range(N_TRAINING_CATEGORIES, N_CATEGORIES)


def draw_stimuli(*, categories, shown, unseen, size, seed):
    """Draw all pictures of a data set.

    Parameters
    ----------
    categories : int
        Training categories.
    shown, unseen : int
        Pictures of each of them.
    size : int
        Side of a picture, in pixels.
    seed : int

    Returns
    -------
    dict of str to tuple
        For ``shown``, ``test`` (one picture a test category) and ``unseen``: image ids, pictures of
        shape (n_pictures, size, size, 3), uint8, and mixtures of shape (n_pictures, N_CATEGORIES).
    """
    training, test = category_numbers(categories)
    plan = {
        "shown": (training, range(1, shown + 1)),
        "test": (test, range(1, 2)),
        "unseen": (training, range(shown + 1, shown + unseen + 1)),
    }
    stimuli = {}
    for name, (members, numbers) in plan.items():
        ids = [f"{category_id(c)}_{number}" for c in members for number in numbers]
        mixtures = draw_mixtures(
            [c for c in members for _ in numbers],
            n_categories=categories,
            rng=named_rng(seed, "mixtures", name),
        )
        pictures = draw_pictures(mixtures, size=size, rng=named_rng(seed, "pictures", name))
        stimuli[name] = ids, pictures, mixtures
    return stimuli


def imagine(test):
    """What is imagined of the test stimuli: category ids, no pictures, one category each."""
    ids, pictures, _ = test
    members = range(N_TRAINING_CATEGORIES, N_TRAINING_CATEGORIES + len(ids))
    return [category_id(c) for c in members], np.zeros_like(pictures), np.eye(N_CATEGORIES)[members]


def what_labels_name(ids, mixtures, *, seed):
    """What the labels of stimuli name, and which other picture of it there is.

    Parameters
    ----------
    ids : sequence of str, length n
        Image ids; category ids, where a category is imagined.
    mixtures : ndarray of shape (n, N_CATEGORIES)
    seed : int
        Draws the other pictures.

    Returns
    -------
    Named
    """
    known = [category_id(number) for number in range(N_CATEGORIES)]
    named = [image_id.partition("_")[0] for image_id in ids]
    number = rows_of(named, known, lacks="there is no category '{}'")
    is_imagined = np.array(["_" not in image_id for image_id in ids])
    category, other = number + N_CATEGORIES * is_imagined, np.arange(len(ids))
    for group in np.unique(category):
        rows = named_rng(seed, "other pictures", group).permutation(
            np.flatnonzero(category == group)
        )
        other[rows] = np.roll(rows, 1)
    weight = mixtures[np.arange(len(ids)), number]
    return Named(category, category // len(TEXTURES), weight, other)


def label_columns(*ids_of_data_types):
    """What BData say of each stimulus: its number, and places among its data type's sorted ids.

    Parameters
    ----------
    *ids_of_data_types : lists of str
        Image ids; category ids, where a category is imagined. Their number is whole, as in GOD.

    Returns
    -------
    dict of str to ndarray of shape (n_stimuli,), float64

    Examples
    --------
    >>> label_columns(["n99000002_1", "n99000001_3"], ["n99100001"])["stimulus_id"].tolist()
    [99000002.000001, 99000001.000003, 99100001.0]
    """
    columns = {"stimulus_id": [], "category_index": [], "image_index": []}
    for ids in ids_of_data_types:
        categories = [image_id.split("_")[0] for image_id in ids]
        columns["stimulus_id"] += [
            number_from_image_id(i) if "_" in i else float(i.removeprefix("n")) for i in ids
        ]
        for key, names in (("category_index", categories), ("image_index", ids)):
            columns[key] += (1 + np.unique(names, return_inverse=True)[1]).tolist()
    return {key: np.array(values, dtype=np.float64) for key, values in columns.items()}
