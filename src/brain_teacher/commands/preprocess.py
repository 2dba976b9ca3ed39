"""``preprocess``: BData files to one voxel file per subject and ROI."""

from pathlib import Path

from brain_teacher.cells.cell import FileInput
from brain_teacher.cells.folder import OutputFolder, remove_stale, run_folder
from brain_teacher.cells.making import make_cells
from brain_teacher.chain.dataset import INDEX, choose, open_dataset
from brain_teacher.chain.voxels import RecordingCell, listed
from brain_teacher.dataset.stimuli import STIMULI_FILE
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import write_json, write_npz
from brain_teacher.machine import HERE
from brain_teacher.report.words import said_simulated
from brain_teacher.tracking import flat, tracked

# Bytes of BData: below, a process starts for longer than it reads.
WORTH_PROCESSES = 2**28


def preprocess(params, *, data, out, run_time=HERE, say=print, quiet=False):
    """Cut every ROI of every subject from its BData file.

    Parameters
    ----------
    params : Params
    data : path-like
        A data set folder.
    out : path-like or None
        Where the voxel files and ``index.json`` go; None: ``runs/preprocess-<UTC time>``.
    run_time : RunTime
    say : callable
        Called with lines of text.
    quiet : bool
        No progress bar.

    Returns
    -------
    Path
        The output folder.
    """
    dataset = open_dataset(data)
    subjects = choose(
        params.preprocess.subject, list(dataset.description.subjects), "preprocess.subject"
    )
    rois = choose(params.preprocess.roi, dataset.description.roi, "preprocess.roi")
    recordings = {name: dataset.folder / dataset.description.subjects[name] for name in subjects}
    for subject, file in recordings.items():
        if not file.is_file():
            raise BrainTeacherError(
                f"subject {subject} has no file {file}; put it there, or take the subject out of "
                "dataset.yaml"
            )
    out = Path(out or run_folder("preprocess"))
    word = said_simulated(dataset.description.simulated)
    with (
        OutputFolder(out, say).locked() as folder,
        tracked(
            "preprocess",
            f"{dataset.name} ({word})",
            tags=dataset.origin,
            params=flat(params.preprocess.model_dump(), "preprocess"),
        ) as tracker,
    ):
        cells = [
            RecordingCell(
                name=subject,
                subject=subject,
                recording=FileInput.of(file),
                stimuli=None
                if dataset.stimuli is None
                else FileInput.of(dataset.folder / STIMULI_FILE),
                rois=tuple(rois),
                **dataset.origin,
            )
            for subject, file in recordings.items()
        ]
        size = sum(file.stat().st_size for file in recordings.values())
        make_cells(
            "preprocess",
            cells,
            folder,
            write=lambda cell, made: [
                write_npz(out / name, compress=False, **arrays) for name, arrays in made.items()
            ],
            workers=run_time.workers() if size > WORTH_PROCESSES else 1,
            what=f"{{}} subjects x {len(rois)} ROIs of {dataset.name} ({word})",
            unit="subject",
            say=say,
            quiet=quiet,
        )
        index = listed(out, cells)
        remove_stale(out, {file for cell in cells for file in cell.files}, "*.npz")
        write_json(out / INDEX, dataset.origin | {"cells": index})
        voxels_of = {f"voxels/{row['subject']}_{row['roi']}": row["voxels"] for row in index}
        tracker.log(metrics=voxels_of, artifacts=[out / INDEX])
    say(f"preprocess: {len(index)} voxel files -> {out}")
    return out
