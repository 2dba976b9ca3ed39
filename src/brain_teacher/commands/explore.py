"""``explore``: every subject and ROI as the teacher. Exploratory, and called so."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brain_teacher.analysis.cell_effects import (
    cell_effects,
    over_subjects,
    replication,
    roi_effects,
    roi_words,
    sure_cells,
)
from brain_teacher.analysis.outcomes import ACCURACY
from brain_teacher.analysis.statistics import Scores, scores_of
from brain_teacher.analysis.two_way import interval_of_mean
from brain_teacher.cells.folder import OutputFolder, run_folder
from brain_teacher.chain.dataset import METRICS, choose, open_dataset
from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import digest_of_plan, plan_of
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.answers import digest_of_images
from brain_teacher.chain.students.cells import TRAINING, StudentCell
from brain_teacher.chain.students.inputs import inputs_of
from brain_teacher.chain.students.material import Part
from brain_teacher.chain.students.setting import Setting, open_setting
from brain_teacher.chain.students.soft_labels import (
    SOFT_LABELS,
    digest_of_labels,
    folder_of,
    read_brain,
    subjects_and_rois,
)
from brain_teacher.chain.students.training import train
from brain_teacher.commands import Given, Place, Say
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import write_json, write_text
from brain_teacher.machine import HERE, RunTime
from brain_teacher.report.figure_files import write_figure
from brain_teacher.report.kinds import KINDS, kind_notes
from brain_teacher.report.student_figures import (
    cells_figure,
    effects_figure,
    quality_figure,
    quality_words,
)
from brain_teacher.report.words import BRAIN, describe_network, said_categories, said_simulated
from brain_teacher.tracking import flat, tracked

# Controls that no voxel enters: one set of students serves every cell.
SHARED = ("none", "smooth")
# Those of each brain's own: as unsure as it, and what it says of classes.
OWN = ("smooth-matched", "brain-class")
CONTROLS = ("none", *OWN)
ALL = "all subjects"
# Subject and ROI; of each the soft labels, and where they come from.
Key = tuple[str, str]
Brains = dict[Key, tuple[SoftLabels, dict]]


def explore(
    params: Params,
    *,
    data: Place,
    soft_labels: Place,
    out: Place | None,
    subject: Sequence[str] = (),
    roi: Sequence[str] = (),
    run_time: RunTime = HERE,
    say: Say = print,
    quiet: bool = False,
) -> Path:
    """Train the students of every subject, and of all together, in every ROI, and their controls.

    Without `subject` and `roi` of all there are, of ROIs those that are decoded. Subject, ROI and
    seeds of ``params.distill`` do not matter here.
    """
    out = run_folder("explore", out)
    soft_labels, decoder = Path(soft_labels), params.distill.decoder
    dataset = open_dataset(data)
    everyone, regions = subjects_and_rois(dataset, decoder)
    subjects = choose(subject or "all", everyone, "subject")
    labels = folder_of(decoder, dataset, soft_labels)
    rois = choose(roi or _decoded(labels, subjects, regions, decoder), regions, "roi")
    asked: Given = {"teacher": [*SHARED, *OWN], "split": "unseen", "seeds": params.explore.seeds}
    params = params.with_distill(subject=subjects, roi=rois[:1], **asked)
    tables: Given = {"soft_labels": soft_labels, "controls": Path(), "rivals": Path()}
    setting = open_setting(params, dataset=dataset, **tables)
    word = said_simulated(setting.origin["simulated"])
    name = f"{dataset.name}{said_categories(setting.origin)}: subjects and ROIs ({word})"
    tags = {key: setting.origin[key] for key in ("dataset", "simulated", "decoder", "kind")}
    settings, plan = flat(params.distill.model_dump(), "distill"), plan_of(params, data)
    # Of the command alone: its students are no looks of their own.
    look = {"test_images": digest_of_images(setting.parts[0].image_id["test"])}
    look |= {"plan": digest_of_plan(plan)}
    read = inputs_of(setting, soft_labels)
    with (
        OutputFolder(out, say).locked() as folder,
        tracked("explore", name, tags=tags | look, params=settings, inputs=read) as tracker,
    ):
        setting = setting.settled(out, run_time, say)
        brains = _brains(setting, soft_labels, rois)
        cells, cell_of = _cells(setting, brains)
        writer = student_folder.Writer(folder, tracker, setting.material, tags=tags, plan=plan)
        train("explore", setting, cells, writer, run_time=run_time, say=say, quiet=quiet)
        writer.finish(cells, models=False)
        scores = _scores(out, cells, cell_of)
        rows, bands, effects = _results(setting, scores, brains)
        together = setting.origin["subject"]
        pairs = roi_effects({roi: scores[together, roi][BRAIN] for roi in rois})
        files = _write(out, rows, bands, effects, pairs, setting, word)
        tracker.log(artifacts=files)
    says = [f"{name}, students' accuracy on test images minus controls, in points (exploratory):"]
    says += [_table(effects), *replication(effects), roi_words(pairs), quality_words(rows)]
    says += [*kind_notes(setting.origin), str(out)]
    say("\n".join(says))
    return out


def _decoded(labels: Path, subjects: list[str], rois: list[str], decoder: str) -> list[str]:
    """The ROIs that there are tables of for all these subjects; all of them, if there is none."""

    def is_there(roi: str) -> bool:
        return all((labels / f"{who}_{roi}_{decoder}.npz").is_file() for who in subjects)

    return list(filter(is_there, rois)) or rois


def _table(effects: pd.DataFrame) -> str:
    """The effects in points, a row an ROI and control, a column a subject."""
    keys = ["roi", "control"]
    table = effects.pivot(index=keys, columns="subject", values="mean")
    order = effects[keys].drop_duplicates().sort_values("roi", key=_place, kind="stable")
    table = table[[*dict.fromkeys(effects["subject"])]].loc[[*order.itertuples(index=False)]]
    return (100 * table).round(1).rename(columns=lambda who: ALL if "+" in who else who).to_string()


def _place(names: pd.Series) -> pd.Series:
    """Where each name first stands."""
    first = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return names.map(first)


def _brains(setting: Setting, soft_labels: Path, rois: list[str]) -> Brains:
    """(subject, ROI) -> soft labels of the images that are in all tables, and their origin."""
    everyone = setting.origin["subject"]
    who = dict.fromkeys([*everyone.split("+"), everyone])  # one subject alone is everyone
    keys = [{"subject": subject, "roi": roi} for subject in who for roi in rois]
    origins = [setting.origin | key for key in keys]
    tables = [read_brain(origin, setting.dataset, soft_labels) for origin in origins]
    shared = set(setting.parts[0].brain.image_id).intersection(*(t.image_id for t in tables))
    if not shared:
        raise BrainTeacherError(
            "no image is in the tables of all these subjects and ROIs: name fewer of them"
        )
    tables = [table.take(sorted(shared)) for table in tables]
    return {
        (origin["subject"], origin["roi"]): (
            table,
            origin | {SOFT_LABELS: digest_of_labels([table])},
        )
        for origin, table in zip(origins, tables, strict=True)
    }


def _cells(
    setting: Setting, brains: Brains
) -> tuple[list[StudentCell], dict[str, tuple[Key, str]]]:
    """All students; and by the name of a brain's or its controls' whose and what they are."""
    seeds, part = range(setting.params.distill.seeds), setting.parts[0]
    images = next(iter(brains.values()))[0].image_id
    ids = part.image_id | {TRAINING: images}
    origin = setting.origin | dict.fromkeys(("subject", "roi", SOFT_LABELS), "any")
    parts = [Part(None, ids, part.brain.take(images))]
    cells, _ = setting.students(list(SHARED), seeds, parts=parts, origin=origin)
    precision = {"precision": setting.recipes["none"]["precision"]}
    recipes = {name: setting.params.distill.recipe(name) | precision for name in (BRAIN, *OWN)}
    cell_of = {}
    for key, (brain, origin) in brains.items():
        parts = [Part(None, ids, brain)]
        found, skipped = setting.students(
            [BRAIN, *OWN], seeds, parts=parts, recipes=recipes, origin=origin
        )
        for control, reason in skipped.items():
            raise BrainTeacherError(f"{' '.join(key)}, {control}: {reason}")
        for cell in found:
            ending = cell.seed if cell.teacher == BRAIN else f"{cell.teacher}_{cell.seed}"
            name = f"{'_'.join(key)}_{ending}"
            cell_of[name] = (key, cell.teacher)
            cells.append(replace(cell, name=name))
    return cells, cell_of


def _scores(
    out: Path, cells: list[StudentCell], cell_of: dict[str, tuple[Key, str]]
) -> dict[Any, dict[str, Scores]]:
    """By subject and ROI, and by None for what serves them all: scores by teacher."""
    answers: dict[Any, dict[str, dict]] = {}
    for cell in cells:
        key, teacher = cell_of.get(cell.name, (None, cell.teacher))
        students = answers.setdefault(key, {}).setdefault(teacher, {})
        students[cell.seed] = student_folder.read(out, cell.name)
    return {
        key: {teacher: scores_of(students) for teacher, students in each.items()}
        for key, each in answers.items()
    }


def _results(
    setting: Setting, scores: dict[Any, dict[str, Scores]], brains: Brains
) -> tuple[list[dict], dict[str, tuple], pd.DataFrame]:
    """What the figures show: a row a cell, a band a control, and the effects as a table."""
    shared = scores[None]
    pairs = {cell: scores[cell] | shared for cell in brains}
    effects = cell_effects(pairs, teacher=BRAIN, controls=CONTROLS)
    rows, material, sure = [], setting.material, sure_cells(effects)
    for (subject, roi), (brain, _) in brains.items():
        score = scores[subject, roi][BRAIN]
        low, high = interval_of_mean(score.correct)
        truth = brain.truth(material.class_id[material.labels[material.rows(brain.image_id)]])
        row = {"subject": ALL if "+" in subject else subject, "roi": roi}
        row["top1"] = float((brain.log_probs.argmax(axis=1) == truth).mean())
        row |= {"accuracy": score.accuracy.tolist(), "low": low, "high": high}
        rows.append(row | {"sure": bool(sure[subject, roi])})
    bands = {
        name: (float(shared[name].correct.mean()), *interval_of_mean(shared[name].correct))
        for name in SHARED
    }
    return rows, bands, effects


def _write(
    out: Path,
    rows: list[dict],
    bands: dict,
    effects: pd.DataFrame,
    pairs: pd.DataFrame,
    setting: Setting,
    word: str,
) -> list[Path]:
    """Figures, tables and ``metrics.json``."""
    material, origin = setting.material, setting.dataset.origin
    tested = material.labels[material.rows(setting.parts[0].image_id["test"])]
    chance = ACCURACY.guess(np.bincount(tested))
    named = f"{setting.dataset.name}{said_categories(setting.origin)}"
    about = f"{named} ({word}), {describe_network(setting.recipes['none'])}"
    kind = setting.origin["kind"]
    other = f"table of {KINDS[kind]}"
    noun, source = (BRAIN, "decoder") if kind == BRAIN else (other, other)
    single = [row for row in rows if row["subject"] != ALL]
    together = [row for row in rows if row["subject"] == ALL] or rows
    rois, subjects = f"Which ROI teaches? {about}, all subjects", f"Whose {noun} teaches? {about}"
    quality = f"Does a better {source} teach better? {about}"
    figures = {
        "rois": cells_figure(together, bands, chance=chance, title=rois),
        "subjects": cells_figure(single, bands, chance=chance, title=subjects),
        "effects": effects_figure(effects, title=f"{rois}, and what is beyond its controls?"),
        "quality": quality_figure(rows, baseline=bands["none"][0], source=source, title=quality),
    }
    files = [out / "cells.csv", out / "rois.csv", out / METRICS]
    each = len(CONTROLS)
    table = effects.assign(
        **origin,
        kind=kind,
        top1=np.repeat([row["top1"] for row in rows], each),
        accuracy=np.repeat([np.mean(row["accuracy"]) for row in rows], each),
    )
    write_text(files[0], table.to_csv(index=False))
    write_text(files[1], pairs.assign(**origin, kind=kind).to_csv(index=False))
    found = {"kind": kind, "exploratory": True, "cells": rows, "controls": bands}
    told = {"effects": effects.to_dict("records"), "rois": pairs.to_dict("records")}
    tested = over_subjects(effects).to_dict("records")
    write_json(files[2], origin | found | told | {"over_subjects": tested})
    for name, figure in figures.items():
        files += write_figure(out / "figures" / name, figure)
    return files
