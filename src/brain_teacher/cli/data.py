"""Commands that make data sets, and the one that chooses the settings for them."""

from collections.abc import Callable

import click

from brain_teacher.cli.options import (
    command,
    common,
    in_order,
    names,
    repeatable,
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
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@click.option("--remote", metavar="NAME", help="Another remote than DVC's default one.")
def pull() -> None:
    """Bring a TARGET that DVC keeps elsewhere, if it is what git says it is.

    As `dvc pull`, which believes the remote's listing of a folder.

    \b
    Examples:
      brain-teacher pull outputs/soft_labels
      brain-teacher pull data.dvc --remote lab
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
@click.option("--from", "files", metavar="DIR", help="A folder where the files lie already.")
def fetch() -> None:
    """Download published recordings and make them a data set.

    A download that broke goes on where it was; sizes and checksums are verified.

    \b
    Examples:
      brain-teacher fetch haxby-slice
      brain-teacher fetch god --subjects S1,S2 --features
    """


BIDS = (
    click.option("--events", metavar="DIR", help="BIDS: the data set with events.tsv.  [default: "
                 "the derivative, or what it lies in]"),
    click.option("--task", help="BIDS: which, where there are several."),
    click.option("--space", help="BIDS: which, where there are several."),
    click.option("--roi", multiple=True, metavar="NAME=MASK", help="BIDS, GLMsingle: m.nii.gz, or "
                 "a label of an atlas, a.nii.gz:7; {sub} is the subject.  [default: the brain "
                 "masks]"),
    click.option("--category", default="trial_type", show_default=True, help="BIDS: a column."),
    click.option("--image", metavar="COLUMN", help="BIDS: which picture.  [default: each trial is "
                 "one]"),
    repeatable("without", "BIDS: categories that are no trials, such as rest", default="none",
               callback=names),
    click.option("--merge", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS",
                 help="BIDS: events of one category that begin at most so far apart are a trial."),
    click.option("--window", type=float, nargs=2, metavar="FROM TO", help="BIDS: a trial is the "
                 "mean of these seconds after its onset.  [default: least squares separate]"),
    repeatable("confounds", "BIDS: nilearn's strategies (motion, wm_csf, ...)", default="none",
               callback=names),
)  # fmt: skip


@command(common)
@click.argument("folder", metavar="DIR")
@per_subject("bdata", "A BData file, .h5 or .mat; or two, TRAINING,TEST.")
@per_subject(
    "voxels",
    "In its place: an array (trials, voxels), .npy, or .npz with one an ROI; "
    "or GLMsingle's .hdf5 or .mat.",
)
@per_subject("trials", "Beside it: a CSV with image_id, category and run of each trial.")
@click.option("--bids", metavar="DIR", help="In their place: a BIDS derivative (fMRIPrep's).")
@in_order(*BIDS)
@click.option(
    "--labels", metavar="CSV", help="Without recordings: image_id and category of the pictures."
)
@click.option("--images", metavar="DIR", help="The pictures shown: IMAGE_ID.png.")
@click.option("--unseen", metavar="DIR", help="Pictures no subject saw: CATEGORY/IMAGE_ID.png.")
@click.option("--simulated", is_flag=True, help="Say so wherever numbers from it appear.")
def new_dataset() -> None:
    """Make a data set folder DIR of your own recordings.

    \b
    Examples:
      brain-teacher new-dataset data/mine --bdata S1=first.h5 --bdata S2=second.h5
      brain-teacher new-dataset data/mine --voxels S1=v.npz --trials S1=trials.csv --images shown
      brain-teacher new-dataset data/mine --bids derivatives/fmriprep --roi V1=sub-{sub}_V1.nii.gz
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


@command(with_settings)
@click.option(
    "--data",
    "folder",
    metavar="DIR",
    help="A data set.  [default: data/<dataset.name>; data/god, if that is simulated]",
)
@click.option(
    "--from",
    "tree",
    required=True,
    metavar="DIR",
    help="An ImageNet tree, or a .tar or .zip of its pictures; only read.",
)
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

    A tree holds files like n01443537_22563.JPEG, in folders, .tar or .zip, at any depth. Each
    picture is decoded before it counts; what is missing is listed in images/missing.csv, and
    categories without pictures do not count. What is there already stays, whoever put it there,
    the splits of unseen.csv too: to draw anew, remove unseen.csv and images/unseen.

    \b
    Example:
      brain-teacher images --from imagenet/train --unseen 40
    """
