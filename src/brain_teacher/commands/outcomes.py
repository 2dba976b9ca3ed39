"""``outcomes``: what else the brain taught, beside the primary outcome; exploratory."""

import textwrap
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from brain_teacher.analysis.further import FURTHER
from brain_teacher.analysis.further_table import further_table
from brain_teacher.cells.folder import OutputFolder, run_folder
from brain_teacher.cells.making import make_cells
from brain_teacher.chain.dataset import METRICS, open_dataset
from brain_teacher.chain.device import where
from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import plan_digest
from brain_teacher.chain.students import answers as student_answers
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.family import left_out
from brain_teacher.chain.students.measured import read_measured
from brain_teacher.chain.students.measuring import measure_cells, write_measures
from brain_teacher.chain.students.outcome_scores import (
    ceiling_of,
    details,
    open_beside,
    scores_by_outcome,
)
from brain_teacher.chain.students.weights import cells_of, setting_of, weights_of
from brain_teacher.commands import Given, Place, Say
from brain_teacher.dataset.formulas import quoted_table
from brain_teacher.errors import about
from brain_teacher.files import write_json, write_text
from brain_teacher.machine import HERE, RunTime
from brain_teacher.report.figure_files import write_figure
from brain_teacher.report.further_figure import as_markdown, as_text, further_figure, further_rows
from brain_teacher.report.kinds import called, kind_notes, kind_of
from brain_teacher.report.words import BRAIN, said_categories, said_simulated
from brain_teacher.tracking import Input, tracked

# Where what was measured of each student lies.
MEASURES = "measures"


def outcomes(
    params: Params,
    *,
    data: Place,
    students: Place,
    soft_labels: Place,
    voxels: Place,
    out: Place | None,
    controls: Place = "outputs/controls",
    rivals: Place = "outputs/rivals",
    run_time: RunTime = HERE,
    say: Say = print,
    quiet: bool = False,
) -> Path:
    """Measure the students of the brain and of each control by every outcome that can be had.

    They are those of ``compare``: of `students` the family of ``params.compare``. Of each the
    weights are needed: those that are not there are made again. What cannot be had of these
    students is said, with the reason.
    """
    students, out, dataset = Path(students), run_folder("outcomes", out), open_dataset(data)
    everyone = student_folder.read_all(students)
    student_answers.check_alike({name: each.meta for name, each in everyone.items()})
    lacking = left_out(students, everyone)
    family = [name for name in params.compare.family if name not in lacking]
    found = student_answers.by_teacher(everyone, family, students)
    everyone = {name: each for name, each in everyone.items() if each.meta["teacher"] in found}
    meta, primary = next(iter(everyone.values())).meta, params.compare.outcome
    kind = kind_of(meta)
    named = f"{meta['dataset']}{said_categories(meta)} {meta['roi']}"
    name = f"{named} ({said_simulated(meta['simulated'], kind)})"
    tags = {key: meta[key] for key in ("dataset", "simulated", "roi", "subject", "decoder")}
    tags |= {"kind": kind, "plan": plan_digest(params)}
    tags |= {"test_images": student_answers.digest_of_test_images(everyone)}
    told: Given = {"say": say, "quiet": quiet}
    given: Given = {
        "params": {"compare.outcome": primary},
        "inputs": [Input(students, "students"), Input(data, "images")],
    }
    with (
        OutputFolder(out / MEASURES, say).locked() as folder,
        tracked("outcomes", name, tags=tags, **given) as tracker,
    ):
        tables: Given = {"soft_labels": soft_labels, "controls": controls, "rivals": rivals}
        setting = setting_of(params, everyone, dataset=dataset, run_time=run_time, **tables)
        cells = cells_of(setting, everyone, students)
        weights = weights_of(setting, cells, everyone, students, run_time=run_time, **told)
        beside = open_beside(setting, dataset, Path(voxels), everyone)
        make_cells(
            "outcomes",
            measure_cells(cells, weights, beside.shown, beside.images),
            folder,
            shared=beside.shown,
            write=partial(write_measures, folder.path),
            what="{} students to be measured",
            unit="student",
            say=say,
            quiet=quiet,
            **where(run_time, setting.material.device),
        )
        measured = read_measured(folder.path, cells, everyone)
        with about(students):
            scores = scores_by_outcome(found, measured, beside, students)
            table = further_table(
                scores, teacher=BRAIN, family=family, baseline=student_answers.NONE, primary=primary
            )
            fine = details(measured, beside)
        for each in (table, fine):
            each["teacher"] = [called(teacher, kind) for teacher in each["teacher"]]
        origin = {key: meta[key] for key in ("dataset", "simulated")} | {"kind": kind}
        content: dict[str, Any] = origin | {
            "primary": primary,
            "exploratory": True,
            "plan": tags["plan"],
            "seeds": int(table["seeds"].min()),
            "outcomes": _rows(table),
            "details": _rows(fine),
            "ceiling": ceiling_of(beside.brains),
            "left_out": beside.reasons,
        }
        says = _says(content, kind_notes(meta))
        rows = further_rows(table, teacher=called(BRAIN, kind), primary=primary)
        frames = {"outcomes.csv": table, "details.csv": fine}
        texts = {
            out / "tables" / file: quoted_table(each.assign(**origin)).to_csv(index=False)
            for file, each in frames.items()
        }
        texts[out / "tables" / "outcomes.md"] = (
            as_markdown(rows) + "\n\n" + "\n\n".join(says) + "\n"
        )
        for path, text in texts.items():
            write_text(path, text)
        figure = further_figure(
            table,
            teacher=called(BRAIN, kind),
            baseline=student_answers.NONE,
            title=f"What else was taught? {name}",
        )
        files = [*texts, *write_figure(out / "figures" / "outcomes", figure), out / METRICS]
        write_json(out / METRICS, content)
        tracker.log(metrics=_logged(table), artifacts=files)
    say(
        "\n".join(
            [name, as_text(rows), *(textwrap.fill(s, 92, break_on_hyphens=False) for s in says)]
        )
    )
    return out


def _rows(table: pd.DataFrame) -> list[dict]:
    """Rows for JSON, which has no NaN."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def _logged(table: pd.DataFrame) -> dict[str, float]:
    """The means, as MLflow shows them."""
    means = table.set_index(["outcome", "teacher"])["mean"]
    return {"/".join(name): float(value) for name, value in means.items()}


def _says(content: dict[str, Any], notes: list[str]) -> list[str]:
    """What a reader must know besides the table."""
    compared = sum(row["p_holm"] is not None for row in content["outcomes"])
    says = [
        f"{FURTHER[content['primary']].label} is the primary outcome, and `compare` decides by it; "
        f"all others are exploratory: a star is p < 0.05 after Holm's correction over their "
        f"{compared} comparisons. Columns with a minus are the first teacher minus that one.",
    ]
    if found := content["ceiling"]:
        says.append(
            f"Likeness is to {', '.join(found['held_out'])}, who did not teach, on "
            f"{found['images']} images that no student learnt from. Ceiling: the other "
            f"subjects' own likeness is {found['lower']:.3f} (95% over images "
            f"{found['lower_low']:.3f} to {found['lower_high']:.3f}), "
            f"{found['upper']:.3f} with the held-out among them."
        )
    for name, reason in content["left_out"].items():
        label = FURTHER[name].label if name in FURTHER else name
        says.append(f"Left out: {label}, since {reason}.")
    return says + notes
