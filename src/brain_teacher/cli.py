"""The ``brain-teacher`` command: parses, calls one function of ``commands``, gives exit codes.

Nothing heavy is imported here: ``--help`` answers at once.
"""

from pathlib import Path

import click

from brain_teacher import __version__
from brain_teacher.commands.simulate import DEFAULTS, LIMITS
from brain_teacher.errors import BrainTeacherError


class Group(click.Group):
    """Turns our errors into one line and an exit code; a traceback only with ``--debug``."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.meta.get("debug"):
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


def listed(values):
    """A list of names as params.yaml would have it; ``all`` alone stays a word."""
    return "all" if values == ("all",) else list(values)


class Unset(click.ParamType):
    """A number or text that may be the empty string, which means: as in params.yaml."""

    def __init__(self, kind):
        self._kind = kind
        self.name = kind.name

    def convert(self, value, param, ctx):
        return None if value == "" else self._kind.convert(value, param, ctx)


INTEGER, FLOAT, TEXT = Unset(click.INT), Unset(click.FLOAT), Unset(click.STRING)
BOOLEAN = Unset(click.BOOL)


def common(command):
    """The options that every command has."""
    for option in (
        click.option(
            "--debug",
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=lambda ctx, option, value: ctx.meta.update(debug=value),
            help="Show tracebacks.",
        ),
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


def data_option(command):
    """``--data``: the data set folder."""
    help_text = "A data set.  [default: data/<dataset.name>]"
    return click.option("--data", default="", metavar="DIR", help=help_text)(command)


def out_option(what):
    """``--out``, empty for a folder under runs/."""
    help_text = f"Where {what} go.  [default: runs/<command>-<UTC time>]"
    return click.option("--out", default="", metavar="DIR", help=help_text)


def folder_option(name, default):
    """A folder that is read; empty means the one of dvc.yaml."""
    return click.option(
        f"--{name}",
        default=default,
        show_default=True,
        metavar="DIR",
        callback=lambda ctx, option, value: value or default,
        help="What the command before it wrote.",
    )


def repeatable(name, what, default="as in params.yaml"):
    """An option that can be given several times, or once with commas."""
    help_text = f"{what}; repeat it, or separate with commas.  [default: {default}]"
    return click.option(f"--{name}", multiple=True, callback=names, metavar="NAME", help=help_text)


def settings(params_file, **overrides):
    """Read the settings; options given lie over them."""
    from brain_teacher.params import load_params

    return load_params(params_file, overrides)


def call(command, params, data, quiet, **given):
    """Call a command that reads a data set and shows its progress."""
    folder = data_folder(params, data)
    command(params, data=folder, say=say_unless(quiet), quiet=quiet, **given)


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
      brain-teacher controls                   what the decoder gives without a brain
      brain-teacher rivals --teacher all       the ResNet34 of ordinary distillation
      brain-teacher distill --teacher none,brain --seeds 2 --epochs 5
      brain-teacher plan --discordant 0.12 --seed-sd 1 --effect 2
      brain-teacher promote --dry-run
    """


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


@main.command()
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


@main.command()
@common
@data_option
@out_option("voxels")
@repeatable("subject", "A subject")
@repeatable("roi", "An ROI")
def preprocess(params_file, quiet, data, out, subject, roi):
    """Cut BData files into voxels, one file per subject and ROI.

    \b
    Example:
      brain-teacher preprocess --roi HVC --out runs/hvc
    """
    from brain_teacher.commands.preprocess import preprocess as command

    params = settings(params_file, preprocess={"subject": list(subject), "roi": list(roi)})
    command(params, data=data_folder(params, data), out=out, say=say_unless(quiet))


