"""Commands that plan, train and choose students."""

import click

from brain_teacher.cli.options import (
    RUN_TIME,
    TABLES,
    Telling,
    call,
    data_folder,
    data_option,
    folder_option,
    names,
    out_option,
    repeatable,
    run_time_options,
    say_unless,
    settings,
    tables_options,
    with_settings,
)

decoder_option = click.option(
    "--decoder", metavar="NAME", help="Whose soft labels.  [default: as in params.yaml]"
)


@click.command()
@with_settings
@data_option
@folder_option("soft-labels", "outputs/soft_labels")
@out_option("the ResNet34's weights and soft labels")
@repeatable("teacher", "A teacher that needs them")
@run_time_options("jobs", "device")
def rivals(params_file, quiet, data, soft_labels, out, teacher, run_time):
    """Train the ResNet34 of ordinary distillation, where a teacher needs one.

    \b
    Example:
      brain-teacher rivals --teacher resnet34-live --out runs/rivals
    """
    from brain_teacher.commands.rivals import rivals as command

    params = settings(params_file, distill={"teacher": teacher})
    given = {"soft_labels": soft_labels, "run_time": run_time}
    call(command, params, data, quiet, out=out, **given)


@click.command(cls=Telling, tables={"Losses": "distillation.losses:LOSSES"})
@with_settings
@data_option
@tables_options
@out_option("students")
@repeatable("subject", "A subject; several are combined")
@repeatable("roi", "An ROI; several are combined", callback=names)
@decoder_option
@repeatable("teacher", "A teacher, or all")
@click.option("--split", metavar="unseen|folds", help="Which images are tested.")
@click.option("--loss", metavar="NAME", help="What students minimise: see below.")
@click.option("--temperature", type=float, help="T of the soft term.")
@click.option("--alpha", type=float, help="Weight of the soft term.")
@click.option("--seeds", type=int, help="How many seeds a teacher.")
@click.option("--epochs", type=int, help="Passes through the training images.")
@click.option("--network", metavar="NAME", help="A classifier of torchvision.")
@click.option("--width", type=int, help="Of a ResNet; 64 is torchvision's.")
@click.option(
    "--limit", type=click.IntRange(min=1), help="About so many images of each split: a smoke run."
)
@run_time_options(*RUN_TIME)
def distill(params_file, quiet, data, out, subject, roi, teacher, limit, run_time, **options):
    """Train the students of every teacher.

    \b
    Examples:
      brain-teacher distill --roi LOC --teacher none,brain --seeds 3
      brain-teacher distill --limit 64 --epochs 1        through everything in seconds
    """
    from brain_teacher.commands.distill import distill as command

    tables = {name: options.pop(name) for name in TABLES}
    chosen = {"subject": subject, "roi": roi, "teacher": teacher, **options}
    params = settings(params_file, distill=chosen)
    call(command, params, data, quiet, **tables, out=out, limit=limit, run_time=run_time)


@click.command()
@with_settings
@data_option
@tables_options
@out_option("pilot students and the chosen recipes")
@repeatable("teacher", "A teacher, or all")
@click.option("--seeds", type=int, help="Pilot seeds a recipe.")
@run_time_options(*RUN_TIME)
def search(params_file, quiet, data, out, teacher, seeds, run_time, **tables):
    """Choose each teacher's recipe on pilot seeds and validation images.

    \b
    Example:
      brain-teacher search --teacher none,brain --seeds 3
    """
    from brain_teacher.commands.search import search as command

    params = settings(params_file, distill={"teacher": teacher}, search={"seeds": seeds})
    call(command, params, data, quiet, **tables, out=out, run_time=run_time)


@click.command()
@with_settings
@data_option
@click.option("--students", metavar="DIR", help="A pilot: what search or distill wrote.")
@click.option("--discordant", type=float, metavar="SHARE", help="Without a pilot: see below.")
@click.option("--seed-sd", type=float, metavar="POINTS", help="Without a pilot: see below.")
@click.option(
    "--effect", type=float, metavar="POINTS", help="To be seen.  [default: compare.margin]"
)
@click.option("--seeds", type=int, help="How many seeds a teacher.  [default: distill.seeds]")
@click.option(
    "--images", type=click.IntRange(min=1), help="How many test images.  [default: the data set's]"
)
@click.option("--power", default=0.8, show_default=True, help="Chance to see the effect.")
@run_time_options("jobs", "device")
def plan(params_file, quiet, data, seeds, **options):
    """Before a run: how many seeds and test images an effect takes, and what it costs.

    The spread comes from a pilot's students (their validation images), or is stated:
    --discordant is the share of images that one student of a pair names rightly and the other
    wrongly (0.08 to 0.2 is usual), --seed-sd the SD of the difference over seeds.

    \b
    Examples:
      brain-teacher plan --discordant 0.12 --seed-sd 1 --effect 2
      brain-teacher plan --students runs/pilot
    """
    from brain_teacher.commands.plan import plan as command

    params = settings(params_file, distill={"seeds": seeds})
    command(params, data=data_folder(params, data), **options, say=say_unless(quiet))


@click.command()
@with_settings
@data_option
@folder_option("soft-labels", "outputs/soft_labels")
@out_option("students, table and figures")
@repeatable("subject", "A subject", "all there are")
@repeatable("roi", "An ROI", "all there are")
@decoder_option
@click.option("--seeds", type=int, help="How many seeds a brain.  [default: as explore.seeds]")
@click.option("--epochs", type=int, help="Passes through the training images.")
@run_time_options(*RUN_TIME)
def explore(
    params_file, quiet, data, soft_labels, out, subject, roi, decoder, seeds, epochs, run_time
):
    """Let every subject and ROI teach: who teaches best, and does a better decoder?

    \b
    Example:
      brain-teacher explore --seeds 3 --out runs/explore
    """
    from brain_teacher.commands.explore import explore as command

    given = {"decoder": decoder, "epochs": epochs}
    params = settings(params_file, distill=given, explore={"seeds": seeds})
    given = {"subject": subject, "roi": roi, "run_time": run_time}
    call(command, params, data, quiet, soft_labels=soft_labels, out=out, **given)
