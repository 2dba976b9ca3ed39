"""``distill``: soft labels and images to students, one folder per teacher and seed."""

from pathlib import Path

from brain_teacher.cells.folder import OutputFolder, run_folder
from brain_teacher.chain.dataset import open_dataset
from brain_teacher.chain.provenance import dvc_hash, plan_digest
from brain_teacher.chain.students.folder import Writer
from brain_teacher.chain.students.setting import open_setting
from brain_teacher.chain.students.training import train
from brain_teacher.machine import HERE
from brain_teacher.report.words import WITHOUT_PICTURE, describe_network, said_simulated
from brain_teacher.tracking import flat, tracked


def distill(
    params,
    *,
    data,
    soft_labels,
    out,
    controls="outputs/controls",
    rivals="outputs/rivals",
    limit=None,
    models=True,
    run_time=HERE,
    say=print,
    quiet=False,
):
    """Train every teacher's students.

    Parameters
    ----------
    params : Params
        ``params.distill`` says which brain, which teachers, how many seeds, and how to train.
    data, soft_labels, controls, rivals : path-like
        A data set folder, and what ``decode``, ``controls`` and ``rivals`` wrote; of the last two
        only what a teacher needs must be there.
    out : path-like or None
        Where the students go; None: ``runs/distill-<UTC time>``.
    limit : int, optional
        About so many images of each split: a smoke run, which logs no models.
    models : bool
        Log each teacher's best student as an MLflow model.
    run_time : RunTime
    say : callable
    quiet : bool
        No progress bar.

    Returns
    -------
    Path
        The output folder.
    """
    setting = open_setting(
        params,
        dataset=open_dataset(data),
        soft_labels=soft_labels,
        controls=controls,
        rivals=rivals,
        limit=limit,
    )
    out = Path(out or run_folder("distill"))
    tags = setting.origin | {"plan": plan_digest(params)}
    if (version := dvc_hash(soft_labels)) is not None:
        tags["soft_labels_dvc"] = version
    dataset, brain = setting.dataset, setting.parts[0].brain
    word = said_simulated(dataset.description.simulated)
    name = f"{dataset.name} {setting.origin['roi']} ({word})"
    _say_brain(brain, say)
    with OutputFolder(out, say).locked() as folder:
        setting = setting.settled(out, run_time, say)
        cells, skipped = setting.students(setting.teachers, range(params.distill.seeds))
        for teacher, reason in skipped.items():
            say(f"teacher {teacher} is left out: {reason}")
        with tracked(
            "distill", name, tags=tags, params=flat(params.distill.model_dump(), "distill")
        ) as tracker:
            tracker.log(metrics=_brain_metrics(brain))
            writer = Writer(folder, tracker, setting.material, tags=tags, plan=plan_digest(params))
            train("distill", setting, cells, writer, run_time=run_time, say=say, quiet=quiet)
            table = writer.finish(cells, models=models and limit is None)
    network = describe_network(setting.recipes[setting.teachers[0]])
    say(_summary(table, f"{dataset.name} ({word}), {network} -> {out}"))
    return out


def _say_brain(brain, say):
    """What the combination did, and whose pictures are missing; else a table says nothing."""
    meta = brain.meta
    if WITHOUT_PICTURE in meta:
        say(
            f"{meta[WITHOUT_PICTURE]} shown images have no picture (images/missing.csv) and teach "
            f"nobody; {len(brain.image_id)} do"
        )
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


def _summary(table, title):
    lines = [f"validation accuracy in %, {title}"]
    for teacher, rows in table.groupby("teacher", sort=False)["validation_accuracy"]:
        there = rows.dropna()
        lost = f", {len(rows) - len(there)} diverged" if len(there) < len(rows) else ""
        mean = f"{100 * there.mean():5.1f}" if len(there) else "  -  "
        lines.append(f"  {teacher:17} {mean}  ({len(rows)} students{lost})")
    return "\n".join(lines)
