"""Commands from recordings to soft labels, one's own or others'."""

import click

from brain_teacher.cli.options import (
    command,
    common,
    folder_option,
    names,
    out_option,
    repeatable,
    run_time_options,
    setting,
    with_data,
)

VALUES = click.Choice(["probabilities", "log-probabilities", "counts"])
KINDS = click.Choice(["brain", "people", "words", "model"])
FORMATS = click.Choice(["npy", "csv", "parquet"])


@command(with_data)
@out_option("voxels")
@repeatable("subject", "A subject", block="preprocess")
@repeatable("roi", "An ROI", block="preprocess")
@run_time_options("jobs")
def preprocess() -> None:
    """Cut BData files into voxels, one file per subject and ROI.

    \b
    Example:
      brain-teacher preprocess --roi HVC --out runs/hvc
    """


@command(with_data, {"Decoders": "decoding.decoders.table:DECODERS"})
@folder_option("voxels")
@out_option("soft labels, metrics.json and figures")
@repeatable("subject", "A subject")
@repeatable("roi", "An ROI")
@repeatable("decoder", "A decoder", block="decode", callback=names)
@setting(
    "--nested", block="decode", type=bool, metavar="true|false", help="Also nested soft labels."
)
@run_time_options("jobs", "cluster", "device")
def decode() -> None:
    """Decode voxels into out-of-fold soft labels.

    \b
    Example:
      brain-teacher decode --subject S1 --roi V1 --roi HVC --decoder logistic,ridge
    """


@command(with_data)
@folder_option("voxels")
@out_option("the controls' soft labels and metrics.json")
@setting("--seeds", block="distill", type=int, help="How many draws.  [default: as distill.seeds]")
@run_time_options("jobs", "cluster", "device")
def controls() -> None:
    """Decode exchanged trials, and time alone: what needs no brain.

    The subjects, ROI and decoder are those of distill in the settings.

    \b
    Example:
      brain-teacher controls --seeds 3
    """


@command(with_data)
@click.argument("file", metavar="TABLE")
@click.option("--kind", type=KINDS, required=True, help="What is behind it.")
@click.option("--decoder", required=True, metavar="NAME", help="What to call where it comes from.")
@click.option("--subject", metavar="NAME", help="Whose it is.  [default: as --kind]")
@click.option("--roi", default="choices", show_default=True, metavar="NAME", help="What of them.")
@click.option("--values", type=VALUES, help="What its numbers are.  [default: as the file says]")
@click.option(
    "--prior",
    type=click.FloatRange(min=0),
    metavar="VOTES",
    help="Of counts: so many more for each image, spread evenly over the classes.  [default: 1]",
)
@click.option("--image-ids", metavar="FILE", help="Of a .npy array: a name a line.")
@click.option("--class-ids", metavar="FILE", help="Of a .npy array: a name a line.")
def import_soft_labels() -> None:
    """Make anybody's TABLE of class probabilities a teacher.

    TABLE is .csv or .parquet (a column image_id, a column a class), .npz (image_id, class_id and
    probs, log_probs or counts) or .npy. It becomes part of the data set, and `distill` uses it
    in the brain's place, or beside it (distill.tables); every result calls it by its kind.

    \b
    Examples:
      brain-teacher import-soft-labels choices.csv --kind people --decoder cifar10h --values counts
      brain-teacher distill --decoder cifar10h --subject people --roi choices
    """


@command(common)
@click.argument("file", metavar="FILE")
@click.option("--format", type=FORMATS, default="csv", show_default=True)
@click.option("--out", metavar="FILE", help="[default: FILE's name, in this folder]")
@click.option("--overwrite", is_flag=True, help="Even if there is such a file.")
def export() -> None:
    """Write a soft-label FILE as CSV, Parquet or NumPy array.

    In a CSV, a name that a spreadsheet would take for a formula has an apostrophe before it, which
    `import-soft-labels` takes away again.

    \b
    Example:
      brain-teacher export outputs/soft_labels/S1_HVC_logistic.npz --format parquet
    """
