"""What the project costs on one GPU, for the day that one is there: about five minutes.

    python benchmarks/gpu.py [--only ROW] [--budget SECONDS] [--json FILE] [--write FILE]
                             [--device cpu --quick]

Each row is kept in the JSON file as soon as it is measured; started again on the same card with the
same torch, only those are that are missing or had failed. --quick is for trying the script, on a
CPU, too: everything is tiny, and what it prints means nothing. All data are made up.
"""

import gc
import json
import os
import sys
import time
import traceback
from pathlib import Path

# Before numpy: BLAS reads them once.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import click
import torch

from brain_teacher.networks.devices import choose_device
from gpu_decoders import mlp, resnet1d
from gpu_kernels import ceilings, compiled, convolutions, replayed_step
from gpu_lines import card_of, describe, markdown
from gpu_students import large_students, small_students

# What was asked for comes first: a budget ends the run before the last ones.
ROWS = {
    "ceilings": ceilings,
    "resnet1d": resnet1d,
    "students-224": large_students,
    "students-56": small_students,
    "mlp": mlp,
    "replayed-step": replayed_step,
    "convolutions": convolutions,
    "compiled": compiled,
}


def read(file, card):
    """Rows of this card and this torch, by name."""
    return {row["name"]: row for row in _all(file) if row["card"] == card}


def keep(file, rows, card):
    """Write the rows of this card beside those of others."""
    others = [row for row in _all(file) if row["card"] != card]
    file.write_text(json.dumps([*others, *rows.values()], indent=1), "utf-8")


def _all(file):
    return json.loads(file.read_text("utf-8")) if file is not None and file.exists() else []


def measure(name, quick, device):
    """A row; what it has said before it fails is kept, and time on a card is dear."""
    row, start = {"lines": []}, time.perf_counter()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    try:
        for each in ROWS[name](quick, device):
            row["lines"].append(each)
            say(name, each)
    except Exception as error:  # noqa: BLE001 - the other rows shall be had all the same
        traceback.print_exc()
        row["failed"] = f"{type(error).__name__}: {error}"
    row["seconds"] = time.perf_counter() - start
    click.echo(f"{name:14} took {row['seconds']:.1f} s{_memory(device)}")
    gc.collect()
    return row


def _memory(device):
    if device != "cuda":
        return ""
    most = torch.cuda.max_memory_allocated() / 2**30
    torch.cuda.empty_cache()
    return f", {most:.1f} GiB of the card at most"


def say(name, each):
    """Print a line at once: a run may be cut off."""
    click.echo(f"{name:14} {describe(each)}")


def tables(file):
    """A table for each card that the rows of a file are of; wherever they were measured."""
    cards = []
    for row in _all(file):
        if row["card"] not in cards and not row["card"]["quick"]:
            cards.append(row["card"])
    return "\n\n".join(markdown(read(file, card), ROWS, card) for card in cards or [{}])


def write(page, file):
    """Put the tables into a page."""
    sys.path.append(str(Path(__file__).parents[1] / "studies"))
    from dial_table import put_between_marks

    put_between_marks(page, "gpu", tables(file))


@click.command(help=__doc__.split("\n")[0])
@click.option("--only", type=click.Choice(list(ROWS)), multiple=True, help="Rows; all, if none.")
@click.option("--budget", type=float, default=float("inf"), help="Seconds; then no row is begun.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Keep the rows there.")
@click.option("--write", "page", type=click.Path(path_type=Path), help="Put the tables there.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--quick", is_flag=True, help="Tiny sizes, to try the script.")
def main(only, budget, file, page, device, quick):
    if page and (quick or not file):
        raise click.UsageError("--write is for a file of real rows: give --json, not --quick")
    device, left = choose_device(device), []
    if device == "cpu" and not quick:
        click.echo("not measured: no GPU is here (--device cpu --quick tries the script)")
    else:
        left = run(only or ROWS, budget, file, device, quick)
    if page:
        write(page, file)
    if left:
        raise click.ClickException(f"not measured: {', '.join(left)}; start again for these")


def run(names, budget, file, device, quick):
    """Measure what is missing of some rows; gives those that it could not have."""
    torch.set_num_threads(1)
    card, start = card_of(device) | {"quick": quick}, time.perf_counter()
    rows, left = read(file, card), []
    for name in names:
        if name in rows and "failed" not in rows[name]:
            for each in rows[name]["lines"]:
                say(name, each)
        elif time.perf_counter() - start > budget:
            left.append(f"{name} (not begun)")
        else:
            rows[name] = {"name": name, "card": card} | measure(name, quick, device)
            left += [f"{name} (failed)"] if "failed" in rows[name] else []
            if file:
                keep(file, rows, card)
    return left


if __name__ == "__main__":
    main()
