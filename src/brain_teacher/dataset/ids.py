"""Image and category ids, which are text, and GOD's number for them, which is a float.

GOD's BData name an image by ``stimulus_id``: the synset's number, then the image's number as six
decimals. ``n01443537_22563`` is 1443537.022563.
"""

import re
from collections.abc import Collection

import numpy as np

_IMAGE_ID = re.compile(r"(n\d{8})_(\d{1,6})")

# What a subject, an ROI and a decoder may be called: the names become parts of file names.
NAME = re.compile(r"[A-Za-z0-9-]+")


def rows_of(wanted: Collection[str], known: Collection[str], *, lacks: str) -> np.ndarray:
    """Where each of some ids stands among the known ones: the one way to join on ids.

    They are wanted in any order, also several times. Where one is not known, `lacks` is said:
    ``{}`` becomes the first such id, a second ``{}`` the number of them.

    Raises
    ------
    ValueError
        If an id is not known, or known twice.

    Examples
    --------
    >>> rows_of(["b", "a", "b"], ["a", "b"], lacks="there is no '{}'").tolist()
    [1, 0, 1]
    """
    row_of = {}
    for row, name in enumerate(known):
        if row_of.setdefault(name, row) != row:
            raise ValueError(f"'{name}' stands twice among the ids to be joined on")
    missing = [name for name in dict.fromkeys(wanted) if name not in row_of]
    if missing:
        # Not str.format: names within `lacks` may hold braces.
        told = iter((str(missing[0]), str(len(missing))))
        raise ValueError(re.sub(r"\{\}", lambda _: next(told, "{}"), lacks))
    return np.array([row_of[name] for name in wanted], dtype=int)


def image_ids_from_numbers(stimulus_ids, *, seen=None):
    """Image ids of GOD's ``stimulus_id`` numbers.

    Parameters
    ----------
    stimulus_ids : array_like of shape (n_trials,), float64
        The column as stored. float32 would lose the image: 1443537.022563 becomes 1443537.0.
    seen : ndarray of bool, shape (n_trials,), optional
        The trials to name, and to give an id of each; all, if not given.

    Raises
    ------
    ValueError
        If the numbers are float32, not finite, or name no image; the row is given.

    Examples
    --------
    >>> image_ids_from_numbers([1443537.022563])
    array(['n01443537_22563'], dtype='<U15')
    """
    numbers = np.asarray(stimulus_ids)
    if numbers.dtype == np.float32:
        raise ValueError("stimulus_id is stored as float32, which loses the image number")
    numbers = numbers.astype(np.float64)
    ids = []
    for row in np.flatnonzero(np.ones(len(numbers)) if seen is None else seen):
        number = numbers[row]
        if not np.isfinite(number):
            raise ValueError(f"row {row}: stimulus_id is {number}")
        synset = int(number)
        # round, not int: truncation gets only half of GOD's image numbers right.
        image = round((number - synset) * 1e6)
        if not 0 < synset < 10**8 or not 0 < image < 10**6:
            raise ValueError(
                f"row {row}: stimulus_id {number} is not synset.image (1443537.022563); "
                "say in stimuli.csv which number is which image"
            )
        ids.append(f"n{synset:08d}_{image}")
    return np.array(ids)


def number_from_image_id(image_id: str) -> float:
    """GOD's ``stimulus_id`` of an image id; the inverse of `image_ids_from_numbers`.

    Examples
    --------
    >>> number_from_image_id("n01518878_5958")
    1518878.005958
    """
    category, image = split_image_id(image_id)
    return float(f"{int(category[1:])}.{image:06d}")


def split_image_id(image_id: str) -> tuple[str, int]:
    """Category and image number of an id that follows GOD's rule.

    Examples
    --------
    >>> split_image_id("n01443537_22563")
    ('n01443537', 22563)
    """
    match = _IMAGE_ID.fullmatch(image_id)
    if match is None:
        raise ValueError(f"image id '{image_id}' does not follow GOD's rule (n01443537_22563)")
    return match[1], int(match[2])
