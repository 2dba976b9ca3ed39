"""What the commands share: errors as exit codes, options, and how a command is called."""

import re
import sys
from collections.abc import Callable, Sequence
from functools import partial, reduce
from inspect import signature
from io import TextIOWrapper
from itertools import pairwise
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import click

from brain_teacher.cli.following import following
from brain_teacher.errors import BrainTeacherError, nearest, one_line, plain
from brain_teacher.machine import RunTime

PARAMS = "params.yaml"


class Group(click.Group):
    """Turns our errors into one line and an exit code; a traceback only with ``--debug``."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple:
        """Find the command; an empty value is refused before it can mean anything."""
        for option, value in pairwise(args):
            if value == "" or re.fullmatch("--[a-z-]+=", value):
                name = value.rstrip("=") or option
                raise click.UsageError(f"{name} is empty; give a value, or leave it out", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        for stream in (sys.stdout, sys.stderr):  # a letter that this terminal lacks ends nothing
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.meta.get("debug"):
                raise
            text = str(error)
            # Of a process that reads files apart, too, which tells what its own error said.
            if lacks := re.search(r"No module named '(?!brain_teacher)(\w+)", text):
                text = f"this needs {lacks[1]}: pip install 'brain-teacher[all]'"
            elif not isinstance(error, BrainTeacherError | OSError):
                text = f"{type(error).__name__}: {error} (unexpected; --debug shows where)"
            click.echo(f"Error: {one_line(text)}", err=True)
            ctx.exit(error.exit_code if isinstance(error, BrainTeacherError) else 1)


def say(text: str) -> None:
    """Show what a command says."""
    click.echo(plain(text))


class Setting(click.Option):
    """An option that lies over the setting of its name in a `block` of params.yaml."""

    def __init__(self, *args: Any, block: str, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.block = block


class Command(click.Command):
    """Calls the function of its name in ``commands`` with what its options say.

    `tables` (title -> ``module:NAME``) are listed in its help, and loaded only then: their entries
    have labels. A table may also be a function that gives one.
    """

    def __init__(self, *args: Any, tables: dict[str, str] | None = None, **attributes: Any) -> None:
        super().__init__(*args, **attributes | {"callback": self._call})
        self._tables = tables or {}

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the tables' entries."""
        for title, place in self._tables.items():
            table = resolve_name(f"brain_teacher.{place}")
            table = table() if callable(table) else table
            with formatter.section(title):
                formatter.write_dl([(name, entry.label) for name, entry in table.items()])
        super().format_epilog(ctx, formatter)

    def _call(self, **given: Any) -> None:
        """Make settings, run time and voice of the options; what is left goes as it is."""
        name = str(self.name).replace("-", "_")
        function = resolve_name(f"brain_teacher.commands.{name}:{name}")
        quiet = given.pop("quiet")
        given["say"] = (lambda _: None) if quiet else say
        if run_time := {name: given.pop(name) for name in RUN_TIME if name in given}:
            given["run_time"] = _checked(RunTime(**run_time))
        takes = signature(function).parameters
        if "quiet" in takes:  # of what has a progress bar
            given["quiet"] = quiet
        typed = {"data": given.get("data"), "params": _unless_default(given.get("params_file"))}
        if "params_file" in given:
            from brain_teacher.chain.params import load_params

            overrides: dict[str, dict] = {}
            for option in self.params:
                if isinstance(option, Setting):
                    overrides.setdefault(option.block, {})[option.name] = given.pop(option.name)
            params = load_params(given.pop("params_file"), overrides)
            if "data" in given:
                given["data"] = Path(given["data"] or Path("data") / params.dataset.name)
            if "params" in takes:
                function = partial(function, params)
        made = function(**given)
        for line in following(str(self.name), made, given, typed):
            given["say"](line)


def _unless_default(params_file: str | None) -> str | None:
    return None if params_file == PARAMS else params_file


