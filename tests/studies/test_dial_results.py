"""Results of the dial that were written down count on a machine that has not made them."""

from dataclasses import asdict, replace

import pytest

import dial
from brain_teacher.files import write_json
from dial_table import Result

FOUND = Result("cannot tell", {"brain": {"0": 0.5}, "none": {"0": 0.25}}, {"top1": 0.4}, "code")


@pytest.fixture
def arm(tmp_path, monkeypatch):
    monkeypatch.setattr(dial, "RESULTS", tmp_path / "results.json")
    dial.written_down.cache_clear()
    yield dial.arm_of("images", 0, tmp_path / "dial")
    dial.written_down.cache_clear()


def test_what_was_written_down_is_finished_and_judged(arm):
    assert not arm.is_finished()
    results = {arm.made_from: asdict(FOUND)}
    write_json(dial.RESULTS, {"rules": dial.rules_now(), "results": results})
    dial.written_down.cache_clear()
    arm.judge()  # by nobody's students: there are none here
    assert arm.is_finished() and not arm.is_here() and arm.read() == FOUND
    assert not replace(arm, simulation=arm.simulation | {"seed": 1}).is_finished()
    written = dial.RESULTS.read_bytes()
    dial.write_down([arm])
    assert dial.RESULTS.read_bytes() == written


def test_by_other_rules_it_counts_for_nothing(arm):
    write_json(dial.RESULTS, {"rules": "former", "results": {arm.made_from: asdict(FOUND)}})
    dial.written_down.cache_clear()
    assert not arm.is_finished()
