"""Commands that make data sets."""

import click

from brain_teacher.cli.options import (
    FLOAT,
    INTEGER,
    TEXT,
    common,
    repeatable,
    say_unless,
)
from brain_teacher.commands.simulate import DEFAULTS, LIMITS


def simulation_options(command):
    """The sizes of a simulated data set; empty means the default."""
    for name, what in reversed(SIMULATION.items()):
        kind = {float: FLOAT, str: TEXT}.get(type(DEFAULTS[name]), INTEGER)
        command = click.option(
            f"--{name.replace('_', '-')}",
            type=kind,
            default=DEFAULTS[name],
            show_default=True,
            metavar="|".join(LIMITS[name]) if kind is TEXT else None,
            callback=lambda ctx, option, value: DEFAULTS[option.name] if value is None else value,
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
def simulate(params_file, quiet, **options):
    """Draw a data set of simulated pictures and simulated brains.

    \b
    Example:
      brain-teacher simulate --out data/tiny --subjects 2 --categories 4 --seed 1
    """
    from brain_teacher.commands.simulate import simulate as command

    command(**options, say=say_unless(quiet))


@click.command()
@common
@click.argument("name", metavar="NAME")
@click.option("--out", metavar="DIR", help="The data set folder.  [default: data/NAME]")
@repeatable("subjects", "GOD's, S1 to S5", "all")
@click.option("--features", is_flag=True, help="Also GOD's ImageFeatures.h5.")
@click.option("--base-url", metavar="URL", help="A mirror that holds the files by their names.")
def fetch(params_file, quiet, name, **options):
    """Download published recordings and make them a data set.

    NAME is god, miyawaki-figures, haxby-slice, kriegeskorte92 or cichy92. A download that broke
    goes on where it was; sizes and checksums are verified.

    \b
    Examples:
      brain-teacher fetch haxby-slice
      brain-teacher fetch god --subjects S1,S2 --features
    """
    from brain_teacher.commands.fetch import fetch as command

    command(name, say=say_unless(quiet), quiet=quiet, **options)
