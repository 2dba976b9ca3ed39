"""The public names: they load on demand, say what they take and give, and are all that docs use."""

import ast
import dataclasses
import inspect
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import brain_teacher

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SECTION = re.compile(r"^([A-Z][a-z]+)\n-+\n", re.MULTILINE)


def sections(docstring):
    """What stands under each heading of a numpydoc docstring; under "" what stands before."""
    head, *rest = SECTION.split(inspect.cleandoc(docstring))
    return {"": head, **dict(zip(rest[::2], rest[1::2], strict=True))}


def described(text):
    """The names that a section describes, each with a type or a line of words."""
    entries = re.findall(r"^(\w+(?:, \w+)*)( : .+)?\n?((?:^    .*\n?)*)", text, re.MULTILINE)
    return {name for names, kind, words in entries if kind or words for name in names.split(", ")}


@pytest.mark.parametrize("name", brain_teacher.__all__)
def test_a_public_names_docstring_is_whole(name):
    thing = getattr(brain_teacher, name)
    found = sections(thing.__doc__)
    assert re.match(r".+\.(\s|$)", found[""].split("\n\n")[0], re.DOTALL)
    takes = [key for key in inspect.signature(thing).parameters if not key.startswith("_")]
    heading = "Attributes" if dataclasses.is_dataclass(thing) else "Parameters"
    assert [key for key in takes if key not in described(found[heading])] == []
    assert inspect.isclass(thing) or found["Returns"].strip()
    source = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    raises = any(isinstance(node, ast.Raise) for node in ast.walk(source))
    assert not raises or found["Raises"].strip()


def test_that_check_can_fail():
    found = sections("It adds.\n\nParameters\n----------\na : int\nb\n    Words.\nc\n")
    assert described(found["Parameters"]) == {"a", "b"}


def test_the_public_names_are_listed():
    assert set(brain_teacher.__all__) <= set(dir(brain_teacher))
    assert len(brain_teacher.__all__) == len(set(brain_teacher.__all__)) <= 15


def test_a_star_loads_them_all():
    code = "from brain_teacher import *; print(quality.__name__, SoftLabelDataset.__name__)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["quality", "SoftLabelDataset"]


def used(code):
    """What a page's Python takes from the package: names, or modules that are none of them."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "brain_teacher":
            inner = node.module.removeprefix("brain_teacher").removeprefix(".")
            yield from ([inner] if inner else (alias.name for alias in node.names))
        elif isinstance(node, ast.Import):
            modules = (alias.name.partition(".") for alias in node.names)
            yield from (inner for top, _, inner in modules if top == "brain_teacher" and inner)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "brain_teacher":
            yield node.attr


def test_pages_use_public_names_only():
    blocks = [
        (page.name, code)
        for page in PAGES
        for code in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    ]
    # Also in a sentence, and indented under a point of a list.
    words = [
        (page.name, name)
        for page in PAGES
        for name in re.findall(r"`brain_teacher\.(\w[\w.]*)", page.read_text("utf-8"))
    ]
    found = [(page, name) for page, code in blocks for name in used(textwrap.dedent(code))]
    assert {page for page, _ in found} >= {"notebook.md", "remotes.md"}
    assert [pair for pair in found + words if pair[1] not in brain_teacher.__all__] == []


@pytest.mark.parametrize(
    "code",
    [
        "from brain_teacher.decoding.folds import plan_folds",
        "import brain_teacher.decoding",
        "from brain_teacher import seeds",
        "import brain_teacher\nbrain_teacher.seeds",
    ],
)
def test_what_is_not_public_is_seen(code):
    assert set(used(code)) - set(brain_teacher.__all__)
