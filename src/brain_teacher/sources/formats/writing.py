"""What the makers of data set folders share."""

import csv

import numpy as np

from brain_teacher.dataset.bdata import write_bdata
from brain_teacher.dataset.stimuli import STIMULI_FILE


def write_subject(folder, subject, rois, *, stimulus_id, run, **labels):
    """Write a subject's trials as BData; gives the file's name in the folder.

    Parameters
    ----------
    folder : Path
    subject : str
    rois : dict of str to ndarray of shape (n_trials, n_voxels)
        Voxels by ROI; the ROIs share none.
    stimulus_id, run : ndarray of shape (n_trials,)
    labels : dict of str to ndarray of shape (n_trials,)
        Further columns; without ``DataType`` all are training trials.
    """
    owner = np.repeat(list(rois), [voxels.shape[1] for voxels in rois.values()])
    labels = {"stimulus_id": stimulus_id, "Run": run, "DataType": np.ones(len(run))} | labels
    name = f"bdata/{subject}.h5"
    (folder / name).parent.mkdir(exist_ok=True)
    flags = {roi: owner == roi for roi in rois}
    write_bdata(folder / name, np.hstack(list(rois.values())), rois=flags, labels=labels)
    return name


def write_stimuli(folder, rows, groups=()):
    """Write ``stimuli.csv``: rows of stimulus_id, image_id, category and groups."""
    write_rows(folder / STIMULI_FILE, ("stimulus_id", "image_id", "category", *groups), rows)


def write_rows(path, header, rows):
    """Write a CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
