"""``rivals``: the deep teacher of ordinary distillation, trained on the students' own images."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from brain_teacher.cells.folder import OutputFolder, run_folder
from brain_teacher.cells.making import make_cells
from brain_teacher.chain.dataset import METRICS, choose, open_dataset
from brain_teacher.chain.device import where
from brain_teacher.chain.params import Params
from brain_teacher.chain.students.cells import TRAINING, Material, RivalCell
from brain_teacher.chain.students.material import Part, digest_of_inputs, gather
from brain_teacher.chain.students.precision import PRECISION, settle
from brain_teacher.chain.students.rivals import LIVE, NETWORK, TABLE, WEIGHTS
from brain_teacher.chain.students.soft_labels import origin_of
from brain_teacher.commands import Given, Place, Say
from brain_teacher.dataset.ids import rows_of
from brain_teacher.decoding.combining import calibrate_by_fold
from brain_teacher.decoding.folds import plan_folds
from brain_teacher.decoding.log_probs import mean_nll
from brain_teacher.decoding.soft_labels import FORMAT, MODEL, SoftLabels
from brain_teacher.distillation.students import Student
from brain_teacher.distillation.teachers import RIVAL, table_of
from brain_teacher.files import atomic_write, write_json, write_npz
from brain_teacher.machine import HERE, RunTime
from brain_teacher.reading.arrays import load_arrays
from brain_teacher.report.words import CATEGORIES, said_categories, said_simulated
from brain_teacher.tracking import Input, flat, tracked


def rivals(
    params: Params,
    *,
    data: Place,
    soft_labels: Place,
    out: Place | None,
    run_time: RunTime = HERE,
    say: Say = print,
    quiet: bool = False,
) -> Path:
    """Train what the teachers of ``distill.teacher`` need: a ResNet34, and one for each image fold.

    Its recipe is the students' own, with hard labels and seed 0; one network, as the brain is one.
    The soft labels are out of fold and calibrated as a group of subjects is: a temperature for each
    image fold, fitted on the other folds. `soft_labels` say which images teach.
    """
    dataset = open_dataset(data)
    teachers = choose(params.distill.teacher, params.distill.known, "distill.teacher")
    wanted = {LIVE: LIVE in teachers, RIVAL: any(table_of(name) == RIVAL for name in teachers)}
    out = run_folder("rivals", out)
    content = dataset.origin
    if not any(wanted.values()):
        with OutputFolder(out, say).locked() as folder:
            folder.prune(())
            write_json(out / METRICS, content)
        say("rivals: none of distill.teacher needs a ResNet34")
        return out
    params = params.with_distill(split="unseen")
    material, (part,) = gather(params, dataset, Path(soft_labels), origin_of(params, dataset))
    told: Given = {
        "params": flat(params.distill.recipe(), "distill"),
        "inputs": [Input(data, "images"), Input(soft_labels, "image ids")],
    }
    word = said_simulated(dataset.description.simulated)
    if part.brain.categories:
        content |= {CATEGORIES: part.brain.categories}
    word += said_categories(content)
    with (
        OutputFolder(out, say).locked() as folder,
        tracked("rivals", f"{dataset.name} ({word})", tags=content, **told) as tracker,
    ):
        recipe, device = settle(params, params.distill.recipe("none"), out, run_time, say)
        material = replace(material, device=device)
        cells = _cells(material, part, recipe | {"network": NETWORK, "weights": "none"}, wanted)
        make_cells(
            "rivals",
            cells,
            folder,
            shared=material,
            write=partial(_write, out),
            what="{} networks",
            unit="network",
            say=say,
            quiet=quiet,
            **where(run_time, device),
        )
        names = {cell.name for cell in cells} | {PRECISION}
        if (out / PRECISION).exists():
            folder.remember(PRECISION, None)
        if wanted[RIVAL]:
            table = _table(out, cells, material, part, content)
            write_npz(out / TABLE, **table.arrays())
            folder.remember(TABLE, None)
            names.add(TABLE)
            content |= {"top1": table.meta["top1"], "nll": table.meta["nll"]}
            say(f"rivals: out-of-fold top-1 of the ResNet34 {100 * content['top1']:.1f}% ({word})")
        folder.prune(names)
        write_json(out / METRICS, content)
        numbers = {key: content[key] for key in ("top1", "nll") if key in content}
        tracker.log(metrics=numbers, artifacts=[out / METRICS])
    return out


def _cells(material: Material, part: Part, recipe: dict, wanted: dict) -> list[RivalCell]:
    """The network of all images, and one for each fold, tested on that fold."""
    rows = {split: material.rows(ids) for split, ids in part.image_id.items()}
    training = rows[TRAINING]
    if recipe["epoch"] == "last":
        del rows["validation"]  # it would be looked at for curves that nobody reads
    planned = [(WEIGHTS, rows, None)] if wanted[LIVE] else []
    if wanted[RIVAL]:
        category = material.class_id[material.labels[training]]
        plan = plan_folds(material.image_id[training], category, by="image")
        for number, held_out in enumerate(plan.predict):
            out = np.isin(material.image_id[training], held_out)
            fold = rows | {TRAINING: training[~out], "test": training[out]}
            planned.append((f"{NETWORK}_fold{number}.npz", fold, number))
    return [
        RivalCell(
            name=name, inputs=digest_of_inputs(material, rows), rows=rows, fold=fold,
            recipe=recipe, seed=0, origin={},
        )
        for name, rows, fold in planned
    ]  # fmt: skip


def _write(out: Path, cell: RivalCell, trained: tuple[Student, np.ndarray]) -> Iterator[str]:
    """The weights of the network of all images; of a fold's network its answers, with ids."""
    path, (network, image_id) = out / cell.name, trained
    if cell.name == WEIGHTS:
        from safetensors.numpy import save_file

        with atomic_write(path) as temporary:
            save_file(network.weights, temporary)
    else:
        write_npz(path, log_probs=network.log_probs["test"], image_id=image_id)
    yield cell.name


def _table(
    out: Path, cells: list[RivalCell], material: Material, part: Part, content: dict
) -> SoftLabels:
    """The folds' answers as one table of soft labels."""
    images = np.sort(part.image_id[TRAINING])
    truth = material.labels[material.rows(images)]
    log_probs = np.empty((len(images), len(material.class_id)))
    fold = np.empty(len(images), dtype=np.int16)
    for cell in (cell for cell in cells if cell.fold is not None):
        arrays = load_arrays(out / cell.name)
        rows = rows_of(arrays["image_id"], images, lacks=f"{cell.name} lacks image '{{}}'")
        log_probs[rows], fold[rows] = arrays["log_probs"], cell.fold
    calibrated, temperatures = calibrate_by_fold(log_probs, truth, fold)
    meta = content | {
        "format": FORMAT,
        "kind": MODEL,
        "decoder": NETWORK,
        "calibrated": True,
        "temperatures": temperatures,
        "top1": float((calibrated.argmax(axis=1) == truth).mean()),
        "nll_before": mean_nll(log_probs, truth),
        "nll": mean_nll(calibrated, truth),
    }
    return SoftLabels(calibrated.astype(np.float32), images, material.class_id, fold, meta)
