"""The command line: help at once, exit codes, one line an error, no option ignored."""

import re
import subprocess
import sys
from functools import wraps
from pathlib import Path
from pkgutil import resolve_name

import click
import pytest
from click.testing import CliRunner

from brain_teacher import __version__
from brain_teacher.analysis.outcomes import primary_outcomes
from brain_teacher.chain.params import load_params
from brain_teacher.cli import main
from brain_teacher.cli.options import say
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.errors import BrainTeacherError, UsageError
from brain_teacher.machine import RunTime
from brain_teacher.sources.recordings.catalogue import SOURCES

ROOT = Path(__file__).parents[1]
PARAMS = str(ROOT / "params.yaml")
COMMANDS = [
    *("simulate", "preprocess", "decode", "controls", "rivals"),
    *("search", "distill", "explore", "plan", "compare", "outcomes", "promote"),
    *("dissect", "multiverse", "report", "registry"),
    *("import-soft-labels", "export", "track"),
    *("fetch", "images", "use", "new-dataset", "check", "pull"),
]
# What reads no settings takes no file of them.
WITHOUT_SETTINGS = [
    "simulate",
    "fetch",
    "use",
    "new-dataset",
    "export",
    "pull",
    "track",
    "registry",
]
HEAVY = ("torch", "torchvision", "mlflow", "numpy", "pandas", "scipy", "sklearn", "matplotlib")


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def in_a_fresh_process(code, encoding="utf-8"):
    """What `code` prints in a new interpreter that knows the source."""
    command = [
        sys.executable,
        "-c",
        f"import sys\nsys.path.insert(0, {str(ROOT / 'src')!r})\n{code}",
    ]
    done = subprocess.run(command, capture_output=True, encoding=encoding, check=True)
    return done.stdout


@pytest.fixture
def called(monkeypatch):
    """Replace a command by one that notes how it was called."""
    calls = []

    def replace(name):
        name = name.replace("-", "_")

        @wraps(resolve_name(f"brain_teacher.commands.{name}:{name}"))  # its signature, too
        def command(*args, **settings):
            calls.append((args, settings))

        monkeypatch.setattr(f"brain_teacher.commands.{name}.{name}", command)
        return calls

    return replace


