"""``decode``: voxel files to out-of-fold soft labels, one file per subject, ROI and decoder."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from brain_teacher.cells import cores, run_cells
from brain_teacher.commands.inputs import INDEX, METRICS, choose, said_simulated
from brain_teacher.dataset.trials import read_voxels
from brain_teacher.decoding.decoders import DECODERS, plan_for, training_trials
from brain_teacher.decoding.quality import quality
from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.errors import BrainTeacherError, about
from brain_teacher.files import (
    OutputFolder,
    file_digest,
    fingerprint,
    read_json,
    remove_stale,
    run_folder,
    source_fingerprint,
    write_json,
    write_npz,
)
from brain_teacher.tracking import flat, tracked

SOURCE = ("dataset", "decoding", "commands/decode.py")


def decode(params, *, voxels, out, subject=(), roi=(), say=print, quiet=False):
    """Decode every cell of the voxel folder (or those of some subjects and ROIs).

    Parameters
    ----------
    params : Params
    voxels : path-like
        What ``preprocess`` wrote.
    out : path-like or None
        Where soft labels and ``metrics.json`` go; None: ``runs/decode-<UTC time>``.
    subject, roi : sequence of str
        Empty: all.
    say : callable
    quiet : bool
        No progress bar.

    Returns
    -------
    Path
        The output folder.
    """
    voxels = Path(voxels)
    cells = _plan_cells(params, voxels, subject, roi)
    settings = params.decode.model_dump(exclude={"decoder"})
    out = Path(out or run_folder("decode"))
    source = source_fingerprint(SOURCE)
    index = read_json(voxels / INDEX)
    simulated, name = index["simulated"], index["dataset"]
    tags = {"dataset": name, "simulated": simulated}
    with (
        OutputFolder(out, say).locked() as folder,
        tracked(
            "decode",
            f"{name} ({said_simulated(simulated)})",
            tags=tags,
            params=flat(settings, "decode"),
        ) as tracker,
    ):
        for cell in cells:
            cell["fingerprint"] = fingerprint(file_digest(cell["file"]), settings)
        new = [c for c in cells if not folder.is_kept(c["name"], [c["fingerprint"], source])]
        say(f"decode: {len(cells)} cells, {len(new)} new, {len(cells) - len(new)} kept")
        bar = tqdm(total=len(new), unit="cell", disable=True if quiet else None)
        for cell, soft_labels in run_cells(decode_cell, new, shared=settings, processes=cores()):
            write_npz(out / cell["name"], **soft_labels.arrays())
            folder.remember(cell["name"], [cell["fingerprint"], source])
            bar.update()
        bar.close()
        rows = [_measure(out, cell) for cell in cells]
        remove_stale(out, {cell["name"] for cell in cells}, "*.npz")
        table = pd.DataFrame(rows)
        top1 = table.groupby("roi", sort=False)["top1"].mean().to_dict()
        content = {"dataset": name, "simulated": simulated, "cells": rows, "top1": top1}
        write_json(out / METRICS, content)
        metrics = {f"top1/{r['subject']}_{r['roi']}_{r['decoder']}": r["top1"] for r in rows}
        means = {f"top1/{key}": value for key, value in top1.items()}
        tracker.log(metrics=metrics | means, artifacts=[out / METRICS])
    say(_summary(table, name, simulated))
    return out


def _plan_cells(params, voxels, subject, roi):
    if not (voxels / INDEX).is_file():
        raise BrainTeacherError(
            f"{voxels} holds no voxels ({INDEX} is missing): run `dvc repro preprocess`, or "
            "`brain-teacher preprocess`"
        )
    index = read_json(voxels / INDEX)["cells"]
    subjects = choose(subject or "all", [*dict.fromkeys(c["subject"] for c in index)], "subject")
    rois = choose(roi or "all", [*dict.fromkeys(c["roi"] for c in index)], "roi")
    decoders = choose(params.decode.decoder, list(DECODERS), "decode.decoder")
    cells = []
    for s in subjects:
        for r in rois:
            file = voxels / f"{s}_{r}.npz"
            if not file.is_file():
                raise BrainTeacherError(
                    f"{file} is missing, though {INDEX} lists it: preprocess again"
                )
            for d in decoders:
                cell = {"subject": s, "roi": r, "decoder": d, "file": file}
                cells.append(cell | {"name": f"{s}_{r}_{d}.npz"})
    return cells


def decode_cell(settings, cell):
    """Decode one subject's ROI; the work of one process."""
    from threadpoolctl import threadpool_limits

    group = settings["folds"]["group"]
    # One thread: cells run side by side, and one thread repeats to the bit.
    with about(cell["file"]), threadpool_limits(1):
        voxels, meta = read_voxels(cell["file"])
        voxels = training_trials(voxels)
        plan = plan_for(voxels, by=settings["folds"]["by"], group=group)
        soft_labels = DECODERS[cell["decoder"]](
            voxels,
            plan,
            normalise=settings["normalise"],
            n_voxels=settings["voxels"],
            C=settings["C"],
            calibrate=settings["calibrate"],
            group=group,
        )
        category = dict(zip(voxels.image_id, voxels.category, strict=True))
        scores = quality(soft_labels, [category[image] for image in soft_labels.image_id])
    ids = {key: cell[key] for key in ("subject", "roi", "decoder", "fingerprint")}
    origin = {"dataset": meta["dataset"], "simulated": meta["simulated"]}
    return replace(
        soft_labels,
        meta=soft_labels.meta | ids | origin | {"quality": scores, "settings": settings},
    )


def _measure(out, cell):
    with about(out / cell["name"]):
        meta = read_soft_labels(out / cell["name"]).meta
    ids = {key: cell[key] for key in ("subject", "roi", "decoder")}
    row = ids | meta["quality"] | {"temperatures_at_bound": meta["temperatures_at_bound"]}
    return row | ({"caution": meta["caution"]} if "caution" in meta else {})


def _summary(table, name, simulated):
    """Accuracy of every ROI and subject in percent, for the terminal."""
    grid = table.pivot(index=["decoder", "roi"], columns="subject", values="top1")
    grid = grid.reindex(table[["decoder", "roi"]].drop_duplicates().itertuples(index=False))
    lines = [
        f"top-1 accuracy in %, out of fold, {name} ({said_simulated(simulated)}); "
        f"chance {100 * table['chance'].iloc[0]:.1f}, {table['images'].iloc[0]} images",
        (100 * grid).to_string(float_format=lambda value: f"{value:.1f}"),
    ]
    at_bound = table[table["temperatures_at_bound"] > 0]
    if len(at_bound):
        cells = at_bound["subject"] + " " + at_bound["roi"]
        lines.append(
            f"{len(at_bound)} of {len(table)} cells have a fold whose temperature ran into a bound "
            f"(nothing to decode there, or too much): {', '.join(cells)}"
        )
    if "caution" in table:
        lines += [f"caution: {text}" for text in table["caution"].dropna().unique()]
    return "\n".join(lines)
