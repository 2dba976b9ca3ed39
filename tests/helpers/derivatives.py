"""Small derivatives as fMRIPrep names them."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np

from brain_teacher.sources.recordings.haxby import ATTRIBUTES, BOLD, MASK
from helpers.real_data import DATA

SPACE = "space-T1w"


def write_run(folder, volumes, *, sub, run=None, ses=None, task="look", mask=None, seconds=2.5):
    """Volumes (x, y, z, time), brain mask and JSON of a run; gives its folder and its name."""
    func = folder / f"sub-{sub}" / (f"ses-{ses}" if ses else "") / "func"
    func.mkdir(parents=True, exist_ok=True)
    labels = {"sub": sub, "ses": ses, "task": task, "run": run}
    stem = "_".join(f"{key}-{value}" for key, value in labels.items() if value)
    image = nibabel.Nifti1Image(volumes, np.eye(4))
    image.header.set_zooms((1, 1, 1, seconds))
    nibabel.save(image, func / f"{stem}_{SPACE}_desc-preproc_bold.nii.gz")
    inside = np.ones(volumes.shape[:3], np.uint8) if mask is None else mask.astype(np.uint8)
    nibabel.save(
        nibabel.Nifti1Image(inside, np.eye(4)), func / f"{stem}_{SPACE}_desc-brain_mask.nii.gz"
    )
    sidecar = {"RepetitionTime": seconds, "TaskName": task}
    (func / f"{stem}_{SPACE}_desc-preproc_bold.json").write_text(json.dumps(sidecar))
    return func, stem


def haxby_derivative(folder):
    """The Haxby slice as a derivative in a data set with the subject's real events."""
    slice_ = DATA / "haxby_slice"
    bold, mask = (nibabel.load(slice_ / name).get_fdata() for name in (BOLD, MASK))
    names = np.array((slice_ / ATTRIBUTES).read_text().split()[-2 * bold.shape[3] :])
    runs = names[1::2].astype(int)
    derivative = folder / "derivatives" / "fmriprep"
    for run in np.unique(runs):
        write_run(
            derivative, bold[..., runs == run].astype(np.int16), sub="1", run=f"{run + 1:02d}",
            task="objectviewing", mask=mask.reshape(bold.shape[:3]) > 0,
        )  # fmt: skip
        name = f"sub-1_task-objectviewing_run-{run + 1:02d}_events.tsv"
        raw = folder / "sub-1" / "func"
        raw.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(DATA / "haxby_events" / name, raw / name)
    return Path(derivative)
