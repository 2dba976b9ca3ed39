"""The ``brain-teacher`` command: parses, calls one function of ``commands``, gives exit codes.

Nothing heavy is imported here: ``--help`` answers at once.
"""

import sys
from pathlib import Path

import click

from brain_teacher import __version__
from brain_teacher.commands.simulate import DEFAULTS
from brain_teacher.errors import BrainTeacherError


class Group(click.Group):
    """Turns our errors into one line and an exit code; a traceback only with ``--debug``."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if "--debug" in sys.argv or ctx.meta.get("debug"):
                raise
            if isinstance(error, BrainTeacherError):
                text, code = str(error), error.exit_code
            elif isinstance(error, OSError):
                text, code = str(error), 1
            else:
                text = f"{type(error).__name__}: {error} (unexpected; --debug shows where)"
                code = 1
            click.echo(f"Error: {text}", err=True)
            ctx.exit(code)


def names(ctx, param, values):
    """Repeatable names, also separated by commas; empty ones (``mlflow run``'s unset) left out."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


class Unset(click.ParamType):
    """A number or text that may be the empty string, which means: as in params.yaml."""

    def __init__(self, kind):
        self._kind = kind
        self.name = kind.name

    def convert(self, value, param, ctx):
        return None if value == "" else self._kind.convert(value, param, ctx)


INTEGER, FLOAT, TEXT = Unset(click.INT), Unset(click.FLOAT), Unset(click.STRING)


def common(command):
    """The options that every command has."""
    for option in (
        click.option("--debug", is_flag=True, help="Show tracebacks."),
        click.option("--quiet", is_flag=True, help="Say nothing but errors."),
        click.option(
            "--params",
            "params_file",
            default="params.yaml",
            show_default=True,
            metavar="FILE",
            help="The settings.",
        ),
    ):
        command = option(command)
    return command


def out_option(what):
    """``--out``, empty for a folder under runs/."""
    help_text = f"Where {what} go.  [default: runs/<command>-<UTC time>]"
    return click.option("--out", default="", metavar="DIR", help=help_text)


def repeatable(name, what):
    """An option that can be given several times, or once with commas."""
    help_text = f"{what}; repeat it, or separate with commas.  [default: as in params.yaml]"
    return click.option(f"--{name}", multiple=True, callback=names, metavar="NAME", help=help_text)


def settings(params_file, debug=False, **overrides):
    """Read the settings; options given lie over them."""
    from brain_teacher.params import load_params

    click.get_current_context().find_root().meta["debug"] = debug
    return load_params(params_file, overrides)


def say_unless(quiet):
    """How a command speaks."""
    return (lambda text: None) if quiet else click.echo


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="brain-teacher")
def main():
    """Can a human brain teach a neural network?

    \b
    The chain, from BData files to a promoted student:
      preprocess -> decode -> distill -> compare -> promote

    \b
    Examples:
      dvc repro                                the whole chain, as params.yaml says
      brain-teacher decode --roi HVC           one ROI, into runs/decode-<UTC time>
      brain-teacher distill --teacher none,brain --seeds 2 --epochs 5
      brain-teacher promote --dry-run
    """


@main.command()
@common
@click.option("--out", required=True, metavar="DIR", help="The data set folder to make.")
@click.option(
    "--snr",
    type=float,
    default=DEFAULTS["snr"],
    show_default=True,
    help="Signal to noise variance of the first subject; 0: brains see nothing.",
)
@click.option("--subjects", type=int, default=DEFAULTS["subjects"], show_default=True)
@click.option("--categories", type=int, default=DEFAULTS["categories"], show_default=True)
@click.option(
    "--shown",
    type=int,
    default=DEFAULTS["shown"],
    show_default=True,
    help="Pictures of each category shown in the scanner.",
)
@click.option(
    "--unseen",
    type=int,
    default=DEFAULTS["unseen"],
    show_default=True,
    help="Pictures of each category that no subject saw.",
)
@click.option(
    "--voxels",
    type=int,
    default=DEFAULTS["voxels"],
    show_default=True,
    help="Voxels of the ROI VC.",
)
@click.option(
    "--image-size",
    type=int,
    default=DEFAULTS["image_size"],
    show_default=True,
    help="Side in pixels.",
)
@click.option("--seed", type=int, required=True, help="The same seed gives the same bytes.")
def simulate(params_file, quiet, debug, **options):
    """Draw a data set of simulated pictures and simulated brains.

    \b
    Example:
      brain-teacher simulate --out data/tiny --subjects 2 --categories 4 --seed 1
    """
    from brain_teacher.commands.simulate import simulate as command

    click.get_current_context().find_root().meta["debug"] = debug
    command(**options, say=say_unless(quiet))