def test_help_loads_nothing_heavy():
    # One process for all: what none of them loads, each of them does not.
    said = in_a_fresh_process(
        "from brain_teacher.cli import main\n"
        f"for command in {[[], *[[name] for name in COMMANDS]]!r}:\n"
        "    main([*command, '--help'], standalone_mode=False)\n"
        f"    print('LOADED', *command, [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    loaded = re.findall(r"^LOADED .*", said, re.MULTILINE)
    assert loaded == ["LOADED []", *(f"LOADED {name} []" for name in COMMANDS)]
    assert len(re.findall(r"^Usage: ", said, re.MULTILINE)) == len(loaded)


def test_that_check_can_fail():
    out = in_a_fresh_process(f"import numpy\nprint([n for n in {HEAVY!r} if n in sys.modules])")
    assert out == "['numpy']\n"


def test_the_group_names_every_command_in_the_order_of_the_chain():
    result = run("--help")
    assert result.exit_code == 0
    assert "preprocess -> decode -> distill -> compare -> report -> promote" in result.output
    assert sorted(main.commands) == sorted(COMMANDS)
    for name in COMMANDS:
        assert re.search(rf"^  {name}  +[A-Z]", result.output, re.MULTILINE), name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert re.search(rf"Examples?:\n +brain-teacher {name}\b", result.output)
    for option in ("--quiet", "--debug", "--help"):
        assert option in result.output
    assert ("--params FILE" in result.output) == (name not in WITHOUT_SETTINGS)


@pytest.mark.parametrize("name", COMMANDS)
def test_settings_are_read_or_cannot_be_named(name, called, tmp_path):
    calls = called(name)
    result = run(*example_of(name), "--params", tmp_path / "no.yaml")
    said = (
        "Error: No such option '--params'."
        if name in WITHOUT_SETTINGS
        else f"Error: {tmp_path / 'no.yaml'} is missing; name the settings with --params FILE"
    )
    assert (result.exit_code, calls) == (2, [])
    assert result.stderr.splitlines()[-1].startswith(said)


def example_of(name):
    """The first example of a command's help, as arguments."""
    return re.search(r"brain-teacher ([\w-]+(?: .*)?)$", run(name, "--help").output, re.MULTILINE)[
        1
    ].split()


def with_settings(name):
    """The repository's settings, for a command that reads settings."""
    return [] if name in WITHOUT_SETTINGS else ["--params", PARAMS]


def said(result):
    """What a command says of its own; at its end stands what to type next."""
    return re.sub("^next: .*\n", "", result.output, flags=re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_a_line_that_the_command_takes(name, called):
    calls = called(name)
    result = run(*example_of(name), *with_settings(name))
    assert (result.exit_code, said(result), len(calls)) == (0, "", 1)


# Of options whose values are not any number or name; none is a default, or in an example.
VALUES = {
    "device": "cpu",
    "loss": "soft-cross-entropy",
    "split": "folds",
    "nested": "true",
    "alpha": "0.25",
    "kind": "words",
    "values": "log-probabilities",
    "cluster": "local",
    "format": "npy",
}


def options():
    """Each option of each command, but for those that all have, and a value for it."""
    for name, command in main.commands.items():
        for option in command.params:
            if isinstance(option, click.Option) and option.name not in ("debug", "params_file"):
                key = option.name
                value = [] if option.is_flag else [VALUES.get(key, "7")] * option.nargs
                # Of a flag that can be taken back, what is not the default.
                other = option.secondary_opts if option.default is True else option.opts
                yield pytest.param(name, [other[0], *value], id=f"{name} {other[0]}")


@pytest.mark.parametrize(("name", "given"), list(options()))
def test_no_option_is_taken_and_ignored(name, given, called):
    calls = called(name)
    example = [part for part in example_of(name) if part != given[0] or len(given) > 1]
    # Of an option that the example gives, too, the last one counts.
    for arguments in ([], given):
        result = run(*example, *with_settings(name), *arguments)
        assert (result.exit_code, said(result)) == (0, "")
    without, with_it = calls
    assert without != with_it


def test_the_version_is_the_packages():
    result = run("--version")
    assert (result.exit_code, result.output) == (0, f"brain-teacher, version {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "begins"),
    [
        (["distil"], "Error: No such command 'distil'."),
        (["decode", "--rio", "V1"], "Error: No such option '--rio'."),
        (["simulate", "--seed", "1"], "Error: Missing option '--out'."),
        (
            ["distill", "--seeds", "many"],
            "Error: Invalid value for '--seeds': 'many' is not a valid integer.",
        ),
        (["promote", "now"], "Error: Got unexpected extra argument (now)"),
    ],
    ids=str,
)
def test_a_usage_error_exits_with_2(arguments, begins):
    result = run(*arguments)
    assert result.exit_code == 2 and result.stdout == ""
    # What follows is click's own advice, which differs between its versions.
    assert result.stderr.splitlines()[-1].startswith(begins)


def test_a_wrong_setting_exits_with_2_and_one_line(tmp_path):
    result = run("compare", "--params", tmp_path / "no.yaml")
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr == (
        f"Error: {tmp_path / 'no.yaml'} is missing; name the settings with --params FILE\n"
    )


def failing(monkeypatch, error):
    def command(*args, **settings):
        raise error

    monkeypatch.setattr("brain_teacher.commands.compare.compare", command)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (BrainTeacherError("no students here"), 1, "no students here"),
        (UsageError("no such thing"), 2, "no such thing"),
        (
            FileNotFoundError(2, "No such file or directory", "x.h5"),
            1,
            "[Errno 2] No such file or directory: 'x.h5'",
        ),
        (
            ModuleNotFoundError("No module named 'torch'"),
            1,
            "this needs torch: pip install 'brain-teacher[all]'",
        ),
        (
            ModuleNotFoundError("No module named 'brain_teacher.x'"),
            1,
            "ModuleNotFoundError: No "
            "module named 'brain_teacher.x' (unexpected; --debug shows where)",
        ),
        (KeyError("a"), 1, "KeyError: 'a' (unexpected; --debug shows where)"),
    ],
    ids=["failure", "usage", "file", "lacking", "ours", "unexpected"],
)
def test_an_error_is_one_line_and_an_exit_code(error, code, line, monkeypatch):
    failing(monkeypatch, error)
    result = run("compare", "--params", PARAMS)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", f"Error: {line}\n")


