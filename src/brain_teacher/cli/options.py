"""What the commands share: errors as exit codes, options, and how a command speaks."""

from functools import wraps
from pathlib import Path

import click

from brain_teacher.errors import BrainTeacherError
from brain_teacher.machine import RunTime


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
# Of every command that makes something: where and how it runs, never what comes out.
RUN_TIME = {
    "jobs": {
        "type": click.IntRange(min=1),
        "help": "Cells made side by side.  [default: a core each; on a GPU 1]",
    },
    "device": {
        "type": click.Choice(["auto", "cpu", "cuda"]),
        "default": RunTime.device,
        "show_default": True,
        "help": "Where networks compute.",
    },
    "checkpoint_minutes": {
        "type": click.FloatRange(min=0, min_open=True),
        "default": RunTime.checkpoint_minutes,
        "show_default": True,
        "help": "Students that train for longer are written down this often.",
    },
}
# Whose tables teach: folders under outputs/, and what commands call them.
TABLES = ("soft_labels", "controls", "rivals")


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


def run_time_options(*names):
    """Those of `RUN_TIME` that a command has, each also in the environment: a `RunTime`."""

    def decorate(command):
        @wraps(command)
        def with_run_time(**given):
            run_time = RunTime(**{name: given.pop(name) for name in names})
            return command(run_time=run_time, **given)

        for name in reversed(names):
            option = f"--{name.replace('_', '-')}"
            variable = f"BRAIN_TEACHER_{name.upper()}"
            add = click.option(option, envvar=variable, show_envvar=True, **RUN_TIME[name])
            with_run_time = add(with_run_time)
        return with_run_time

    return decorate


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


def tables_options(command):
    """The folders of `TABLES`."""
    for name in reversed(TABLES):
        command = folder_option(name.replace("_", "-"), f"outputs/{name}")(command)
    return command


def repeatable(name, what, default="as in params.yaml"):
    """An option that can be given several times, or once with commas."""
    help_text = f"{what}; repeat it, or separate with commas.  [default: {default}]"
    return click.option(f"--{name}", multiple=True, callback=names, metavar="NAME", help=help_text)


def settings(params_file, **overrides):
    """Read the settings; options given lie over them."""
    from brain_teacher.chain.params import load_params

    return load_params(params_file, overrides)


def call(command, params, data, quiet, **given):
    """Call a command that reads a data set and shows its progress."""
    folder = data_folder(params, data)
    command(params, data=folder, say=say_unless(quiet), quiet=quiet, **given)


def say_unless(quiet):
    """How a command speaks."""
    return (lambda text: None) if quiet else click.echo


def data_folder(params, data):
    """``--data``, or the folder of the data set that params.yaml names."""
    return Path(data) if data else Path("data") / params.dataset.name
