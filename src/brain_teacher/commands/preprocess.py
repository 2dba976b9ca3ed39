"""``preprocess``: BData files to one voxel file per subject and ROI."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from brain_teacher.cells.cell import FileInput
from brain_teacher.cells.folder import OutputFolder, is_stage, listed_in, run_folder
from brain_teacher.cells.making import make_cells
from brain_teacher.chain.dataset import INDEX, choose, open_dataset
from brain_teacher.chain.params import Params
from brain_teacher.chain.remote import check_remote
from brain_teacher.chain.summary import write_plot
from brain_teacher.chain.voxels import RecordingCell, listed
from brain_teacher.commands import Place, Say
from brain_teacher.dataset.stimuli import STIMULI_FILE
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import write_json, write_npz
from brain_teacher.machine import HERE, RunTime
from brain_teacher.report.words import said_simulated
from brain_teacher.tracking import Input, flat, tracked

# Bytes of BData: below, a process starts for longer than it reads.
WORTH_PROCESSES = 2**28


def preprocess(
    params: Params,
    *,
    data: Place,
    out: Place | None,
    run_time: RunTime = HERE,
    say: Say = print,
    quiet: bool = False,
) -> Path:
    """Cut every ROI of every subject from its BData file."""
    dataset = open_dataset(data)
    if not dataset.description.subjects:
        raise BrainTeacherError(
            f"{dataset.folder} has no recordings, only pictures: there is nothing to preprocess or "
            "to decode; `import-soft-labels` brings a table, and `distill` teaches with it"
        )
    if is_stage():
        check_remote(params.dataset.name, again="dvc repro")
    files, settings = dataset.description.subjects, params.preprocess
    rois = choose(settings.roi, dataset.description.roi, "preprocess.roi")
    subjects = choose(settings.subject, list(files), "preprocess.subject")
    recordings = {name: dataset.folder / files[name] for name in subjects}
    for subject, file in recordings.items():
        if not file.is_file():
            raise BrainTeacherError(
                f"subject {subject} has no file {file}; put it there, or take the subject out of "
                "dataset.yaml"
            )
    out = run_folder("preprocess", out)
    name = f"{dataset.name} ({said_simulated(dataset.description.simulated)})"
    logged, read = flat(settings.model_dump(), "preprocess"), [Input(data, "recordings")]
    with (
        OutputFolder(out, say).locked() as folder,
        tracked("preprocess", name, tags=dataset.origin, params=logged, inputs=read) as tracker,
    ):
        own = dataset.stimuli is not None
        cells = [
            RecordingCell(
                name=subject,
                subject=subject,
                recording=FileInput.of(file),
                stimuli=FileInput.of(dataset.folder / STIMULI_FILE) if own else None,
                rois=tuple(rois),
                **dataset.origin,
            )
            for subject, file in recordings.items()
        ]

        made = []

        def write(_: RecordingCell, voxels: dict[str, dict]) -> Iterator[str]:
            for file, arrays in voxels.items():
                write_npz(out / file, compress=False, **arrays)
                made.append(file)
                yield file

        size = sum(file.stat().st_size for file in recordings.values())
        make_cells(
            "preprocess",
            cells,
            folder,
            write=write,
            workers=run_time.workers() if size > WORTH_PROCESSES else 1,
            what="{} recordings",
            unit="recording",
            say=say,
            quiet=quiet,
        )
        index = listed(out, cells)
        files_of_cells = {file for cell in cells for file in cell.files}
        folder.prune(files_of_cells, listed_in(out / INDEX, "subject", "roi"))
        write_json(out / INDEX, dataset.origin | {"cells": index})
        by_roi = pd.DataFrame(index).groupby("roi", sort=False)["voxels"].mean().reset_index()
        write_plot(out, by_roi, simulated=dataset.description.simulated)
        voxels_of = {f"voxels/{row['subject']}_{row['roi']}": row["voxels"] for row in index}
        tracker.log(metrics=voxels_of, artifacts=[out / INDEX])
    say(
        f"preprocess: {len(cells)} subjects x {len(rois)} ROIs of {name}: {len(made)} made, "
        f"{len(index) - len(made)} kept -> {out}"
    )
    return out
