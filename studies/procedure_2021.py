"""The 2021 procedure taken apart: what each of its steps does on the simulated sample.

    python studies/procedure_2021.py [--folder DIR] [--write FILE]

Soft labels made its way, one fault at a time. Then students of hard labels alone, which differ in
nothing but the seed, read as that procedure reads two methods. Half an hour on two cores; of the
first part what is finished is kept.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import click
import numpy as np
from scipy.special import log_softmax
from tabulate import tabulate

from brain_teacher.analysis.statistics import paired_difference, scores_of
from brain_teacher.cells.cell import Cell
from brain_teacher.cells.engine import run_cells
from brain_teacher.chain.dataset import open_dataset
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.cells import TRAINING
from brain_teacher.chain.students.material import gather
from brain_teacher.chain.students.precision import settle
from brain_teacher.chain.students.soft_labels import origin_of, read_brain
from brain_teacher.commands.decode import decode
from brain_teacher.commands.distill import distill
from brain_teacher.commands.preprocess import preprocess
from brain_teacher.dataset.trials import read_voxels
from brain_teacher.decoding.combining import combine
from brain_teacher.decoding.out_of_fold import (
    average_trials,
    class_numbers,
    image_classes,
    prepared,
    training_trials,
)
from brain_teacher.decoding.soft_labels import FORMAT, SoftLabels, read_soft_labels
from brain_teacher.decoding.solvers import logistic
from brain_teacher.decoding.voxel_scaling import best_voxels
from brain_teacher.files import write_npz
from brain_teacher.machine import RunTime, cores
from brain_teacher.report.words import BRAIN
from brain_teacher.seeds import named_rng
from dial_draws import draw_params, keep_mlflow_runs_in, quiet
from dial_table import put_between_marks
from identical_methods import identical_methods_table

ROOT = Path(__file__).parents[1]
STUDENTS, FEW = 40, 150
CPU = RunTime(device="cpu")
RIGHT, SMOOTHED = "as it should be", "smooth-matched"


@dataclass(frozen=True, eq=False, kw_only=True)
class WatchedStudent(Cell):
    """A student of hard labels, asked after each epoch which of the first test images it names."""

    seed: int

    def run(self, shared):
        """Images named after each epoch, and of all test images in the end."""
        from brain_teacher.distillation.engine import Recipe, Training, predict
        from brain_teacher.distillation.pictures import Pictures
        from brain_teacher.networks.devices import train_alone_on

        train_alone_on("cpu")
        material, (shown, tested), recipe = shared
        images, truth, named = material.images, material.labels[tested], []
        first, test = Pictures(images, tested[:FEW]), Pictures(images, tested)
        learnt, classes = Pictures(images, shown), len(material.class_id)
        labels, recipe = material.labels[shown], Recipe(**recipe)
        training = Training(learnt, labels, None, classes, recipe, self.seed, "cpu")
        for _ in training.epochs():
            answers = predict(training.network, first, "float32").argmax(dim=1).numpy()
            named.append(answers == truth[:FEW])
        answers = predict(training.network, test, "float32").argmax(dim=1).numpy()
        return np.array(named), answers == truth


def watched_students(params, dataset, soft_labels, *, students):
    """`WatchedStudent` of many seeds, side by side; test images in an order drawn once."""
    material, (part,) = gather(params, dataset, soft_labels, origin_of(params, dataset))
    order = named_rng("procedure 2021", "test images").permutation(np.sort(part.image_id["test"]))
    rows = [material.rows(ids) for ids in (part.image_id[TRAINING], order)]
    recipe = params.distill.recipe("none") | {"precision": params.distill.precision}
    cells = [WatchedStudent(name=f"seed {seed}", seed=seed) for seed in range(students)]
    made = run_cells(cells, shared=(material, rows, recipe), workers=cores())
    found = {cell.seed: result for cell, result in made}
    return tuple(np.stack([found[seed][k] for seed in range(students)]) for k in (0, 1))


def faulty_tables(params, dataset, voxels, soft_labels):
    """Fault -> what the brain then says; the first has none."""
    origin = origin_of(params, dataset)
    brain = read_brain(origin, dataset, soft_labels)
    seen = seen_before(params, origin, dataset, voxels, soft_labels, brain)
    return {
        RIGHT: brain,
        "paired with other scans": mispaired(brain),
        "predicted on the decoder's own training data": seen,
        "softmax applied twice": squashed(brain),
        "all three": squashed(mispaired(seen)),
    }


def mispaired(table):
    """Each image with the row of another, whatever its class; one permutation, drawn once."""
    shuffled = named_rng("procedure 2021", "scans").permutation(len(table.image_id))
    return replace(table, log_probs=table.log_probs[shuffled])


def squashed(table):
    """Probabilities taken for logits: the order stays, the largest is e / (e + K - 1) at most."""
    return replace(table, log_probs=log_softmax(np.exp(table.log_probs), axis=1))


def seen_before(params, origin, dataset, voxels, soft_labels, brain):
    """Soft labels of decoders that were fitted on the very trials they are asked for.

    There is nothing left to fit a temperature on, so that they are not calibrated.
    """
    settings, tables = params.decode, []
    for subject in origin["subject"].split("+"):
        cell = f"{subject}_{origin['roi']}"
        proper = read_soft_labels(soft_labels / f"{cell}_{origin['decoder']}.npz")
        trials = training_trials(read_voxels(voxels / f"{cell}.npz")[0])
        images, image_of, _ = image_classes(trials)
        pairs = [(np.arange(len(trials.data)),) * 2]
        data, standardise = prepared(trials, pairs, settings.normalise)
        category, how = class_numbers(trials), {"standardise": standardise}
        chosen = best_voxels(data, category, pairs, settings.voxels, by=settings.select, **how)
        penalty = float(np.median(proper.meta["C"]))
        (logits,) = logistic.solve_folds(
            data, category, pairs, C=[penalty], chosen=chosen, **how
        )  # fmt: skip
        log_probs = average_trials(logits[0], image_of)[1].astype(np.float32)
        fold = np.zeros(len(images), dtype=np.int16)
        tables.append(SoftLabels(log_probs, images, proper.class_id, fold, {"calibrated": False}))
    table = combine(tables, dataset.category_of)
    return table.take(brain.image_id)


def taught(params, dataset, folder, table, teachers):
    """Students of one table."""
    subject, roi = next(iter(dataset.description.subjects)), params.distill.roi[0]
    params = params.with_distill(subject=[subject], decoder="table", teacher=teachers)
    meta = {"format": FORMAT, "dataset": params.dataset.name, "simulated": True}
    (folder / "soft_labels").mkdir(parents=True, exist_ok=True)
    file = folder / "soft_labels" / f"{subject}_{roi}_table.npz"
    write_npz(file, **replace(table, meta=meta).arrays())
    chosen = {"data": dataset.folder, "soft_labels": file.parent, "out": folder / "students"}
    return distill(params, **chosen, models=False, run_time=CPU, say=quiet, quiet=True)


def scores_by_teacher(folder, seeds):
    """Which test images each seed's student names, by teacher."""
    students = {}
    for student in student_folder.read_all(folder).values():
        if (seed := student.meta["seed"]) < seeds:  # a folder may hold those of a longer run
            students.setdefault(student.meta["teacher"], {})[seed] = student
    return {teacher: scores_of(by_seed) for teacher, by_seed in students.items()}


