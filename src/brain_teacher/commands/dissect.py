"""``dissect``: which part of the brain's soft labels helps. Exploratory, and called so."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brain_teacher.analysis.dissection import contributions, found
from brain_teacher.analysis.statistics import Scores, scores_of
from brain_teacher.cells.folder import OutputFolder, run_folder
from brain_teacher.chain.dataset import METRICS, choose, open_dataset
from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import digest_of_plan, plan_of
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.amounts import (
    SUBJECTS,
    TRIALS,
    Amount,
    fewer_subjects,
    fewer_trials,
)
from brain_teacher.chain.students.answers import by_teacher, digest_of_images
from brain_teacher.chain.students.cells import StudentCell
from brain_teacher.chain.students.dissection import (
    NONE,
    dissected,
    of_amounts,
    teachers_of,
    with_references,
)
from brain_teacher.chain.students.inputs import IMAGES, SOFT, VOXELS
from brain_teacher.chain.students.reuse import take_precision, take_students
from brain_teacher.chain.students.setting import Setting, open_setting
from brain_teacher.chain.students.training import train
from brain_teacher.commands import Given, Place, Say
from brain_teacher.distillation.lessons import NotApplicable
from brain_teacher.distillation.parts import PARTS
from brain_teacher.errors import BrainTeacherError, UsageError
from brain_teacher.files import write_json, write_text
from brain_teacher.machine import HERE, RunTime
from brain_teacher.report.dissection import contributions_figure, dissection_text, doses_figure
from brain_teacher.report.figure_files import write_figure
from brain_teacher.report.kinds import called, kind_notes, whose
from brain_teacher.report.words import BRAIN, describe_network, said_categories, said_simulated
from brain_teacher.tracking import Input, flat, tracked

SHRUNK = "shrunk towards the class mean by"
CURVES = {SUBJECTS: "first subjects, of all", TRIALS: "first trials of each image"}
TABLE = "parts.csv"


def dissect(
    params: Params,
    *,
    data: Place,
    soft_labels: Place,
    voxels: Place,
    students: Place,
    out: Place | None,
    part: Sequence[str] = (),
    limit: int | None = None,
    run_time: RunTime = HERE,
    say: Say = print,
    quiet: bool = False,
) -> Path:
    """Train students of each part of the soft labels, and of fewer subjects and trials.

    Of `part` those named, with what they are held against, or all of `PARTS`, and then also the
    curves of subjects and trials. Those of `students` that are the same are taken over. With
    `limit`, about so many images of each split, it is a smoke run.
    """
    if params.distill.seeds < 2:
        raise UsageError("distill.seeds: give 2 or more (an interval is shown with each mean)")
    parts = with_references(choose(part or "all", list(PARTS), "part"))
    params = params.with_distill(teacher=teachers_of(parts))
    tables: Given = {"soft_labels": soft_labels, "controls": Path(), "rivals": Path()}
    setting = open_setting(params, dataset=open_dataset(data), limit=limit, **tables)
    out, plan = run_folder("dissect", out), plan_of(params, data)
    how: Given = {"run_time": run_time, "say": say, "quiet": quiet}
    curves = {} if part else _curves(setting, Path(soft_labels), Path(voxels), out, say, how)
    name = f"{_named(setting)}: parts of the soft labels"
    tags = setting.origin | {"plan": digest_of_plan(plan)}
    # Of the command alone: its students are no looks of their own.
    tested = {image for each in setting.parts for image in each.image_id["test"]}
    look = {"test_images": digest_of_images(tested)}
    settings = flat(params.distill.model_dump(), "distill")
    read = [Input(soft_labels, SOFT), Input(data, IMAGES)]
    read += [] if part else [Input(voxels, VOXELS)]
    with (
        OutputFolder(out, say).locked() as folder,
        tracked("dissect", name, tags=tags | look, params=settings, inputs=read) as tracker,
    ):
        take_precision(out, Path(students))
        setting = setting.settled(out, run_time, say)
        cells, skipped = _cells(setting, parts, curves)
        for each, reason in skipped.items():
            say(f"{each} is left out: {reason}")
        if taken := take_students(cells, folder, Path(students), setting.material):
            say(f"{taken} students are those of {students}, and are taken over")
        writer = student_folder.Writer(
            folder, tracker, setting.material, tags=tags, plan=plan, weights=False
        )
        train("dissect", setting, cells, writer, **how)
        writer.finish(cells, models=False)
        scores, lost = _scores(out, cells)
        skipped |= lost
        table = contributions(scores, _against(parts, curves, scores))
        text, files = _write(out, table, setting, curves, skipped)
        tracker.log(artifacts=files)
    say("\n".join([text, *kind_notes(setting.origin), str(out)]))
    return out


def _named(setting: Setting) -> str:
    """What was dissected, for titles."""
    word = said_simulated(setting.origin["simulated"])
    return f"{setting.dataset.name}{said_categories(setting.origin)} ({word})"


def _curves(
    setting: Setting, soft_labels: Path, voxels: Path, out: Path, say: Say, how: Given
) -> dict[str, list[Amount]]:
    """The points of each curve that can be drawn; says of the others why there are none."""
    curves = {}
    ways: Given = {
        SUBJECTS: lambda: fewer_subjects(setting, soft_labels),
        TRIALS: lambda: fewer_trials(setting, voxels, out, **how),
    }
    for curve, way in ways.items():
        try:
            curves[curve] = way()
        except NotApplicable as reason:
            say(f"the curve of {curve} is left out: {reason}")
    return curves


def _cells(
    setting: Setting, parts: Sequence[str], curves: dict[str, list[Amount]]
) -> tuple[list[StudentCell], dict[str, str]]:
    """All students, and the parts that are left out."""
    seeds = range(setting.params.distill.seeds)
    cells, skipped = dissected(setting, parts, seeds)
    amounts = [amount for each in curves.values() for amount in each]
    return cells + of_amounts(setting, amounts, seeds), skipped


def _scores(out: Path, cells: Sequence[StudentCell]) -> tuple[dict[str, Scores], dict[str, str]]:
    """Scores by part, and the parts of which too few students are left."""
    everyone = {cell.name: student_folder.read(out, cell.name) for cell in cells}
    whole: dict[str, set[int]] = {}
    for cell in cells:
        seeds = whole.setdefault(cell.teacher, set())
        if not everyone[cell.name].diverged:
            seeds.add(cell.seed)
    lost = {name: "its students diverged" for name, seeds in whole.items() if len(seeds) < 2}
    if ends := lost.keys() & {NONE, BRAIN}:
        raise BrainTeacherError(
            f"the students of {' and '.join(sorted(ends))} diverged: lower distill.learning_rate"
        )
    there = {cell.name: everyone[cell.name] for cell in cells if cell.teacher not in lost}
    family = [name for name in whole if name not in lost and name != BRAIN]
    found = by_teacher(there, family, out)
    return {name: scores_of(students) for name, students in found.items()}, lost


def _against(
    parts: Sequence[str], curves: dict[str, list[Amount]], scores: dict[str, Scores]
) -> dict[str, str | None]:
    """What each row of the table is held against; None where it is a point of a curve."""
    rows: dict[str, str | None] = {NONE: None}
    for name in parts:
        each = PARTS[name]
        if name in scores and (each.dose is not None or each.against in scores):
            rows[name] = each.against if each.dose is None else None
    points = [amount.name for each in curves.values() for amount in each]
    return rows | {name: None for name in (*points, BRAIN) if name in scores}


def _doses(table: pd.DataFrame, curves: dict[str, list[Amount]]) -> Given:
    """Of each curve its points: what the dose is, and the row of the table."""
    rows = {row["part"]: row for _, row in table.iterrows()}
    doses = {name: each.dose for name, each in PARTS.items() if each.dose is not None}
    ends = {BRAIN: 0.0, "class-profile": 1.0}
    shrunk = [(at, rows[name]) for name, at in (doses | ends).items() if name in rows]
    drawn: Given = {SHRUNK: shrunk} if len(shrunk) > 2 else {}
    for curve, amounts in curves.items():
        points = [(each.number, rows[each.name]) for each in amounts if each.name in rows]
        points.append((amounts[0].of, rows[BRAIN]))
        drawn[CURVES[curve]] = points
    return drawn


def _write(
    out: Path,
    table: pd.DataFrame,
    setting: Setting,
    curves: dict[str, list[Amount]],
    skipped: dict[str, str],
) -> tuple[str, list[Path]]:
    """Table, figures and ``metrics.json``; gives what to say, and the files."""
    kind = setting.origin["kind"]
    adds = {name: called(each.adds, kind) for name, each in PARTS.items()}
    network = describe_network(setting.recipes[BRAIN])
    about = f"{_named(setting)}, {whose(setting.origin)}, {network}"
    title = f"What of the soft labels helps? {about}"
    text = dissection_text(table, adds, title=f"{title} (exploratory)")
    helps, harms = found(table)
    rows = [{k: _plain(v) for k, v in row.items()} for row in table.to_dict("records")]
    content: dict[str, Any] = {"exploratory": True, "correction": "Holm", "parts": rows}
    content |= {"helps": helps, "harms": harms, "left_out": skipped, "kind": kind}
    write_json(out / METRICS, setting.origin | content)
    write_text(out / TABLE, table.assign(**setting.dataset.origin, kind=kind).to_csv(index=False))
    files = [out / METRICS, out / TABLE]
    if (table["against"] != "").any():
        figure = contributions_figure(table, adds, title=title)
        files += write_figure(out / "figures" / "contributions", figure)
    if doses := _doses(table, curves):
        figure = doses_figure(doses, title=f"How much of it? {about}")
        files += write_figure(out / "figures" / "doses", figure)
    return text, files


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    return None if isinstance(value, float) and np.isnan(value) else value
