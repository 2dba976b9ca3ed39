"""A data set folder from one's own recordings: BData files, or arrays with a table of trials."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from h5py import is_hdf5

from brain_teacher.dataset.bdata import read_bdata, write_bdata
from brain_teacher.dataset.csv_tables import read_csv_table
from brain_teacher.dataset.ids import NAME, rows_of
from brain_teacher.dataset.rules import hold_to
from brain_teacher.dataset.trials import DATA_TYPES
from brain_teacher.reading.arrays import load_arrays
from brain_teacher.sources.formats.writing import write_stimuli, write_subject

ROI = "all"  # of an array without names
# Columns of a table of trials that are numbers, and their label in BData; besides ``image_id`` and
# ``category``, all others are groups.
NUMBERS = {"run": "Run", "data_type": "DataType", "session": "Session", "block": "Block"}


def from_bdata(folder: Path, files: dict[str, Path]) -> tuple[dict[str, str], list[str], list[str]]:
    """Copy subjects' BData files into a data set folder; those that are not HDF5 are converted.

    Gives the file in the folder by subject, the ROIs that every subject has, in the order of the
    first's, and notes on what was left out.

    Raises
    ------
    ValueError
        If a file is no BData, or the subjects share no ROI; the file is named.
    """
    (folder / "bdata").mkdir()
    subjects, rois, notes = {}, [], []
    for subject, file in files.items():
        voxels, masks, labels = _named(file, _read_recording, file)
        subjects[subject] = f"bdata/{subject}.h5"
        if file.suffix == ".h5":
            shutil.copyfile(file, folder / subjects[subject])
        else:
            write_bdata(folder / subjects[subject], voxels, rois=masks, labels=labels)
            notes.append(f"{file}: voxels, ROIs and labels were converted to HDF5, nothing else")
        own = [name for name, mask in masks.items() if mask.any()]
        rois = own if len(subjects) == 1 else [name for name in rois if name in own]
        notes += [f"{file}: ROI {name} is not in all files" for name in own if name not in rois]
    odd = [name for name in rois if not NAME.fullmatch(name)]
    notes += [f"ROI {name} is left out: a name may hold letters, digits and '-'" for name in odd]
    rois = [name for name in rois if name not in odd]
    if not rois:
        raise ValueError(f"no ROI is in all of {', '.join(map(str, files.values()))}")
    return subjects, rois, notes


def from_arrays(
    folder: Path, voxels: dict[str, Path], trials: dict[str, Path]
) -> tuple[dict[str, str], list[str]]:
    """Make BData files and ``stimuli.csv`` of subjects' arrays and tables of trials.

    An array is an ``.npy`` of shape (n_trials, n_voxels), or an ``.npz`` with such an array an ROI.
    A table is a CSV, a row a trial, with columns ``image_id``, ``category``, ``run`` and, if need
    be, ``data_type``, ``session`` (each may number its runs from 1) and ``block``; all others
    (style of an image) are groups. Gives the file in the folder by subject, and the ROIs that every
    subject has.

    Raises
    ------
    ValueError
        If arrays and tables do not fit; file and row are given.
    """
    tables = {subject: _named(file, _read_trials, file) for subject, file in trials.items()}
    stimuli = _stimuli(tables, trials)
    subjects, rois = {}, []
    for subject, file in voxels.items():
        parts, table = _named(file, read_arrays, file), tables[subject]
        for roi, values in parts.items():
            if len(values) != len(table):
                raise ValueError(
                    f"{file}: {roi} has {len(values)} trials, {trials[subject]} has {len(table)}"
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
    write_stimuli(folder, rows, groups=stimuli.columns[1:])
    return subjects, rois


def _read_recording(file):
    if file.suffix == ".mat" and is_hdf5(file):
        raise ValueError("is of MATLAB 7.3; save it again in MATLAB with save(..., '-v7')")
    return read_bdata(file)


def _named(file, function, *arguments):
    try:
        return function(*arguments)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _read_trials(file):
    table = read_csv_table(file, ("image_id", "category", "run"))
    if table.empty:
        raise ValueError("has no trials")
    for name in table.columns.intersection(list(NUMBERS)):
        numbers = pd.to_numeric(table[name], errors="coerce")
        wrong = ~np.isfinite(numbers) | (numbers != numbers.round())
        hold_to([(wrong, f"{name} is {table[name][wrong.idxmax()]!r}, no whole number")], first=2)
        if name == "data_type":
            wrong = ~numbers.isin(DATA_TYPES)
            is_wrong = f"is {numbers[wrong.idxmax()]:g}, not 1 (training), 2 (test) or 3 (imagery)"
            hold_to([(wrong, f"data_type {is_wrong}")], first=2)
        table[name] = numbers.astype(float)
    hold_to([((table == "").any(axis=1), "a cell is empty")], first=2)
    return table


def _stimuli(tables, files):
    """Category and groups of each image, in the order of the ids, whatever the subject."""
    every = pd.concat(tables).drop(columns=list(NUMBERS), errors="ignore")
    if every.isna().any(axis=None):
        raise ValueError(f"{' and '.join(map(str, files.values()))} have different columns")
    first = every.drop_duplicates("image_id").set_index("image_id").sort_index()
    for name in first:
        wrong = every[name].to_numpy() != first.loc[every["image_id"], name].to_numpy()
        if wrong.any():
            at = int(wrong.argmax())
            subject, row = every.index[at]
            image, value = every["image_id"].iloc[at], every[name].iloc[at]
            raise ValueError(
                f"{files[subject]}: row {row + 2}: {name} of image '{image}' is {value!r}, "
                f"elsewhere {first[name][image]!r}; a column belongs to the image, not to the trial"
            )
    first.insert(0, "category", first.pop("category"))
    return first


def read_arrays(file: str | Path) -> dict[str, np.ndarray]:
    """Read the voxels of a subject, (n_trials, n_voxels) by ROI; of an ``.npy`` the ROI is ``all``.

    Raises
    ------
    ValueError
        If the file is broken, or holds anything but finite numbers.
    """
    content = load_arrays(file)
    parts = {ROI: content} if isinstance(content, np.ndarray) else content
    for roi, values in parts.items():
        if not NAME.fullmatch(roi):
            raise ValueError(f"array {roi!r}: an ROI's name may hold letters, digits and '-'")
        if values.ndim != 2 or values.dtype.kind not in "fiu" or not values.size:
            raise ValueError(
                f"{roi} is {values.dtype} of shape {values.shape}, not numbers (trials, voxels)"
            )
        if not np.isfinite(values).all():
            trial, voxel = np.argwhere(~np.isfinite(values))[0]
            raise ValueError(f"{roi}: voxel {voxel} of trial {trial} is {values[trial, voxel]}")
    return parts


def copy_pictures(folder: Path, *, shown: str | Path | None, unseen: str | Path | None) -> None:
    """Copy the shown pictures (image_id.ext) and the unseen ones (category/image_id.ext)."""
    for name, source in (("shown", shown), ("unseen", unseen)):
        if source is not None:
            try:
                shutil.copytree(source, folder / "images" / name)
            except shutil.Error as error:  # a list of all that went wrong
                path, _, reason = error.args[0][0]
                raise OSError(f"{path} cannot be copied ({reason})") from error
