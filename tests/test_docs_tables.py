"""What the tables hold is told in docs/, and has what it needs beside the code."""

from pathlib import Path

import pytest
import yaml

from brain_teacher.analysis.outcomes import OUTCOMES
from brain_teacher.analysis.verdict import CANNOT_TELL, EXPLAINING, HARMED, OPEN, OPEN_BELOW
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
]


@pytest.mark.parametrize(("name", "page"), TOLD)
def test_every_entry_is_told_in_docs(name, page):
    assert f"`{name}`" in (ROOT / "docs" / page).read_text("utf-8")


@pytest.mark.parametrize("words", [*sorted(EXPLAINING - OPEN_BELOW), HARMED, OPEN, CANNOT_TELL])
def test_every_verdict_is_told_in_docs(words):
    page = (ROOT / "docs" / "verdict.md").read_text("utf-8")
    assert f"\n| {words.replace('superclasses', 'words')} |" in page


@pytest.mark.parametrize("name", SOURCES)
def test_every_recording_has_settings_that_fit_it_and_is_told(name):
    content = yaml.safe_load((ROOT / "params" / f"{name}.yaml").read_text("utf-8"))
    assert content["dataset"]["name"] == name
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert any(name in page.read_text("utf-8") for page in pages)
