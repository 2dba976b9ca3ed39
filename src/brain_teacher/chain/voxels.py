"""Voxel files: the cells that cut them from recordings, and the folder that later commands open."""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from brain_teacher.cells.cell import Cell, FileInput, of_no_consequence
from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.dataset.description import FileName
from brain_teacher.dataset.stimuli import name_labels, read_stimuli
from brain_teacher.dataset.trials import FORMAT, Voxels, trial_columns
from brain_teacher.errors import BrainTeacherError, about, nearest
from brain_teacher.reading.arrays import npz_shape
from brain_teacher.reading.text import Said


class VoxelFile(Said):
    """What ``index.json`` says of a voxel file, which these names find."""

    subject: FileName
    roi: FileName
    trials: int
    voxels: int


class Index(Said):
    """What ``index.json`` of a folder of voxels says."""

    dataset: str
    simulated: bool
    cells: Annotated[list[VoxelFile], Field(min_length=1)]


@dataclass(frozen=True, eq=False, kw_only=True)
class RecordingCell(Cell):
    """Cut some ROIs of one subject, from one reading of its BData file.

    In the methods
    --------------
    {% if made.subjects %}Of {% if preprocess.subject == "all" %}every subject{% else %}the chosen
    subjects{% endif %} ({{ made.subjects }}) the voxels of {% if preprocess.roi == "all" %}every
    region of interest{% else %}the chosen regions of interest{% endif %} ({{ made.rois }}) were
    taken from the recordings as they stand there, {{ made.trials }} trials a subject of {{
    made.images }} pictures in {{ made.classes }} categories.{% else %}No recordings were read: the
    soft labels were brought as a table.{% endif %}
    """

    dataset: str
    simulated: bool
    subject: str
    recording: FileInput
    stimuli: FileInput | None
    rois: tuple[str, ...] = of_no_consequence()  # each file is one's, and named for it

    @property
    def files(self) -> tuple[str, ...]:
        """One voxel file an ROI."""
        return tuple(f"{self.subject}_{roi}.npz" for roi in self.rois)

    def without(self, kept: Collection[str]) -> "RecordingCell":
        """The ROIs whose files are not kept."""
        left = [r for r, file in zip(self.rois, self.files, strict=True) if file not in kept]
        return replace(self, rois=tuple(left))

    def run(self, shared: None) -> dict[str, dict[str, Any]]:  # noqa: ARG002 - nothing is shared
        """The arrays of each voxel file, by its name."""
        file = self.recording.path
        stimuli = None if self.stimuli is None else read_stimuli(self.stimuli.path.parent)
        data, masks, columns = read_recording(file, stimuli)
        made = {}
        for roi, name in zip(self.rois, self.files, strict=True):
            if roi not in masks or not masks[roi].any():
                raise BrainTeacherError(
                    f"{file} has no ROI {roi!r} (it has {', '.join(masks)}); correct "
                    f"preprocess.roi in params.yaml{nearest(roi, masks)}"
                )
            with about(f"{file}, ROI {roi}"), np.errstate(over="ignore"):
                voxels = Voxels(data[:, masks[roi]].astype(np.float32), **columns)
            meta = {key: getattr(self, key) for key in ("dataset", "simulated", "subject")}
            text = json.dumps(meta | {"format": FORMAT, "roi": roi}, sort_keys=True)
            made[name] = {"data": voxels.data, **voxels.columns(), "meta": np.array(text)}
        return made


def read_recording(
    file: Path, stimuli: pd.DataFrame | None
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, Any]]:
    """One subject's voxels, the flags of each ROI, and what `Voxels` say of each trial."""
    with about(file):
        data, masks, labels = read_bdata(file)
        return data, masks, trial_columns(labels, name_labels(labels, stimuli))


def listed(folder: Path, cells: list[RecordingCell]) -> list[dict[str, Any]]:
    """What ``index.json`` says of each voxel file, read from its header alone."""
    rows = []
    for cell in cells:
        for roi, file in zip(cell.rois, cell.files, strict=True):
            trials, voxels = npz_shape(folder / file, "data")
            rows.append({"subject": cell.subject, "roi": roi, "trials": trials, "voxels": voxels})
    return rows
