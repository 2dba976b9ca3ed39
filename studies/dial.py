"""The dial: verdicts on simulated brains whose truth is known, held against that truth.

    python studies/dial.py [--kind KIND] [--draws N] [--folder DIR] [--write FILE] [--check]

Three kinds of draws, each a simulated data set of its own in the sample's size: *informative*,
*classes* (voxels know the class and its confusions, nothing of the single picture) and *snr-0*
(voxels see nothing; decoded with and without calibration). All of it takes about two hours on two
cores; what is finished is kept, so that it can be stopped and started again.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import click

from brain_teacher.cells.source import source_fingerprint
from brain_teacher.chain.dataset import METRICS
from brain_teacher.chain.params import Params
from brain_teacher.commands.compare import compare
from brain_teacher.commands.decode import decode
from brain_teacher.commands.distill import distill
from brain_teacher.commands.preprocess import preprocess
from brain_teacher.commands.simulate import DEFAULTS, simulate
from brain_teacher.decoding.decoders.logistic import decode_logistic
from brain_teacher.files import fingerprint, read_json, write_json
from dial_draws import (
    control_family,
    draw_params,
    keep_mlflow_runs_in,
    quiet,
    simulated_voxels,
    taught_students,
)
from dial_table import BRAIN, Result, dial_table, put_between_marks

RECORD = "dial.json"
# What makes a draw: of each, its code and all that it imports; the decoder is named, since what
# others the table has is without consequence.
CODE = (simulate, preprocess, decode, decode_logistic, distill, compare)


@dataclass(frozen=True)
class Kind:
    """Draws of which the same is true.

    Attributes
    ----------
    seeds : tuple of int
        Of ``simulate``, one a draw. They were committed before any of their results was seen; none
        is ever replaced, whatever it gives.
    simulation : dict
        What differs from the sample's settings.
    arms : dict of str to bool
        Rows of the table that decode the same voxels, and their ``decode.calibrate``.
    """

    seeds: tuple
    simulation: dict
    arms: dict


KINDS = {
    "informative": Kind((31001, 31002, 31003, 31004), {}, {"informative": True}),
    "classes": Kind(
        (32001, 32002, 32003, 32004, 32005, 32006, 32007, 32008),
        {"knows": "classes"},
        {"classes": True},
    ),
    "snr-0": Kind(
        (33001, 33002, 33003, 33004, 33005, 33006, 33007, 33008, 33009, 33010),
        {"snr": 0.0},
        {"snr-0 calibrated": True, "snr-0 uncalibrated": False},
    ),
}


@dataclass(frozen=True)
class Arm:
    """One row's part of a draw: where it lies, and what it is made from."""

    row: str
    place: Path
    params: Params
    made_from: str

    def is_finished(self):
        """Whether its comparison is there, and is the one that these settings give."""
        done = (self.place / RECORD).is_file() and (self.place / "comparison" / METRICS).is_file()
        return done and read_json(self.place / RECORD)["made_from"] == self.made_from

    def read(self):
        """The comparison as a `Result`."""
        metrics = read_json(self.place / "comparison" / METRICS)
        accuracy = {}
        for student in metrics["students"]:
            if student["test"] is not None:  # a diverged one has none
                accuracy.setdefault(student["teacher"], {})[student["seed"]] = student["test"]
        source = read_json(self.place / RECORD)["source"]
        return Result(metrics["verdict"], accuracy, source)


def arms_of(kind, seed, folder, *, seeds=None, epochs=None):
    """The arms of one draw.

    Parameters
    ----------
    kind : str
    seed : int
        Of the simulation.
    folder : Path
        The dial's.
    seeds, epochs : int, optional
        Of the students; None: as in params.yaml.

    Returns
    -------
    list of Arm
    """
    arms = []
    for row, calibrate in KINDS[kind].arms.items():
        params = draw_params(
            f"dial-{kind}-{seed}",
            teachers=[*control_family(), BRAIN],
            calibrate=calibrate,
            seeds=seeds,
            epochs=epochs,
        )
        made_from = fingerprint(params.model_dump(), simulation_of(kind, seed))
        place = folder / f"{kind}-{seed}" / row.replace(" ", "-")
        arms.append(Arm(row, place, params, made_from))
    return arms


def simulation_of(kind, seed):
    """All settings of ``simulate``."""
    return DEFAULTS | KINDS[kind].simulation | {"seed": seed}


def make_draw(arms, simulation, say):
    """Make what is not finished of the arms of one draw; they share voxels and students."""
    for arm, before in zip(arms, [None, *arms], strict=False):
        if arm.is_finished():
            continue
        start = time.perf_counter()
        data, voxels = simulated_voxels(arm.place.parent, arm.params, simulation)
        like = before and before.place / "students"
        students = taught_students(arm.place, arm.params, data, voxels, like=like)
        compare(arm.params, students=students, out=arm.place / "comparison", say=quiet)
        record = {
            "made_from": arm.made_from,
            "source": fingerprint([source_fingerprint(made) for made in CODE]),
        }
        write_json(arm.place / RECORD, record)
        seconds = time.perf_counter() - start
        say(f"{arm.params.dataset.name}, {arm.row}: {arm.read().verdict} ({seconds:.0f} s)")


@click.command(help=__doc__.split("\n")[0])
@click.option("--kind", type=click.Choice(list(KINDS)), help="One kind of draws.")
@click.option("--draws", type=click.IntRange(min=1), help="At most so many of each kind.")
@click.option("--folder", type=click.Path(path_type=Path), default="runs/dial", show_default=True)
@click.option("--seeds", type=click.IntRange(min=2), help="Students; only to try the dial.")
@click.option("--epochs", type=click.IntRange(min=1), help="Of students; only to try the dial.")
@click.option("--write", "file", type=click.Path(path_type=Path), help="Put the table there, too.")
@click.option("--check", is_flag=True, help="Exit with 1 if a row misses what is asked of it.")
def main(kind, draws, folder, seeds, epochs, file, check):
    if file and (seeds or epochs):
        raise click.UsageError("--write is for the settings of params.yaml; leave the others out")
    keep_mlflow_runs_in(folder)
    results = {row: [] for each in KINDS.values() for row in each.arms}
    planned = {row: len(each.seeds) for each in KINDS.values() for row in each.arms}
    for name, each in KINDS.items():
        for number, seed in enumerate(each.seeds):
            arms = arms_of(name, seed, folder, seeds=seeds, epochs=epochs)
            if kind in (None, name) and (draws is None or number < draws):
                make_draw(arms, simulation_of(name, seed), click.echo)
            for arm in arms:
                if arm.is_finished():
                    results[arm.row].append(arm.read())
    table, outcomes = dial_table(results, planned, control_family())
    click.echo(table)
    if file:
        put_between_marks(file, "dial", table)
    if check and any("missed" in outcome for outcome in outcomes.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
