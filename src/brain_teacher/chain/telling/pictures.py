"""Pictures that were shown, with what the soft labels say of them: any, and the extreme ones."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import entr

from brain_teacher.chain.dataset import DataSet
from brain_teacher.chain.students.soft_labels import are_there, read_brain
from brain_teacher.dataset.images import find_shown
from brain_teacher.dataset.picture_files import decoded, each_picture, open_picture
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.errors import about
from brain_teacher.report.cell_guesses import choose_images, top_guesses

# How many of each kind, and the longer side of a picture on the page, in pixels.
COUNT, SIDE = 8, 96
GROUPS = {
    "any": "Pictures chosen by a hash of their names, whatever was guessed",
    "sure": "Those that the soft labels are most sure of",
    "unsure": "Those that they are least sure of",
}

Card = dict[str, Any]


def brain_table(origin: dict[str, Any], dataset: DataSet, soft_labels: Path) -> SoftLabels | None:
    """The table that taught, combined; None where its files are not there."""
    if not are_there(origin, dataset, soft_labels):
        return None
    return read_brain(origin, dataset, soft_labels)


def cards(table: SoftLabels, dataset: DataSet, *, pictures: bool) -> dict[str, list[Card]]:
    """By the title of each group: pictures, what they show, and the first guesses.

    A picture is PNG bytes, or None where there is no file, or none is wanted.
    """
    category = dataset.category_of(table.image_id)
    chosen = _chosen(table, category)
    names = list(dict.fromkeys(image for each in chosen.values() for image in each))
    guesses = top_guesses(table, category, names)
    files = find_shown(dataset.folder) if pictures and dataset.description.pictures else {}
    there = [name for name in names if name in files]
    with about(dataset.folder):
        drawn = dict(zip(there, each_picture(_png, [files[n] for n in there]), strict=True))
    called = dataset.description.categories
    made = {
        name: {
            "shown": called.get(rows["category"].iloc[0], rows["category"].iloc[0]),
            "png": drawn.get(name),
            "guesses": [
                {
                    "name": called.get(row.guess, row.guess),
                    "share": row.probability,
                    "right": row.right,
                    "rank": row.rank,
                }
                for row in rows.itertuples()
            ],
        }
        for name, rows in guesses.groupby("image_id", sort=False)
    }
    return {GROUPS[kind]: [made[name] for name in each] for kind, each in chosen.items()}


def _chosen(table: SoftLabels, category: np.ndarray) -> dict[str, list[str]]:
    """Names of the pictures of each group; few pictures make no extreme ones."""
    ids = table.image_id.astype(str)
    chosen = {"any": choose_images(ids, category, COUNT)}
    if len(ids) >= 2 * COUNT:
        unsure = entr(np.exp(table.log_probs.astype(float))).sum(axis=1)
        # Of equal ones in the order of the ids: the file's order changes nothing.
        order = np.lexsort((ids, unsure))
        chosen |= {"sure": ids[order[:COUNT]].tolist(), "unsure": ids[order[-COUNT:]].tolist()}
    return chosen


def _png(path: Path) -> bytes:
    memory = BytesIO()
    with open_picture(path) as image:
        small = decoded(image, least=SIDE)
        small.thumbnail((SIDE, SIDE))
        small.save(memory, "PNG", optimize=True)
    return memory.getvalue()
