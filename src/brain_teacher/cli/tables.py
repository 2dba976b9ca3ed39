"""Commands that exchange soft labels with others."""

import click

from brain_teacher.cli.options import (
    common,
    data_folder,
    data_option,
    say_unless,
    settings,
    with_settings,
)

VALUES = click.Choice(["probabilities", "log-probabilities", "counts"])


@click.command("import-soft-labels")
@with_settings
@data_option
@click.argument("table", metavar="TABLE")
@click.option("--decoder", required=True, metavar="NAME", help="What to call where it comes from.")
@click.option("--subject", default="people", show_default=True, metavar="NAME", help="Whose it is.")
@click.option("--roi", default="choices", show_default=True, metavar="NAME", help="What of them.")
@click.option("--values", type=VALUES, help="What its numbers are.  [default: as the file says]")
@click.option("--image-ids", metavar="FILE", help="Of a .npy array: a name a line.")
@click.option("--class-ids", metavar="FILE", help="Of a .npy array: a name a line.")
def import_soft_labels(params_file, quiet, data, table, **options):
    """Make anybody's TABLE of class probabilities a teacher.

    TABLE is .csv or .parquet (a column image_id, a column a class), .npz (image_id, class_id and
    probs, log_probs or counts) or .npy. It becomes part of the data set, and `distill` uses it
    like the brain's.

    \b
    Examples:
      brain-teacher import-soft-labels choices.csv --decoder cifar10h --values counts
      brain-teacher distill --decoder cifar10h --subject people --roi choices
    """
    from brain_teacher.commands.import_soft_labels import import_soft_labels as command

    folder = data_folder(settings(params_file), data)
    command(table, data=folder, say=say_unless(quiet), **options)


@click.command()
@common
@click.argument("file", metavar="FILE")
@click.option(
    "--format", type=click.Choice(["npy", "csv", "parquet"]), default="csv", show_default=True
)
@click.option("--out", metavar="FILE", help="[default: FILE's name, in this folder]")
def export(quiet, file, **options):
    """Write a soft-label FILE as CSV, Parquet or NumPy array.

    \b
    Example:
      brain-teacher export outputs/soft_labels/S1_HVC_logistic.npz --format parquet
    """
    from brain_teacher.commands.export import export as command

    command(file, say=say_unless(quiet), **options)