@main.command()
@common
@click.option(
    "--data", default="", metavar="DIR", help="A data set.  [default: data/<dataset.name>]"
)
@out_option("voxels")
@repeatable("subject", "A subject")
@repeatable("roi", "An ROI")
def preprocess(params_file, quiet, debug, data, out, subject, roi):
    """Cut BData files into voxels, one file per subject and ROI.

    \b
    Example:
      brain-teacher preprocess --roi HVC --out runs/hvc
    """
    from brain_teacher.commands.preprocess import preprocess as command

    params = settings(params_file, debug, preprocess={"subject": list(subject), "roi": list(roi)})
    command(params, data=data_folder(params, data), out=out, say=say_unless(quiet))


@main.command()
@common
@click.option("--voxels", default="outputs/voxels", show_default=True, metavar="DIR")
@out_option("soft labels and metrics.json")
@repeatable("subject", "A subject")
@repeatable("roi", "An ROI")
@repeatable("decoder", "A decoder")
def decode(params_file, quiet, debug, voxels, out, subject, roi, decoder):
    """Decode voxels into out-of-fold soft labels.

    \b
    Example:
      brain-teacher decode --subject S1 --roi V1 --roi HVC
    """
    from brain_teacher.commands.decode import decode as command

    params = settings(params_file, debug, decode={"decoder": list(decoder)})
    command(
        params,
        voxels=voxels,
        out=out,
        subject=subject,
        roi=roi,
        say=say_unless(quiet),
        quiet=quiet,
    )


@main.command()
@common
@click.option(
    "--data", default="", metavar="DIR", help="A data set.  [default: data/<dataset.name>]"
)
@click.option("--soft-labels", default="outputs/soft_labels", show_default=True, metavar="DIR")
@out_option("students")
@repeatable("subject", "A subject; several are combined")
@repeatable("roi", "An ROI; several are combined")
@click.option(
    "--decoder", type=TEXT, metavar="NAME", help="Whose soft labels.  [default: as in params.yaml]"
)
@repeatable("teacher", "A teacher")
@click.option("--temperature", type=FLOAT, help="T of the soft term.")
@click.option("--alpha", type=FLOAT, help="Weight of the soft term.")
@click.option("--seeds", type=INTEGER, help="How many seeds a teacher.")
@click.option("--epochs", type=INTEGER)
@click.option("--device", type=TEXT, metavar="auto|cpu|cuda")
def distill(params_file, quiet, debug, data, soft_labels, out, subject, roi, teacher, **options):
    """Train the students of every teacher.

    \b
    Example:
      brain-teacher distill --roi LOC --teacher none,brain --seeds 3
    """
    from brain_teacher.commands.distill import distill as command

    chosen = {"subject": list(subject), "roi": list(roi), "teacher": list(teacher), **options}
    params = settings(params_file, debug, distill=chosen)
    command(
        params,
        data=data_folder(params, data),
        soft_labels=soft_labels,
        out=out,
        say=say_unless(quiet),
        quiet=quiet,
    )


@main.command()
@common
@click.option("--students", default="outputs/students", show_default=True, metavar="DIR")
@out_option("metrics.json, tables and figures")
def compare(params_file, quiet, debug, students, out):
    """Hold the brain-taught students against every control; print table and verdict.

    \b
    Example:
      brain-teacher compare --students outputs/students --out runs/again
    """
    from brain_teacher.commands.compare import compare as command

    command(settings(params_file, debug), students=students, out=out, say=say_unless(quiet))


@main.command()
@common
@click.option("--students", default="outputs/students", show_default=True, metavar="DIR")
@click.option("--comparison", default="outputs/comparison", show_default=True, metavar="DIR")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def promote(params_file, quiet, debug, students, comparison, dry_run):
    """Register the best brain-taught student as challenger, or champion.

    \b
    Example:
      brain-teacher promote --dry-run
    """
    from brain_teacher.commands.promote import promote as command

    command(
        settings(params_file, debug),
        students=students,
        comparison=comparison,
        dry_run=dry_run,
        say=say_unless(quiet),
    )


def data_folder(params, data):
    """``--data``, or the folder of the data set that params.yaml names."""
    return Path(data) if data else Path("data") / params.dataset.name
