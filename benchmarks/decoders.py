"""Decoders against the plain way of doing the same: in turns, in one process, one thread each.

    python benchmarks/decoders.py [--only NAME] [--quick] [--json FILE]

Prints, for each piece of work, the seconds of ours and of the peer (medians), the ratio peer / ours
of each pair of turns (median, smallest, largest), and the largest difference between the results.
The data are made up: class means and noise, in the size of Generic Object Decoding (1,200 trials,
1,000 voxels, 150 categories, 8 folds) where a row's name says nothing else.
"""

import json
import os
import time

# Before numpy: BLAS reads them once.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import click
import numpy as np
from threadpoolctl import threadpool_limits

from logistic_work import WORK as LOGISTIC
from mlp_work import WORK as MLP
from resnet1d_work import WORK as RESNET1D
from ridge_work import WORK as RIDGE

BENCHMARKS = RIDGE | LOGISTIC | MLP | RESNET1D
# By which results may differ: rounding of float32. Logistic rows are named for their error from the
# optimum, which both sides have; resnet1d computes in bfloat16.
ROUNDING = 1e-4
TOLERANCES = {"logistic-0.007": 0.014, "logistic-0.003": 0.006, "logistic-path-cell": 0.006}
TOLERANCES |= {"resnet1d-step": 0.05, "resnet1d-eval": 0.1}
# Pairs of turns; a row of long work stops after the first pair that ends beyond this time.
TURNS, QUICK_TURNS, PATIENCE = 15, 2, 60.0


def timed(function):
    """Seconds and result of one call."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def compare(name, quick):
    """One row: ours and the peer in turns."""
    ours, peer = BENCHMARKS[name](quick)
    difference = float(np.abs(np.asarray(ours()) - np.asarray(peer())).max())  # also warms up
    pairs, start = [], time.perf_counter()
    while len(pairs) < (QUICK_TURNS if quick else TURNS):
        pairs.append((timed(ours)[0], timed(peer)[0]))
        if len(pairs) >= 3 and time.perf_counter() - start > PATIENCE:
            break
    pairs = np.array(pairs)
    ratios = pairs[:, 1] / pairs[:, 0]
    ours_s, peer_s = np.median(pairs, axis=0)
    return {
        "name": name,
        "ours_s": float(ours_s),
        "peer_s": float(peer_s),
        "ratio": float(np.median(ratios)),
        "ratio_low": float(ratios.min()),
        "ratio_high": float(ratios.max()),
        "turns": len(pairs),
        "largest_difference": difference,
        "tolerance": TOLERANCES.get(name, ROUNDING),
    }


@click.command(help=__doc__.split("\n")[0])
@click.option("--only", type=click.Choice(list(BENCHMARKS)), help="One piece of work.")
@click.option("--quick", is_flag=True, help="Small sizes and two turns: under 30 seconds.")
@click.option("--json", "file", type=click.Path(), help="Write the rows there, too.")
def main(only, quick, file):
    import torch

    torch.set_num_threads(1)
    rows = []
    with threadpool_limits(1):
        for name in [only] if only else BENCHMARKS:
            row = compare(name, quick)
            rows.append(row)
            click.echo(
                "{name:24} ours {ours_s:8.4f} s, peer {peer_s:8.4f} s, ratio {ratio:5.2f} "
                "({ratio_low:.2f} to {ratio_high:.2f}, {turns} turns), largest difference "
                "{largest_difference:.1e}".format(**row)
            )
    if file:
        with open(file, "w") as stream:
            json.dump(rows, stream, indent=1)


if __name__ == "__main__":
    main()
