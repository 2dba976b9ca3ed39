"""``search``: each teacher's recipe, chosen on pilot seeds and validation images."""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from tabulate import tabulate

from brain_teacher.cells.folder import OutputFolder, run_folder
from brain_teacher.chain.dataset import open_dataset
from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import plan_of
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.cells import StudentCell
from brain_teacher.chain.students.inputs import inputs_of
from brain_teacher.chain.students.material import Part
from brain_teacher.chain.students.setting import Setting, open_setting
from brain_teacher.chain.students.training import train
from brain_teacher.commands import Given, Place, Say
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.distillation.teachers import HARD
from brain_teacher.files import write_text
from brain_teacher.machine import HERE, RunTime
from brain_teacher.report.words import said_categories, said_simulated
from brain_teacher.tracking import flat, tracked

# Seeds from here on are pilots: `distill` never reports them.
PILOT = 1_000_000
CHOSEN, TABLE = "recipes.yaml", "search.csv"
SOFT, TRAINING = ("temperature", "alpha"), ("learning_rate", "epochs")


def search(
    params: Params,
    *,
    data: Place,
    soft_labels: Place,
    controls: Place,
    rivals: Place,
    out: Place | None,
    voxels: Place = "outputs/voxels",
    run_time: RunTime = HERE,
    say: Say = print,
    quiet: bool = False,
) -> Path:
    """Try every recipe of ``params.search`` for every teacher, and choose by validation.

    Soft teachers choose temperature and alpha, those of hard labels, which have neither, learning
    rate and epochs: as many recipes for each. The best has the highest mean accuracy on validation
    over the pilot seeds (of equals, the lowest NLL). Test images are not looked at.
    ``recipes.yaml`` is what to put at ``distill.recipes``.
    """
    tables: Given = {
        "soft_labels": soft_labels,
        "controls": controls,
        "rivals": rivals,
        "voxels": voxels,
    }
    setting = open_setting(params, dataset=open_dataset(data), **tables)
    out, tags = run_folder("search", out), setting.origin
    word = said_simulated(setting.dataset.description.simulated)
    name = f"{setting.dataset.name}{said_categories(tags)} {tags['roi']} ({word})"
    settings, read = flat(params.search.model_dump(), "search"), inputs_of(setting, soft_labels)
    with (
        OutputFolder(out, say).locked() as folder,
        tracked("search", name, tags=tags, params=settings, inputs=read) as tracker,
    ):
        setting = setting.settled(out, run_time, say)
        cells, varied = _cells(params, setting, say)
        plan = plan_of(params, data)
        writer = student_folder.Writer(folder, tracker, setting.material, tags=tags, plan=plan)
        train("search", setting, cells, writer, run_time=run_time, say=say, quiet=quiet)
        writer.finish(cells, models=False)
        table = _table(out, cells, varied)
        chosen = _choose(table)
        text = yaml.safe_dump({"recipes": chosen}, sort_keys=False)
        write_text(out / TABLE, table.to_csv(index=False))
        write_text(out / CHOSEN, text)
        tracker.log(artifacts=[out / TABLE, out / CHOSEN])
    title = f"search: validation accuracy in %, {name}, {params.search.seeds} pilot seeds"
    put = f"put into params.yaml, block distill ({out / CHOSEN}):"
    say("\n".join([title, _shown(table, chosen), "", put, text.rstrip()]))
    return out


def _varied(teacher: str) -> tuple[str, str]:
    """What is varied for a teacher: the same number of settings for every one."""
    return TRAINING if teacher in HARD else SOFT


def _cells(params: Params, setting: Setting, say: Say) -> tuple[list[StudentCell], dict[str, dict]]:
    """One cell a teacher, recipe and pilot seed; and by its name what is varied."""
    cells, varied = [], {}
    seeds = range(PILOT, PILOT + params.search.seeds)

    def first_table(name: str, _: int, part: Part) -> SoftLabels:
        # Draws of exchanged trials are made for the seeds that are reported: pilots share the
        # first.
        return setting.table(name, 0, part)

    for teacher in setting.teachers:
        keys = _varied(teacher)
        for number, values in enumerate(product(*(getattr(params.search, key) for key in keys))):
            tried = dict(zip(keys, values, strict=True))
            recipes = {teacher: setting.recipes[teacher] | tried}
            found, skipped = setting.students([teacher], seeds, recipes=recipes, table=first_table)
            for cell in found:
                ending = "" if cell.fold is None else f"_fold{cell.fold}"
                name = f"{teacher}_recipe{number}_{cell.seed - PILOT}{ending}"
                cells.append(replace(cell, name=name))
                varied[name] = tried
            if number == 0:
                for reason in skipped.values():
                    say(f"teacher {teacher} is left out: {reason}")
    return cells, varied


def _table(out: Path, cells: list[StudentCell], varied: dict[str, dict]) -> pd.DataFrame:
    """Mean accuracy and NLL on validation of each teacher and recipe."""
    rows = []
    for cell in cells:
        student = student_folder.read(out, cell.name)
        scores = {"accuracy": student.accuracy("validation"), "nll": student.nll("validation")}
        rows.append({"teacher": cell.teacher} | varied[cell.name] | scores)
    table = pd.DataFrame(rows)
    # A diverged student counts as one that knows nothing, not as one less.
    table["accuracy"] = table["accuracy"].astype(float).fillna(0.0)
    table["nll"] = table["nll"].astype(float).fillna(np.inf)
    keys = ["teacher", *[key for key in (*SOFT, *TRAINING) if key in table]]
    return table.groupby(keys, dropna=False, sort=False).mean().reset_index()


def _choose(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Each teacher's best recipe, as ``distill.recipes`` wants it."""
    chosen = {}
    ordered = table.sort_values(["accuracy", "nll"], ascending=[False, True])
    for teacher in table["teacher"].unique():
        best = ordered[ordered["teacher"] == teacher].iloc[0]
        chosen[teacher] = {
            key: int(best[key]) if key == "epochs" else float(best[key]) for key in _varied(teacher)
        }
    return chosen


def _shown(table: pd.DataFrame, chosen: dict[str, dict]) -> str:
    """The table for the terminal, with a star at what is chosen."""
    shown = table.assign(accuracy=(100 * table["accuracy"]).round(1), nll=table["nll"].round(3))
    best = [
        all(row[key] == value for key, value in chosen[row["teacher"]].items())
        for _, row in shown.iterrows()
    ]
    shown = shown.astype(object).where(shown.notna(), "")
    shown = shown.assign(chosen=["*" if each else "" for each in best])
    return tabulate(shown, headers="keys", showindex=False, missingval="", tablefmt="simple")
