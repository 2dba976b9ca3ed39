"""``preprocess``: BData files to one voxel file per subject and ROI."""

import json
from pathlib import Path

import numpy as np

from brain_teacher.cells.engine import run_cells
from brain_teacher.cells.folder import OutputFolder, remove_stale, run_folder
from brain_teacher.cells.source import source_fingerprint
from brain_teacher.chain.dataset import INDEX, choose, open_dataset, open_stimuli
from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.dataset.stimuli import STIMULI_FILE, name_trials
from brain_teacher.dataset.trials import Voxels, place_in_run
from brain_teacher.errors import BrainTeacherError, about, nearest
from brain_teacher.files import file_digest, fingerprint, write_json, write_npz
from brain_teacher.machine import cores
from brain_teacher.report.words import said_simulated
from brain_teacher.tracking import flat, tracked

SOURCE = ("dataset", "commands/preprocess.py")
# Bytes of BData: below, a process starts for longer than it reads.
WORTH_PROCESSES = 2**28


def preprocess(params, *, data, out, say=print):
    """Cut every ROI of every subject from its BData file.

    Parameters
    ----------
    params : Params
    data : path-like
        A data set folder.
    out : path-like or None
        Where the voxel files and ``index.json`` go; None: ``runs/preprocess-<UTC time>``.
    say : callable
        Called with lines of text.

    Returns
    -------
    Path
        The output folder.
    """
    data = Path(data)
    description = open_dataset(data)
    stimuli = open_stimuli(data)
    subjects = choose(params.preprocess.subject, list(description.subjects), "preprocess.subject")
    rois = choose(params.preprocess.roi, description.roi, "preprocess.roi")
    for subject in subjects:
        if not (data / description.subjects[subject]).is_file():
            raise BrainTeacherError(
                f"subject {subject} has no file {data / description.subjects[subject]}; put it "
                "there, or take the subject out of dataset.yaml"
            )
    out = Path(out or run_folder("preprocess"))
    settings = params.preprocess.model_dump()
    tags = {"dataset": description.name, "simulated": description.simulated}
    source = source_fingerprint(SOURCE)
    stimuli_digest = file_digest(data / STIMULI_FILE) if stimuli is not None else None
    cells, made_from, work = [], {}, []
    with (
        OutputFolder(out, say).locked() as folder,
        tracked(
            "preprocess",
            f"{description.name} ({said_simulated(description.simulated)})",
            tags=tags,
            params=flat(settings, "preprocess"),
        ) as tracker,
    ):
        for subject in subjects:
            file = data / description.subjects[subject]
            inputs = [file_digest(file), stimuli_digest, description.simulated, description.name]
            of_roi = {roi: fingerprint(inputs, subject, roi, source) for roi in rois}
            new = [r for r in rois if not folder.is_kept(f"{subject}_{r}.npz", of_roi[r])]
            made_from |= {f"{subject}_{roi}.npz": digest for roi, digest in of_roi.items()}
            if new:
                work.append({"subject": subject, "file": file, "rois": new})
        meta = {"dataset": description.name, "simulated": description.simulated, "format": 1}
        shared = {"meta": meta, "stimuli": stimuli, "out": out}
        for _, (names, error) in run_cells(
            _write_subject, work, shared=shared, processes=_processes(work)
        ):
            for name in names:
                folder.remember(name, made_from[name])
            if error is not None:
                raise error
        kept = len(made_from) - sum(len(each["rois"]) for each in work)
        for subject in subjects:
            for roi in rois:
                with np.load(out / f"{subject}_{roi}.npz", allow_pickle=False) as file:
                    shape = file["data"].shape
                cells.append(
                    {"subject": subject, "roi": roi, "trials": shape[0], "voxels": shape[1]}
                )
        names = {f"{cell['subject']}_{cell['roi']}.npz" for cell in cells}
        remove_stale(out, names, "*.npz")
        origin = {"dataset": description.name, "simulated": description.simulated}
        write_json(out / INDEX, origin | {"cells": cells})
        voxels_of = {f"voxels/{c['subject']}_{c['roi']}": c["voxels"] for c in cells}
        tracker.log(metrics=voxels_of, artifacts=[out / INDEX])
    say(
        f"preprocess: {len(subjects)} subjects x {len(rois)} ROIs of {description.name} "
        f"({said_simulated(description.simulated)}): {len(cells) - kept} made, {kept} kept -> {out}"
    )
    return out


def _processes(work):
    """As many as there are cores, where reading takes longer than starting them."""
    size = sum(each["file"].stat().st_size for each in work)
    return cores() if size > WORTH_PROCESSES else 1


def _write_subject(shared, work):
    """Cut one subject's new ROIs and write them; the names of those written, and what ended it."""
    names = []
    try:
        for roi, voxels in _cut(work["file"], work["rois"], shared["stimuli"]).items():
            name = f"{work['subject']}_{roi}.npz"
            meta = shared["meta"] | {"subject": work["subject"], "roi": roi}
            text = np.array(json.dumps(meta, sort_keys=True))
            write_npz(shared["out"] / name, data=voxels.data, **voxels.columns(), meta=text)
            names.append(name)
    except (BrainTeacherError, OSError) as error:
        return names, error
    return names, None


def _cut(file, rois, stimuli):
    """The Voxels of some ROIs, from one reading of the file."""
    with about(file):
        data, masks, labels = read_bdata(file)
        trials = name_trials(labels["stimulus_id"], stimuli, data_type=labels["DataType"])
    columns = {name: trials[name].to_numpy(dtype=str) for name in trials}
    run, data_type = labels["Run"].astype(np.int32), labels["DataType"].astype(np.int8)
    position = place_in_run(run, data_type, labels.get("Block"))
    cut = {}
    for roi in rois:
        if roi not in masks or not masks[roi].any():
            raise BrainTeacherError(
                f"{file} has no ROI {roi!r} (it has {', '.join(masks)}); correct "
                f"preprocess.roi in params.yaml{nearest(roi, masks)}"
            )
        with about(f"{file}, ROI {roi}"):
            cut[roi] = Voxels(
                data=data[:, masks[roi]].astype(np.float32),
                image_id=columns["image_id"],
                category=columns["category"],
                run=run,
                data_type=data_type,
                position=position,
                groups={n: c for n, c in columns.items() if n not in ("image_id", "category")},
            )
    return cut
