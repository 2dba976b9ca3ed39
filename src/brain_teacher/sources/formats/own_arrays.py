"""A data set folder from one's own recordings: BData files, or arrays with a table of trials."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from h5py import is_hdf5

from brain_teacher.dataset.bdata import read_bdata, write_bdata
from brain_teacher.dataset.csv_tables import read_csv_table
from brain_teacher.dataset.ids import NAME, rows_of
from brain_teacher.dataset.trials import DATA_TYPES
from brain_teacher.files import load_arrays
from brain_teacher.sources.formats.writing import write_stimuli, write_subject

ROI = "all"  # of an array without names
TRIAL_COLUMNS = ("image_id", "category", "run")
# Columns of a table of trials that are numbers, and their label in BData; besides ``image_id`` and
# ``category``, all others are groups.
NUMBERS = {"run": "Run", "data_type": "DataType", "session": "Session", "block": "Block"}


def from_bdata(folder, files):
    """Copy BData files into a data set folder; those that are not HDF5 are converted.

    Parameters
    ----------
    folder : Path
    files : dict of str to Path
        By subject.

    Returns
    -------
    subjects : dict of str to str
        File in the folder, by subject.
    rois : list of str
        Those that every subject has, in the order of the first's.
    notes : list of str
        What was left out.

    Raises
    ------
    ValueError
        If a file is no BData, or the subjects share no ROI; the file is named.
    """
    (folder / "bdata").mkdir()
    subjects, rois, notes = {}, None, []
    for subject, file in files.items():
        voxels, masks, labels = _named(file, _read_recording, file)
        subjects[subject] = f"bdata/{subject}.h5"
        if Path(file).suffix == ".h5":
            shutil.copyfile(file, folder / subjects[subject])
        else:
            write_bdata(folder / subjects[subject], voxels, rois=masks, labels=labels)
            notes.append(f"{file}: voxels, ROIs and labels were converted to HDF5, nothing else")
        own = [name for name, mask in masks.items() if mask.any()]
        rois = own if rois is None else [name for name in rois if name in own]
        notes += [f"{file}: ROI {name} is not in all files" for name in own if name not in rois]
    odd = [name for name in rois if not NAME.fullmatch(name)]
    notes += [f"ROI {name} is left out: a name may hold letters, digits and '-'" for name in odd]
    rois = [name for name in rois if name not in odd]
    if not rois:
        raise ValueError(f"no ROI is in all of {', '.join(map(str, files.values()))}")
    return subjects, rois, notes


def from_arrays(folder, voxels, trials):
    """Make BData files and ``stimuli.csv`` of arrays and tables of trials.

    Parameters
    ----------
    folder : Path
    voxels : dict of str to Path
        By subject: an ``.npy`` array of shape (n_trials, n_voxels), or ``.npz`` with such an array
        an ROI.
    trials : dict of str to Path
        By subject: a CSV, a row a trial, with columns ``image_id``, ``category``, ``run`` and, if
        need be, ``data_type``, ``session`` (each may number its runs from 1) and ``block``; all
        others (style of an image) are groups.

    Returns
    -------
    subjects : dict of str to str
    rois : list of str

    Raises
    ------
    ValueError
        If arrays and tables do not fit; file and row are given.
    """
    tables = {}
    for subject, file in trials.items():
        tables[subject] = _named(file, _read_trials, file)
    stimuli = _stimuli(tables, trials)
    subjects, rois = {}, None
    for subject, file in voxels.items():
        parts, table = _named(file, read_arrays, file), tables[subject]
        for roi, values in parts.items():
            if len(values) != len(table):
                raise ValueError(
                    f"{file}: {roi} has {len(values)} trials, {trials[subject]} has {len(table)}"
                )
        labels = {NUMBERS[name]: table[name].to_numpy() for name in NUMBERS if name in table}
        run = labels.pop("Run")
        rows = rows_of(table["image_id"], stimuli["image_id"], lacks="there is no image '{}'")
        stimulus_id = stimuli.index.to_numpy(dtype=np.float64)[rows]
        subjects[subject] = write_subject(
            folder, subject, parts, stimulus_id=stimulus_id, run=run, **labels
        )
        rois = list(parts) if rois is None else [name for name in rois if name in parts]
    if not rois:
        raise ValueError(f"no ROI is in all of {', '.join(map(str, voxels.values()))}")
    groups = [name for name in stimuli if name not in ("image_id", "category")]
    write_stimuli(folder, stimuli.itertuples(name=None), groups)
    return subjects, rois


def _read_recording(file):
    if Path(file).suffix == ".mat" and is_hdf5(file):
        raise ValueError("is of MATLAB 7.3; save it again in MATLAB with save(..., '-v7')")
    return read_bdata(file)


def _named(file, function, *arguments):
    try:
        return function(*arguments)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _read_trials(file):
    table = read_csv_table(file, TRIAL_COLUMNS)
    for name in table.columns.intersection(list(NUMBERS)):
        numbers = pd.to_numeric(table[name], errors="coerce")
        wrong = ~np.isfinite(numbers) | (numbers != numbers.round())
        if wrong.any():
            row = wrong.idxmax()
            raise ValueError(f"row {row + 2}: {name} is {table[name][row]!r}, no whole number")
        if name == "data_type" and not numbers.isin(DATA_TYPES).all():
            row = (~numbers.isin(DATA_TYPES)).idxmax()
            raise ValueError(
                f"row {row + 2}: data_type is {numbers[row]:g}, not 1 (training), 2 (test) or 3 "
                "(imagery)"
            )
        table[name] = numbers.astype(float)
    empty = (table == "").any(axis=1)
    if empty.any():
        raise ValueError(f"row {empty.idxmax() + 2}: a cell is empty")
    if table.empty:
        raise ValueError("has no trials")
    return table


def _stimuli(tables, files):
    """One row an image, numbered from 1 in the order of the ids, whatever the subject."""
    parts = []
    for subject, table in tables.items():
        part = table.drop(columns=list(NUMBERS), errors="ignore")
        parts.append(part.assign(row=table.index + 2, file=str(files[subject])))
    every = pd.concat(parts, ignore_index=True)
    columns = [name for name in every if name not in ("row", "file")]
    if every[columns].isna().any(axis=None):
        raise ValueError(f"{' and '.join(map(str, files.values()))} have different columns")
    first = every.drop_duplicates("image_id").set_index("image_id")
    for name in columns[1:]:
        wrong = every[name].to_numpy() != first.loc[every["image_id"], name].to_numpy()
        if wrong.any():
            row = every.iloc[int(wrong.argmax())]
            raise ValueError(
                f"{row['file']}: row {row['row']}: {name} of image '{row['image_id']}' is "
                f"{row[name]!r}, elsewhere {first[name][row['image_id']]!r}; a column belongs to "
                "the image, not to the trial"
            )
    found = first.drop(columns=["row", "file"]).sort_index().reset_index()
    found.index = range(1, len(found) + 1)
    return found


def read_arrays(file):
    """Read the voxels of a subject, by ROI.

    Parameters
    ----------
    file : path-like
        ``.npy`` of shape (n_trials, n_voxels), the ROI ``all``; or ``.npz`` with one an ROI.

    Returns
    -------
    dict of str to ndarray of shape (n_trials, n_voxels)

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


def copy_pictures(folder, *, shown, unseen):
    """Copy the shown pictures (image_id.ext) and the unseen ones (category/image_id.ext)."""
    for name, source in (("shown", shown), ("unseen", unseen)):
        if source is not None:
            try:
                shutil.copytree(source, folder / "images" / name)
            except shutil.Error as error:  # a list of all that went wrong
                path, _, reason = error.args[0][0]
                raise OSError(f"{path} cannot be copied ({reason})") from error
