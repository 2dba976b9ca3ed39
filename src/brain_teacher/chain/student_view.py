"""The sheet of pictures as students see them, which ``check`` writes."""

from pathlib import Path

import numpy as np

from brain_teacher.chain.dataset import DataSet
from brain_teacher.dataset.images import find_shown, load_images
from brain_teacher.dataset.picture_files import decoded, each_picture, open_picture
from brain_teacher.errors import about
from brain_teacher.files import atomic_write
from brain_teacher.report.cell_guesses import choose_images
from brain_teacher.report.student_view import student_view_figure
from brain_teacher.report.words import said_simulated

COUNT = 20
# The longer side of the whole pictures in the sheet, in pixels.
LARGEST = 240


def write_student_view(dataset: DataSet, side: int, out: Path) -> bool:
    """Draw twenty shown pictures as they are, and at `side` x `side`; whether there are any."""
    with about(dataset.folder):
        shown = find_shown(dataset.folder)
        names = sorted(shown)
        chosen = choose_images(names, _categories(dataset, names), COUNT)
        if not chosen:
            return False
        files = [shown[name] for name in chosen]
        seen = load_images(files, side)
        whole = each_picture(_whole, files)
    figure = student_view_figure(
        dict(zip(chosen, zip(whole, seen, strict=True), strict=True)),
        title=f"{dataset.name} ({said_simulated(dataset.description.simulated)}): "
        f"{len(chosen)} of {len(names):,} shown pictures as students see them",
    )
    with atomic_write(out) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})
    return True


def _categories(dataset, names):
    """The category of each picture; of one that no trial names, none."""
    try:
        return dataset.category_of(names)
    except ValueError:
        return [""] * len(names)


def _whole(path):
    with open_picture(path) as image:
        small = decoded(image, least=LARGEST)
        small.thumbnail((LARGEST, LARGEST))
        return np.asarray(small)
