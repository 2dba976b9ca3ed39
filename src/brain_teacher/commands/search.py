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
from brain_teacher.chain.provenance import plan_digest
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.setting import open_setting
from brain_teacher.chain.students.training import train
from brain_teacher.files import atomic_write
from brain_teacher.machine import HERE
from brain_teacher.report.words import said_simulated
from brain_teacher.tracking import flat, tracked

# Seeds from here on are pilots: `distill` never reports them.
PILOT = 1_000_000
CHOSEN, TABLE = "recipes.yaml", "search.csv"
SOFT, HARD = ("temperature", "alpha"), ("learning_rate", "epochs")


def search(
    params, *, data, soft_labels, controls, rivals, out, run_time=HERE, say=print, quiet=False
):
    """Try every recipe of ``params.search`` for every teacher, and choose by validation.

    Soft teachers choose temperature and alpha, ``none``, which has neither, learning rate and
    epochs: as many recipes for each. The best has the highest mean accuracy on validation over
    the pilot seeds (of equals, the lowest NLL). Test images are not looked at.

    Parameters
    ----------
    params : Params
    data, soft_labels, controls, rivals : path-like
        As for ``distill``.
    out : path-like or None
        Where students, the table and the chosen recipes go; None: ``runs/search-<UTC time>``.
    run_time : RunTime
    say : callable
    quiet : bool
        No progress bar.

    Returns
    -------
    Path
        The output folder, with ``recipes.yaml``: what to put at ``distill.recipes``.
    """
    setting = open_setting(
        params,
        dataset=open_dataset(data),
        soft_labels=soft_labels,
        controls=controls,
        rivals=rivals,
    )
    out = Path(out or run_folder("search"))
    word = said_simulated(setting.dataset.description.simulated)
    name = f"{setting.dataset.name} {setting.origin['roi']} ({word})"
    with (
        OutputFolder(out, say).locked() as folder,
        tracked(
            "search",
            name,
            tags=setting.origin,
            params=flat(params.search.model_dump(), "search"),
        ) as tracker,
    ):
        setting = setting.settled(out, run_time, say)
        cells, varied = _cells(params, setting, say)
        writer = student_folder.Writer(
            folder, tracker, setting.material, tags=setting.origin, plan=plan_digest(params)
        )
        train("search", setting, cells, writer, run_time=run_time, say=say, quiet=quiet)
        writer.finish(cells, models=False)
        table = _table(out, cells, varied)
        chosen = _choose(table)
        files = [out / TABLE, out / CHOSEN]
        with atomic_write(files[0]) as temporary:
            table.to_csv(temporary, index=False)
        with atomic_write(files[1]) as temporary:
            temporary.write_text(yaml.safe_dump({"recipes": chosen}, sort_keys=False), "utf-8")
        tracker.log(artifacts=files)
    say(_summary(table, chosen, f"{name}, {params.search.seeds} pilot seeds", out))
    return out


def _recipes_to_try(params, teacher):
    """What is varied for a teacher: a list of settings, as long for every teacher."""
    keys = HARD if teacher == "none" else SOFT
    values = product(*(getattr(params.search, key) for key in keys))
    return [dict(zip(keys, each, strict=True)) for each in values]


def _cells(params, setting, say):
    """One cell a teacher, recipe and pilot seed; and by its name what is varied."""
    cells, varied = [], {}
    seeds = range(PILOT, PILOT + params.search.seeds)
    for teacher in setting.teachers:
        for number, tried in enumerate(_recipes_to_try(params, teacher)):
            recipes = {teacher: setting.recipes[teacher] | tried}
            table = _first_table(setting)
            found, skipped = setting.students([teacher], seeds, recipes=recipes, table=table)
            for cell in found:
                ending = "" if cell.fold is None else f"_fold{cell.fold}"
                name = f"{teacher}_recipe{number}_{cell.seed - PILOT}{ending}"
                cells.append(replace(cell, name=name))
                varied[name] = tried
            if number == 0:
                for reason in skipped.values():
                    say(f"teacher {teacher} is left out: {reason}")
    return cells, varied


def _first_table(setting):
    # Draws of exchanged trials are made for the seeds that are reported: pilots share the first.
    return lambda name, seed, part: setting.table(name, 0, part)


def _table(out, cells, varied):
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
    keys = ["teacher", *[key for key in (*SOFT, *HARD) if key in table]]
    return table.groupby(keys, dropna=False, sort=False).mean().reset_index()


def _choose(table):
    """Each teacher's best recipe, as ``distill.recipes`` wants it."""
    chosen = {}
    for teacher, rows in table.groupby("teacher", sort=False):
        best = rows.sort_values(["accuracy", "nll"], ascending=[False, True]).iloc[0]
        keys = HARD if teacher == "none" else SOFT
        chosen[teacher] = {
            key: int(best[key]) if key == "epochs" else float(best[key]) for key in keys
        }
    return chosen


def _summary(table, chosen, title, out):
    shown = table.assign(accuracy=(100 * table["accuracy"]).round(1), nll=table["nll"].round(3))
    best = [
        all(row[key] == value for key, value in chosen[row["teacher"]].items())
        for _, row in shown.iterrows()
    ]
    shown = (
        shown.astype(object)
        .where(shown.notna(), "")
        .assign(chosen=["*" if each else "" for each in best])
    )
    return "\n".join(
        [
            f"search: validation accuracy in %, {title}",
            tabulate(shown, headers="keys", showindex=False, missingval="", tablefmt="simple"),
            "",
            f"put into params.yaml, block distill ({out / CHOSEN}):",
            yaml.safe_dump({"recipes": chosen}, sort_keys=False).rstrip(),
        ]
    )
