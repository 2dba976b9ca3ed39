"""A data set folder from one's own arrays, with a table of trials."""

from pathlib import Path

import numpy as np

from brain_teacher.dataset.csv_tables import read_csv_table
from brain_teacher.dataset.ids import NAME, rows_of
from brain_teacher.dataset.rules import hold_to
from brain_teacher.dataset.trials import not_finite
from brain_teacher.reading.arrays import load_arrays
from brain_teacher.sources.formats.glmsingle import read_glmsingle
from brain_teacher.sources.formats.nifti import read_nifti
from brain_teacher.sources.formats.own_trials import (
    IDS,
    NUMBERS,
    by_our_names,
    plain_ids,
    read_trials,
    stimuli_of,
)
from brain_teacher.sources.formats.writing import write_stimuli, write_subject

ROI = "all"  # of an array without names
OF_GLMSINGLE = (".hdf5", ".h5", ".mat")


def from_labels(folder: Path, file: Path) -> tuple[dict[str, str], list[str], list[str]]:
    """Make ``stimuli.csv`` of pictures without recordings; gives no subject, no ROI, and notes.

    `file` is a CSV with ``image_id`` and ``category``, read as `read_trials` does; what else it has
    is a group.

    Raises
    ------
    ValueError
        If it is no such table; the row is given.
    """
    table, notes = _named(file, by_our_names, _named(file, read_csv_table, file, ()), IDS)
    if not (table["image_id"] == "").any():
        table["image_id"], note = _named(file, plain_ids, table["image_id"])
        notes += note
    rules = (
        (table["image_id"].duplicated(), "image_id stands in an earlier row too"),
        ((table == "").any(axis=1), "a cell is empty"),
    )
    hold_to(rules, first=2, file=f"{file}: ")
    groups = [name for name in table if name not in ("image_id", "category")]
    rows = table[["image_id", "category", *groups]].itertuples(index=False, name=None)
    write_stimuli(folder, ((n, *row) for n, row in enumerate(rows, start=1)), groups=groups)
    return {}, [], notes


def from_arrays(
    folder: Path,
    voxels: dict[str, Path],
    trials: dict[str, Path],
    masks: dict[str, str] | None = None,
) -> tuple[dict[str, str], list[str], list[str]]:
    """Make BData files and ``stimuli.csv`` of subjects' arrays and tables of trials.

    An array is an ``.npy`` of shape (n_trials, n_voxels), or an ``.npz`` with such an array an ROI;
    or GLMsingle's output, of whose volume `masks` (NIfTI, ``{sub}`` is the subject) are the ROIs.
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
        places = {roi: place.format(sub=subject) for roi, place in (masks or {}).items()}
        parts, table = _named(file, read_arrays, file, places), tables[subject]
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


def read_arrays(file: str | Path, masks: dict[str, str] | None = None) -> dict[str, np.ndarray]:
    """Read the voxels of a subject, (n_trials, n_voxels) by ROI; of an ``.npy`` the ROI is ``all``.

    `masks` are NIfTI files by ROI, for GLMsingle's output.

    Raises
    ------
    ValueError
        If the file is broken, or holds anything but finite numbers.
    """
    if Path(file).suffix in OF_GLMSINGLE:
        return _of_glmsingle(Path(file), masks or {})
    if masks:
        raise ValueError(f"--roi is for GLMsingle's output ({', '.join(OF_GLMSINGLE)}) and --bids")
    try:
        content = load_arrays(file)
    except ValueError as error:
        if "an array of object" not in str(error):
            raise
        objects = (
            "holds Python objects, which are not opened; save numbers: "
            "numpy.save(file, array.astype('float32')), and GLMsingle's output with wanthdf5=1"
        )
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


def _of_glmsingle(file: Path, masks: dict[str, str]) -> dict[str, np.ndarray]:
    responses, finite = read_glmsingle(file)
    if not masks:
        return {ROI: responses}
    parts = {}
    for roi, place in masks.items():
        mask = read_nifti(place) > 0
        if mask.shape != finite.shape:
            raise ValueError(f"{place} has shape {mask.shape}, the responses {finite.shape}")
        parts[roi] = responses[:, mask[finite]]
        if not parts[roi].size:
            raise ValueError(f"{place} has no voxel that is finite in all trials")
    return parts


def _without(finite: np.ndarray) -> str:
    """How to leave out what is not finite: voxels, or where each has some such, trials."""
    if finite.all():
        return "save them in larger units"
    if finite.all(axis=0).any():
        return "leave such voxels out: array[:, numpy.isfinite(array).all(axis=0)]"
    return "leave such trials out, in the table too: array[numpy.isfinite(array).all(axis=1)]"
