"""In which runs, and in which order, training pictures are shown."""

from math import comb

import numpy as np

RUN_LENGTH = 32


def shuffled_runs(n_pictures, *, rng):
    """Each picture once, shuffled, in equal runs of about 32.

    Returns
    -------
    list of ndarray of int
        The pictures' numbers, a run each.
    """
    return np.array_split(rng.permutation(n_pictures), max(1, round(n_pictures / RUN_LENGTH)))


def rounds_of_runs(category, *, rng):
    """Each picture once, in pairs of runs that show every category once.

    As in GOD, whose rounds are of three runs, no category comes twice in a run, and the runs make
    rounds in one way only: no two pairs divide the categories alike.

    Parameters
    ----------
    category : ndarray of shape (n_pictures,)
        All categories have as many pictures as there are rounds.
    rng : numpy.random.Generator

    Returns
    -------
    list of ndarray of int
        The pictures' numbers, a run each; a round's runs follow one another.

    Raises
    ------
    ValueError
        If there are fewer ways to divide the categories than rounds.
    """
    categories, counts = np.unique(category, return_counts=True)
    n_categories, n_rounds = len(categories), counts.min()
    half = (n_categories + 1) // 2
    # Of an even number, a half and the other half are one division.
    divisions = comb(n_categories, half) // (1 if n_categories % 2 else 2)
    if n_rounds > divisions:
        raise ValueError(
            f"{n_categories} categories can be divided between two runs in {divisions} ways, but "
            f"there are {n_rounds} rounds; give more categories, or fewer pictures of each"
        )
    picture = np.stack([rng.permutation(np.flatnonzero(category == name)) for name in categories])
    runs, used = [], set()
    while len(runs) < 2 * n_rounds:
        order = rng.permutation(n_categories)
        parts = order[:half], order[half:]
        division = frozenset(frozenset(part.tolist()) for part in parts)
        if division not in used:
            used.add(division)
            runs += [picture[part, len(runs) // 2] for part in parts]
    return runs
