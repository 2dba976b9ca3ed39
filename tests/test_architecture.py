"""The arrows between the rooms, what is loaded when, and that the project's files agree."""

import ast
import copy
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import grimp
import pytest
import yaml
from importlinter.api import read_configuration
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.independence import IndependenceContract
from importlinter.contracts.layers import LayersContract
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from brain_teacher.cli import main

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LINTER = read_configuration(str(ROOT / "pyproject.toml"))
CONTRACTS = LINTER["contracts_options"]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
ENTRY_POINTS = yaml.safe_load((ROOT / "MLproject").read_text("utf-8"))["entry_points"]
WHOLE_CHAIN = ENTRY_POINTS.pop("main")
# Of no consequence for what a stage writes: where and how it works, and what is told of it.
PLUMBING = {"cells", "errors", "files", "machine", "reading", "tracking"}


@pytest.mark.parametrize(
    "name", ["MLproject", "dvc.yaml", "params.yaml", "src", "data.dvc", "tests", "conda.yaml",
             "README.md"],
)  # fmt: skip
def test_the_repository_has_what_its_map_says(name):
    assert (ROOT / name).exists()


@pytest.fixture(scope="module")
def graph():
    """Who imports whom, read once: each test changes a copy."""
    return grimp.build_graph("brain_teacher", include_external_packages=True, cache_dir=None)


KINDS = {
    "layers": LayersContract,
    "forbidden": ForbiddenContract,
    "independence": IndependenceContract,
}


def broken(graph, contracts=CONTRACTS):
    """The names of the contracts that do not hold of `graph`."""
    names = set()
    for content in contracts:
        contract = KINDS[content["type"]](content["name"], LINTER["session_options"], content)
        if not contract.check(copy.deepcopy(graph), verbose=False).kept:
            names.add(content["name"])
    return names


def with_import(graph, importer, imported):
    changed = copy.deepcopy(graph)
    if imported not in changed.modules:
        changed.add_module(imported, is_squashed=True)
    changed.add_import(importer=f"brain_teacher.{importer}", imported=imported)
    return changed


# For each contract, an import that no other one forbids.
WRONG = [
    ("Data flows one way", "decoding.folds", "brain_teacher.distillation.losses"),
    ("Data flows one way", "decoding.folds", "brain_teacher.chain.params"),
    ("Data flows one way", "files", "brain_teacher.dataset.ids"),
    ("A command never calls another", "commands.decode", "brain_teacher.commands.distill"),
    ("The pure rooms know no command line, no tracking, no cells, no settings file",
     "dataset.ids", "click"),
    ("The pure rooms know no command line, no tracking, no cells, no settings file",
     "analysis.verdict", "brain_teacher.cells.engine"),
    ("Only tracking imports mlflow", "commands.decode", "mlflow"),
    ("Only report draws", "analysis.verdict", "matplotlib"),
    ("Only report draws", "commands.compare", "matplotlib"),
    ("Only networks and what is made of them import torch", "commands.distill", "torch"),
    ("Only networks and what is made of them import torch", "decoding.folds", "torch"),
]  # fmt: skip


def test_imports_go_the_way_of_the_data(graph):
    assert broken(graph) == set()


@pytest.mark.parametrize(("contract", "importer", "imported"), WRONG)
def test_a_wrong_import_breaks_its_contract(graph, contract, importer, imported):
    assert broken(with_import(graph, importer, imported)) == {contract}


def test_each_contract_has_a_wrong_import_here():
    assert [content["name"] for content in CONTRACTS] == list(dict.fromkeys(w[0] for w in WRONG))


def test_no_floor_knows_one_above_it(graph):
    floors = [floor.split(" | ") for floor in CONTRACTS[0]["layers"]]
    assert len(floors) > 5
    for (number, above), below in itertools.product(enumerate(floors), floors):
        if below in floors[: number + 1]:
            continue
        for importer, imported in itertools.product(below, above):
            changed = with_import(graph, importer, f"brain_teacher.{imported}")
            assert broken(changed, CONTRACTS[:1]), (importer, imported)


def test_a_room_that_is_on_no_floor_is_told(graph):
    changed = copy.deepcopy(graph)
    changed.add_module("brain_teacher.utils")
    assert broken(changed) == {CONTRACTS[0]["name"]}


