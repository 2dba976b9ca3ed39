"""``distill``: soft labels and images to students, one folder per teacher and seed."""

import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from brain_teacher.cells import cores, run_cells
from brain_teacher.commands import student_files
from brain_teacher.commands.inputs import (
    choose,
    dvc_hash,
    open_dataset,
    plan_digest,
    said_simulated,
)
from brain_teacher.commands.material import gather, read_brain, settle
from brain_teacher.distillation.students import describe_network, student_arrays
from brain_teacher.distillation.teachers import TEACHERS, draw_targets
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import OutputFolder, fingerprint, run_folder, source_fingerprint
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
    "commands/student_files.py",
    "commands/distill.py",
)


def distill(params, *, data, soft_labels, out, say=print, quiet=False):
    """Train every teacher's students on the images shown in the scanner.

    Parameters
    ----------
    params : Params
        ``params.distill`` says which brain, which teachers, how many seeds, and how to train.
    data, soft_labels : path-like
        A data set folder, and what ``decode`` wrote.
    out : path-like or None
        Where the students go; None: ``runs/distill-<UTC time>``.
    say : callable
    quiet : bool
        No progress bar.

    Returns
    -------
    Path
        The output folder.
    """
    data, settings = Path(data), params.distill
    description = open_dataset(data)
    teachers = choose(settings.teacher, list(TEACHERS), "distill.teacher")
    brain, origin = read_brain(params, description, data, Path(soft_labels))
    material = gather(params, data, brain, origin)
    out = Path(out or run_folder("distill"))
    word = said_simulated(description.simulated)
    tags = origin | {"plan": plan_digest(params)}
    if (version := dvc_hash(soft_labels)) is not None:
        tags["soft_labels_dvc"] = version
    name = f"{description.name} {origin['roi']} ({word})"
    _say_brain(brain, say)
    with OutputFolder(out, say).locked() as folder:
        material = settle(material, settings, out, say)
        cells = _cells(material, brain, teachers, settings)
        source = source_fingerprint(SOURCE)
        with tracked(
            "distill", name, tags=tags, params=flat(settings.model_dump(), "distill")
        ) as tracker:
            tracker.log(metrics=_brain_metrics(brain))
            writer = student_files.Writer(folder, tracker, source, tags)
            new = writer.new_cells(cells)
            say(
                f"distill: {len(cells)} students ({len(teachers)} teachers x {settings.seeds} "
                f"seeds), {len(new)} new, {len(cells) - len(new)} kept"
            )
            processes = cores() if material.device == "cpu" else 1
            bar = tqdm(total=len(new), unit="student", disable=True if quiet else None)
            for cell, (student, seconds) in run_cells(
                train_cell, new, shared=material, processes=processes
            ):
                writer.write(cell, student, _arrays(student, cell, material, tags["plan"]), seconds)
                bar.update()
            bar.close()
            writer.finish(cells)
    say(_summary(out, cells, description.name, word))
    return out


def _arrays(student, cell, material, plan):
    """What the student's file holds."""
    meta = {key: cell[key] for key in ("teacher", "seed", "fingerprint")} | material.origin
    settings = material.recipe | {"image_size": material.images.shape[1]}
    meta |= {"plan": plan, "settings": settings, "device": material.device}
    return student_arrays(
        student,
        class_id=material.class_id,
        image_id=material.image_id,
        category=material.category,
        meta=meta,
    )


def _cells(material, brain, teachers, settings):
    """One cell a student: its targets, its fingerprint, its name."""
    inputs = fingerprint(*material.inputs())
    category = material.class_id[material.labels]
    cells = []
    for teacher in teachers:
        for seed in range(settings.seeds):
            try:
                targets = draw_targets(
                    teacher, brain, category, temperature=settings.temperature, seed=seed
                )
            except ValueError as error:
                raise BrainTeacherError(f"teacher {teacher}: {error}") from error
            probs = None if targets is None else targets.join(brain.image_id, material.class_id)
            cells.append(
                {
                    "name": f"{teacher}_{seed}",
                    "teacher": teacher,
                    "seed": seed,
                    "probs": probs,
                    "fingerprint": fingerprint(inputs, seed, "none" if probs is None else probs),
                }
            )
    return cells


def train_cell(shared, cell):
    """Train one student; gives it and the seconds it took. The work of one process."""
    import torch

    from brain_teacher.distillation.engine import Recipe, train_student

    if shared.device == "cpu":
        torch.set_num_threads(1)  # 1 and 2 threads give different bits
    start = time.perf_counter()
    student = train_student(
        shared.images,
        shared.labels,
        cell["probs"],
        evaluation=shared.evaluation,
        n_classes=len(shared.class_id),
        recipe=Recipe(**shared.recipe),
        seed=cell["seed"],
        device=shared.device,
    )
    return student, time.perf_counter() - start


def _say_brain(brain, say):
    """What the combination did; a single table says nothing."""
    meta = brain.meta
    if "combined" not in meta:
        return
    text = f"brain: {len(meta['combined'])} tables combined over {len(brain.image_id)} images"
    text += (
        f"; NLL {meta['nll_before']:.3f} before the group's temperature, {meta['nll']:.3f} after"
    )
    if meta["temperatures_at_bound"]:
        text += f"; {meta['temperatures_at_bound']} folds' temperatures ran into a bound"
    if meta["nll"] > meta["nll_before"]:
        text += "; the temperature made it worse: too few images to fit one?"
    if meta["images_left_out"]:
        text += f"; {meta['images_left_out']} rows of images that not all saw were left out"
    say(text)


def _brain_metrics(brain):
    names = ("nll_before", "nll", "temperatures_at_bound")
    return {f"brain/{name}": brain.meta[name] for name in names if name in brain.meta}


def _summary(out, cells, name, word):
    lines, rows = [], {}
    for cell in cells:
        student = student_files.read(out, cell["name"])
        rows.setdefault(cell["teacher"], []).append(student.accuracy("validation"))
        width = student.meta["settings"]["width"]
    for teacher, values in rows.items():
        there = [value for value in values if value is not None]
        lost = f", {len(values) - len(there)} diverged" if len(there) < len(values) else ""
        mean = f"{100 * np.mean(there):5.1f}" if there else "  -  "
        lines.append(f"  {teacher:16} {mean}  ({len(values)} seeds{lost})")
    title = f"validation accuracy in %, {name} ({word}), {describe_network(width)} -> {out}"
    return "\n".join([title, *lines])
