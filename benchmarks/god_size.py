"""A simulated data set of GOD's exact size and layout, and what each part of a run costs on it.

    python benchmarks/god_size.py [--folder DIR] [--only PART] [--pictured N] [--json FILE]

Five subjects of 1,200 training, 1,750 test and 500 imagery trials with the ROI sizes of GOD's
subject 1, and 1,200 shown pictures of 500 x 375. Voxels are noise: nothing can be learnt from
them, and a number printed here is a time or a size. What takes days on a CPU is estimated from a
few steps, and called so. With fewer categories pictured (59 are in ILSVRC 2012), the others are no
outputs; how many are, and their chance, is printed as decode wrote it.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

import click
import numpy as np
from PIL import Image

from brain_teacher.dataset.bdata import write_bdata
from brain_teacher.dataset.description import Description
from brain_teacher.dataset.ids import number_from_image_id
from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.files import atomic_folder, write_json
from brain_teacher.machine import HERE, cores

ROOT = Path(__file__).parents[1]
SUBJECTS = ("S1", "S2", "S3", "S4", "S5")
CATEGORIES, SHOWN, TESTED, REPEATS, IMAGINED = 150, 8, 50, 35, 10
# Voxels of subject 1 in the files that were made with SPM; VC holds all others, and overlaps make
# it smaller than their sum. The areas are cut from it one after another.
VC = 4466
AREAS = {"V1": 1004, "V2": 1018, "V3": 759, "V4": 740, "LOC": 540, "FFA": 568, "PPA": 356}
UNSEEN = 50  # of each category, as params/god.yaml is meant for
PRESET = ROOT / "params" / "god.yaml"


def masks():
    """ROI flags of the size of GOD's: areas side by side, the last ones overlapping."""
    rois, start = {}, 0
    for name, size in AREAS.items():
        start = min(start, VC - size)
        rois[name] = np.zeros(VC, dtype=bool)
        rois[name][start : start + size] = True
        start += size
    rois["LVC"] = rois["V1"] | rois["V2"] | rois["V3"]
    rois["HVC"] = rois["LOC"] | rois["FFA"] | rois["PPA"]
    return rois | {"VC": np.ones(VC, dtype=bool)}