def test_the_linter_reads_the_contracts_and_the_files(tmp_path):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for _, importer, imported in WRONG:
        file = tmp_path / "src" / "brain_teacher" / f"{importer.replace('.', '/')}.py"
        with file.open("a") as text:
            text.write(f"\n\ndef _wrong():\n    import {imported}\n")
    command = "from importlinter.cli import lint_imports_command as c; c(['--no-cache'])"
    done = subprocess.run(
        [sys.executable, "-c", command],
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"Contracts: 0 kept, {len(CONTRACTS)} broken" in done.stdout, done.stdout + done.stderr


COMMANDS = sorted((ROOT / "src" / "brain_teacher" / "commands").glob("[!_]*.py"))


def test_each_command_has_a_file():
    assert [file.stem.replace("_", "-") for file in COMMANDS] == sorted(main.commands)


@pytest.mark.parametrize("file", COMMANDS, ids=lambda file: file.stem)
def test_a_command_is_one_public_function_of_its_files_name(file):
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    body = ast.parse(file.read_text("utf-8")).body
    names = [node.name for node in body if isinstance(node, functions)]
    assert [name for name in names if not name.startswith("_")] == [file.stem]


HEAVY = ("torch", "torchvision", "mlflow", "dvc", "sklearn", "matplotlib")


def loaded(code):
    """Which heavy packages `code` loads in a fresh process."""
    report = f"\nimport sys\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code + report],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


LIGHT = [
    *("", ".cli", ".chain.params", ".files", ".cells.engine", ".tracking"),
    ".distillation.students",
]


def test_importing_them_loads_nothing_heavy():
    # One process for all: what none of them loads, each of them does not.
    assert loaded("".join(f"import brain_teacher{name}\n" for name in LIGHT)) == "[]"


def test_that_check_can_fail():
    assert loaded("import brain_teacher, sklearn") == "['sklearn']"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_starts_when_a_room_that_it_uses_has_changed(stage, graph):
    used = {
        name.split(".")[1]
        for name in graph.find_upstream_modules(f"brain_teacher.commands.{stage}")
        if name.startswith("brain_teacher.")
    }
    deps = {dep.removeprefix("src/brain_teacher/") for dep in STAGES[stage]["deps"]}
    rooms = {dep.removesuffix(".py") for dep in deps if not dep.startswith(("data/", "outputs/"))}
    assert rooms == used - PLUMBING - {"commands"} | {f"commands/{stage}"}


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_depends_on_exists_or_is_made_by_a_stage_before(stage):
    made = set()
    for name, content in STAGES.items():
        if name == stage:
            break
        for out in [*content["outs"], *content.get("metrics", ())]:
            made |= {out} if isinstance(out, str) else set(out)
    for dep in STAGES[stage]["deps"]:
        if dep.startswith("src/"):
            assert (ROOT / dep).exists(), dep
        elif dep.startswith("outputs/"):
            assert dep in made
        else:
            assert dep == "data/${dataset.name}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stages_command_is_one_that_the_command_line_takes(stage):
    # What params.yaml says goes through no shell.
    assert "$" not in STAGES[stage]["cmd"]
    program, name, *rest = STAGES[stage]["cmd"].split()
    assert (program, name) == ("brain-teacher", stage)
    options = {option for parameter in main.commands[stage].params for option in parameter.opts}
    assert rest[::2] and set(rest[::2]) <= options
    # What it writes is what DVC is told.
    out = rest[rest.index("--out") + 1]
    outs = [o if isinstance(o, str) else next(iter(o)) for o in STAGES[stage]["outs"]]
    assert all(o == out or o.startswith(out + "/") for o in outs)
    assert {value for value in rest[1::2] if value != out} <= set(STAGES[stage]["deps"])


def test_the_params_that_a_stage_depends_on_exist():
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    for stage, content in STAGES.items():
        assert stage in params or stage in ("controls", "rivals", "report")  # of decode and distill
        for place in content["params"]:
            block = params
            for key in place.split("."):
                assert key in block, (stage, place)
                block = block[key]


# What is not a person's: the package's own text, a model's, a remote's file, bytes in memory, what
# is written. The last ask themselves, each in its one place.
OWN = (
    *("files.py", "cells/source.py", "sources/imagenet/pretraining.py", "dataset/apart_reader.py"),
    *("dataset/foreign_files.py", "dataset/picture_files.py", "reading/arrays.py"),
    *("reading/text.py", "sources/imagenet/tree.py", "served.py"),
)
ELSEWHERE = (
    *("fs.open(", "O_CREAT", "O_WRONLY", "BytesIO(", "temporary", "archive.open(", "memory"),
    "place.read_text(",
)
READERS = {
    *("open", "read_text", "read_bytes", "read_csv", "read_parquet", "is_hdf5", "copyfile"),
    *("np.load", "torch.load", "load_file", "loadmat", "h5py.File", "bdpy.BData", "ZipFile"),
}


def unasked(source):
    """Calls that read a file without asking whether it is one (`files.regular`)."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called, text = ast.unparse(node.func), ast.unparse(node)
        modes = [each.value for each in node.args if isinstance(each, ast.Constant)]
        asked = any(word in text for word in ("regular(", *ELSEWHERE)) or {"w", "ab"} & {*modes}
        # `read_text` without a path before it is the package's own, which asks.
        readers = READERS - {called} if called == "read_text" else READERS
        if {called, called.rpartition(".")[2]} & readers and not asked:
            yield text


def test_whatever_reads_a_file_asks_first_whether_it_is_one():
    # A pipe would hang, a device never end: write `regular(path)`.
    room = ROOT / "src" / "brain_teacher"
    found = []
    for path in sorted(room.rglob("*.py")):
        name = path.relative_to(room).as_posix()
        if name not in OWN:
            found += [(name, text) for text in unasked(path.read_text("utf-8"))]
    assert found == []


def test_that_this_can_fail():
    code = "path.read_text()\nnp.load(path)\nopen(path)\npath.open('w')\nregular(path).open()"
    assert list(unasked(code)) == ["path.read_text()", "np.load(path)", "open(path)"]


# Commands that bring files and put them in order: nothing of theirs is worth an MLflow run.
HOUSEKEEPING = {
    *("fetch", "images", "new-dataset", "check", "use", "pull"),
    *("import-soft-labels", "export", "track", "registry"),
}


def test_every_command_that_calculates_is_an_entry_point():
    assert sorted(ENTRY_POINTS) == sorted(set(main.commands) - HOUSEKEEPING)


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_an_entry_point_declares_what_its_command_must_be_told(name):
    required = {
        option.removeprefix("--"): "string"
        for parameter in main.commands[name].params
        if isinstance(parameter, click.Option) and parameter.required
        for option in parameter.opts
    }
    assert ENTRY_POINTS[name].get("parameters", {}) == required
    called = "".join(f" --{key} {{{key}}}" for key in required)
    assert ENTRY_POINTS[name]["command"] == (
        f"PYTHONPATH=src python -m brain_teacher {name}{called}"
    )


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_mlflow_hands_every_option_to_the_command(name, monkeypatch):
    from mlflow.projects.utils import load_project

    told = {}
    monkeypatch.setattr(main.commands[name], "callback", lambda **given: told.update(given))
    options = [
        parameter
        for parameter in main.commands[name].params
        if isinstance(parameter, click.Option) and not parameter.is_flag
    ]
    # With a blank: MLflow puts the whole into one line for a shell.
    given = {"text": "a b", "choice": "cpu", "cluster": "slurm"}
    values = {each.opts[0].removeprefix("--"): given.get(each.type.name, "1") for each in options}
    line = load_project(str(ROOT)).get_entry_point(name).compute_command(values, None)
    program = shlex.split(line)
    assert program[:5] == ["PYTHONPATH=src", "python", "-m", "brain_teacher", name]
    main(program[4:], standalone_mode=False)
    for each in options:
        wanted = each.type.convert(values[each.opts[0].removeprefix("--")], each, None)
        assert told[each.name] == ([wanted] if each.multiple else wanted)


def test_the_main_entry_point_is_the_whole_chain():
    assert WHOLE_CHAIN == {
        "command": "python -m dvc pull --remote sample data.dvc && "
        "env -u MLFLOW_RUN_ID python -m dvc repro"
    }


def test_the_mlproject_uses_conda_yaml():
    content = yaml.safe_load((ROOT / "MLproject").read_text("utf-8"))
    assert content["conda_env"] == "conda.yaml" and content["name"] == PROJECT["project"]["name"]


def test_conda_yaml_has_python_and_the_pinned_requirements():
    *packages, pip = yaml.safe_load((ROOT / "conda.yaml").read_text("utf-8"))["dependencies"]
    assert pip == {"pip": ["-r requirements.txt"]} and "pip" in packages
    (python,) = (package for package in packages if package.startswith("python="))
    version = python.removeprefix("python=")
    assert SpecifierSet(PROJECT["project"]["requires-python"]).contains(version)


def locked():
    """The text of requirements.txt and, by name, the requirements with their hashes."""
    text = (ROOT / "requirements.txt").read_text("utf-8")
    pins = {}
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in lines.replace("\\\n", " ").splitlines():
        requirement, *hashes = re.split(r"\s+--hash=", line.strip())
        parsed = Requirement(requirement)
        pins.setdefault(canonicalize_name(parsed.name), []).append((parsed, hashes))
    return text, pins


def test_every_requirement_is_pinned_with_hashes_and_no_host_is_named():
    text, pins = locked()
    assert "://" not in text and "--index-url" not in text and "--find-links" not in text
    assert len(pins) > 50
    for each in pins.values():
        for requirement, hashes in each:
            assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), requirement
            assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", h) for h in hashes)


def test_every_dependency_is_pinned_to_a_version_that_it_allows():
    _, pins = locked()
    extras = PROJECT["project"]["optional-dependencies"].values()
    for line in itertools.chain(PROJECT["project"]["dependencies"], *extras):
        wanted = Requirement(line)
        if wanted.name == PROJECT["project"]["name"]:  # its own extra
            continue
        for pinned, _ in pins[canonicalize_name(wanted.name)]:
            (specifier,) = pinned.specifier
            assert wanted.specifier.contains(specifier.version), line


@pytest.mark.full
def test_benchmarks_run_quickly(tmp_path):
    file = tmp_path / "rows.json"
    subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "decoders.py", "--quick", "--json", file],
        check=True,
        capture_output=True,
        timeout=900,
    )
    for row in json.loads(file.read_text()):
        assert row["largest_difference"] < row["tolerance"], row
        assert row["ratio_low"] <= row["ratio"] <= row["ratio_high"]
