"""Commands that make data sets, and the one that chooses the settings for them."""

from collections.abc import Callable

import click

from brain_teacher.cli.options import (
    command,
    common,
    in_order,
    repeatable,
    with_data,
    with_settings,
)
from brain_teacher.commands.simulate import SIZES


def simulation_option(name: str) -> Callable:
    """One of the sizes of a simulated data set."""
    size = SIZES[name]
    kind = int if size.default is None else type(size.default)
    return click.option(
        f"--{name.replace('_', '-')}",
        type=kind,
        default=size.default,
        show_default=True,
        metavar="|".join(size.limits) if kind is str else None,
        help=size.what,
    )


def per_subject(name: str, what: str) -> Callable:
    """An option that is given once a subject."""
    return click.option(f"--{name}", multiple=True, metavar="SUBJECT=FILE", help=what)


def whole(name: str, default: int, what: str) -> Callable:
    """An option that is a whole number from 0."""
    kind = click.IntRange(min=0)
    return click.option(name, type=kind, default=default, show_default=True, help=what)


@command(common)
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--force", is_flag=True, help="Lose changes of params.yaml that git does not have.")
def use() -> None:
    """Put a preset (params/NAME.yaml) in place as params.yaml; without a name, list them.

    \b
    Examples:
      brain-teacher use god
      brain-teacher use sample
    """


@command(common)
@click.option("--out", required=True, metavar="DIR", help="The data set folder to make.")
@in_order(*map(simulation_option, SIZES))
def simulate() -> None:
    """Draw a data set of simulated pictures and simulated brains.

    \b
    Example:
      brain-teacher simulate --out data/tiny --subjects 2 --categories 4 --seed 1
    """


@command(common, {"NAME": "sources.recordings.catalogue:SOURCES"})
@click.argument("name", metavar="NAME")
@click.option("--out", metavar="DIR", help="The data set folder.  [default: data/NAME]")
@repeatable("subjects", "GOD's, S1 to S5", default="all")
@click.option("--features", is_flag=True, help="Also GOD's ImageFeatures.h5.")
@click.option("--base-url", metavar="URL", help="A mirror that holds the files by their names.")
def fetch() -> None:
    """Download published recordings and make them a data set.

    A download that broke goes on where it was; sizes and checksums are verified.

    \b
    Examples:
      brain-teacher fetch haxby-slice
      brain-teacher fetch god --subjects S1,S2 --features
    """


@command(common)
@click.argument("folder", metavar="DIR")
@per_subject("bdata", "A BData file, .h5 or .mat.")
@per_subject("voxels", "In its place: an array (trials, voxels), .npy, or .npz with one an ROI.")
@per_subject("trials", "Beside it: a CSV with image_id, category and run of each trial.")
@click.option("--images", metavar="DIR", help="The pictures shown: IMAGE_ID.png.")
@click.option("--unseen", metavar="DIR", help="Pictures no subject saw: CATEGORY/IMAGE_ID.png.")
@click.option("--simulated", is_flag=True, help="Say so wherever numbers from it appear.")
def new_dataset() -> None:
    """Make a data set folder DIR of your own recordings.

    \b
    Examples:
      brain-teacher new-dataset data/mine --bdata S1=first.h5 --bdata S2=second.h5
      brain-teacher new-dataset data/mine --voxels S1=v.npz --trials S1=trials.csv --images shown
    """


@command(with_settings)
@click.argument("data", metavar="DIR")
def check() -> None:
    """Say all that is wrong with the data set DIR, at once.

    What goes on, but is odd, is a caution: equal pictures under two names, say. Where nothing is
    wrong, runs/check/NAME.png shows twenty pictures as students see them.

    \b
    Example:
      brain-teacher check data/sample
    """


@command(with_data)
@click.option("--from", "tree", required=True, metavar="DIR", help="An ImageNet tree; only read.")
@whole(
    "--unseen",
    40,
    "Pictures of each category that no subject saw, for validation and test together.",
)
@whole("--seed", 0, "Which of them: in the order of SHA-256 of seed and id.")
@click.option(
    "--link/--copy",
    default=False,
    help="Link to the tree's files (until `dvc add` copies them), which BRAIN_TEACHER_LINKS must "
    "name, or copy.  [default: copy]",
)
def images() -> None:
    """Bring the shown and the unseen pictures from an ImageNet tree.

    A tree holds folders (n01443537/n01443537_22563.JPEG) or tar files (n01443537.tar), at any
    depth. Each picture is decoded before it counts; what is missing is listed in
    images/missing.csv. What is there already stays, the splits of unseen.csv too: to draw anew,
    remove unseen.csv and images/unseen.

    \b
    Example:
      brain-teacher images --from imagenet/train --unseen 40
    """
