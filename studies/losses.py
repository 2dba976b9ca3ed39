"""Every loss, where brains see each picture and where they see nothing: is it found, and only then?

    python studies/losses.py [--folder DIR] [--write FILE]

The sample's simulated pictures, once with its brains and once with brains of noise alone, decoded
with the defaults. Each loss teaches eight seeds of four teachers, with the settings of params.yaml.
What is finished is kept.
"""

from pathlib import Path

import click
from tabulate import tabulate

from brain_teacher.chain.dataset import METRICS
from brain_teacher.commands.compare import compare
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.reading.text import read_json
from dial_draws import (
    decoded,
    draw_params,
    keep_mlflow_runs_in,
    quiet,
    simulated_voxels,
    taught_students,
)
from dial_table import BRAIN, put_between_marks
from dial_truths import FEW
from redraws import SAMPLE_SEED

TRUTHS = {"each picture": {}, "nothing": {"snr": 0.0}}
# What differs in `distill`: a loss, or a channel of one.
CHANNELS = {name: {"loss": name} for name in LOSSES if not LOSSES[name].features} | {
    f"relational, {of}": {"loss": "relational", "relational": {"of": of, "by": "cka"}}
    for of in ("soft-labels", "voxels")
}
CHANNELS["attention"] = {"loss": "attention", "flip": False}  # a map lies as its picture does
# Teachers that know answers alone have no likeness of voxels to teach, and no maps.
OF_LIKENESS = ("none", "semantic", "brain-class", "permuted-images", "matched-spectrum")
OF_MAPS = ("none", "centre-map", "own-map", "brain-class", "permuted-images")
FAMILIES = {"relational": OF_LIKENESS, "attention": OF_MAPS}
HEAD = ["brains see (simulated)", "loss", "brain - none", "brain - permuted-images", "verdict"]


def compared(truth, channel, folder, *, seeds, epochs):
    """What ``compare`` says of one loss and one truth."""
    chosen, place = CHANNELS[channel], folder / truth.replace(" ", "-")
    family = FAMILIES.get(chosen["loss"], FEW)
    params = draw_params(
        f"losses-{truth.split()[-1]}",
        teachers=[*family, BRAIN],
        family=list(family),
        seeds=seeds,
        epochs=epochs,
    )
    params = params.with_distill(**chosen)
    simulation = {"seed": SAMPLE_SEED} | TRUTHS[truth]
    data, voxels = simulated_voxels(place, params, simulation)
    labels = decoded(place, params, data, voxels)
    own = place / channel.replace(", ", "-")
    students = taught_students(own, params, data, labels, voxels=voxels)
    compare(params, students=students, out=own / "comparison", say=quiet)
    return read_json(own / "comparison" / METRICS)


def row(truth, channel, metrics):
    """A line of the table."""
    against = {each["b"]: each for each in metrics["differences"]}
    cells = [
        "{mean:+.1f} [{low:+.1f}, {high:+.1f}]".format(
            **{key: 100 * against[name][key] for key in ("mean", "low", "high")}
        )
        for name in ("none", "permuted-images")
    ]
    return [truth, channel, *cells, metrics["verdict"]]


@click.command(help=__doc__.split("\n")[0])
@click.option("--folder", type=click.Path(path_type=Path), default="runs/losses", show_default=True)
@click.option("--channel", "channels", multiple=True, type=click.Choice(list(CHANNELS)))
@click.option("--seeds", type=click.IntRange(min=2), help="Students; only to try it.")
@click.option("--epochs", type=click.IntRange(min=1), help="Of students; only to try it.")
@click.option("--write", "file", type=click.Path(path_type=Path), help="Put the table there, too.")
def main(folder, channels, seeds, epochs, file):
    if file and (channels or seeds or epochs):
        raise click.UsageError("--write is for the full run; leave the other options out")
    keep_mlflow_runs_in(folder)
    rows = []
    for channel in channels or CHANNELS:
        for truth in TRUTHS:
            metrics = compared(truth, channel, folder, seeds=seeds, epochs=epochs)
            rows.append(row(truth, channel, metrics))
            click.echo("; ".join(rows[-1]))
    rows.sort(key=lambda cells: list(TRUTHS).index(cells[0]))
    said = tabulate(rows, HEAD, tablefmt="pipe", disable_numparse=True)
    click.echo(said)
    if file:
        put_between_marks(file, "losses", said)


if __name__ == "__main__":
    main()
