"""Commands that plan, train and choose students, and hold them against each other."""

from functools import partial

import click

from brain_teacher.cli.options import (
    COUNT,
    RUN_TIME,
    command,
    common,
    folder_option,
    in_order,
    names,
    out_option,
    repeatable,
    run_time_options,
    setting,
    with_data,
    with_settings,
)

of_distill = partial(setting, block="distill")
decoder_option = of_distill(
    "--decoder", metavar="NAME", help="Whose soft labels.  [default: as in params.yaml]"
)
epochs_option = of_distill("--epochs", type=int, help="Passes through the training images.")
tables_options = in_order(*map(folder_option, ("soft-labels", "controls", "rivals", "voxels")))


@command(with_data)
@folder_option("soft-labels")
@out_option("the ResNet34's weights and soft labels")
@repeatable("teacher", "A teacher that needs them", block="distill")
@run_time_options("jobs", "cluster", "device")
def rivals() -> None:
    """Train the ResNet34 of ordinary distillation, where a teacher needs one.

    \b
    Example:
      brain-teacher rivals --teacher resnet34-live --out runs/rivals
    """


@command(with_data, {"Losses": "distillation.losses:LOSSES"})
@tables_options
@out_option("students")
@repeatable("subject", "A subject; several are combined", block="distill")
@repeatable("roi", "An ROI; several are combined", block="distill", callback=names)
@decoder_option
@repeatable("teacher", "A teacher, or all", block="distill")
@of_distill("--split", metavar="unseen|folds", help="Which images are tested.")
@of_distill("--loss", metavar="NAME", help="What students minimise: see below.")
@of_distill("--temperature", type=float, help="T of the soft term.")
@of_distill("--alpha", type=float, help="Weight of the soft term.")
@of_distill("--seeds", type=int, help="How many seeds a teacher.")
@epochs_option
@of_distill("--network", metavar="NAME", help="A classifier of torchvision.")
@of_distill("--width", type=int, help="Of a ResNet; 64 is torchvision's.")
@click.option("--limit", type=COUNT, help="About so many images of each split: a smoke run.")
@run_time_options(*RUN_TIME)
def distill() -> None:
    """Train the students of every teacher.

    \b
    Examples:
      brain-teacher distill --roi LOC --teacher none,brain --seeds 3
      brain-teacher distill --limit 64 --epochs 1        through everything in seconds
    """


@command(with_data)
@tables_options
@out_option("pilot students and the chosen recipes")
@repeatable("teacher", "A teacher, or all", block="distill")
@setting("--seeds", block="search", type=int, help="Pilot seeds a recipe.")
@run_time_options(*RUN_TIME)
def search() -> None:
    """Choose each teacher's recipe on pilot seeds and validation images.

    \b
    Example:
      brain-teacher search --teacher none,brain --seeds 3
    """


@command(with_data)
@click.option("--students", metavar="DIR", help="A pilot: what search or distill wrote.")
@click.option("--discordant", type=float, metavar="SHARE", help="Without a pilot: see below.")
@click.option("--seed-sd", type=float, metavar="POINTS", help="Without a pilot: see below.")
@click.option(
    "--effect", type=float, metavar="POINTS", help="To be seen.  [default: compare.margin]"
)
@of_distill("--seeds", type=int, help="How many seeds a teacher.  [default: distill.seeds]")
@click.option("--images", type=COUNT, help="How many test images.  [default: the data set's]")
@click.option("--power", default=0.8, show_default=True, help="Chance to see the effect.")
@run_time_options("jobs", "device")
def plan() -> None:
    """Before a run: how many seeds and test images an effect takes, and what it costs.

    The spread comes from a pilot's students (their validation images), or is stated:
    --discordant is the share of images that one student of a pair names rightly and the other
    wrongly (0.08 to 0.2 is usual), --seed-sd the SD of the difference over seeds.

    \b
    Examples:
      brain-teacher plan --discordant 0.12 --seed-sd 1 --effect 2
      brain-teacher plan --students runs/pilot
    """


