"""All that is wrong with a data set folder, at once: what the chain would stop at, and oddities.

Everything is read by what the chain reads it with (`brain_teacher.dataset`). Those readers stop at
the first mistake: where one does, what it read is looked through for the others of that kind.
"""

from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError

from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.dataset.description import FILE, read_description
from brain_teacher.dataset.rules import hold_to
from brain_teacher.dataset.stimuli import STIMULI_FILE, name_trials, read_stimuli
from brain_teacher.dataset.trials import TRAINING, label_rules, not_finite, runs_through
from brain_teacher.reading.text import wrong_keys
from brain_teacher.sources.checks.findings import Findings, listed, listed_rows
from brain_teacher.sources.checks.pictures import check_pictures


def check_dataset(folder: str | PathLike, *, validation_share: float = 0.25) -> Findings:
    """Look at a whole data set folder.

    `validation_share` is of unseen images, where no ``unseen.csv`` says which.
    """
    folder, found = Path(folder), Findings()
    description = found.read(folder / FILE, read_description, folder, every=_wrong_keys)
    if description is None:
        return found
    stimuli = found.read(folder / STIMULI_FILE, read_stimuli, folder)
    # Which image a number is cannot be known then; recordings and pictures can still be read.
    is_named = stimuli is not None or not (folder / STIMULI_FILE).exists()
    shown = {}
    for subject, name in description.subjects.items():
        labels = _check_recording(found, folder / name, description.roi)
        trials = _name(found, folder / name, labels, stimuli) if labels and is_named else None
        if trials is not None:
            training = _check_training(found, folder / name, trials)
            shown[subject] = training.drop_duplicates("image_id").set_index("image_id")["category"]
    _check_categories(found, shown)
    if description.pictures:
        category = pd.concat(shown.values()) if shown else pd.Series(dtype=str)
        category = category[~category.index.duplicated()]
        check_pictures(found, folder, category, validation_share=validation_share)
    else:
        found.facts.append("no pictures: up to decode")
    return found


def _wrong_keys(error):
    """Every key that is wrong in ``dataset.yaml``."""
    cause = error.__cause__
    return wrong_keys(cause) if isinstance(cause, ValidationError) else [str(error)]


def _check_recording(found, file, rois):
    """The label columns of a subject's file; None if it cannot be read."""
    if not file.is_file():  # HDF5 has many words for it
        found.problems.append(f"{file} is missing")
        return None
    read = found.read(file, read_bdata, file)
    if read is None:
        return None
    voxels, masks, labels = read
    for roi in rois:
        if roi not in masks or not masks[roi].any():
            known = ", ".join(name for name, mask in masks.items() if mask.any())
            found.problems.append(f"{file}: has no voxels of ROI {roi} (it has {known})")
    if wrong := not_finite(voxels):
        found.problems.append(f"{file}: {wrong}")
    found.read(file, lambda: hold_to(label_rules(labels), first=0))
    if constant := (voxels == voxels[0]).all(axis=0).sum():
        found.cautions.append(f"{file}: {constant} of {voxels.shape[1]} voxels are constant")
    again = pd.Series([hash(row.tobytes()) for row in voxels]).duplicated()
    if again.any():
        found.cautions.append(
            f"{file}: {listed_rows(again)}: all voxels are those of an earlier trial"
        )
    counts = zip(*np.unique(labels["DataType"], return_counts=True), strict=True)
    parts = ", ".join(f"{count:,} of type {kind:g}" for kind, count in counts)
    sizes = ", ".join(f"{roi} {masks[roi].sum():,}" for roi in rois if roi in masks)
    found.facts.append(f"{file.name}: trials {parts}; voxels {sizes}")
    return labels


def _name(found, file, labels, stimuli):
    """The trials whose image is known: image, category, run and data type."""
    numbers, kinds = labels["stimulus_id"], labels["DataType"]
    named = np.ones(len(numbers), bool)
    try:
        name_trials(numbers, stimuli, data_type=kinds)
    except ValueError as error:
        pairs = list(zip(numbers, kinds, strict=True))
        known = {pair: _is_known(*pair, stimuli) for pair in set(pairs)}
        named = np.array([known[pair] for pair in pairs])
        more = f" ({listed_rows(~named)} are so)" if (~named).sum() > 1 else ""
        found.problems.append(f"{file}: {error}{more}")
    if not named.any():
        return None
    trials = name_trials(numbers[named], stimuli, data_type=kinds[named])
    run = runs_through({name: column[named] for name, column in labels.items()}, trials)
    return trials.assign(run=run, data_type=kinds[named])


def _is_known(number, kind, stimuli):
    try:
        name_trials(np.array([number]), stimuli, data_type=np.array([kind]))
    except ValueError:
        return False
    return True


def _check_training(found, file, trials):
    """The training trials of a subject."""
    training = trials[trials["data_type"] == TRAINING]
    if training.empty:
        found.problems.append(f"{file}: has no training trials (DataType {TRAINING})")
    alone = training["run"].value_counts() == 1
    if alone.any():
        found.cautions.append(
            f"{file}: {alone.sum()} runs have one training trial, which z-scoring by run makes 0"
        )
    return training


def _check_categories(found, shown):
    """Enough images of each category, the same ones for all subjects."""
    if not shown:
        return
    for subject, category in shown.items():
        counts = category.value_counts().sort_index()
        if len(counts) < 2:
            found.problems.append(f"subject {subject}: {len(counts)} category; decoding needs two")
        if len(few := counts.index[counts < 2]):
            found.problems.append(
                f"subject {subject}: {listed(few)} with a single image: folds by image need two of "
                "each category"
            )
        if len(few := counts.index[counts == 2]):
            found.cautions.append(
                f"subject {subject}: {listed(few)} with two images: folds by image leave one, on "
                "which neither penalty nor temperature can be chosen (decode.calibrate: false and "
                "one penalty)"
            )
    everyone = pd.concat(shown.values())
    differs = everyone.groupby(level=0).nunique()
    for image in differs.index[differs > 1]:
        found.problems.append(f"image '{image}' has different categories for different subjects")
    shared = set.intersection(*(set(each.index) for each in shown.values()))
    total = everyone.index.nunique()
    if not shared:
        found.cautions.append("no image was seen by all subjects: they cannot be combined")
    found.facts.append(
        f"{total:,} training images of {everyone.nunique()} categories, {len(shared):,} "
        f"seen by all {len(shown)} subjects"
    )
