"""What students side by side take of the memory: is the pictures' file there once, or for each?

    python benchmarks/shared_pictures.py [--workers N] [--images N] [--size PIXELS] [--json FILE]

Trains a narrow student in each of N processes, as ``distill`` does, on made-up pictures, and again
on a tenth of them. PSS, the proportional set size, counts what processes share in parts. Printed is
its sum over the processes, at its most, in both runs: what differs, code and buffers apart, is the
pictures, so the difference as a share of their bytes says how often they lie in memory.
"""

import tempfile
import threading
from pathlib import Path

import click
import numpy as np
import psutil

from brain_teacher.cells.engine import run_cells
from brain_teacher.chain.students.cells import TRAINING, Material, StudentCell
from brain_teacher.files import write_json

CLASSES = 16
RECIPE = {
    "loss": "hinton", "temperature": 2.0, "alpha": 0.8, "epochs": 1, "epoch": "last",
    "network": "resnet18", "stem": "large", "width": 8, "weights": "none", "batch": 64,
    "learning_rate": 0.003, "weight_decay": 0.05, "shift": 2, "flip": True, "precision": "float32",
}  # fmt: skip


def make_material(folder, images, size):
    """Noise, written a part at a time."""
    file = folder / "pixels.npy"
    pixels = np.lib.format.open_memmap(file, "w+", np.uint8, (images, size, size, 3))
    rng = np.random.default_rng(0)
    for part in np.array_split(np.arange(images), max(1, images // 256)):
        pixels[part] = rng.integers(0, 256, (len(part), size, size, 3), dtype=np.uint8)
    pixels.flush()
    ids = np.array([f"c{n % CLASSES}_{n}" for n in range(images)])
    return Material(file, np.arange(images) % CLASSES, ids, np.array([f"c{n}" for n in range(16)]))


def most_memory(material, workers):
    """PSS of the processes together, in bytes, at its most while all of them train."""
    rows = np.arange(len(material.labels))
    splits = {TRAINING: rows, "validation": rows[:64], "test": rows[:64]}
    cells = [
        StudentCell(name=str(k), seed=k, recipe=RECIPE, inputs="", origin={}, rows=splits)
        for k in range(workers)
    ]
    most, done = [0], threading.Event()

    def watch():
        while not done.wait(0.2):
            found = []
            for child in psutil.Process().children(recursive=True):
                try:
                    found.append(child.memory_full_info().pss)
                except psutil.Error:
                    continue  # it has just ended
            most[0] = max(most[0], sum(found))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in run_cells(cells, shared=material, workers=workers):
            pass
    finally:
        done.set()
        watcher.join()
    return most[0]


@click.command(help=__doc__.split("\n")[0])
@click.option("--workers", type=click.IntRange(min=2), default=4, show_default=True)
@click.option("--images", type=click.IntRange(min=640), default=7200, show_default=True)
@click.option("--size", type=click.IntRange(min=32), default=224, show_default=True)
@click.option("--json", "file", type=click.Path(path_type=Path), help="Also as JSON.")
def main(workers, images, size, file):
    most = {}
    for count in (images // 10, images):
        with tempfile.TemporaryDirectory() as folder:
            most[count] = most_memory(make_material(Path(folder), count, size), workers)
    few, many = most
    grown = (many - few) * size**2 * 3
    row = {
        "workers": workers,
        "images": images,
        "size": size,
        "pictures_mib": images * size**2 * 3 / 2**20,
        "pss_mib": most[many] / 2**20,
        "pss_of_a_tenth_mib": most[few] / 2**20,
        "times": (most[many] - most[few]) / grown,
    }
    click.echo(
        f"{images} pictures of {size} pixels, {row['pictures_mib']:.0f} MiB; {workers} students "
        f"side by side: PSS {row['pss_mib']:.0f} MiB together, {row['pss_of_a_tenth_mib']:.0f} "
        f"with a tenth of the pictures: they lie in memory {row['times']:.2f} times"
    )
    if file:
        write_json(file, row)


if __name__ == "__main__":
    main()
