"""What people's choices teach, beside every control: accuracy and NLL of a finished comparison.

    python studies/people.py [--comparison runs/cifar10h-400/comparison] [--write docs/people.md]

The commands that make the comparison stand in docs/people.md.
"""

from pathlib import Path

import click
from tabulate import tabulate

from brain_teacher.reading.text import read_json
from dial_table import put_between_marks

MARK, NLL = "people", "nll"
HEADERS = ("teacher", "seeds", "accuracy (%)", "people minus this (points)", "NLL (nats)",
           "people minus this (nats)")  # fmt: skip


def as_table(metrics):
    """The table in Markdown, from what ``metrics.json`` of `compare` says."""
    own, nll = metrics["kind"], metrics["exploratory_outcomes"][NLL]
    minus = nll[f"{own}_minus"]
    seeds = {each["name"]: each["seeds"] for each in metrics["teachers"]}
    points = {each["b"]: each for each in metrics["differences"]}
    rows = []
    for name, accuracy in sorted(metrics["accuracy"].items(), key=lambda pair: pair[0] == own):
        row = [
            name,
            seeds[name],
            f"{100 * accuracy:.1f}",
            _with_interval(points[name], 100, 1) if name in points else "",
            f"{nll['mean'][name]:.3f}",
            _with_interval(minus[name], 1, 3) if name in minus else "",
        ]
        rows.append(row)
    return tabulate(rows, HEADERS, tablefmt="github", disable_numparse=True)


def _with_interval(found, unit, digits):
    mean, low, high = (f"{unit * found[key]:+.{digits}f}" for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


@click.command(help=__doc__.split("\n")[0])
@click.option("--comparison", default="runs/cifar10h-400/comparison", help="What compare wrote.")
@click.option("--write", type=click.Path(path_type=Path), help="A page, between its marks.")
def main(comparison, write):
    table = as_table(read_json(Path(comparison) / "metrics.json"))
    click.echo(table)
    if write:
        put_between_marks(write, MARK, table)


if __name__ == "__main__":
    main()
