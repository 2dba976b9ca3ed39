"""What the commands share: errors as exit codes, options, and how a command speaks."""

import re
from functools import wraps
from itertools import pairwise
from pathlib import Path
from pkgutil import resolve_name

import click

from brain_teacher.errors import BrainTeacherError
from brain_teacher.machine import RunTime


class Group(click.Group):
    """Turns our errors into one line and an exit code; a traceback only with ``--debug``."""

    def resolve_command(self, ctx, args):
        for option, value in pairwise(args):
            if value == "" or re.fullmatch("--[a-z-]+=", value):
                option = value.rstrip("=") or option
                raise click.UsageError(f"{option} is empty; give a value, or leave it out", ctx)
        return super().resolve_command(ctx, args)

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


class Telling(click.Command):
    """Its help lists the entries of tables, which are loaded only then.

    Parameters
    ----------
    tables : dict of str to str
        Title -> ``module:NAME`` of a table whose entries have a label, or of a function that gives
        one.
    """

    def __init__(self, *args, tables, **settings):
        super().__init__(*args, **settings)
        self._tables = tables

    def format_epilog(self, ctx, formatter):
        for title, place in self._tables.items():
            table = resolve_name(f"brain_teacher.{place}")
            table = table() if callable(table) else table
            with formatter.section(title):
                formatter.write_dl([(name, entry.label) for name, entry in table.items()])
        super().format_epilog(ctx, formatter)


def names(ctx, param, values):
    """Repeatable names, also separated by commas; None where none is given."""
    found = [part.strip() for value in values for part in value.split(",")]
    if "" in found:
        raise click.BadParameter("a name is empty", ctx, param)
    return found or None


def names_or_all(ctx, param, values):
    """Names as in params.yaml: ``all`` alone stays a word."""
    found = names(ctx, param, values)
    return "all" if found == ["all"] else found


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
    debug = click.option(
        "--debug", is_flag=True, expose_value=False, is_eager=True, help="Show tracebacks.",
        callback=lambda ctx, option, value: ctx.meta.update(debug=value),
    )  # fmt: skip
    quiet = click.option("--quiet", is_flag=True, help="Say nothing but errors.")
    return quiet(debug(command))


def with_settings(command):
    """Those of a command that reads settings."""
    option = click.option(
        "--params", "params_file", default="params.yaml", show_default=True, metavar="FILE",
        help="The settings.",
    )  # fmt: skip
    return option(common(command))


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
    return click.option("--data", metavar="DIR", help=help_text)(command)


def out_option(what):
    """``--out``; without it a folder under runs/."""
    help_text = f"Where {what} go.  [default: runs/<command>-<UTC time>]"
    return click.option("--out", metavar="DIR", help=help_text)


def folder_option(name, default):
    """A folder that is read; the default is the one of dvc.yaml."""
    what = "What the command before it wrote."
    return click.option(f"--{name}", default=default, show_default=True, metavar="DIR", help=what)


def tables_options(command):
    """The folders of `TABLES`."""
    for name in reversed(TABLES):
        command = folder_option(name.replace("_", "-"), f"outputs/{name}")(command)
    return command


def repeatable(name, what, default="as in params.yaml", callback=names_or_all):
    """An option that can be given several times, or once with commas."""
    what += f"; repeat it, or separate with commas.  [default: {default}]"
    return click.option(f"--{name}", multiple=True, callback=callback, metavar="NAME", help=what)


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
    return Path("data") / params.dataset.name if data is None else Path(data)