def names(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> list[str] | None:
    """Repeatable names, also separated by commas; None where none is given."""
    found = [part.strip() for value in values for part in value.split(",")]
    if "" in found:
        raise click.BadParameter("a name is empty", ctx, param)
    return found or None


def _checked(run_time: RunTime) -> RunTime:
    """Of other machines nobody knows how many cells they bear."""
    if run_time.elsewhere and run_time.jobs is None:
        raise click.UsageError(f"--cluster {run_time.cluster} takes --jobs N: how many at a time")
    return run_time


def names_or_all(
    ctx: click.Context, param: click.Parameter, values: Sequence[str]
) -> list[str] | str | None:
    """Names as in params.yaml: ``all`` alone stays a word."""
    found = names(ctx, param, values)
    return "all" if found == ["all"] else found


class ClusterName(click.ParamType):
    """A kind of cluster, or an address."""

    name = "cluster"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what is neither."""
        from brain_teacher.cells.cluster import CLUSTERS

        if value not in CLUSTERS and "://" not in value:
            known = f"say {', '.join(CLUSTERS)}, or a scheduler's address as tls://HOST:8786"
            self.fail(f"{value}: {known}{nearest(value, CLUSTERS)}", param, ctx)
        return value


COUNT = click.IntRange(1, 1_000_000)
# Of every command that makes something: where and how it runs, never what comes out.
RUN_TIME: dict[str, dict] = {
    "jobs": {
        "type": COUNT,
        "help": "Cells made side by side.  [default: a core each; on GPUs a card each]",
    },
    "cluster": {
        "type": ClusterName(),
        "help": "Who makes them: local, slurm, or the address of a Dask scheduler; see "
        "docs/cluster.md.  [default: processes of this command]",
    },
    "device": {
        "type": click.Choice(["auto", "cpu", "cuda"]),
        "default": RunTime.device,
        "help": "Where networks compute.",
    },
    "checkpoint_minutes": {
        "type": click.FloatRange(min=0, min_open=True),
        "default": RunTime.checkpoint_minutes,
        "help": "Students that train for longer are written down this often.",
    },
}

setting = partial(click.option, cls=Setting)


def in_order(*options: Callable) -> Callable:
    """Several options as one decorator."""
    return lambda command: reduce(lambda made, option: option(made), reversed(options), command)


common = in_order(
    click.option("--quiet", is_flag=True, help="Say nothing but errors."),
    click.option(
        "--debug", is_flag=True, expose_value=False, is_eager=True, help="Show tracebacks.",
        callback=lambda ctx, _, value: ctx.meta.update(debug=value),
    ),
)  # fmt: skip
with_settings = in_order(
    click.option(
        "--params", "params_file", default=PARAMS, show_default=True, metavar="FILE",
        help="The settings.",
    ),
    common,
)  # fmt: skip
with_data = in_order(
    with_settings,
    click.option("--data", metavar="DIR", help="A data set.  [default: data/<dataset.name>]"),
)


def command(shared: Callable, tables: dict[str, str] | None = None) -> Callable:
    """Make a `Command` of a function that says what it does: `shared` options, then its own."""
    return lambda described: click.command(cls=Command, tables=tables)(shared(described))


def run_time_options(*names: str) -> Callable:
    """Those of `RUN_TIME` that a command has, each also in the environment."""

    def option(name: str) -> Callable:
        shown: dict[str, Any] = {"show_envvar": True, "show_default": True, **RUN_TIME[name]}
        variable = f"BRAIN_TEACHER_{name.upper()}"
        return click.option(f"--{name.replace('_', '-')}", envvar=variable, **shown)

    return in_order(*map(option, names))


def out_option(what: str) -> Callable:
    """``--out``; without it a folder under runs/."""
    help_text = f"Where {what} go.  [default: runs/<command>-<UTC time>]"
    return click.option("--out", metavar="DIR", help=help_text)


def folder_option(name: str) -> Callable:
    """A folder that is read; the default is the one of dvc.yaml."""
    default = f"outputs/{name.replace('-', '_')}"
    what = "What the command before it wrote."
    return click.option(f"--{name}", default=default, show_default=True, metavar="DIR", help=what)


def repeatable(
    name: str, what: str, *, block: str | None = None, callback: Callable = names_or_all,
    default: str = "all there are",
) -> Callable:  # fmt: skip
    """An option, or the setting of a block, that can be given several times, or with commas."""
    add = click.option if block is None else partial(setting, block=block)
    default = default if block is None else "as in params.yaml"
    what += f"; repeat it, or separate with commas.  [default: {default}]"
    return add(f"--{name}", multiple=True, callback=callback, metavar="NAME", help=what)
