"""Students that began with published weights: classes seen before, and the others."""

from pathlib import Path

import numpy as np
import pytest

from brain_teacher.reading.text import read_json
from helpers.answers import make_answers, write_answers
from helpers.running import project, run

FAMILY = ["none", "smooth"]


@pytest.fixture
def compared(tmp_path, monkeypatch):
    """Compare students of some weights; two of their classes are called ImageNet's."""
    monkeypatch.setattr(
        "brain_teacher.commands.compare.seen_by_pretraining", lambda ids: np.isin(ids, ["c0", "c3"])
    )

    def compare(weights):
        for name in (*FAMILY, "brain"):
            for seed in range(3):
                answers = make_answers(name, seed, weights=weights, width=64)
                write_answers(Path("students"), answers)
        said = run("compare", "--students", "students", "--out", "out")
        return said, read_json("out/metrics.json")

    with project(tmp_path, lambda content: content["compare"].update(family=FAMILY)):
        yield compare


def test_every_result_is_given_for_both_groups(compared):
    said, content = compared("IMAGENET1K_V1")
    assert "Pretraining: the students began with IMAGENET1K_V1, which may have seen some" in said
    assert content["pretraining"]["seen"] == ["c0", "c3"]
    rows = [(row["classes"], row["teacher"]) for row in content["pretraining"]["rows"]]
    assert rows == [(c, t) for c in ("seen before", "new") for t in (*FAMILY, "brain")]
    assert Path("out/tables/pretraining.csv").exists()
    assert "| seen before" in Path("out/tables/pretraining.md").read_text("utf-8")


def test_without_weights_there_is_nothing_to_audit(compared):
    said, content = compared("none")
    assert "Pretraining" not in said and "pretraining" not in content
    assert not Path("out/tables/pretraining.md").exists()