@main.command()
@common
@data_option
@folder_option("voxels", "outputs/voxels")
@out_option("soft labels, metrics.json and figures")
@repeatable("subject", "A subject", "all there are")
@repeatable("roi", "An ROI", "all there are")
@repeatable("decoder", "A decoder")
@click.option("--nested", type=BOOLEAN, metavar="true|false", help="Also nested soft labels.")
def decode(params_file, quiet, data, voxels, out, subject, roi, decoder, nested):
    """Decode voxels into out-of-fold soft labels.

    \b
    Example:
      brain-teacher decode --subject S1 --roi V1 --roi HVC --decoder logistic,ridge
    """
    from brain_teacher.commands.decode import decode as command

    params = settings(params_file, decode={"decoder": list(decoder), "nested": nested})
    call(command, params, data, quiet, voxels=voxels, out=out, subject=subject, roi=roi)


@main.command()
@common
@data_option
@folder_option("voxels", "outputs/voxels")
@out_option("the controls' soft labels and metrics.json")
@click.option("--seeds", type=INTEGER, help="How many draws.  [default: as distill.seeds]")
def controls(params_file, quiet, data, voxels, out, seeds):
    """Decode exchanged trials, and time alone: what needs no brain.

    The subjects, ROI and decoder are those of distill in the settings.

    \b
    Example:
      brain-teacher controls --seeds 3
    """
    from brain_teacher.commands.controls import controls as command

    params = settings(params_file, distill={"seeds": seeds})
    call(command, params, data, quiet, voxels=voxels, out=out)


@main.command()
@common
@data_option
@folder_option("soft-labels", "outputs/soft_labels")
@out_option("the ResNet34's weights and soft labels")
@repeatable("teacher", "A teacher that needs them")
def rivals(params_file, quiet, data, soft_labels, out, teacher):
    """Train the ResNet34 of ordinary distillation, where a teacher needs one.

    \b
    Example:
      brain-teacher rivals --teacher resnet34-live --out runs/rivals
    """
    from brain_teacher.commands.rivals import rivals as command

    params = settings(params_file, distill={"teacher": listed(teacher)})
    call(command, params, data, quiet, soft_labels=soft_labels, out=out)


@main.command()
@common
@data_option
@folder_option("soft-labels", "outputs/soft_labels")
@folder_option("controls", "outputs/controls")
@folder_option("rivals", "outputs/rivals")
@out_option("students")
@repeatable("subject", "A subject; several are combined")
@repeatable("roi", "An ROI; several are combined")
@click.option(
    "--decoder", type=TEXT, metavar="NAME", help="Whose soft labels.  [default: as in params.yaml]"
)
@repeatable("teacher", "A teacher, or all")
@click.option("--split", type=TEXT, metavar="unseen|folds", help="Which images are tested.")
@click.option("--loss", type=TEXT, metavar="NAME", help="hinton or soft-cross-entropy.")
@click.option("--temperature", type=FLOAT, help="T of the soft term.")
@click.option("--alpha", type=FLOAT, help="Weight of the soft term.")
@click.option("--seeds", type=INTEGER, help="How many seeds a teacher.")
@click.option("--epochs", type=INTEGER, help="Passes through the training images.")
@click.option("--network", type=TEXT, metavar="NAME", help="A classifier of torchvision.")
@click.option("--width", type=INTEGER, help="Of a ResNet; 64 is torchvision's.")
@click.option("--device", type=TEXT, metavar="auto|cpu|cuda", help="Where to train.")
@click.option("--limit", type=INTEGER, help="About so many images of each split: a smoke run.")
def distill(
    params_file,
    quiet,
    data,
    soft_labels,
    controls,
    rivals,
    out,
    subject,
    roi,
    teacher,
    limit,
    **options,
):
    """Train the students of every teacher.

    \b
    Examples:
      brain-teacher distill --roi LOC --teacher none,brain --seeds 3
      brain-teacher distill --limit 64 --epochs 1        through everything in seconds
    """
    from brain_teacher.commands.distill import distill as command

    chosen = {"subject": listed(subject), "roi": list(roi), "teacher": listed(teacher), **options}
    params = settings(params_file, distill=chosen)
    call(
        command,
        params,
        data,
        quiet,
        soft_labels=soft_labels,
        controls=controls,
        rivals=rivals,
        out=out,
        limit=limit,
    )


