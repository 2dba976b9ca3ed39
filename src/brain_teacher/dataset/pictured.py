"""Which categories have pictures: those that students can be taught, and judged on."""

from os import PathLike

import pandas as pd

from brain_teacher.dataset import images

# In ``images/missing.csv``: a category, under its own name, of which there is no unseen picture.
WHOLE = "category"


def pictured_categories(folder: str | PathLike, stimuli: pd.DataFrame | None) -> set[str]:
    """The categories of a data set that have pictures.

    Of each there is a picture among those shown, whoever put it there; and an unseen one, unless no
    category has any, or ``images/missing.csv`` does not say that none could be had: what a person
    forgot stays a mistake, which is said where the pictures are divided.

    Parameters
    ----------
    folder
        Of the data set.
    stimuli
        From `read_stimuli`; None means GOD's rule.

    Raises
    ------
    ValueError
        If an image has more than one file, or ``images/missing.csv`` is no such table.
    """
    shown, unseen = images.find_shown(folder), images.find_unseen(folder)
    if stimuli is None:
        found = {name.rpartition("_")[0] for name in shown}
    else:
        found = set(stimuli["category"][stimuli["image_id"].isin(shown)])
    if unseen.empty:
        return found
    return found - (images.read_missing(folder, WHOLE) - set(unseen["category"]))
