"""``distill``: soft labels and images to students, one folder per teacher and seed."""

from pathlib import Path

import pandas as pd

from brain_teacher.cells.folder import OutputFolder, run_folder
from brain_teacher.chain.dataset import open_dataset
from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import digest_of_plan, dvc_hash, plan_of
from brain_teacher.chain.students.family import write_not_made
from brain_teacher.chain.students.folder import Writer, check_neighbours
from brain_teacher.chain.students.held_out import write_between_subjects, write_held_out
from brain_teacher.chain.students.inputs import inputs_of
from brain_teacher.chain.students.names import write_names
from brain_teacher.chain.students.setting import open_setting
from brain_teacher.chain.students.training import train
from brain_teacher.commands import Place, Say
from brain_teacher.decoding.soft_labels import KINDS, SoftLabels
from brain_teacher.errors import BrainTeacherError
from brain_teacher.machine import HERE, RunTime
from brain_teacher.report.kinds import called, kind_notes
from brain_teacher.report.words import (
    WITHOUT_PICTURE,
    describe_network,
    said_categories,
    said_simulated,
)
from brain_teacher.tracking import flat, tracked

# What MLflow is told of the combined brain, or of what is in its place.
MEASURES = ("nll_before", "nll", "temperatures_at_bound")


def distill(
    params: Params,
    *,
    data: Place,
    soft_labels: Place,
    out: Place | None,
    controls: Place = "outputs/controls",
    rivals: Place = "outputs/rivals",
    voxels: Place = "outputs/voxels",
    limit: int | None = None,
    models: bool = True,
    run_time: RunTime = HERE,
    say: Say = print,
    quiet: bool = False,
) -> Path:
    """Train every teacher's students.

    Of `controls`, `rivals` and `voxels` only what a teacher needs must be there. With `limit`,
    about so many images of each split, it is a smoke run, which logs no models; otherwise each
    teacher's best student is logged as an MLflow model, if `models`.
    """
    tables = {"soft_labels": soft_labels, "controls": controls, "rivals": rivals, "voxels": voxels}
    setting = open_setting(params, dataset=open_dataset(data), limit=limit, **tables)
    out, plan = run_folder("distill", out), plan_of(params, data)
    tags = setting.origin | {"plan": digest_of_plan(plan)}
    if (version := dvc_hash(soft_labels)) is not None:
        tags["soft_labels_dvc"] = version
    dataset, brain = setting.dataset, setting.parts[0].brain
    word = said_simulated(dataset.description.simulated)
    named = dataset.name + said_categories(setting.origin)
    name = f"{named} {setting.origin['roi']} ({word})"
    _say_brain(brain, say)
    for text in kind_notes(setting.origin):
        say(text)
    for teacher, own in setting.tables.items():
        say(f"{teacher}: a table of {KINDS[own.kind]}, {len(own.image_id)} images")
    with OutputFolder(out, say).locked() as folder:
        setting = setting.settled(out, run_time, say)
        cells, skipped = setting.students(setting.teachers, range(params.distill.seeds))
        for teacher, reason in skipped.items():
            say(f"teacher {teacher} is left out: {reason}")
        if not cells:
            raise BrainTeacherError("no teacher is left: there is nothing to train")
        check_neighbours(out, cells, setting.material)
        settings = flat(params.distill.model_dump(), "distill")
        read = inputs_of(setting, soft_labels)
        with tracked("distill", name, tags=tags, params=settings, inputs=read) as tracker:
            tracker.remedy = f"`brain-teacher track {out}` brings them in"
            known = {key: brain.meta[key] for key in MEASURES if key in brain.meta}
            tracker.log(metrics={f"{brain.kind}/{key}": value for key, value in known.items()})
            write_names(out, dataset.description.categories)
            writer = Writer(folder, tracker, setting.material, tags=tags, plan=plan)
            train("distill", setting, cells, writer, run_time=run_time, say=say, quiet=quiet)
            table = writer.finish(cells, models=models and limit is None)
            write_not_made(out, skipped, setting.teachers)
            write_held_out(setting, Path(soft_labels), out)
            write_between_subjects(setting, Path(soft_labels), out)
            network = describe_network(setting.recipes[setting.teachers[0]])
            text = _summary(table, f"{named} ({word}), {network}", brain.kind)
            tracker.log(note=f"```\n{text}\n```\nThe verdict: experiment `compare`.")
    say(text.replace("\n", f" -> {out}\n", 1))
    return out


def _say_brain(brain: SoftLabels, say: Say) -> None:
    """What the combination did, and whose pictures are missing; else a table says nothing."""
    meta = brain.meta
    if WITHOUT_PICTURE in meta:
        say(
            f"{meta[WITHOUT_PICTURE]} shown images have no picture (images/missing.csv) and teach "
            f"nobody; {len(brain.image_id)} do"
        )
    if "combined" not in meta:
        return
    many = f"{len(meta['combined'])} tables"
    if "nll_before" not in meta:
        how = f"averaged over {len(brain.image_id)} images; NLL {meta['nll']:.3f}"
    else:
        how = f"combined over {len(brain.image_id)} images; {_tempered(meta)}"
    text = f"{brain.kind}: {many} {how}"
    if meta["images_left_out"]:
        text += f"; {meta['images_left_out']} rows of images that not all saw were left out"
    say(text)


def _tempered(meta: dict) -> str:
    """What the group's temperature did to the product of several brains."""
    text = f"NLL {meta['nll_before']:.3f} before the group's temperature, {meta['nll']:.3f} after"
    if meta["temperatures_at_bound"]:
        text += f"; {meta['temperatures_at_bound']} folds' temperatures ran into a bound"
    if meta["nll"] > meta["nll_before"]:
        text += "; the temperature made it worse: too few images to fit one?"
    return text


def _summary(table: pd.DataFrame, title: str, kind: str) -> str:
    """Each teacher's mean on validation, for the terminal."""
    lines = [f"validation accuracy in %, {title}"]
    for teacher, rows in table.groupby("teacher", sort=False)["validation_accuracy"]:
        there = rows.dropna()
        lost = f", {len(rows) - len(there)} diverged" if len(there) < len(rows) else ""
        mean = f"{100 * there.mean():5.1f}" if len(there) else "  -  "
        lines.append(f"  {called(teacher, kind):17} {mean}  ({len(rows)} students{lost})")
    return "\n".join(lines)