@main.command()
@common
@data_option
@folder_option("soft-labels", "outputs/soft_labels")
@folder_option("controls", "outputs/controls")
@folder_option("rivals", "outputs/rivals")
@out_option("pilot students and the chosen recipes")
@repeatable("teacher", "A teacher, or all")
@click.option("--seeds", type=INTEGER, help="Pilot seeds a recipe.")
def search(params_file, quiet, data, soft_labels, controls, rivals, out, teacher, seeds):
    """Choose each teacher's recipe on pilot seeds and validation images.

    \b
    Example:
      brain-teacher search --teacher none,brain --seeds 3
    """
    from brain_teacher.commands.search import search as command

    params = settings(params_file, distill={"teacher": listed(teacher)}, search={"seeds": seeds})
    call(
        command,
        params,
        data,
        quiet,
        soft_labels=soft_labels,
        controls=controls,
        rivals=rivals,
        out=out,
    )


@main.command()
@common
@data_option
@click.option("--students", type=TEXT, metavar="DIR", help="A pilot: what search or distill wrote.")
@click.option("--discordant", type=FLOAT, metavar="SHARE", help="Without a pilot: see below.")
@click.option("--seed-sd", type=FLOAT, metavar="POINTS", help="Without a pilot: see below.")
@click.option(
    "--effect", type=FLOAT, metavar="POINTS", help="To be seen.  [default: compare.margin]"
)
@click.option("--seeds", type=INTEGER, help="How many seeds a teacher.  [default: distill.seeds]")
@click.option("--images", type=INTEGER, help="How many test images.  [default: the data set's]")
@click.option("--power", type=FLOAT, help="Chance to see the effect.  [default: 0.8]")
def plan(params_file, quiet, data, seeds, power, **options):
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
    command(
        params,
        data=data_folder(params, data),
        **options,
        power=0.8 if power is None else power,
        say=say_unless(quiet),
    )


@main.command()
@common
@data_option
@folder_option("soft-labels", "outputs/soft_labels")
@out_option("students, table and figures")
@repeatable("subject", "A subject", "all there are")
@repeatable("roi", "An ROI", "all there are")
@click.option("--seeds", type=INTEGER, help="How many seeds a brain.  [default: as distill.seeds]")
@click.option("--epochs", type=INTEGER, help="Passes through the training images.")
def explore(params_file, quiet, data, soft_labels, out, subject, roi, **options):
    """Let every subject and ROI teach: who teaches best, and does a better decoder?

    \b
    Example:
      brain-teacher explore --seeds 3 --out runs/explore
    """
    from brain_teacher.commands.explore import explore as command

    params = settings(params_file, distill=options)
    call(command, params, data, quiet, soft_labels=soft_labels, out=out, subject=subject, roi=roi)


@main.command()
@common
@folder_option("students", "outputs/students")
@out_option("metrics.json, tables and figures")
def compare(params_file, quiet, students, out):
    """Hold the brain-taught students against every control; print table and verdict.

    \b
    Example:
      brain-teacher compare --students outputs/students --out runs/again
    """
    from brain_teacher.commands.compare import compare as command

    command(settings(params_file), students=students, out=out, say=say_unless(quiet))


@main.command()
@common
@folder_option("students", "outputs/students")
@folder_option("comparison", "outputs/comparison")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def promote(params_file, quiet, students, comparison, dry_run):
    """Register the best brain-taught student as challenger, or champion.

    \b
    Example:
      brain-teacher promote --dry-run
    """
    from brain_teacher.commands.promote import promote as command

    command(
        settings(params_file),
        students=students,
        comparison=comparison,
        dry_run=dry_run,
        say=say_unless(quiet),
    )


def data_folder(params, data):
    """``--data``, or the folder of the data set that params.yaml names."""
    return Path(data) if data else Path("data") / params.dataset.name
