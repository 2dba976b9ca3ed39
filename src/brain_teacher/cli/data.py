"""Commands that make data sets."""

import click

from brain_teacher.cli.options import (
    Telling,
    common,
    repeatable,
    say_unless,
    settings,
    with_settings,
)
from brain_teacher.commands.simulate import DEFAULTS, LIMITS


def simulation_options(command):
    """The sizes of a simulated data set."""
    for name, what in reversed(SIMULATION.items()):
        kind = int if DEFAULTS[name] is None else type(DEFAULTS[name])
        command = click.option(
            f"--{name.replace('_', '-')}",
            type=kind,
            default=DEFAULTS[name],
            show_default=True,
            metavar="|".join(map(str, LIMITS[name])) if kind is str else None,
            help=what,
        )(command)
    return command


SIMULATION = {
    "snr": "Signal to noise variance of the first subject; 0: brains see nothing.",
    "subjects": "How many brains look.",
    "categories": "2 to 16.",
    "shown": "Pictures of each category shown in the scanner.",
    "unseen": "Pictures of each category that no subject saw.",
    "voxels": "Voxels of the ROI VC.",
    "image_size": "Side in pixels.",
    "seed": "The same seed gives the same bytes.",
    "order": "Of the training pictures: each subject's own, or all the same.",
    "design": "Of the training runs; rounds: two at a time hold every category once.",
    "drift": "SD of a slow drift, where the noise has 1.",
    "imagery": "How often each test category is imagined.",
    "knows": "What voxels tell: each picture, or its category alone.",
    "noise_seed": "Records the same once more: only the noise is another.  [default: of --seed]",
}


@click.command()
@common
@click.option("--out", required=True, metavar="DIR", help="The data set folder to make.")
@simulation_options
def simulate(quiet, **options):
    """Draw a data set of simulated pictures and simulated brains.

    \b
    Example:
      brain-teacher simulate --out data/tiny --subjects 2 --categories 4 --seed 1
    """
    from brain_teacher.commands.simulate import simulate as command

    command(**options, say=say_unless(quiet))


@click.command(cls=Telling, tables={"NAME": "sources.recordings.catalogue:SOURCES"})
@common
@click.argument("name", metavar="NAME")
@click.option("--out", metavar="DIR", help="The data set folder.  [default: data/NAME]")
@repeatable("subjects", "GOD's, S1 to S5", "all")
@click.option("--features", is_flag=True, help="Also GOD's ImageFeatures.h5.")
@click.option("--base-url", metavar="URL", help="A mirror that holds the files by their names.")
def fetch(quiet, name, **options):
    """Download published recordings and make them a data set.

    A download that broke goes on where it was; sizes and checksums are verified.

    \b
    Examples:
      brain-teacher fetch haxby-slice
      brain-teacher fetch god --subjects S1,S2 --features
    """
    from brain_teacher.commands.fetch import fetch as command

    command(name, say=say_unless(quiet), quiet=quiet, **options)


def per_subject(name, what):
    """An option that is given once a subject."""
    return click.option(f"--{name}", multiple=True, metavar="SUBJECT=FILE", help=what)


@click.command("new-dataset")
@common
@click.argument("folder", metavar="DIR")
@per_subject("bdata", "A BData file, .h5 or .mat.")
@per_subject("voxels", "In its place: an array (trials, voxels), .npy, or .npz with one an ROI.")
@per_subject("trials", "Beside it: a CSV with image_id, category and run of each trial.")
@click.option("--images", metavar="DIR", help="The pictures shown: IMAGE_ID.png.")
@click.option("--unseen", metavar="DIR", help="Pictures no subject saw: CATEGORY/IMAGE_ID.png.")
@click.option("--simulated", is_flag=True, help="Say so wherever numbers from it appear.")
def new_dataset(quiet, folder, **options):
    """Make a data set folder DIR of your own recordings.

    \b
    Examples:
      brain-teacher new-dataset data/mine --bdata S1=first.h5 --bdata S2=second.h5
      brain-teacher new-dataset data/mine --voxels S1=v.npz --trials S1=trials.csv --images shown
    """
    from brain_teacher.commands.new_dataset import new_dataset as command

    command(folder, say=say_unless(quiet), **options)


@click.command()
@with_settings
@click.argument("folder", metavar="DIR")
def check(params_file, quiet, folder):
    """Say all that is wrong with the data set DIR, at once.

    \b
    Example:
      brain-teacher check data/sample
    """
    from brain_teacher.commands.check import check as command

    command(settings(params_file), data=folder, say=say_unless(quiet))
