"""``explore``: every subject and ROI as the teacher. Exploratory, and called so."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from brain_teacher.analysis.cell_effects import cell_effects, replication
from brain_teacher.analysis.statistics import scores_of
from brain_teacher.analysis.two_way import interval_of_mean
from brain_teacher.analysis.verdict import LEVEL
from brain_teacher.cells.folder import OutputFolder, run_folder
from brain_teacher.chain.dataset import METRICS, choose, open_dataset
from brain_teacher.chain.provenance import plan_digest
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.cells import TRAINING
from brain_teacher.chain.students.material import Part
from brain_teacher.chain.students.setting import open_setting
from brain_teacher.chain.students.soft_labels import folder_of, read_brain, subjects_and_rois
from brain_teacher.chain.students.training import train
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import atomic_write, write_json
from brain_teacher.machine import HERE
from brain_teacher.report.figure_files import write_figure
from brain_teacher.report.student_figures import cells_figure, quality_figure, quality_words
from brain_teacher.report.words import BRAIN, describe_network, features_note, said_simulated
from brain_teacher.tracking import flat, tracked

# Controls that no voxel enters: one set of students serves every cell.
SHARED = ("none", "smooth")
ALL = "all subjects"


def explore(
    params, *, data, soft_labels, out, subject=(), roi=(), run_time=HERE, say=print, quiet=False
):
    """Train the students of every subject, and of all together, in every ROI.

    Parameters
    ----------
    params : Params
        ``params.explore``: how many seeds. ``params.distill``: recipe and decoder; its subject,
        ROI and seeds do not matter here.
    data, soft_labels : path-like
        A data set folder, and what ``decode`` wrote.
    out : path-like or None
        Where students, table and figures go; None: ``runs/explore-<UTC time>``.
    subject, roi : sequence of str
        Which; empty: all, of ROIs those that are decoded.
    run_time : RunTime
    say : callable
    quiet : bool
        No progress bar.

    Returns
    -------
    Path
        The output folder.
    """
    out = Path(out or run_folder("explore"))
    soft_labels, decoder = Path(soft_labels), params.distill.decoder
    dataset = open_dataset(data)
    everyone, regions = subjects_and_rois(dataset, decoder)
    subjects = choose(subject or "all", everyone, "subject")
    labels = folder_of(decoder, dataset, soft_labels)
    rois = choose(roi or _decoded(labels, subjects, regions, decoder), regions, "roi")
    params = params.with_distill(
        subject=subjects,
        roi=rois[:1],
        teacher=list(SHARED),
        split="unseen",
        seeds=params.explore.seeds,
    )
    setting = open_setting(
        params, dataset=dataset, soft_labels=soft_labels, controls=Path(), rivals=Path()
    )
    word = said_simulated(dataset.description.simulated)
    name = f"{dataset.name}: subjects and ROIs ({word})"
    origin = {key: setting.origin[key] for key in ("dataset", "simulated", "decoder")}
    with (
        OutputFolder(out, say).locked() as folder,
        tracked(
            "explore", name, tags=origin, params=flat(params.distill.model_dump(), "distill")
        ) as tracker,
    ):
        setting = setting.settled(out, run_time, say)
        brains = _brains(setting, soft_labels, rois)
        cells, cell_of = _cells(setting, brains)
        writer = student_folder.Writer(
            folder, tracker, setting.material, tags=origin, plan=plan_digest(params)
        )
        train("explore", setting, cells, writer, run_time=run_time, say=say, quiet=quiet)
        writer.finish(cells, models=False)
        rows, bands, effects = _results(out, setting, cells, cell_of, brains)
        files = _write(out, rows, bands, effects, setting, word)
        tracker.log(artifacts=files)
    says = [f"{name}, students' accuracy on test images minus none, in points (exploratory):"]
    says += [_table(effects), *replication(effects), quality_words(rows)]
    says += [*features_note(setting.origin), str(out)]
    say("\n".join(says))
    return out


def _decoded(labels, subjects, rois, decoder):
    """The ROIs that there are tables of for all these subjects; all of them, if there is none."""
    there = [
        roi
        for roi in rois
        if all((labels / f"{who}_{roi}_{decoder}.npz").is_file() for who in subjects)
    ]
    return there or rois


def _table(effects):
    table = effects.pivot(index="roi", columns="subject", values="mean")
    table = table[[*dict.fromkeys(effects["subject"])]].loc[[*dict.fromkeys(effects["roi"])]]
    return (100 * table).round(1).rename(columns=lambda who: ALL if "+" in who else who).to_string()


def _brains(setting, soft_labels, rois):
    """(subject, ROI) -> soft labels of the images that are in all tables, and their origin."""
    everyone = setting.origin["subject"]
    subjects = everyone.split("+")
    origins = [
        setting.origin | {"subject": who, "roi": roi}
        for who in [*subjects, *([everyone] if len(subjects) > 1 else [])]
        for roi in rois
    ]
    tables = [read_brain(origin, setting.dataset, soft_labels) for origin in origins]
    shared = set(setting.parts[0].brain.image_id).intersection(*(t.image_id for t in tables))
    if not shared:
        raise BrainTeacherError(
            "no image is in the tables of all these subjects and ROIs: name fewer of them"
        )
    return {
        (origin["subject"], origin["roi"]): (table.take(sorted(shared)), origin)
        for origin, table in zip(origins, tables, strict=True)
    }


def _cells(setting, brains):
    """The shared controls' students and each brain's; and by a student's name whose brain it is."""
    seeds = range(setting.params.distill.seeds)
    part = setting.parts[0]
    images = next(iter(brains.values()))[0].image_id
    ids = part.image_id | {TRAINING: images}
    cells, _ = setting.students(
        list(SHARED),
        seeds,
        parts=[Part(None, ids, part.brain.take(images))],
        origin=setting.origin | {"subject": "any", "roi": "any"},
    )
    precision = {"precision": setting.recipes["none"]["precision"]}
    recipes = {BRAIN: setting.params.distill.recipe(BRAIN) | precision}
    cell_of = {}
    for (subject, roi), (brain, origin) in brains.items():
        found, _ = setting.students(
            [BRAIN], seeds, parts=[Part(None, ids, brain)], recipes=recipes, origin=origin
        )
        for cell in found:
            name = f"{subject}_{roi}_{cell.seed}"
            cell_of[name] = (subject, roi)
            cells.append(replace(cell, name=name))
    return cells, cell_of