def faults_table(tables, scores, category_of):
    """What each fault makes of the soft labels and of the students that they teach, as Markdown."""
    rows, none = [], scores[RIGHT]["none"]
    for fault, table in tables.items():
        truth = table.truth([category_of[image] for image in table.image_id])
        top1 = (table.log_probs.argmax(axis=1) == truth).mean()
        largest = np.exp(table.log_probs).max(axis=1).mean()
        taught = scores[fault][BRAIN]
        row = [fault, f"{100 * top1:.0f}", f"{largest:.2f}", f"{100 * taught.accuracy.mean():.1f}"]
        for control in (none, scores[fault][SMOOTHED]):
            found = paired_difference(taught, control)
            row.append(f"{100 * found.mean:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]")
        rows.append(row)
    head = ["soft labels (simulated sample)", "their top-1 (%)", "mean of their largest"]
    head += ["students' accuracy (%)", "minus hard labels alone (points)"]
    head += ["minus their own smoothing (points)"]
    return tabulate(rows, head, tablefmt="pipe", disable_numparse=True)


@click.command(help=__doc__.split("\n")[0])
@click.option(
    "--folder", type=click.Path(path_type=Path), default="runs/procedure-2021", show_default=True
)
@click.option("--seeds", type=click.IntRange(min=2), help="Of each table; only to try it.")
@click.option("--epochs", type=click.IntRange(min=1), help="Of students; only to try it.")
@click.option("--write", "file", type=click.Path(path_type=Path), help="Put it there, too.")
def main(folder, seeds, epochs, file):
    if file and (seeds or epochs):
        raise click.UsageError("--write is for the full run; leave the other options out")
    keep_mlflow_runs_in(folder)
    data = ROOT / "data" / "sample"
    params = draw_params("sample", teachers=["none"], seeds=seeds, epochs=epochs)
    dataset = open_dataset(data)
    # Once for all: students of two precisions cannot be paired.
    recipe, _ = settle(params, params.distill.recipe("none"), folder, CPU, quiet)
    params = params.with_distill(precision=recipe["precision"])
    voxels = preprocess(params, data=data, out=folder / "voxels", say=quiet, quiet=True)
    soft_labels = folder / "soft_labels"
    decode(params, data=data, voxels=voxels, out=soft_labels, say=quiet, quiet=True)
    tables = faulty_tables(params, dataset, voxels, soft_labels)
    scores = {}
    for number, (fault, table) in enumerate(tables.items()):
        teachers = [SMOOTHED, BRAIN] if number else ["none", SMOOTHED, BRAIN]
        students = taught(params, dataset, folder / f"fault-{number}", table, teachers)
        scores[fault] = scores_by_teacher(students, params.distill.seeds)
    ids = tables[RIGHT].image_id
    category_of = dict(zip(ids, dataset.category_of(ids), strict=True))
    faults = faults_table(tables, scores, category_of)
    click.echo(f"{faults}\n")
    watched = watched_students(params, dataset, soft_labels, students=STUDENTS)
    rng = named_rng("procedure 2021", "cells")
    methods = identical_methods_table(*watched, rng=rng)
    click.echo(methods)
    if file:
        put_between_marks(file, "faults", faults)
        put_between_marks(file, "identical methods", methods)


if __name__ == "__main__":
    main()
