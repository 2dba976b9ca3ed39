"""What handing out costs: cells of no work through a pool, Dask's workers here, and joblib's loky.

    python benchmarks/empty_cells.py [--cells N] [--workers N] [--json FILE]

Each engine runs in a process of its own. Printed are the seconds to the first result, the
milliseconds a cell after it, and the memory of the process that hands out, at its most; and how
many students a second MLflow takes into SQLite, which the driver alone tells it of.
"""

import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import click
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from tabulate import tabulate

from brain_teacher.cells.cell import Cell
from brain_teacher.cells.cluster import Cluster
from brain_teacher.cells.engine import run_cells
from brain_teacher.files import write_json

STUDENTS = 200


@dataclass(frozen=True, eq=False, kw_only=True)
class Empty(Cell):
    number: int

    def run(self, shared):
        return self.number


def pool(cells, workers, folder):
    return run_cells(cells, shared=None, workers=workers)


def dask(cells, workers, folder):
    cluster = Cluster("local", Path(folder) / "cluster")
    return run_cells(cells, shared=None, workers=workers, cluster=cluster)


def loky(cells, workers, folder):
    side_by_side = Parallel(workers, "loky", return_as="generator_unordered", batch_size=1)
    yield from side_by_side(delayed(cell.run)(None) for cell in cells)
    get_reusable_executor().shutdown()  # its processes would wait for minutes


ENGINES = {"pool": pool, "Dask, --cluster local": dask, "joblib's loky": loky}


def measured(name, count, workers):
    """The figures of one engine, in a process that has run no other."""
    cells = [Empty(name=str(number), number=number) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        made = ENGINES[name](cells, workers, folder)
        next(made)
        first = time.perf_counter()
        left = sum(1 for _ in made)
        end = time.perf_counter()
    if left != count - 1:
        raise RuntimeError(f"{name} gave {left + 1} results of {count}")
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    row = {"first_s": first - start, "cell_ms": 1000 * (end - first) / left}
    return {"engine": name} | row | {"driver_mib": kilobytes / 1024}


def tracked(students):
    """Students a second, curves of 100 epochs with each, into a new SQLite store."""
    from tracking_work import EPOCHS, log_student, open_store

    with tempfile.TemporaryDirectory() as folder:
        tracker, _ = open_store(folder)
        start = time.perf_counter()
        for number in range(students):
            log_student(tracker, number, EPOCHS)
        return students / (time.perf_counter() - start)


def alone(function, *arguments):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


@click.command()
@click.option("--cells", "count", type=click.IntRange(min=2), default=10_000, show_default=True)
@click.option("--workers", type=click.IntRange(min=2), default=2, show_default=True)
@click.option("--json", "file", help="Where the figures also go.")
def main(count, workers, file):
    rate = alone(tracked, min(count, STUDENTS))
    print(f"MLflow into SQLite: {rate:.3g} students a second", flush=True)
    rows = []
    for name in ENGINES:
        rows.append(alone(measured, name, count, workers))
        print(*rows[-1].values(), flush=True)
    headers = ["engine", "first result, s", "a cell, ms", "driver, MiB"]
    print(f"\n{count} cells of no work, {workers} workers\n")
    print(tabulate([row.values() for row in rows], headers, floatfmt=".3g", tablefmt="github"))
    if file:
        found = {"cells": count, "workers": workers, "engines": rows}
        write_json(file, found | {"mlflow_students_a_second": rate})


if __name__ == "__main__":
    # By a name that workers can import.
    import empty_cells

    empty_cells.main()