def test_debug_lets_the_error_through(monkeypatch):
    error = BrainTeacherError("no students here")
    failing(monkeypatch, error)
    result = run("compare", "--params", PARAMS, "--debug")
    assert result.exception is error and result.stderr == ""


@pytest.mark.parametrize("debug", [False, True])
def test_a_real_process_shows_a_traceback_only_with_debug(debug, tmp_path):
    command = [sys.executable, "-m", "brain_teacher", "preprocess", "--params", PARAMS]
    command += ["--data", str(tmp_path / "none")] + ["--debug"] * debug
    env = {"PYTHONPATH": str(ROOT / "src"), "PATH": ""}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=tmp_path, env=env
    )
    message = (
        f"there is no data set folder {tmp_path / 'none'}: `dvc pull data.dvc` brings the sample, "
        "`brain-teacher simulate` makes one, or name yours with --data or dataset.name"
    )
    assert done.returncode == 1 and done.stdout == ""
    if debug:
        lines = done.stderr.splitlines()
        assert lines[0] == "Traceback (most recent call last):"
        assert lines[-1] == f"brain_teacher.errors.BrainTeacherError: {message}"
    else:
        assert done.stderr == f"Error: {message}\n"


def distilled(called, *options):
    calls = called("distill")
    result = run("distill", "--params", PARAMS, *options)
    assert (result.exit_code, said(result)) == (0, "")
    (params,), settings = calls[-1]
    return params, settings


def test_repeated_and_comma_separated_names_are_equal(called):
    repeated, _ = distilled(called, "--teacher", "none", "--teacher", "brain", "--roi", "V1")
    commas, _ = distilled(called, "--teacher", "none,brain", "--roi", "V1")
    assert repeated == commas
    assert commas.distill.teacher == ["none", "brain"] and commas.distill.roi == ["V1"]


def test_options_that_are_not_given_are_as_in_the_settings(called):
    params, given = distilled(called)
    assert params == load_params(PARAMS)
    assert given["out"] is None and given["data"] == Path("data/sample")
    assert given["soft_labels"] == "outputs/soft_labels" and given["quiet"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--roi", ""], "--roi is empty; give a value, or leave it out"),
        (["--roi="], "--roi is empty; give a value, or leave it out"),
        (["--quiet", "--out", "", "--seeds", "2"], "--out is empty; give a value, or leave it out"),
        (["--roi", "V1,,V2"], "Invalid value for '--roi': a name is empty"),
        (["--teacher", ","], "Invalid value for '--teacher': a name is empty"),
        (["--limit", "0"], "Invalid value for '--limit': 0 is not in the range 1<=x<=1000000."),
    ],
)
def test_an_empty_option_is_not_ignored(arguments, said, called):
    calls = called("distill")
    result = run("distill", "--params", PARAMS, *arguments)
    assert (result.exit_code, calls) == (2, [])
    assert result.stderr.splitlines()[-1] == f"Error: {said}"


