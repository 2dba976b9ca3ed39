"""``multiverse``: the verdict under other choices, as a specification curve. Exploratory."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tabulate import tabulate

from brain_teacher.analysis.comparison import compare_answers
from brain_teacher.analysis.specifications import by_choice, verdict_shares
from brain_teacher.cells.folder import OutputFolder, run_folder
from brain_teacher.chain.dataset import METRICS
from brain_teacher.chain.decodings.planning import Decodings, open_decodings
from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import digest_of_plan, plan_of
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.answers import NONE, digest_of_images
from brain_teacher.chain.students.cells import StudentCell
from brain_teacher.chain.students.inputs import IMAGES, VOXELS
from brain_teacher.chain.students.setting import Setting, open_setting
from brain_teacher.chain.students.soft_labels import SOFT_LABELS
from brain_teacher.chain.students.specifications import FACTORS, Specification, specifications
from brain_teacher.chain.students.training import train
from brain_teacher.commands import Given, Place, Say
from brain_teacher.errors import BrainTeacherError, UsageError
from brain_teacher.files import write_json, write_text
from brain_teacher.machine import HERE, RunTime
from brain_teacher.report.figure_files import write_figure
from brain_teacher.report.specification_figure import specification_figure
from brain_teacher.report.words import BRAIN, said_categories, said_simulated
from brain_teacher.tracking import Input, flat, tracked

TABLE = "specifications.csv"
_OF = ("mean", "low", "high", "p", "p_corrected")


def multiverse(
    params: Params,
    *,
    data: Place,
    voxels: Place,
    out: Place | None,
    run_time: RunTime = HERE,
    say: Say = print,
    quiet: bool = False,
) -> Path:
    """Decode, teach and compare under each specification of ``params.multiverse``.

    The plan's own is among them. Each has the verdict of its own small family of controls;
    students of ``none`` serve all.
    """
    decodings = open_decodings(params, data=data, voxels=voxels)
    specs, there = specifications(params, decodings.index)
    out, plan = run_folder("multiverse", out), plan_of(params, data)
    how: Given = {"run_time": run_time, "say": say, "quiet": quiet}
    say(f"{len(specs)} of {there} specifications, {params.multiverse.seeds} seeds each")
    _decode(decodings, specs, out, how)
    settings = _settings(params, decodings, specs, out)
    first = settings[0]
    dataset = first.dataset.name + said_categories(first.origin)
    name = f"{dataset}: a multiverse ({said_simulated(first.origin['simulated'])})"
    tags = {key: first.origin[key] for key in ("dataset", "simulated", "subject", "kind")}
    # Of the command alone: its students are no looks of their own.
    look = {"test_images": digest_of_images(first.parts[0].image_id["test"])}
    look |= {"plan": digest_of_plan(plan)}
    logged = flat(params.multiverse.model_dump(), "multiverse")
    # Its own soft labels are made of the voxels, below the folder that it writes.
    read = [Input(voxels, VOXELS), Input(data, IMAGES)]
    with (
        OutputFolder(out, say).locked() as folder,
        tracked("multiverse", name, tags=tags | look, params=logged, inputs=read) as tracker,
    ):
        settings = [
            each.settled(out, run_time, say if number == 0 else _nothing)
            for number, each in enumerate(settings)
        ]
        cells = _cells(settings)
        everyone = [cell for each in cells for cell in each]
        writer = student_folder.Writer(
            folder, tracker, settings[0].material, tags=tags, plan=plan, weights=False
        )
        train("multiverse", settings[0], everyone, writer, **how)
        writer.finish(everyone, models=False)
        table = _table(out, specs, cells, params)
        tracker.log(artifacts=_write(out, table, settings[0], there, name))
    say("\n".join([_said(table, name, there), str(out)]))
    return out


def _nothing(_: str) -> None:
    pass


def _decode(decodings: Decodings, specs: Sequence[Specification], out: Path, how: Given) -> None:
    """The soft labels of each decoder and number of voxels, of the ROIs that are asked for."""
    for decoder, voxels in dict.fromkeys(each.decoding for each in specs):
        mine = [each for each in specs if each.decoding == (decoder, voxels)]
        rois = list(dict.fromkeys(roi for each in mine for roi in each.roi.split("+")))
        changed = {"decoder": [decoder], "voxels": voxels}
        params = decodings.params.model_copy(update={"decode": changed})
        asked = replace(decodings, params=params)
        subject = params.distill.subject
        chosen: Given = {"subject": () if subject == "all" else subject, "roi": rois}
        cells = asked.cells(**chosen, decoder=[decoder])
        settings, place = params.decode.settings(decoder), out / "soft_labels" / mine[0].folder
        with asked.made("multiverse", cells, settings=settings, out=place, **how):
            pass


def _settings(
    params: Params, decodings: Decodings, specs: Sequence[Specification], out: Path
) -> list[Setting]:
    """What the students of each specification are trained in; all of the same images."""
    asked: Given = {"teacher": [*params.multiverse.family, BRAIN], "split": "unseen"}
    asked |= {"recipes": {}, "seeds": params.multiverse.seeds}
    settings: list[Setting] = []
    for spec in specs:
        chosen = {key: getattr(spec, key) for key in ("decoder", "temperature", "alpha", "loss")}
        mine = params.with_distill(roi=spec.roi.split("+"), **chosen, **asked)
        labels = out / "soft_labels" / spec.folder
        tables: Given = {"soft_labels": labels, "controls": Path(), "rivals": Path()}
        setting = open_setting(mine, dataset=decodings.dataset, **tables)
        images = (settings or [setting])[0].material.image_id
        if not np.array_equal(setting.material.image_id, images):
            raise BrainTeacherError(
                f"ROI {spec.roi} was recorded with other images than {specs[0].roi}: their "
                "students are no pairs; name ROIs of the same images (multiverse.roi)"
            )
        settings.append(setting)
    return settings


def _cells(settings: Sequence[Setting]) -> list[list[StudentCell]]:
    """The students of ``none``, which serve all, and then those of each specification."""
    first = settings[0]
    seeds = range(first.params.distill.seeds)
    origin = first.origin | dict.fromkeys(("roi", "decoder", SOFT_LABELS), "any")
    cells = [first.students([NONE], seeds, origin=origin)[0]]
    for number, setting in enumerate(settings):
        soft = [name for name in setting.teachers if name != NONE]
        made, skipped = setting.students(soft, seeds)
        if skipped:
            name, reason = next(iter(skipped.items()))
            raise UsageError(f"multiverse.family: {name}: {reason}")
        cells.append([replace(each, name=f"{number}_{each.name}") for each in made])
    return cells


def _table(
    out: Path,
    specs: Sequence[Specification],
    cells: Sequence[Sequence[StudentCell]],
    params: Params,
) -> pd.DataFrame:
    """A row a specification: its choices, the brain minus each control, and the verdict."""
    plan, rows = params.compare, []
    shared = {cell.seed: student_folder.read(out, cell.name) for cell in cells[0]}
    for spec, mine in zip(specs, cells[1:], strict=True):
        answers: dict[str, dict] = {NONE: shared}
        for cell in mine:
            students = answers.setdefault(cell.teacher, {})
            students[cell.seed] = student_folder.read(out, cell.name)
        result = compare_answers(
            answers,
            teacher=BRAIN,
            family=params.multiverse.family,
            margin=plan.margin,
            outcome=plan.outcome,
        )
        row = spec.told() | {key: getattr(result.differences[NONE], key) for key in _OF}
        row |= {f"minus {name}": each.mean for name, each in result.differences.items()}
        rows.append(row | {"verdict": result.verdict.words})
    return pd.DataFrame(rows)


def _write(out: Path, table: pd.DataFrame, setting: Setting, there: int, name: str) -> list[Path]:
    """Table, figure and ``metrics.json``."""
    files = [out / TABLE, out / METRICS]
    write_text(files[0], table.assign(**setting.dataset.origin).to_csv(index=False))
    content: dict[str, Any] = {"exploratory": True, "of": there, "planned": 0}
    content |= {"specifications": table.to_dict("records")}
    content |= {"verdicts": verdict_shares(table).to_dict("records")}
    content |= {"choices": by_choice(table, FACTORS).to_dict("records")}
    write_json(files[1], setting.dataset.origin | content)
    title = f"Does the verdict hang on a choice? {name}"
    figure = specification_figure(table, FACTORS, planned=0, title=title)
    return files + write_figure(out / "figures" / "specifications", figure)


def _said(table: pd.DataFrame, name: str, there: int) -> str:
    """Shares of verdicts, and what each choice changes."""
    shares, choices = verdict_shares(table), by_choice(table, FACTORS)
    shown = [
        [row["verdict"], row["specifications"], f"{row['share']:.0%}"]
        for _, row in shares.iterrows()
    ]
    told = [
        [f"{row['factor']} {row['choice']}", row["specifications"]]
        + [f"{100 * row[key]:+.1f}" for key in ("mean", "least", "most")]
        for _, row in choices.iterrows()
    ]
    points = ["choice", "specifications", "brain - none (points)", "least", "most"]
    return "\n\n".join(
        [
            f"{name}, {len(table)} of {there} specifications (exploratory); the plan's verdict: "
            f"{table['verdict'].iloc[0]}",
            tabulate(shown, headers=["verdict", "specifications", "share"], tablefmt="pipe"),
            tabulate(told, headers=points, tablefmt="pipe", disable_numparse=True),
        ]
    )
