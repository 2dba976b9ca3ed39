"""How a command ends: the figure's place, and the next command to type."""

import shlex
from pathlib import Path

import pytest

from brain_teacher.cli import main
from brain_teacher.cli.following import FIGURES, NEXT, following

NOTHING = {"data": None, "params": None}


def lines(command, *, typed=NOTHING, made="runs/a b", **given):
    return list(following(command, Path(made), given, typed))


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    monkeypatch.delenv("DVC_STAGE", raising=False)


def test_the_figure_and_the_next_command_are_named():
    assert lines("decode", made="runs/soft") == [
        "figure: runs/soft/figures/accuracy.png",
        "next: brain-teacher distill --soft-labels runs/soft",
    ]
    assert lines("compare", made="runs/c", students="runs/s") == [
        "figure: runs/c/figures/comparison.png",
        "next: brain-teacher promote --students runs/s --comparison runs/c --dry-run",
    ]
    assert lines("check", made=".", data=Path("data/mine")) == [
        "next: brain-teacher preprocess --data data/mine"
    ]


def test_what_was_typed_goes_on():
    typed = {"data": "data/mine", "params": "params/my own.yaml"}
    assert lines("preprocess", typed=typed) == [
        "next: brain-teacher decode --data data/mine --params 'params/my own.yaml' --voxels "
        "'runs/a b'"
    ]


def test_dvc_goes_on_by_itself(monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "decode")
    assert lines("decode") == []


@pytest.mark.parametrize("command", sorted({*NEXT, *FIGURES}))
def test_every_next_command_can_be_parsed(command):
    typed = {"data": "data/mine", "params": "p.yaml"}
    assert command in main.commands
    for line in lines(command, typed=typed, data="data/mine", students="s", name="god"):
        kind, _, rest = line.partition(": ")
        program, *arguments = shlex.split(rest)
        if (kind, program) == ("next", "brain-teacher"):
            name, *options = arguments
            main.commands[name].make_context(name, options)