@command(with_data)
@folder_option("soft-labels")
@out_option("students, table and figures")
@repeatable("subject", "A subject")
@repeatable("roi", "An ROI")
@decoder_option
@setting(
    "--seeds",
    block="explore",
    type=int,
    help="How many seeds a brain.  [default: as explore.seeds]",
)
@epochs_option
@run_time_options(*RUN_TIME)
def explore() -> None:
    """Let every subject and ROI teach: who teaches best, and does a better decoder?

    \b
    Example:
      brain-teacher explore --seeds 3 --out runs/explore
    """  # noqa: D400 - a question


@command(with_data)
@folder_option("voxels")
@out_option("soft labels, students, table and figure")
@repeatable("subject", "A subject; several are combined", block="distill")
@repeatable("roi", "An ROI that a specification may choose", block="multiverse")
@setting("--most", block="multiverse", type=int, help="How many specifications.")
@setting("--seeds", block="multiverse", type=int, help="How many seeds of each.")
@epochs_option
@run_time_options(*RUN_TIME)
def multiverse() -> None:
    """Decode, teach and compare under other choices: does the verdict hang on one?

    \b
    Example:
      brain-teacher multiverse --most 12 --seeds 2 --out runs/multiverse
    """  # noqa: D400 - a question


@command(with_data)
@in_order(*map(folder_option, ("soft-labels", "voxels", "students")))
@out_option("students, table and figures")
@repeatable("part", "A part, with what it is held against")
@repeatable("subject", "A subject; several are combined", block="distill")
@repeatable("roi", "An ROI; several are combined", block="distill", callback=names)
@decoder_option
@of_distill("--seeds", type=int, help="How many seeds a part.")
@epochs_option
@click.option("--limit", type=COUNT, help="About so many images of each split: a smoke run.")
@run_time_options(*RUN_TIME)
def dissect() -> None:
    """Let parts of the soft labels teach: what of them helps?

    \b
    Examples:
      brain-teacher dissect --out runs/dissect
      brain-teacher dissect --limit 64 --seeds 2 --epochs 1      through everything in minutes
    """  # noqa: D400 - a question


@command(with_settings, {"Outcomes (compare.outcome)": "analysis.outcomes:primary_outcomes"})
@folder_option("students")
@out_option("metrics.json, tables and figures")
def compare() -> None:
    """Hold the brain-taught students against every control; print table and verdict.

    \b
    Example:
      brain-teacher compare --students outputs/students --out runs/again
    """


@command(with_data)
@in_order(
    *map(folder_option, ("voxels", "soft-labels", "controls", "students", "comparison")),
)
@out_option("report.html, methods.md and references.bib")
@click.option("--pictures/--no-pictures", default=True, help="Show some of the data set's.")
def report() -> None:
    """Tell on one page what was asked, found and not found; with a methods text to copy.

    \b
    Example:
      brain-teacher report --out runs/report
    """


@command(with_data, {"Outcomes": "analysis.further:FURTHER"})
@folder_option("students")
@tables_options
@out_option("table, figure and metrics.json")
@run_time_options("jobs", "cluster", "device")
def outcomes() -> None:
    """Measure what else the students learnt: likeness to brains, new categories, robustness.

    Exploratory. Weights that were not kept are made again, once, beside the students' folder.

    \b
    Example:
      brain-teacher outcomes --students outputs/students --out runs/outcomes
    """


@command(with_settings)
@folder_option("students")
@folder_option("comparison")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def promote() -> None:
    """Register the best brain-taught student as challenger, or champion.

    \b
    Example:
      brain-teacher promote --dry-run
    """


@command(common)
@click.argument("students", metavar="FOLDER")
def track() -> None:
    """Bring students into MLflow that it does not know, since its server was away; none twice.

    \b
    Example:
      brain-teacher track outputs/students
    """


@command(common)
def registry() -> None:
    """List the registered model's versions, and say why each alias is where it is.

    \b
    Example:
      brain-teacher registry
    """
