"""``rivals``: the deep teacher of ordinary distillation, trained on the students' own images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from brain_teacher.cells import run_cells
from brain_teacher.commands.inputs import METRICS, choose, open_dataset, said_simulated
from brain_teacher.commands.material import TRAINING, gather, origin_of, settle
from brain_teacher.commands.rival_files import LIVE, NETWORK, TABLE, WEIGHTS
from brain_teacher.commands.student_cells import processes_for, train_cell
from brain_teacher.decoding.folds import plan_folds
from brain_teacher.decoding.soft_labels import FORMAT, SoftLabels, calibrate_by_fold, mean_nll
from brain_teacher.distillation.teachers import RIVAL, TABLES, TEACHERS
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import (
    OutputFolder,
    atomic_write,
    fingerprint,
    remove_stale,
    run_folder,
    source_fingerprint,
    write_json,
    write_npz,
)
from brain_teacher.tracking import flat, tracked

SOURCE = (
    "dataset",
    "seeds.py",
    "devices.py",
    "decoding/calibration.py",
    "decoding/folds.py",
    "decoding/soft_labels.py",
    "distillation",
    "commands/material.py",
    "commands/rival_files.py",
    "commands/student_cells.py",
    "commands/rivals.py",
)


def rivals(params, *, data, soft_labels, out, say=print, quiet=False):
    """Train what the teachers of ``distill.teacher`` need: a ResNet34, and one for each image fold.

    Its recipe is the students' own, with hard labels and seed 0; one network, as the brain is one.
    The soft labels are out of fold and calibrated as a group of subjects is: a temperature for each
    image fold, fitted on the other folds.

    Parameters
    ----------
    params : Params
    data, soft_labels : path-like
        A data set folder, and what ``decode`` wrote: it says which images teach.
    out : path-like or None
        Where weights, soft labels and ``metrics.json`` go; None: ``runs/rivals-<UTC time>``.
    say : callable
    quiet : bool
        No progress bar.

    Returns
    -------
    Path
        The output folder.
    """
    description = open_dataset(data)
    teachers = choose(params.distill.teacher, list(TEACHERS), "distill.teacher")
    wanted = {LIVE: LIVE in teachers, RIVAL: any(TABLES.get(name) == RIVAL for name in teachers)}
    out = Path(out or run_folder("rivals"))
    word = said_simulated(description.simulated)
    content = {"dataset": description.name, "simulated": description.simulated}
    if not any(wanted.values()):
        with OutputFolder(out, say).locked():
            remove_stale(out, set(), "*.*")
            write_json(out / METRICS, content)
        say("rivals: none of distill.teacher needs a ResNet34")
        return out
    params = params.model_copy(
        update={"distill": params.distill.model_copy(update={"split": "unseen"})}
    )
    origin = origin_of(params, description)
    material, (part,) = gather(params, description, Path(data), Path(soft_labels), origin)
    with (
        OutputFolder(out, say).locked() as folder,
        tracked(
            "rivals",
            f"{description.name} ({word})",
            tags=content,
            params=flat(params.distill.recipe(), "distill"),
        ) as tracker,
    ):
        recipe, device = settle(params, params.distill.recipe("none"), out, say)
        material = replace(material, device=device)
        cells = _cells(material, part, recipe | {"network": NETWORK, "weights": "none"}, wanted)
        _make(cells, material, folder, params, say=say, quiet=quiet)
        names = {cell["name"] for cell in cells} | {METRICS, "precision.json"}
        if wanted[RIVAL]:
            table = _table(out, cells, material, part, content)
            write_npz(out / TABLE, **table.arrays())
            names.add(TABLE)
            content |= {"top1": table.meta["top1"], "nll": table.meta["nll"]}
            say(f"rivals: out-of-fold top-1 of the ResNet34 {100 * content['top1']:.1f}% ({word})")
        remove_stale(out, names, "*.*")
        write_json(out / METRICS, content)
        numbers = {key: content[key] for key in ("top1", "nll") if key in content}
        tracker.log(metrics=numbers, artifacts=[out / METRICS])
    return out


def _cells(material, part, recipe, wanted):
    """The network of all images, and one for each fold, tested on that fold."""
    rows = {split: material.rows(ids) for split, ids in part.image_id.items()}
    training = rows[TRAINING]
    cells = [{"name": WEIGHTS, "rows": rows}] if wanted[LIVE] else []
    if wanted[RIVAL]:
        category = material.class_id[material.labels[training]]
        plan = plan_folds(material.image_id[training], category, by="image")
        for number, held_out in enumerate(plan.predict):
            out = np.isin(material.image_id[training], held_out)
            fold = rows | {TRAINING: training[~out], "test": training[out]}
            cells.append({"name": f"{NETWORK}_fold{number}.npz", "rows": fold, "fold": number})
    for cell in cells:
        cell |= {"seed": 0, "recipe": recipe, "targets": None}
        used = np.concatenate([cell["rows"][split] for split in sorted(cell["rows"])])
        cell["fingerprint"] = fingerprint(
            material.images[used], material.labels[used], material.image_id[used],
            [len(each) for each in cell["rows"].values()], recipe, material.device,
        )  # fmt: skip
    return cells


def _make(cells, material, folder, params, *, say, quiet):
    source = source_fingerprint(SOURCE)
    new = [c for c in cells if not folder.is_kept(c["name"], [c["fingerprint"], source])]
    say(f"rivals: {len(cells)} networks, {len(new)} new, {len(cells) - len(new)} kept")
    bar = tqdm(total=len(new), unit="network", disable=True if quiet else None)
    processes = processes_for(params.distill.processes, material.device)
    for cell, (network, _) in run_cells(train_cell, new, shared=material, processes=processes):
        if network.diverged:
            raise BrainTeacherError("the ResNet34 diverged: lower distill.learning_rate")
        if cell["name"] == WEIGHTS:
            from safetensors.numpy import save_file

            with atomic_write(folder.path / WEIGHTS) as temporary:
                save_file(network.weights, temporary)
        else:
            image_id = material.image_id[cell["rows"]["test"]]
            arrays = {"log_probs": network.log_probs["test"], "image_id": image_id}
            write_npz(folder.path / cell["name"], **arrays)
        folder.remember(cell["name"], [cell["fingerprint"], source])
        bar.update()
    bar.close()


def _table(out, cells, material, part, content):
    """The folds' answers as one table of soft labels."""
    images = np.sort(part.image_id[TRAINING])
    truth = material.labels[material.rows(images)]
    row_of = {image: row for row, image in enumerate(images)}
    log_probs = np.empty((len(images), len(material.class_id)))
    fold = np.empty(len(images), dtype=np.int16)
    for cell in (cell for cell in cells if "fold" in cell):
        with np.load(out / cell["name"], allow_pickle=False) as arrays:
            rows = [row_of[image] for image in arrays["image_id"]]
            log_probs[rows], fold[rows] = arrays["log_probs"], cell["fold"]
    calibrated, temperatures = calibrate_by_fold(log_probs, truth, fold)
    meta = content | {
        "format": FORMAT,
        "decoder": NETWORK,
        "calibrated": True,
        "temperatures": temperatures,
        "top1": float((calibrated.argmax(axis=1) == truth).mean()),
        "nll_before": mean_nll(log_probs, truth),
        "nll": mean_nll(calibrated, truth),
    }
    return SoftLabels(calibrated.astype(np.float32), images, material.class_id, fold, meta)
