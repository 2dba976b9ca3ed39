"""What the tables hold is told in docs/, and has what it needs beside the code."""

import re
from pathlib import Path

import pytest
import yaml

import brain_teacher
from brain_teacher.analysis.further import FURTHER
from brain_teacher.analysis.outcomes import OUTCOMES
from brain_teacher.analysis.verdict import (
    BRAIN_TAUGHT,
    CANNOT_TELL,
    EXPLAINING,
    HARMED,
    NO_EFFECT,
    OPEN,
    OPEN_BELOW,
)
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.distillation.parts import PARTS
from brain_teacher.distillation.teachers import TEACHERS
from brain_teacher.sources.recordings.catalogue import SOURCES

ROOT = Path(__file__).parents[1]
TOLD = [
    *((name, "decoders.md") for name in DECODERS),
    *((name, "dissect.md") for name in PARTS),
    *((name, "students.md") for name in (*LOSSES, *TEACHERS, *OUTCOMES)),
    *((name, "outcomes.md") for name in FURTHER),
]


@pytest.mark.parametrize(("name", "page"), TOLD)
def test_every_entry_is_told_in_docs(name, page):
    assert f"`{name}`" in (ROOT / "docs" / page).read_text("utf-8")


VERDICTS = [*sorted(EXPLAINING - OPEN_BELOW), HARMED, OPEN, f"{NO_EFFECT} d", CANNOT_TELL]


@pytest.mark.parametrize("name", ["verdict.md", "verdicts.md"])
def test_every_verdict_and_no_other_is_told_in_docs(name):
    page = (ROOT / "docs" / name).read_text("utf-8")
    table = page.split("| verdict |")[1].split("\n\n")[0]
    told = re.findall(r"^\| ([\w][^|]+) \|", table, re.MULTILINE)
    assert sorted(told) == sorted({each.replace("superclasses", "words") for each in VERDICTS})


def test_what_a_verdict_earns_is_told_in_docs():
    earns = (ROOT / "docs" / "verdicts.md").read_text("utf-8").split("## What it earns")[1]
    row = next(line for line in earns.splitlines() if line.startswith("| `brain-taught`"))
    told = re.findall(r"\*([^*]+)\*", row)
    assert set(told) == {each.replace("superclasses", "words") for each in BRAIN_TAUGHT}


def test_the_glossary_has_each_word_once_and_in_order():
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    first, others = (re.findall(r"^- \*\*(.+?)\*\*: ", part, re.MULTILINE)
                     for part in text.split("## All others"))  # fmt: skip
    assert first == ["cell", "controls", "plan", "run"]
    assert len(set(others)) == len(others) >= 60
    assert others == sorted(others, key=str.lower)


def test_the_reference_has_the_public_names():
    text = (ROOT / "docs" / "reference.md").read_text("utf-8")
    told = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    homes = brain_teacher._HOMES.items()
    assert sorted(told) == sorted(f"brain_teacher.{home}.{name}" for name, home in homes)


@pytest.mark.parametrize("name", SOURCES)
def test_every_recording_has_settings_that_fit_it_and_is_told(name):
    content = yaml.safe_load((ROOT / "params" / f"{name}.yaml").read_text("utf-8"))
    assert content["dataset"]["name"] == name
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert any(name in page.read_text("utf-8") for page in pages)


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert citation["version"] == brain_teacher.__version__
    assert re.search(r"^## (.+)$", changes, re.MULTILINE)[1] == brain_teacher.__version__