@pytest.mark.parametrize(
    "name",
    ["decode", "controls", "rivals", "distill", "search", "explore", "dissect", "multiverse"],
)
@pytest.mark.parametrize("cluster", ["local", "slurm", "tls://10.0.0.1:8786"])
def test_where_cells_are_made_stands_in_the_environment(name, cluster, called, monkeypatch):
    monkeypatch.setenv("BRAIN_TEACHER_CLUSTER", cluster)
    monkeypatch.setenv("BRAIN_TEACHER_JOBS", "7")
    calls = called(name)
    assert run(name, "--params", PARAMS).exit_code == 0
    assert calls[0][1]["run_time"] == RunTime(jobs=7, cluster=cluster)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--cluster", "slrum", "--jobs", "2"),
            "Invalid value for '--cluster' (env var: 'BRAIN_TEACHER_CLUSTER'): slrum: say local, "
            "slurm, or a scheduler's address as tls://HOST:8786; did you mean 'slurm'?",
        ),
        (("--cluster", "slurm"), "--cluster slurm takes --jobs N: how many at a time"),
    ],
)
def test_a_cluster_that_is_none_is_named(arguments, said, called):
    calls = called("decode")
    result = run("decode", "--params", PARAMS, *arguments)
    assert (result.exit_code, calls) == (2, [])
    assert result.stderr.splitlines()[-1] == f"Error: {said}"


def test_all_alone_is_every_name(called):
    params, _ = distilled(called, "--teacher", "all", "--subject", "all")
    assert params.distill.teacher == params.distill.subject == "all"
    params, _ = distilled(called, "--teacher", "all,brain", "--roi", "all")
    assert (params.distill.teacher, params.distill.roi) == (["all", "brain"], ["all"])


def test_options_reach_the_settings(called):
    options = {"temperature": "4.5", "alpha": "0", "seeds": "2", "epochs": "3"}
    given = [part for name, value in options.items() for part in (f"--{name}", value)]
    run_time = ("--device", "cpu", "--jobs", "3", "--checkpoint-minutes", "2.5")
    run_time += ("--cluster", "slurm")
    params, settings = distilled(
        called, *given, *run_time, "--data", "here", "--out", "there", "--quiet"
    )
    found = {name: getattr(params.distill, name) for name in options}
    assert found == {"temperature": 4.5, "alpha": 0.0, "seeds": 2, "epochs": 3}
    assert settings["run_time"] == RunTime(
        jobs=3, device="cpu", cluster="slurm", checkpoint_minutes=2.5
    )
    assert settings["data"] == Path("here") and settings["out"] == "there"
    assert settings["quiet"] is True


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("decode", ["--subject", "S1,S2"], {"subject": ["S1", "S2"], "roi": None}),
        ("decode", ["--voxels", "v", "--out", "o"], {"voxels": "v", "out": "o"}),
        ("decode", ["--data", "d", "--roi", "all"], {"data": Path("d"), "out": None, "roi": "all"}),
        ("controls", ["--voxels", "v", "--out", "o"], {"voxels": "v", "out": "o"}),
        ("compare", ["--students", "s", "--out", "o"], {"students": "s", "out": "o"}),
        (
            "plan",
            ["--discordant", "0.1", "--seed-sd", "1.5", "--effect", "2"],
            {"discordant": 0.1, "seed_sd": 1.5, "effect": 2.0, "students": None, "power": 0.8},
        ),
        (
            "plan",
            ["--students", "s", "--images", "500", "--power", "0.9"],
            {"students": "s", "images": 500, "power": 0.9, "discordant": None},
        ),
        ("promote", ["--students", "s", "--comparison", "c"], {"students": "s", "comparison": "c"}),
        ("promote", ["--dry-run"], {"dry_run": True, "students": "outputs/students"}),
        ("promote", [], {"dry_run": False, "comparison": "outputs/comparison"}),
    ],
)
def test_other_options_reach_their_command(name, options, expected, called):
    calls = called(name)
    result = run(name, "--params", PARAMS, *options)
    assert (result.exit_code, said(result)) == (0, "")
    settings = calls[-1][1]
    assert {key: settings[key] for key in expected} == expected