def _results(out, setting, cells, cell_of, brains):
    """What the figures show: a row a cell, a band a control, and the effects as a table."""
    answers = {}
    for cell in cells:
        group = cell_of.get(cell.name, cell.teacher)
        answers.setdefault(group, {})[cell.seed] = student_folder.read(out, cell.name)
    scores = {group: scores_of(students) for group, students in answers.items()}
    effects = cell_effects(
        {cell: {BRAIN: scores[cell], "none": scores["none"]} for cell in brains},
        teacher=BRAIN,
        control="none",
    )
    rows = []
    for (cell, (brain, _)), sure in zip(
        brains.items(), effects["p_corrected"] < LEVEL, strict=True
    ):
        low, high = interval_of_mean(scores[cell].correct)
        labels = setting.material.labels[setting.material.rows(brain.image_id)]
        right = brain.log_probs.argmax(axis=1) == brain.truth(setting.material.class_id[labels])
        rows.append(
            {
                "subject": ALL if "+" in cell[0] else cell[0],
                "roi": cell[1],
                "top1": float(right.mean()),
                "accuracy": scores[cell].accuracy.tolist(),
                "low": low,
                "high": high,
                "sure": bool(sure),
            }
        )
    bands = {
        name: (float(scores[name].correct.mean()), *interval_of_mean(scores[name].correct))
        for name in SHARED
    }
    return rows, bands, effects


def _write(out, rows, bands, effects, setting, word):
    chance = 1 / len(setting.material.class_id)
    network = describe_network(setting.recipes["none"])
    about = f"{setting.dataset.name} ({word}), {network}"
    single = [row for row in rows if row["subject"] != ALL]
    together = [row for row in rows if row["subject"] == ALL] or rows
    figures = {
        "rois": cells_figure(
            together, bands, chance=chance, title=f"Which ROI teaches? {about}, all subjects"
        ),
        "subjects": cells_figure(
            single, bands, chance=chance, title=f"Whose brain teaches? {about}"
        ),
        "quality": quality_figure(
            rows, baseline=bands["none"][0], title=f"Does a better decoder teach better? {about}"
        ),
    }
    files = [
        path
        for name, figure in figures.items()
        for path in write_figure(out / "figures" / name, figure)
    ]
    with atomic_write(out / "cells.csv") as temporary:
        effects.assign(
            **setting.dataset.origin,
            top1=[row["top1"] for row in rows],
            accuracy=[np.mean(row["accuracy"]) for row in rows],
        ).to_csv(temporary, index=False)
    content = setting.dataset.origin | {"exploratory": True, "cells": rows, "controls": bands}
    write_json(out / METRICS, content)
    return [*files, out / "cells.csv", out / METRICS]
