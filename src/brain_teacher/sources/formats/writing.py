"""What the makers of data set folders share."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from brain_teacher.dataset.bdata import write_bdata
from brain_teacher.dataset.stimuli import STIMULI_FILE


def write_subject(folder: Path, subject: str, rois, *, stimulus_id, run, **labels) -> str:
    """Write a subject's trials as BData; gives the file's name in the folder.

    `rois` are voxels (n_trials, n_voxels) by ROI; the ROIs share none. `stimulus_id`, `run` and
    further `labels` are of shape (n_trials,); without ``DataType`` all are training trials.
    """
    owner = np.repeat(list(rois), [voxels.shape[1] for voxels in rois.values()])
    labels = {"stimulus_id": stimulus_id, "Run": run, "DataType": np.ones(len(run))} | labels
    name = f"bdata/{subject}.h5"
    (folder / name).parent.mkdir(exist_ok=True)
    flags = {roi: owner == roi for roi in rois}
    write_bdata(folder / name, np.hstack(list(rois.values())), rois=flags, labels=labels)
    return name


def write_stimuli(folder: Path, rows: Iterable[Sequence], groups: Sequence[str] = ()) -> None:
    """Write ``stimuli.csv``: rows of stimulus_id, image_id, category and groups."""
    write_rows(folder / STIMULI_FILE, ("stimulus_id", "image_id", "category", *groups), rows)


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Write a CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
