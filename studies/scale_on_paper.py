"""What GOD's whole study costs on a card, on several, on a cluster: from rows that were measured.

    python studies/scale_on_paper.py [--write docs/cluster.md]

The study is 12 teachers x 20 seeds, and of each of the 50 cells (subject, ROI) 20 seeds more, at
224 pixels, as params/god.yaml has it. The rows are read where they stand: docs/gpu.md (pictures a
second), docs/god.md (decoding and students on the CPU), docs/cluster.md (handing out, MLflow).
Everything printed is an estimate; not counted are the look at validation and test pictures, the
reading of pictures, and the wait in a site's queue.
"""

import math
import re
from pathlib import Path

import click
import yaml
from tabulate import tabulate

from brain_teacher.chain.students.cost import in_words
from dial_table import put_between_marks

ROOT = Path(__file__).parents[1]
CELLS, STUDENTS, PICTURES = 50, 12 * 20 + 50 * 20, 1200
# Name, processes that train students, cores that decode.
PLACES = (
    ("one card and 16 cores", 1, 16),
    ("8 cards and 128 cores", 8, 128),
    ("100 CPU nodes of 16 cores", 1600, 1600),
)


def row(page, pattern):
    """The numbers of a row of a page."""
    found = re.search(pattern, (ROOT / "docs" / page).read_text("utf-8"))
    if found is None:
        raise click.ClickException(f"docs/{page} has no row like {pattern!r}: measure it first")
    return [float(number) for number in found.groups()]


def seconds():
    """What one thing takes: a cell, a student on a card and on a core, a message, a line."""
    recipe = yaml.safe_load((ROOT / "params" / "god.yaml").read_text("utf-8"))["distill"]
    (rate,) = row("gpu.md", r"images a second, bfloat16, batch 64 \| ([\d.e+]+)")
    (minutes,) = row("god.md", r"decode, all 50 cells: (\d+) min \(estimated, 2 side by side\)")
    students, hours = row("god.md", r"for (\d+) students, ([\d.]+) h \(estimated\)")
    (message,) = row("cluster.md", r"Dask, --cluster local *\|[^|]*\| *([\d.]+)")
    (lines,) = row("cluster.md", r"MLflow into SQLite: ([\d.]+) students a second")
    return {
        "decode": 60 * minutes * 2 / CELLS,
        "card": recipe["epochs"] * PICTURES / rate,
        "core": 3600 * hours * 2 / students,
        "message": message / 1000,
        "line": 1 / lines,
    }


def table():
    """A row a place."""
    each = seconds()
    handing = f"{(CELLS + STUDENTS) * each['message']:.0f} s"
    told = f"{STUDENTS * each['line']:.0f} s"
    rows = []
    for name, trainers, cores in PLACES:
        student = each["core" if "CPU" in name else "card"]
        rounds = math.ceil(STUDENTS / trainers)
        decode = math.ceil(CELLS / cores) * each["decode"]
        rows.append([name, in_words(decode), in_words(rounds * student), handing, told])
    headers = ["where", "decode, 50 cells", f"{STUDENTS} students", "handing out", "MLflow"]
    lines = tabulate(rows, headers, tablefmt="github")
    says = (
        f"Estimated: a student takes {in_words(each['card'])} of a card and "
        f"{in_words(each['core'])} of a core, a cell of decode {in_words(each['decode'])} of one."
    )
    return f"{says}\n\n{lines}"


@click.command()
@click.option("--write", "file", help="Put the table between the marks of this page.")
def main(file):
    found = table()
    print(found)
    if file:
        put_between_marks(Path(file), "scale", found)


if __name__ == "__main__":
    main()
