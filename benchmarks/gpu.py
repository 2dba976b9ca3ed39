"""What the project costs on one GPU, for the day that one is there: about six minutes.

    python benchmarks/gpu.py [--only ROW] [--json FILE] [--write FILE] [--device cpu --quick]

Each row is kept in the JSON file as soon as it is measured; started again on the same card with the
same torch, only the missing ones are. --quick is for trying the script, on a CPU, too: everything
is tiny, and what it prints means nothing. All data are made up; `gpu_work` describes the work.
"""

import json
import os
import traceback
from pathlib import Path

# Before numpy: BLAS reads them once.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import click
import torch

from brain_teacher.devices import choose_device
from dial_table import put_between_marks
from gpu_work import ROWS, card_of, describe, markdown


def read(file, card):
    """Rows of this card and this torch, by name."""
    return {row["name"]: row for row in _all(file) if row["card"] == card}


def keep(file, rows, card):
    """Write the rows of this card beside those of others."""
    others = [row for row in _all(file) if row["card"] != card]
    file.write_text(json.dumps([*others, *rows.values()], indent=1), "utf-8")


def _all(file):
    return json.loads(file.read_text("utf-8")) if file is not None and file.exists() else []


@click.command(help=__doc__.split("\n")[0])
@click.option("--only", type=click.Choice(list(ROWS)), multiple=True, help="Rows; all, if none.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Keep the rows there.")
@click.option("--write", "page", type=click.Path(path_type=Path), help="Put the table there.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--quick", is_flag=True, help="Tiny sizes, to try the script.")
def main(only, file, page, device, quick):
    if page and quick:
        raise click.UsageError("--write is for real sizes; leave --quick out")
    device = choose_device(device)
    if device == "cpu" and not quick:
        click.echo("not measured: no GPU is here (--device cpu --quick tries the script)")
        return
    torch.set_num_threads(1)
    card = card_of(device) | {"quick": quick}
    rows, failed = read(file, card), []
    for name in only or ROWS:
        if name not in rows:
            try:
                lines = ROWS[name](quick, device)
            except Exception:  # time on a card is dear: the other rows shall be had all the same
                traceback.print_exc()
                failed.append(name)
                continue
            rows[name] = {"name": name, "card": card, "lines": lines}
            if file:
                keep(file, rows, card)
        for line in rows[name]["lines"]:
            click.echo(f"{name:14} {describe(line)}")
    if page:
        put_between_marks(page, "gpu", markdown(rows, card))
    if failed:
        raise click.ClickException(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
