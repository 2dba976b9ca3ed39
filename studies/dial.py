"""The dial: verdicts on simulated brains whose truth is known, held against that truth.

    python studies/dial.py [--truth NAME] [--draws N] [--folder DIR] [--tables] [--write FILE]

A draw is a set of simulated pictures in the sample's size, and brains that look at them: one set of
brains for each truth (`dial_truths.py`), from such that see every picture to such that see nothing.
It says at the start what it will take; what is finished is kept, so that it can be stopped and
started again. What ``--write`` put into `dial_results.json` counts on every machine, as long as the
rules of the verdict are those that it was judged by.
"""

import shutil
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import click
from tabulate import tabulate

from brain_teacher.analysis.comparison import compare_answers
from brain_teacher.cells.source import source_fingerprint
from brain_teacher.chain.dataset import METRICS
from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import plan_of
from brain_teacher.commands.compare import compare
from brain_teacher.commands.decode import decode
from brain_teacher.commands.distill import distill
from brain_teacher.commands.preprocess import preprocess
from brain_teacher.commands.simulate import DEFAULTS, simulate
from brain_teacher.decoding.decoders.logistic import decode_logistic
from brain_teacher.files import fingerprint, write_json
from brain_teacher.machine import cores
from brain_teacher.reading.text import read_json
from brain_teacher.report.figure_files import write_figure
from dial_draws import (
    decoded,
    draw_params,
    keep_mlflow_runs_in,
    quiet,
    simulated_voxels,
    taught_students,
    the_plan,
    what_the_brain_says,
)
from dial_figure import teaching_figure
from dial_table import BRAIN, Result, dial_table, put_between_marks
from dial_truths import SEEDS, TRUTHS, UNSEEN, VALIDATION_SHARE

RECORD, FIGURE = "dial.json", "what-a-brain-can-teach"
# What makes a draw: of each, its code and all that it imports; the decoder is named, since what
# others the table has is without consequence.
CODE = (simulate, preprocess, decode, decode_logistic, distill, compare)
RESULTS = Path(__file__).with_name("dial_results.json")
# Core-seconds a student, with its share of all that comes before it: 9.2 to 9.9 were measured.
SECONDS = 9.5


@dataclass(frozen=True)
class Arm:
    """One truth of a draw: where it lies, and what it is made from."""

    truth: str
    number: int  # of the draw
    place: Path
    params: Params
    simulation: dict  # all settings of ``simulate``

    @property
    def made_from(self):
        """What makes it new: its plan, who teaches, and what was simulated."""
        return fingerprint(plan_of(self.params), self.params.distill.teacher, self.simulation)

    @property
    def students(self):
        """How many."""
        return len(self.params.distill.teacher) * self.params.distill.seeds

    def is_finished(self):
        """Whether what these settings give is known: made here, or written down before."""
        return self.is_here() or self.made_from in written_down()

    def is_here(self):
        """Whether its comparison is in its folder, and is the one that these settings give."""
        done = (self.place / RECORD).is_file() and (self.place / "comparison" / METRICS).is_file()
        return done and read_json(self.place / RECORD)["made_from"] == self.made_from

    def judge(self):
        """Compare its students, where that was not done by today's rules of the verdict."""
        if not self.is_here():
            return
        record, rules = read_json(self.place / RECORD), rules_now()
        if record.get("rules") == rules:
            return
        students = self.place / "students"
        compare(self.params, students=students, out=self.place / "comparison", say=quiet)
        write_json(self.place / RECORD, record | {"rules": rules})

    def decoded(self):
        """The folders of its data set and of its soft labels, made if they are not there."""
        data, voxels = simulated_voxels(self.place, self.params, self.simulation)
        return data, decoded(self.place, self.params, data, voxels)

    def read(self):
        """The comparison as a `Result`."""
        if not self.is_here():
            return Result(**written_down()[self.made_from])
        metrics, record = (
            read_json(file) for file in (self.place / "comparison" / METRICS, self.place / RECORD)
        )
        accuracy = {}
        for student in metrics["students"]:
            if student["test"] is not None:  # a diverged one has none
                accuracy.setdefault(student["teacher"], {})[str(student["seed"])] = student["test"]
        return Result(metrics["verdict"], accuracy, record["table"], record["source"])


@cache
def rules_now():
    """Fingerprint of the code that judges."""
    return source_fingerprint(compare_answers)


@cache
def written_down():
    """The fields of results that were written down, by what made them; of today's rules alone."""
    content = read_json(RESULTS) if RESULTS.is_file() else {}
    return content["results"] if content.get("rules") == rules_now() else {}


