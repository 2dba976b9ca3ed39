"""The GPU's benchmark: that it runs, goes on where it was, and does not call a CPU a GPU."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import gpu
from gpu_work import CATEGORIES, FOLDS, ROWS, in_turns, line, made_up_folds, markdown

BENCHMARK = Path(gpu.__file__)


def run(*arguments):
    command = [sys.executable, BENCHMARK, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout


@pytest.mark.full
def test_it_runs_quickly_and_keeps_what_it_measured(tmp_path):
    file = tmp_path / "rows.json"
    run("--device", "cpu", "--quick", "--json", file)
    rows = json.loads(file.read_text())
    assert [row["name"] for row in rows] == list(ROWS)
    assert all(each["ours"] >= 0 for row in rows for each in row["lines"])
    rows[0]["lines"] = [line("kept", 7, "s")]
    file.write_text(json.dumps(rows))
    found = run("--device", "cpu", "--quick", "--json", file, "--only", "ceilings")
    assert "kept: 7 s" in found


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_nothing_is_measured(tmp_path):
    assert "not measured: no GPU is here" in run("--json", tmp_path / "rows.json")
    assert not (tmp_path / "rows.json").exists()


def test_rows_of_another_card_or_torch_are_not_taken_for_this_ones(tmp_path):
    file, card = tmp_path / "rows.json", {"name": "A", "torch": "1", "quick": False}
    others = [card | {"name": "B"}, card | {"torch": "2"}, card | {"quick": True}]
    for each in [card, *others]:
        gpu.keep(file, {"ceilings": {"name": "ceilings", "card": each, "lines": []}}, each)
    for each in [card, *others]:
        assert gpu.read(file, each)["ceilings"]["card"] == each
    assert gpu.read(file, card | {"name": "C"}) == {} == gpu.read(tmp_path / "none.json", card)


def test_the_table_names_the_card_and_what_is_missing():
    card = {"name": "Card", "driver": "1.2", "torch": "3", "quick": False}
    each = in_turns("work", lambda: 2.0, "usual", lambda: 3.0, 3, ours_times=5, peer_times=10)
    text = markdown({"resnet1d": {"name": "resnet1d", "card": card, "lines": [each]}}, card)
    assert text.startswith("Card, driver 1.2, torch 3:\n\n| work |")
    assert "| work | 10 s | usual | 30 s | 3.0 (3.0 to 3.0) |" in text
    assert text.count("not measured") == len(ROWS) - 1
    assert markdown({}, {}).count("not measured") == len(ROWS)


def test_a_made_up_fold_holds_out_what_it_is_not_fitted_on():
    folds, truth = made_up_folds(1, quick=False)
    assert len(folds) == len(truth) == FOLDS
    for (fit, category, validation, validated, held_out), named in zip(folds, truth, strict=True):
        assert len(fit) == 900 and len(validation) == len(held_out) == CATEGORIES
        assert sorted(named) == sorted(validated) == list(range(CATEGORIES))
        assert np.bincount(category).tolist() == [6] * CATEGORIES
        rows = {row.tobytes() for row in fit}
        assert len(rows) == 900
        assert not rows & {row.tobytes() for row in (*validation, *held_out)}
