"""The effect by class: what an interval with classes random as well is made of. Exploratory."""

import numpy as np
import pandas as pd

from brain_teacher.analysis.differences import mean_difference
from brain_teacher.analysis.statistics import pair_by_seed


def class_effects(a, b):
    """``a - b`` in each class, over common seeds and the class's images.

    Parameters
    ----------
    a, b : Scores
        Over the same images in the same order, with their category.

    Returns
    -------
    DataFrame
        A row a class, by falling effect: ``class``, ``images``, ``mean``, ``low``, ``high``
        (two-way 95% interval, fractions or nats, not corrected; NaN where a class has one image).

    Raises
    ------
    ValueError
        If there are fewer than two common seeds.
    """
    seeds, differences = pair_by_seed(a, b)
    if len(seeds) < 2:
        raise ValueError(f"two common seeds are needed for an effect by class, not {len(seeds)}")
    rows = []
    for name in np.unique(a.category):
        mine = differences[:, a.category == name]
        row = {"class": name, "images": mine.shape[1], "mean": float(mine.mean())}
        found = mean_difference(mine) if mine.shape[1] > 1 else None
        ends = (found.low, found.high) if found else (np.nan, np.nan)
        rows.append(row | dict(zip(("low", "high"), ends, strict=True)))
    table = pd.DataFrame(rows)
    return table.sort_values("mean", ascending=False, kind="stable", ignore_index=True)