@pytest.mark.parametrize("name", COMMANDS)
def test_quiet_says_nothing(name, called):
    calls = called(name)
    for quiet in (False, True):
        run(*example_of(name), *with_settings(name), *["--quiet"] * quiet)
    loud, silent = (settings["say"] for _, settings in calls)
    assert silent("anything") is None
    assert loud is say


HOSTILE = "an id\x1b]0;owned\x07 of \udcff, \x9b2J and \u202e"
SHOWN = r"an id\x1b]0;owned\x07 of \udcff, \x9b2J and \u202e"


def test_what_steers_a_terminal_is_shown_as_its_code(capsys):
    say(f"{HOSTILE}\nzwei\tGrößen ± 1 — 日本")
    assert capsys.readouterr().out == f"{SHOWN}\nzwei\tGrößen ± 1 — 日本\n"


@pytest.mark.parametrize("error", [BrainTeacherError, UsageError, OSError, RuntimeError])
def test_an_error_is_one_line_and_steers_nothing(error, monkeypatch):
    def fails(*_, **__):
        forged = f"{HOSTILE}\nError: forged, and so:"
        if issubclass(error, BrainTeacherError):  # whose list is said to be one
            raise error(forged, ["a list\n  of", "two"])
        raise error(f"{forged}\n  a list\\n  of\n  two")

    monkeypatch.setattr("brain_teacher.commands.check.check", fails)
    said = run("check", "x", "--params", PARAMS).stderr
    end = " (unexpected; --debug shows where)" if error is RuntimeError else ""
    start = "Error: RuntimeError: " if error is RuntimeError else "Error: "
    assert said == f"{start}{SHOWN}\\nError: forged, and so:\n  a list\\n  of\n  two{end}\n"


def test_letters_that_the_terminal_lacks_end_nothing(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    said = in_a_fresh_process(
        "import brain_teacher.commands.check as module\n"
        "def check(params, *, data, say): say('gr\\xf6\\xdfer \\u65e5')\n"
        "module.check = check\n"
        "from brain_teacher.cli import main\n"
        f"main(['check', 'x', '--params', {PARAMS!r}])\n",
        encoding="latin-1",
    )
    assert said.startswith("größer \\u65e5\n")


def test_simulates_defaults_are_those_of_the_command(called):
    from brain_teacher.commands.simulate import DEFAULTS

    calls = called("simulate")
    assert run("simulate", "--out", "x", "--seed", "5").exit_code == 0
    settings = calls[-1][1]
    del settings["say"]
    assert settings == DEFAULTS | {"out": "x", "seed": 5}


def test_choices_that_are_spelt_out_to_load_nothing_are_those_of_the_code():
    from brain_teacher.decoding.soft_labels import KINDS
    from brain_teacher.sources.formats.soft_label_tables import FORMATS, VALUES

    def choices(command, option):
        (found,) = (each for each in main.commands[command].params if each.name == option)
        return tuple(found.type.choices)

    assert choices("import-soft-labels", "values") == VALUES
    assert choices("import-soft-labels", "kind") == tuple(KINDS)
    assert choices("export", "format") == FORMATS


@pytest.mark.parametrize(
    ("command", "table"),
    [("decode", DECODERS), ("distill", LOSSES), ("compare", primary_outcomes()),
     ("fetch", SOURCES)],
    ids=["decode", "distill", "compare", "fetch"],
)  # fmt: skip
def test_help_names_every_entry_of_a_table(command, table):
    said = run(command, "--help").output
    for name, entry in table.items():
        assert re.search(rf"^  {name} +{re.escape(entry.label)}$", said, re.MULTILINE), name
