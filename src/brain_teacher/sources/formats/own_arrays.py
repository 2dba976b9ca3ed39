"""A data set folder from one's own arrays, with a table of trials."""

from pathlib import Path

import numpy as np

from brain_teacher.dataset.ids import NAME, rows_of
from brain_teacher.dataset.trials import not_finite
from brain_teacher.reading import load_arrays
from brain_teacher.sources.formats.own_trials import NUMBERS, read_trials, stimuli_of
from brain_teacher.sources.formats.writing import write_stimuli, write_subject

ROI = "all"  # of an array without names


def from_arrays(
    folder: Path, voxels: dict[str, Path], trials: dict[str, Path]
) -> tuple[dict[str, str], list[str], list[str]]:
    """Make BData files and ``stimuli.csv`` of subjects' arrays and tables of trials.

    An array is an ``.npy`` of shape (n_trials, n_voxels), or an ``.npz`` with such an array an ROI.
    A table has a row a trial, with columns ``image_id``, ``category``, ``run`` and, if need be,
    ``data_type``, ``session`` (each may number its runs from 1) and ``block``; what else belongs to
    the image (its style) is a group. Gives the file in the folder by subject, the ROIs that every
    subject has, and notes on how tables were taken.

    Raises
    ------
    ValueError
        If arrays and tables do not fit; file and row are given.
    """
    read = {subject: _named(file, read_trials, file) for subject, file in trials.items()}
    tables = {subject: table for subject, (table, _) in read.items()}
    notes = [f"{trials[subject]}: {note}" for subject, (_, own) in read.items() for note in own]
    stimuli, left_out = stimuli_of(tables, trials)
    subjects, rois = {}, []
    for subject, file in voxels.items():
        parts, table = _named(file, read_arrays, file), tables[subject]
        for roi, values in parts.items():
            if len(values) != len(table):
                turned = "; it is turned round: save its .T" * (values.shape[1] == len(table))
                raise ValueError(
                    f"{file}: {roi} has {len(values)} trials, {trials[subject]} has "
                    f"{len(table)}{turned}"
                )
        labels = {NUMBERS[name]: table[name].to_numpy() for name in NUMBERS if name in table}
        run = labels.pop("Run")
        number = 1 + rows_of(table["image_id"], stimuli.index, lacks="there is no image '{}'")
        rois = [name for name in rois if name in parts] if subjects else list(parts)
        subjects[subject] = write_subject(
            folder, subject, parts, stimulus_id=number, run=run, **labels
        )
    if not rois:
        raise ValueError(f"no ROI is in all of {', '.join(map(str, voxels.values()))}")
    rows = ((number, *row) for number, row in enumerate(stimuli.itertuples(name=None), start=1))
    write_stimuli(folder, rows, groups=list(stimuli.columns[1:]))
    return subjects, rois, notes + left_out


def _named(file, function, *arguments):
    try:
        return function(*arguments)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def read_arrays(file: str | Path) -> dict[str, np.ndarray]:
    """Read the voxels of a subject, (n_trials, n_voxels) by ROI; of an ``.npy`` the ROI is ``all``.

    Raises
    ------
    ValueError
        If the file is broken, or holds anything but finite numbers.
    """
    try:
        content = load_arrays(file)
    except ValueError as error:
        if "an array of object" not in str(error):
            raise
        objects = "holds Python objects; save numbers: numpy.save(file, array.astype('float32'))"
        raise ValueError(objects) from error
    parts = {ROI: content} if isinstance(content, np.ndarray) else content
    for roi, values in parts.items():
        if not NAME.fullmatch(roi):
            raise ValueError(f"array {roi!r}: an ROI's name may hold letters, digits and '-'")
        if values.ndim != 2 or values.dtype.kind not in "fiu" or not values.size:
            raise ValueError(
                f"{roi} is {values.dtype} of shape {values.shape}, not numbers (trials, voxels)"
            )
        if wrong := not_finite(values):
            raise ValueError(f"{roi}: {wrong}; {_without(np.isfinite(values))}")
    return parts


def _without(finite: np.ndarray) -> str:
    """How to leave out what is not finite: voxels, or where each has some such, trials."""
    if finite.all(axis=0).any():
        return "leave such voxels out: array[:, numpy.isfinite(array).all(axis=0)]"
    return "leave such trials out, in the table too: array[numpy.isfinite(array).all(axis=1)]"
