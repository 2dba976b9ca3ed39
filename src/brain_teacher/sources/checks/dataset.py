"""All that is wrong with a data set folder, at once: what the chain would stop at, and oddities.

Everything is read by what the chain reads it with (`brain_teacher.dataset`). Those readers stop at
the first mistake: where one does, what it read is looked through for the others of that kind.
"""

from itertools import combinations
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError

from brain_teacher.dataset.bdata import read_recording
from brain_teacher.dataset.description import FILE, read_description
from brain_teacher.dataset.labels import contradiction
from brain_teacher.dataset.rules import hold_to
from brain_teacher.dataset.stimuli import STIMULI_FILE, name_labels, read_stimuli
from brain_teacher.dataset.trials import TEST, TRAINING, label_rules, not_finite, runs_of
from brain_teacher.errors import cut
from brain_teacher.reading.text import wrong_keys
from brain_teacher.sources.checks.classes import check_classes
from brain_teacher.sources.checks.designs import check_design
from brain_teacher.sources.checks.findings import Findings, listed, listed_rows
from brain_teacher.sources.checks.names import check_alike, check_names
from brain_teacher.sources.checks.pictures import check_pictures
from brain_teacher.sources.checks.recordings import check_labels, check_shared

# What names a trial.
KEYS = ("stimulus_id", "DataType", "image_id")


def check_dataset(
    folder: str | PathLike, *, validation_share: float = 0.25, side: int = 24
) -> Findings:
    """Look at a whole data set folder.

    `validation_share` is of unseen images, where no ``unseen.csv`` says which; students see `side`
    x `side` pixels.
    """
    folder, found = Path(folder), Findings()
    description = found.read(folder / FILE, read_description, folder, every=_wrong_keys)
    if description is None:
        return found
    stimuli = found.read(folder / STIMULI_FILE, read_stimuli, folder)
    # Which image a number is cannot be known then; recordings and pictures can still be read.
    is_named = stimuli is not None or not (folder / STIMULI_FILE).exists()
    shown, maps, every, tested, rows = {}, {}, set(), set(), {}
    for subject, name in description.subjects.items():
        read = _check_recording(found, folder / name, description.roi)
        maps[name] = read.labels.image_of if read else {}
        trials = None
        if read:
            rows[folder / name] = {hash(row.tobytes()) for row in read.voxels}
        if read and is_named:
            trials = _name(found, folder / name, read.labels.columns, stimuli)
        if trials is not None:
            training = _check_training(found, folder / name, trials)
            check_labels(found, folder / name, read.voxels[training.index], training)
            every.update(trials["category"])
            tested.update(trials["image_id"][trials["data_type"] == TEST])
            shown[subject] = training.drop_duplicates("image_id").set_index("image_id")["category"]
    check_shared(found, rows)
    if not description.subjects and stimuli is not None:
        found.facts.append("no recordings: a table of others teaches")
        shown["pictures"] = stimuli.set_index("image_id")["category"]
    _check_maps(found, maps)
    _check_categories(found, shown)
    category = pd.concat(shown.values()) if shown else pd.Series(dtype=str)
    category = category[~category.index.duplicated()]
    check_classes(found, folder, description, category, every)
    check_alike(found, "subjects", description.subjects)
    check_alike(found, "ROIs", description.roi)
    check_alike(found, "superclasses", description.superclasses.values())
    for group in [] if stimuli is None else stimuli.columns[2:]:
        check_alike(found, f"groups ({cut(group)})", stimuli[group])
    if description.pictures:
        share = validation_share
        check_pictures(found, folder, category, tested, validation_share=share, side=side)
    else:
        found.facts.append("no pictures: up to decode")
    check_names(found, folder, every | set(category), category.index)
    return found


def _wrong_keys(error):
    """Every key that is wrong in ``dataset.yaml``."""
    cause = error.__cause__
    return wrong_keys(cause) if isinstance(cause, ValidationError) else [str(error)]


def _check_recording(found, file, rois):
    """A subject's recording; None if it cannot be read."""
    if not file.is_file():  # HDF5 has many words for it
        found.problems.append(f"{file} is missing")
        return None
    read = found.read(file, read_recording, file)
    if read is None:
        return None
    voxels, masks, labels = read.voxels, read.rois, read.labels.columns
    found.facts += [f"{file.name}: {text}" for text in read.said]
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
    return read


def _name(found, file, labels, stimuli):
    """The trials whose image is known, by their rows: image, category, run and data type."""
    named = np.ones(len(labels["DataType"]), bool)
    try:
        name_labels(labels, stimuli)
    except ValueError as error:
        named = _known(labels, stimuli)
        more = f" ({listed_rows(~named)} are so)" if (~named).sum() > 1 else ""
        found.problems.append(f"{file}: {error}{more}")
    if not named.any():
        return None
    labels = {name: column[named] for name, column in labels.items()}
    trials = name_labels(labels, stimuli)
    trials = trials.assign(run=runs_of(labels, trials), data_type=labels["DataType"])
    return trials.set_axis(np.flatnonzero(named))


def _known(labels, stimuli):
    """Which trials can be named; what is alike is looked at once."""
    rows = pd.DataFrame({key: labels[key] for key in KEYS if key in labels})
    first = rows.drop_duplicates()
    known = [_is_known({key: first[key].to_numpy()[k : k + 1] for key in first}, stimuli)
             for k in range(len(first))]  # fmt: skip
    every = rows.merge(first.assign(known=known), how="left", on=list(rows))
    return every["known"].to_numpy(dtype=bool)


def _is_known(labels, stimuli):
    try:
        name_labels(labels, stimuli)
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
    check_design(found, file, training)
    return training


def _check_maps(found, maps):
    """Codes that mean another image for another subject; each file's own map is what counts."""
    for (file, names), (other, theirs) in combinations(maps.items(), 2):
        if (code := contradiction(names, theirs)) is not None:
            found.cautions.append(
                f"stimulus {code:.15g} is '{names[code]}' by the value map of {file}, but "
                f"'{theirs[code]}' by that of {other}: each is read by its own; is none wrong?"
            )


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
