"""THINGS-fMRI at its real size, made up: time and memory of `fetch things --from`, and of decoding.

    python benchmarks/things_size.py [--folder DIR]

A table of 211,339 voxels x 9,840 trials (16.6 GB) is written once and stands for all three
subjects; each command runs in a process of its own.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import click
import h5py
import numpy as np
import pandas as pd

VOXELS, CONCEPTS, SHOWN, REPEATED = 211_339, 720, 12, 100
# Voxels of each ROI's column, about as many as such areas have.
SIZES = {"V1": 1500, "V2": 1300, "V3": 1200, "hV4": 700, "lLOC": 900, "rLOC": 900, "IT": 4000}


def trials():
    """The design: 8,640 pictures once, 100 in each of twelve sessions of ten runs."""
    rng = np.random.default_rng(0)
    once = [(f"c{c:03d}", f"c{c:03d}_{n:02d}s") for c in range(CONCEPTS) for n in range(SHOWN)]
    again = [(f"c{c:03d}", f"c{c:03d}_14s") for c in range(REPEATED)]
    order = rng.permutation(len(once)).reshape(12, -1)
    rows = []
    for session in range(12):
        shown = [("train", *once[n]) for n in order[session]] + [("test", *each) for each in again]
        for place, at in enumerate(rng.permutation(len(shown))):
            kind, concept, name = shown[at]
            rows.append((kind, session + 1, 1 + place * 10 // len(shown), f"{name}.jpg", concept))
    columns = ["trial_type", "session", "run", "stimulus", "concept"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(subject_id=1, trial_id=np.arange(len(table)))


def write(folder):
    """The files of three subjects; the table of responses is written once."""
    table, rng = trials(), np.random.default_rng(1)
    masks = pd.DataFrame({"voxel_id": np.arange(VOXELS)})
    start = 0
    for name, size in SIZES.items():
        masks[name] = ((masks["voxel_id"] >= start) & (masks["voxel_id"] < start + size)).astype(
            int
        )
        start += size
    noise = rng.standard_normal((512, len(table)))
    with h5py.File(folder / "sub-01_ResponseData.h5", "w") as file:
        group = file.create_group("ResponseData")
        group.attrs["nblocks"] = 2
        group["axis1"] = np.arange(VOXELS)
        group["block0_items"] = np.array([str(n).encode() for n in range(len(table))])
        group["block1_items"] = np.array([b"voxel_id"])
        group["block1_values"] = np.arange(VOXELS)[:, None]
        values = group.create_dataset("block0_values", (VOXELS, len(table)), "f8")
        for first in range(0, VOXELS, len(noise)):
            values[first : first + len(noise)] = np.roll(noise, first, axis=1)[: VOXELS - first]
    for subject in ("01", "02", "03"):
        if subject != "01":
            os.link(folder / "sub-01_ResponseData.h5", folder / f"sub-{subject}_ResponseData.h5")
        table.to_csv(folder / f"sub-{subject}_StimulusMetadata.csv", index=False)
        masks.to_csv(folder / f"sub-{subject}_VoxelMetadata.csv", index=False)


def measured(label, *command):
    """Run a command; print its time and the most memory that any child had so far."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    click.echo(f"{label}: {seconds:.0f} s, at most {memory:.2f} GiB so far")


@click.command(help=__doc__.split("\n")[0])
@click.option("--folder", type=click.Path(path_type=Path), default="runs/things-size")
def main(folder):
    raw = folder / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    if not (raw / "sub-03_ResponseData.h5").exists():
        write(raw)
    here = (sys.executable, "-m", "brain_teacher")
    settings = ("--params", "params/things.yaml", "--data", str(folder / "data"))
    data, voxels = str(folder / "data"), str(folder / "voxels")
    measured(
        "fetch --from, three subjects", *here, "fetch", "things", "--from", str(raw), "--out", data
    )
    measured("preprocess", *here, "preprocess", *settings, "--out", voxels)
    roi = ("--subject", "sub-01", "--roi", "LOC")
    decoded = str(folder / "soft_labels")
    measured(
        "decode of one ROI by ridge",
        *here,
        "decode",
        *settings,
        *roi,
        "--voxels",
        voxels,
        "--out",
        decoded,
    )


if __name__ == "__main__":
    main()
