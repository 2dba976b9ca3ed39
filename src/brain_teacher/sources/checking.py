"""All that is wrong with a data set folder, at once: what the chain would stop at, and oddities.

Everything is read by what the chain reads it with (`brain_teacher.dataset`); where a reader stops
at the first wrong row of a file, that row is said, and the other files are still looked at.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from brain_teacher.cells import cores
from brain_teacher.dataset import images as pictures
from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.dataset.description import FILE, read_description
from brain_teacher.dataset.trials import (
    STIMULI_FILE,
    TRAINING,
    image_categories,
    name_trials,
    read_stimuli,
)

# The side at which pictures are decoded to see whether they can be.
SIDE = 16
NAMED = 10  # ids that are named of a longer list


@dataclass
class Findings:
    """What a look at a data set found.

    Attributes
    ----------
    problems : list of str
        The chain stops at these, or gives something else than is meant.
    cautions : list of str
        Odd, but it goes on.
    facts : list of str
        What there is, in lines.
    """

    problems: list = field(default_factory=list)
    cautions: list = field(default_factory=list)
    facts: list = field(default_factory=list)


def check_dataset(folder, *, validation_share=0.25):
    """Look at a whole data set folder.

    Parameters
    ----------
    folder : path-like
    validation_share : float
        Of unseen images, where no ``unseen.csv`` says which.

    Returns
    -------
    Findings
    """
    folder, found = Path(folder), Findings()
    description = _try(found, folder / FILE, read_description, folder)
    if description is None:
        return found
    stimuli = _try(found, folder / STIMULI_FILE, read_stimuli, folder)
    if stimuli is None and (folder / STIMULI_FILE).exists():
        return found  # which image a number is cannot be known
    shown = {}
    for subject, name in description.subjects.items():
        trials = _check_subject(found, folder / name, description.roi, stimuli)
        if trials is not None:
            training = trials[trials["data_type"] == TRAINING]
            shown[subject] = training.drop_duplicates("image_id").set_index("image_id")["category"]
    _check_categories(found, shown)
    if description.pictures:
        _check_pictures(found, folder, shown, stimuli, validation_share)
    else:
        found.facts.append("no pictures: up to decode")
    return found


def _try(found, place, function, *arguments):
    """What a reader gives; None, and a problem, where it raises."""
    try:
        return function(*arguments)
    except FileNotFoundError:
        found.problems.append(f"{place} is missing")
    except (ValueError, OSError) as error:
        found.problems.append(f"{place}: {error}")
    return None


def _check_subject(found, file, rois, stimuli):
    """A subject's trials with image, category, run and data type; None if they cannot be read."""
    if not file.is_file():
        found.problems.append(f"{file} is missing")
        return None
    read = _try(found, file, read_bdata, file)
    if read is None:
        return None
    voxels, masks, labels = read
    for roi in rois:
        if roi not in masks or not masks[roi].any():
            found.problems.append(f"{file}: has no voxels of ROI {roi} (it has {', '.join(masks)})")
    wrong = ~np.isfinite(voxels)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        found.problems.append(
            f"{file}: {wrong.any(axis=0).sum()} of {voxels.shape[1]} voxels are not finite, first "
            f"voxel {column} in row {row}"
        )
    constant = (voxels == voxels[0]).all(axis=0).sum()
    if constant:
        found.cautions.append(f"{file}: {constant} of {voxels.shape[1]} voxels are constant")
    trials = _try(
        found,
        file,
        lambda: name_trials(labels["stimulus_id"], stimuli, data_type=labels["DataType"]),
    )
    if trials is None:
        return None
    trials = trials.assign(run=labels["Run"], data_type=labels["DataType"])
    training = trials[trials["data_type"] == TRAINING]
    if training.empty:
        found.problems.append(f"{file}: has no training trials (DataType {TRAINING})")
    alone = training["run"].value_counts() == 1
    if alone.any():
        found.cautions.append(
            f"{file}: {alone.sum()} runs have one training trial, which z-scoring by run makes 0"
        )
    kinds = trials["data_type"].value_counts().sort_index()
    parts = ", ".join(f"{count:,} of type {int(kind)}" for kind, count in kinds.items())
    sizes = ", ".join(f"{roi} {masks[roi].sum():,}" for roi in rois if roi in masks)
    found.facts.append(f"{file.name}: trials {parts}; voxels {sizes}")
    return trials


def _check_categories(found, shown):
    """Enough images of each category, the same ones for all subjects."""
    if not shown:
        return
    for subject, category in shown.items():
        counts = category.value_counts().sort_index()
        if len(counts) < 2:
            found.problems.append(f"subject {subject}: {len(counts)} category; decoding needs two")
        if (few := counts[counts < 2]).any():
            found.problems.append(
                f"subject {subject}: {_listed(few.index)} with a single image: folds by image need "
                "two of each category"
            )
    everyone = pd.concat(shown.values())
    both = everyone.groupby(level=0).nunique()
    for image in both.index[both > 1]:
        found.problems.append(f"image '{image}' has different categories for different subjects")
    shared = set.intersection(*(set(each.index) for each in shown.values()))
    total = everyone.index.nunique()
    if not shared:
        found.cautions.append("no image was seen by all subjects: they cannot be combined")
    found.facts.append(
        f"{total:,} training images of {everyone.nunique()} categories, {len(shared):,} "
        f"seen by all {len(shown)} subjects"
    )


def _check_pictures(found, folder, shown, stimuli, validation_share):
    """Every shown image has a file, every file is a picture, unseen ones are there and unseen."""
    files = _try(found, folder, pictures.find_shown, folder)
    unseen = _try(found, folder, pictures.find_unseen, folder)
    missing = _try(found, folder, pictures.read_missing, folder) or set()
    splits = _try(found, folder, pictures.read_unseen_splits, folder)
    if files is None or unseen is None:
        return
    _check_decoding(found, [*files.values(), *unseen["path"]])
    if not shown:
        return
    category = pd.concat(shown.values())
    category = category[~category.index.duplicated()]
    lost = sorted(set(category.index) - set(files) - missing)
    if lost:
        found.problems.append(
            f"{folder / 'images' / 'shown'}: no picture of {len(lost)} training images: "
            f"{_listed(lost)}"
        )
    if listed := sorted(missing & set(category.index)):
        found.cautions.append(
            f"{len(listed)} training images have no picture (images/missing.csv) and teach nobody"
        )
    others = sorted(set(files) - set(category.index))
    if others and stimuli is None:
        _try(found, folder / "images" / "shown", image_categories, others, None)
    divided = _try(
        found,
        folder / "images" / "unseen",
        lambda: pictures.split_unseen(
            unseen,
            category.unique(),
            shown=list(files),
            splits=splits,
            validation_share=validation_share,
        ),
    )
    if divided is not None:
        counts = divided["split"].value_counts()
        found.facts.append(
            f"unseen images: {counts.get('validation', 0):,} validation, {counts.get('test', 0):,} "
            "test"
        )


def _check_decoding(found, paths):
    def look(path):
        try:
            pictures.load_images([path], SIDE, workers=1)
        except ValueError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(cores()) as pool:
        wrong = [text for text in pool.map(look, paths) if text]
    found.problems += wrong
    found.facts.append(f"{len(paths) - len(wrong):,} pictures, each decoded")


def _listed(names):
    """The first few names, and how many more."""
    names = list(names)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:NAMED]) + more