def labels_of(rng):
    """BData's label columns: 24, 35 and 20 runs, image ids by GOD's rule."""
    training = [f"n{10**7 + c:08d}_{i}" for c in range(CATEGORIES) for i in range(1, SHOWN + 1)]
    tested = [f"n{2 * 10**7 + c:08d}_1" for c in range(TESTED)]
    numbers = np.array([number_from_image_id(name) for name in training])
    test = np.array([number_from_image_id(name) for name in tested])
    order = [rng.permutation(numbers)]
    order += [rng.permutation(test) for _ in range(REPEATS)]
    order += [rng.permutation(np.repeat(np.floor(test), IMAGINED))]
    sizes = (CATEGORIES * SHOWN, TESTED * REPEATS, TESTED * IMAGINED)
    runs = [1 + np.arange(n) // per for n, per in zip(sizes, (50, 50, 25), strict=True)]
    return {
        "stimulus_id": np.concatenate(order),
        "Run": np.concatenate(runs),
        "DataType": np.repeat([1, 2, 3], sizes),
    }


def make(folder, pictured):
    """Write the data set, if it is not there; of some categories with pictures."""
    if folder.exists():
        return
    with atomic_folder(folder) as temporary:
        (temporary / "bdata").mkdir()
        with ProcessPoolExecutor(cores(), mp_context=get_context("spawn")) as pool:
            list(pool.map(make_subject, [temporary] * len(SUBJECTS), SUBJECTS))
        make_pictures(temporary / "images" / "shown", pictured)
        Description(
            name="god-size",
            simulated=True,
            subjects={name: f"bdata/{name}.h5" for name in SUBJECTS},
            roi=list(masks()),
            source="Noise in GOD's size and layout; no real recording",
        ).write(temporary)


def make_subject(folder, name):
    rng = np.random.default_rng(SUBJECTS.index(name))
    labels = labels_of(rng)
    voxels = rng.standard_normal((len(labels["Run"]), VC), dtype=np.float32)
    write_bdata(folder / "bdata" / f"{name}.h5", voxels, rois=masks(), labels=labels)


def make_pictures(folder, pictured):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(99)
    for category in range(pictured):
        for number in range(1, SHOWN + 1):
            small = Image.fromarray(rng.integers(0, 256, (15, 20, 3), dtype=np.uint8))
            picture = small.resize((500, 375), Image.Resampling.BICUBIC)
            picture.save(folder / f"n{10**7 + category:08d}_{number}.JPEG", quality=90)


def timed(*arguments, folder):
    """Seconds of a ``brain-teacher`` command, and the GiB that it and its processes took at most.

    The largest process stands for each of those that ran side by side.
    """
    env = os.environ | {
        "PYTHONPATH": str(ROOT / "src"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder.absolute() / 'mlflow.db'}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    command = [sys.executable, str(Path(__file__)), "--inside", json.dumps(arguments)]
    start = time.perf_counter()
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - start, float(done.stdout.splitlines()[-1])


def run_inside(arguments):
    """Run a command in this process; prints the most memory that it took, in GiB."""
    from brain_teacher.cli import main

    main(arguments, standalone_mode=False)
    own, children = (
        resource.getrusage(who).ru_maxrss / 2**20
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    click.echo(f"{own + cores() * children:.3f}")


def preprocess(folder, common):
    """All cells: the voxels' folder, and what is to be said."""
    out = folder / f"voxels-{time.time_ns()}"
    seconds, gib = timed("preprocess", *common, "--out", str(out), folder=folder)
    return out, {"preprocess": {"seconds": seconds, "gib": gib, "is": "measured"}}


def decode(folder, common, voxels):
    """One cell, the largest; the others are estimated from it."""
    cell = ["--subject", "S1", "--roi", "VC", "--voxels", str(voxels)]
    out = folder / f"soft_labels-{time.time_ns()}"
    seconds, gib = timed("decode", *common, *cell, "--out", str(out), folder=folder)
    classes, chance = outputs_of(out)
    shutil.rmtree(out)
    n_cells = len(SUBJECTS) * len(masks())
    name = f"decode, S1 VC, {classes} outputs, chance {chance}"
    rows = {name: {"seconds": seconds, "gib": gib, "is": "measured"}}
    whole = {"seconds": n_cells * seconds / cores(), "is": f"estimated, {cores()} side by side"}
    return rows | {f"decode, all {n_cells} cells": whole}


def outputs_of(out):
    """How many classes a table has that decode wrote, and their chance of top-1, as a fraction."""
    table = read_soft_labels(out / "S1_VC_logistic.npz")
    chance = Fraction(table.meta["quality"]["chance"]).limit_denominator(CATEGORIES)
    return len(table.class_id), chance


def students(params):
    """All students of the family, from a few steps of one."""
    from brain_teacher.chain.device import device_for, where
    from brain_teacher.chain.students.cost import step_seconds, steps_of
    from brain_teacher.chain.students.precision import measured_precision

    settings, recipe = params.distill, params.distill.recipe()
    device = device_for(HERE)
    here = {"image_size": settings.image_size, "device": device}
    if recipe["precision"] == "auto":
        recipe["precision"] = measured_precision(recipe, **here)
    each = step_seconds(recipe, **here)
    unseen = UNSEEN * CATEGORIES
    share = params.dataset.validation_share
    images = {"training": CATEGORIES * SHOWN, "validation": share * unseen}
    images["test"] = unseen - images["validation"]
    count = len(settings.teacher) * settings.seeds
    processes = where(HERE, device)["workers"]
    seconds = each * steps_of(recipe, images)
    name = f"distill, {count} students, {device}, {recipe['precision']}"
    return {
        "a training step": {"seconds": each, "is": "measured"},
        name: {
            "seconds": count * seconds / processes,
            "is": f"estimated, {processes} side by side, {unseen} unseen images",
        },
    }


PARTS = ("preprocess", "decode", "students")


@click.command(help=__doc__.split("\n")[0])
@click.option(
    "--folder", type=click.Path(path_type=Path), default="runs/god-size", show_default=True
)
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Only these parts.")
@click.option("--pictured", default=CATEGORIES, help="Categories that have pictures.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Also as JSON.")
@click.option("--inside", hidden=True, help="A command whose memory is measured.")
def main(folder, only, pictured, file, inside):
    if inside:
        run_inside(json.loads(inside))
        return
    from brain_teacher.chain.params import load_params
    from brain_teacher.chain.students.cost import in_words

    parts, rows = only or PARTS, {}
    if set(parts) & {"preprocess", "decode"}:
        data = folder / f"data-{pictured}"
        make(data, pictured)
        common = ["--params", str(PRESET), "--data", str(data)]
        voxels, found = preprocess(folder, common)
        rows |= found if "preprocess" in parts else {}
        rows |= decode(folder, common, voxels) if "decode" in parts else {}
        shutil.rmtree(voxels)
    if "students" in parts:
        rows |= students(load_params(PRESET))
    for name, row in rows.items():
        size = f", {row['gib']:.2f} GiB" if "gib" in row else ""
        click.echo(f"{name}: {in_words(row['seconds'])}{size} ({row['is']})")
    if file:
        write_json(file, rows)


if __name__ == "__main__":
    main()