def write_down(arms):
    """Keep the results of all finished arms with the code."""
    results = {arm.made_from: asdict(arm.read()) for arm in arms if arm.is_finished()}
    write_json(RESULTS, {"rules": rules_now(), "results": results})


def arm_of(truth, number, folder, *, seeds=None, epochs=None):
    """A truth of a draw in the dial's folder.

    `seeds` and `epochs` are the students'; None: as in params.yaml.
    """
    what = TRUTHS[truth]
    family = list(what.family or the_plan().family)
    params = draw_params(
        f"dial-{number}",
        teachers=[*family, BRAIN],
        share=VALIDATION_SHARE,
        decode=what.decode,
        family=family,
        seeds=seeds,
        epochs=epochs,
    )
    simulation = DEFAULTS | {"unseen": UNSEEN} | what.simulation | {"seed": SEEDS[number]}
    return Arm(truth, number, folder / f"draw-{number}" / truth, params, simulation)


def make(arm, say):
    """Make what is not there of an arm."""
    start = time.perf_counter()
    data, soft_labels = arm.decoded()
    students = taught_students(arm.place, arm.params, data, soft_labels)
    compare(arm.params, students=students, out=arm.place / "comparison", say=quiet)
    record = {
        "made_from": arm.made_from,
        "table": what_the_brain_says(arm.params, data, soft_labels),
        "source": fingerprint([source_fingerprint(made) for made in CODE]),
    }
    write_json(arm.place / RECORD, record)
    seconds = time.perf_counter() - start
    say(f"draw {arm.number}, {arm.truth}: {arm.read().verdict} ({seconds:.0f} s)")


def estimate(arms):
    """What is left to make, and how long that takes, in a sentence."""
    left = [arm for arm in arms if not arm.is_finished()]
    students = sum(arm.students for arm in left)
    hours = students * SECONDS / cores() / 3600
    return (
        f"{len(left)} of {len(arms)} simulated comparisons to make, {students:,} students: about "
        f"{hours:.1f} hours on {cores()} cores ({SECONDS:g} s each on one)"
    )


def tables_of(arms):
    """What the tables of some arms are like, as Markdown; no student is trained."""
    rows = []
    for arm in arms:
        said = what_the_brain_says(arm.params, *arm.decoded())
        rows.append([arm.number, arm.truth, *(f"{value:.3f}" for value in said.values())])
    head = ["draw", "truth (simulated)", "top-1", "entropy (nats)", "largest", "from even"]
    return tabulate(rows, head, tablefmt="pipe", disable_numparse=True)


@click.command(help=__doc__.split("\n")[0])
@click.option("--truth", type=click.Choice(list(TRUTHS)), help="One truth.")
@click.option("--draws", type=click.IntRange(1, len(SEEDS)), help="At most so many of each.")
@click.option("--folder", type=click.Path(path_type=Path), default="runs/dial", show_default=True)
@click.option("--seeds", type=click.IntRange(min=2), help="Students; only to try the dial.")
@click.option("--epochs", type=click.IntRange(min=1), help="Of students; only to try the dial.")
@click.option("--tables", is_flag=True, help="Only decode, and say what the tables are like.")
@click.option("--write", "file", type=click.Path(path_type=Path), help="Put the table there, too.")
@click.option("--check", is_flag=True, help="Exit with 1 if a truth misses what is asked of it.")
def main(truth, draws, folder, seeds, epochs, tables, file, check):
    if file and (seeds or epochs or tables):
        raise click.UsageError("--write is for the settings of params.yaml; leave the others out")
    keep_mlflow_runs_in(folder)
    # A draw after the other: wherever it is stopped, each truth was looked at about as often.
    arms = [
        arm_of(name, number, folder, seeds=seeds, epochs=epochs)
        for number in range(len(SEEDS))
        for name in TRUTHS
    ]
    asked = [
        arm for arm in arms if truth in (None, arm.truth) and arm.number < (draws or len(arms))
    ]
    if tables:
        click.echo(tables_of(asked))
        return
    click.echo(estimate(asked))
    results = {name: [] for name in TRUTHS}
    for arm in arms:
        if arm in asked and not arm.is_finished():
            make(arm, click.echo)
        if arm.is_finished():
            arm.judge()
            results[arm.truth].append(arm.read())
    plan = the_plan()
    said, outcomes = dial_table(results, len(SEEDS), plan.family, plan.margin)
    click.echo(said)
    figure = write_figure(folder / FIGURE, teaching_figure(results))[0]
    if file:
        write_down(arms)
        shutil.copy(figure, file.parent)
        said += f"\n\n![What a simulated brain of this quality can teach]({figure.name})"
        put_between_marks(file, "dial", said)
    if check and any("missed" in outcome for outcome in outcomes.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
