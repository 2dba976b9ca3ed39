"""How alike images are, where that is taught in place of answers: by voxels, or a table given."""

from pathlib import Path
from typing import Any

import numpy as np

from brain_teacher.chain.dataset import INDEX
from brain_teacher.chain.params import Params
from brain_teacher.chain.students.material import read_square
from brain_teacher.dataset.ids import rows_of
from brain_teacher.dataset.trials import TRAINING, read_voxels
from brain_teacher.decoding.voxel_scaling import scaled_sides
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.distillation.relations import rows_of_distances, rows_of_similarity
from brain_teacher.distillation.targets import Relations
from brain_teacher.errors import BrainTeacherError, UsageError, about

SOFT_LABELS, VOXELS = "soft-labels", "voxels"
PLACE = "distill.relational.of"


def compares_images(params: Params) -> bool:
    """Whether students are taught how alike images are."""
    return LOSSES[params.distill.loss].features


def read_relations(
    params: Params, origin: dict[str, Any], image_id: np.ndarray, voxels: Path | None
) -> Relations | None:
    """What says how alike these images are; None where the soft labels do.

    `voxels` is what ``preprocess`` wrote; None: the command lets one brain after another teach.
    """
    if params.distill.loss != "relational" or params.distill.relational.of == SOFT_LABELS:
        return None
    source = params.distill.relational.of
    if voxels is None:
        raise UsageError(
            f"{PLACE}: {source} is of one brain, and here each teaches: give soft-labels"
        )
    rows = _of_voxels(origin, image_id, voxels) if source == VOXELS else _of_file(source, image_id)
    return Relations(rows.astype(np.float32), image_id)


def _of_voxels(origin: dict[str, Any], image_id: np.ndarray, folder: Path) -> np.ndarray:
    """The mean pattern of each image, z-scored by run, of each subject and ROI side by side.

    Each recording counts as much as another, however many voxels it has. No label is looked at.
    """
    parts = []
    for who in origin["subject"].split("+"):
        for roi in origin["roi"].split("+"):
            file = voxels_file(folder, who, roi, f"{PLACE}: {VOXELS}")
            with about(file):
                trials, _ = read_voxels(file)
                pattern = _patterns(trials, image_id)
            parts.append(pattern / np.sqrt(pattern.shape[1]))
    return np.hstack(parts)


def voxels_file(folder: Path, who: str, roi: str, asked: str) -> Path:
    """What ``preprocess`` wrote of a subject and ROI; `asked` is the setting that needs it."""
    file = folder / f"{who}_{roi}.npz"
    if not file.is_file():
        raise BrainTeacherError(
            f"{file} is missing ({asked}): `brain-teacher preprocess` makes "
            f"{folder / INDEX} and what it lists"
        )
    return file


def _patterns(trials, image_id):
    used = np.flatnonzero((trials.data_type == TRAINING) & np.isin(trials.image_id, image_id))
    (scaled,) = scaled_sides(
        trials.data[used], [np.arange(len(used))], standardise=trials.run[used]
    )
    rows = rows_of(trials.image_id[used], image_id, lacks="there is no image '{}'")
    shown = np.bincount(rows, minlength=len(image_id))
    if not shown.all():
        raise ValueError(f"image '{image_id[shown.argmin()]}' was not shown ({PLACE}: {VOXELS})")
    sums = np.zeros((len(image_id), scaled.shape[1]))
    np.add.at(sums, rows, scaled)
    return sums / shown[:, None]


def _of_file(source: str, image_id: np.ndarray) -> np.ndarray:
    """Rows of a table of similarities, or of distances: 0 from each image to itself."""
    table = read_square(source, image_id, place=PLACE, what="image")
    with about(f"{source} ({PLACE})"):
        return _checked(table.to_numpy(), image_id)


def _checked(values: np.ndarray, image_id: np.ndarray) -> np.ndarray:
    odd = np.abs(values - values.T) > 1e-6 * np.abs(values).max()
    if odd.any():
        one, two = np.argwhere(odd)[0]
        raise ValueError(
            f"'{image_id[one]}' and '{image_id[two]}' are {values[one, two]:g} one way and "
            f"{values[two, one]:g} the other; give the mean of both"
        )
    own = values.diagonal()
    if (own == 0).all() and (values >= 0).all():
        return rows_of_distances(values)
    # Of inner products none is above the geometric mean of the two images' own.
    most = np.sqrt(np.outer(own.clip(min=0), own.clip(min=0)))
    odd = values > most * (1 + 1e-6)
    if odd.any():
        one, two = np.argwhere(odd)[0]
        raise ValueError(
            f"'{image_id[one]}' and '{image_id[two]}' are more alike ({values[one, two]:g}) than "
            f"each is to itself ({own[one]:g}, {own[two]:g}), and an image is not 0 from itself: "
            "these are neither similarities nor distances"
        )
    return rows_of_similarity(values)
