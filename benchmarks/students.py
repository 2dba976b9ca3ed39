"""Training students against the usual loop: in turns, one thread each.

    python benchmarks/students.py [--only NAME] [--quick] [--cpu-time] [--json FILE]

Prints, for each piece of work, the seconds of ours and of the peer (medians), the ratio peer / ours
of each pair of turns (median, smallest, largest), and whether the median reaches the bar that was
set beforehand. The images, the loops and the network are described in `student_work` and
`usual_loop`; `accuracy_work` shows that both loops teach alike (minutes; not with --quick).
--cpu-time counts the process's own seconds, of batch-* and step-*: for a machine that others use.
"""

import json
import os
import tempfile
import time
from contextlib import suppress
from multiprocessing import get_context

# Before numpy: BLAS reads them once.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import click
import numpy as np
import torch

import student_work
from accuracy_work import same_accuracy
from tracking_work import WORK as TRACKING

WORK = student_work.WORK | TRACKING
ACCURACY = "accuracy"
QUICK = ("batch-64", "step-64", "gpu-64")
# The least ratio peer / ours, by row.
BARS = {"batch-224": 9, "batch-128": 32, "batch-64": 84}
BARS |= {"step-224": 2.5, "step-128": 2.8, "step-64": 2.8}
BARS |= {"gpu-224": 10, "gpu-128": 15, "gpu-64": 25, "tracking-curve": 40}
# The most seconds of ours, by row.
MOST_SECONDS = {"tracking-listing": 2.0}
# Turns; a row of long work stops after the first turn from the third on that ends beyond this time.
TURNS, QUICK_TURNS, PATIENCE = 15, 1, 60.0


class Side:
    """One side of a piece of work, waiting for its turn in a process of its own."""

    def __init__(self, *work):
        # A server that forks: torch is imported once, and memory is each side's own.
        context = get_context("forkserver")
        context.set_forkserver_preload(["torch", "torchvision.transforms", "scipy.stats"])
        self._pipe, theirs = context.Pipe()
        context.Process(target=_serve, args=(theirs, *work), daemon=True).start()
        theirs.close()  # so that a side that dies ends the pipe
        self._pipe.recv()

    def turn(self):
        """Seconds of one turn."""
        self._pipe.send(True)
        return self._pipe.recv()


def _serve(pipe, name, row, quick, cpu_time, folder):
    torch.set_num_threads(1)
    if cpu_time:
        student_work.clock = time.process_time
    peer, ours = WORK[name](quick, folder)
    side = ({"peer": peer} | ours)[row]
    side()  # to warm up
    pipe.send(True)
    with suppress(EOFError):  # the benchmark has ended
        while pipe.recv():
            pipe.send(side())


def compare(name, quick, cpu_time, folder):
    """The rows of one piece of work: each way of ours and the peer in turns."""
    if name.startswith("gpu") and not torch.cuda.is_available():
        return [{"name": name, "bar": BARS[name], "measured": False}]
    # A step is timed in both precisions.
    ours = [name, f"{name}-float32"] if name.startswith(("step", "gpu")) else [name]
    sides = {row: Side(name, row, quick, cpu_time, folder) for row in ["peer", *ours]}
    turns, start = [], time.perf_counter()
    while len(turns) < (QUICK_TURNS if quick else TURNS):
        turns.append([side.turn() for side in sides.values()])
        if len(turns) >= 3 and time.perf_counter() - start > PATIENCE:
            break
    seconds = dict(zip(sides, np.array(turns).T, strict=True))
    return [summarise(row, seconds[row], seconds["peer"], quick) for row in ours]


def summarise(row, ours, peer, quick):
    """Medians, and the ratios of the turns against the bar."""
    ratios = peer / ours
    summary = {
        "name": row,
        "measured": True,
        "ours_s": float(np.median(ours)),
        "peer_s": float(np.median(peer)),
        "ratio": float(np.median(ratios)),
        "ratio_low": float(ratios.min()),
        "ratio_high": float(ratios.max()),
        "turns": len(ratios),
    }
    if row in BARS and not quick:
        summary |= {"bar": BARS[row], "met": summary["ratio"] >= BARS[row]}
    if row in MOST_SECONDS and not quick:
        most = MOST_SECONDS[row]
        summary |= {"most_seconds": most, "met": summary["ours_s"] < most}
    return summary


def describe(row):
    """One line of a row."""
    if row["name"] == ACCURACY:
        return (
            "{name:20} ours {ours:.3f}, usual {usual:.3f}, difference {difference:+.4f} "
            "({difference_low:+.4f} to {difference_high:+.4f}, {seeds} paired seeds), "
            "chance {chance:.3f}".format(**row)
        )
    if not row["measured"]:
        return "{name:20} not measured: no GPU is here (bar: {bar})".format(**row)
    line = (
        "{name:20} ours {ours_s:8.4f} s, peer {peer_s:8.4f} s, ratio {ratio:6.2f} "
        "({ratio_low:.2f} to {ratio_high:.2f}, {turns} turns)".format(**row)
    )
    if "met" in row:
        bar = f"{row['bar']} times" if "bar" in row else f"under {row['most_seconds']} s"
        line += f", bar {bar}: {'met' if row['met'] else 'missed'}"
    return line


@click.command(help=__doc__.split("\n")[0])
@click.option("--only", type=click.Choice([*WORK, ACCURACY]), help="One piece of work.")
@click.option("--quick", is_flag=True, help="Few rows, small, one turn: under 30 seconds.")
@click.option("--cpu-time", is_flag=True, help="The process's own seconds, not the wall's.")
@click.option("--json", "file", type=click.Path(), help="Write the rows there, too.")
def main(only, quick, cpu_time, file):
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in [only] if only else QUICK if quick else [*WORK, ACCURACY]:
            accuracy = name == ACCURACY
            made = [same_accuracy()] if accuracy else compare(name, quick, cpu_time, folder)
            for row in made:
                click.echo(describe(row))
            rows += made
    if file:
        with open(file, "w") as stream:
            json.dump(rows, stream, indent=1)


if __name__ == "__main__":
    main()
