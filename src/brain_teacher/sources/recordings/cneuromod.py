"""CNeuroMod-THINGS: four people, 720 objects, six pictures of each, three times; GLMsingle's betas.

Its files come by DataLad. What is read: each subject's single-trial betas, the events of the same
runs, and masks of ROIs in the same space. The layout is that of the repository's own descriptions;
the betas themselves could not be looked at.

References
----------
.. [1] St-Laurent et al. (2025), arXiv:2507.09024.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from brain_teacher.dataset.bdata import write_bdata
from brain_teacher.dataset.description import Description
from brain_teacher.dataset.ids import NAME, rows_of
from brain_teacher.files import regular
from brain_teacher.sources.formats.large_hdf5 import open_in_pieces
from brain_teacher.sources.formats.nifti import read_nifti
from brain_teacher.sources.formats.writing import write_stimuli
from brain_teacher.sources.recordings.source import Recording

BETAS = re.compile(r"sub-(\w+?)_task-things_space-T1w_.*trialBetas_desc-zscore_statseries\.h5")
EVENTS = re.compile(r"sub-(\w+?)_ses-(\d+)_task-things\w*_run-(\d+)_events\.tsv")
# Retinotopic areas, and parcels of the localiser warped to the subject: whole, not by halves.
MASKS = (
    re.compile(r"sub-(\w+?)_task-retinotopy_space-T1w_.*label-(\w+?)_desc-nn_mask\.nii(\.gz)?"),
    re.compile(r"sub-(\w+?)_parcel-kanwisher_space-T1w_.*roi-(\w+?)_desc-bilat_mask\.nii(\.gz)?"),
)
TERMS = """\
CNeuroMod-THINGS: four people, 720 objects, 4,320 pictures shown three times each; betas by
GLMsingle (data CC0, code MIT; the pictures are THINGS' own). Bring them with DataLad:
datalad clone https://github.com/courtois-neuromod/cneuromod-things; then datalad get, in it,
the *trialBetas_desc-zscore_statseries.h5, *_events.tsv and *_mask.nii* files that you want.
Cite St-Laurent et al. (2025), arXiv:2507.09024."""


def build(raw, folder):
    """Make the data set of the subjects whose betas lie anywhere below `raw`."""
    found = sorted(path for path in Path(raw).rglob("sub-*") if path.is_file())
    betas = {match[1]: path for path in found if (match := BETAS.fullmatch(path.name))}
    if not betas:
        raise ValueError(
            "has no sub-*_task-things_space-T1w_*trialBetas_desc-zscore_statseries.h5 that is "
            "there (DataLad's links point nowhere until `datalad get`)"
        )
    subjects, trials, masks = {}, {}, {}
    for subject, path in betas.items():
        masks[subject] = _masks(subject, found)
        try:
            with open_in_pieces(path) as file:
                trials[subject], subjects[subject] = _read(file, subject, found, masks[subject])
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
    images = pd.concat(trials.values())[["image_id", "category"]].drop_duplicates()
    images = images.sort_values("image_id")
    write_stimuli(folder, ((n, *row) for n, row in enumerate(images.to_numpy().tolist(), start=1)))
    (folder / "bdata").mkdir()
    for subject, voxels in subjects.items():
        table, union = trials[subject], np.logical_or.reduce(list(masks[subject].values()))
        number = rows_of(table["image_id"], images["image_id"], lacks="there is no picture '{}'")
        write_bdata(
            folder / f"bdata/sub-{subject}.h5",
            voxels,
            rois={roi: mask[union] for roi, mask in masks[subject].items()},
            labels={
                "stimulus_id": 1 + number,
                "Session": table["session"],
                "Run": table["run"],
                "DataType": np.ones(len(table)),
            },
        )
    shared = set.intersection(*(set(each) for each in masks.values()))
    if not shared:
        raise ValueError("no ROI has a mask for every subject")
    Description(
        name="cneuromod-things",
        simulated=False,
        subjects={f"sub-{subject}": f"bdata/sub-{subject}.h5" for subject in subjects},
        roi=sorted(shared),
        pictures=False,
        source="CNeuroMod-THINGS, GLMsingle's betas; St-Laurent et al. (2025), arXiv:2507.09024",
    ).write(folder)


def _masks(subject, found):
    """The ROIs of a subject: (x, y, z) bool by name."""
    masks = {}
    for path in found:
        for pattern in MASKS:
            match = pattern.fullmatch(path.name)
            if match and match[1] == subject and NAME.fullmatch(match[2]):
                masks[match[2]] = read_nifti(path) > 0
    if not masks:
        raise ValueError(
            f"there is no mask of an ROI of sub-{subject} (*_label-V1_desc-nn_mask.nii.gz)"
        )
    return masks


def _read(file, subject, found, masks):
    """A subject's trials, a row each, and their voxels (n_trials, n_voxels) in any ROI."""
    inside = np.asarray(file["mask_array"]) > 0
    _keep_to(masks, inside)
    columns = np.flatnonzero(np.logical_or.reduce(list(masks.values()))[inside])
    named = ((EVENTS.fullmatch(path.name), path) for path in found)
    events = {(int(m[2]), int(m[3])): path for m, path in named if m and m[1] == subject}
    tables, voxels = [], []
    for session in sorted(filter(str.isdigit, file), key=int):
        for run in sorted(file[session], key=int):
            place = f"session {session}, run {run}"
            if (path := events.get((int(session), int(run)))) is None:
                raise ValueError(f"{place} has no events.tsv")
            table, betas = _trials(path), file[session][run]["betas"]
            if betas.shape != (len(table), int(inside.sum())):
                raise ValueError(
                    f"{place}: betas of shape {betas.shape} for {len(table)} events and "
                    f"{inside.sum()} voxels of the mask"
                )
            voxels.append(betas[:][:, columns])
            tables.append(table.assign(session=int(session), run=int(run)))
    if not tables:
        raise ValueError("has no session")
    return pd.concat(tables, ignore_index=True), np.concatenate(voxels)


def _keep_to(masks, inside):
    """Take from the masks the voxels without betas, and the masks that have no other."""
    for roi, mask in list(masks.items()):
        if mask.shape != inside.shape:
            raise ValueError(f"mask of {roi} has shape {mask.shape}, the betas' {inside.shape}")
        masks[roi] = mask & inside
        if not masks[roi].any():
            del masks[roi]
    if not masks:
        raise ValueError("no ROI has a voxel with betas")


def _trials(path):
    """Picture and category of each trial of a run, in the order in which they were shown."""
    table = pd.read_csv(regular(path), sep="\t", dtype=str, keep_default_na=False)
    for column in ("TrialNumber", "image_path"):
        if column not in table:
            raise ValueError(f"{path.name} has no column {column!r} (it has {', '.join(table)})")
    number = pd.to_numeric(table["TrialNumber"], errors="coerce")
    if sorted(number) != list(range(1, len(table) + 1)):
        raise ValueError(f"{path.name}: TrialNumber does not count from 1 to {len(table)}")
    table = table.iloc[np.argsort(number)]
    paths = [Path(name) for name in table["image_path"]]
    return pd.DataFrame(
        {"image_id": [p.stem for p in paths], "category": [p.parent.name for p in paths]}
    )


RECORDING = Recording(TERMS, (), build)
