"""The GPU's benchmark: that it runs, goes on where it was, and does not call a CPU a GPU."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import gpu
from gpu_decoders import CATEGORIES, FOLDS, made_up_folds
from gpu_lines import Work, in_turns, line, markdown

ROOT = Path(__file__).parents[2]
CARD = {"name": "Card", "driver": "1.2", "torch": "3", "quick": False}


def run(*arguments, code=0):
    found = CliRunner().invoke(gpu.main, [str(each) for each in arguments])
    assert found.exit_code == code, found.output
    return found.output


@pytest.mark.full
def test_it_runs_quickly_and_keeps_what_it_measured(tmp_path):
    file = tmp_path / "rows.json"
    command = [sys.executable, gpu.__file__, "--device", "cpu", "--quick", "--json", file]
    subprocess.run(command, check=True, timeout=600, cwd=ROOT)
    rows = json.loads(file.read_text())
    assert [row["name"] for row in rows] == list(gpu.ROWS)
    assert all(row["lines"] and row["seconds"] > 0 and "failed" not in row for row in rows)
    assert all(each["ours"] >= 0 for row in rows for each in row["lines"])


@pytest.fixture
def rows(monkeypatch):
    """Two rows: "second", begun first, fails after a line, until it is told not to."""
    calls, works = [], {"second": False}

    def first(quick, device):
        calls.append("first")
        yield line("one", 1)

    def second(quick, device):
        calls.append("second")
        yield line("two", 2)
        if not works["second"]:
            raise RuntimeError("no memory")
        yield line("three", 3)

    monkeypatch.setattr(gpu, "ROWS", {"second": second, "first": first})
    return calls, works


def test_a_row_that_fails_costs_neither_its_lines_nor_others_and_is_measured_again(rows, tmp_path):
    (calls, works), file = rows, tmp_path / "rows.json"
    given = ["--device", "cpu", "--quick", "--json", file]
    said = run(*given, code=1)
    assert "not measured: second (failed); start again for these" in said
    kept = {row["name"]: row for row in json.loads(file.read_text())}
    assert kept["second"]["failed"] == "RuntimeError: no memory"
    assert [each["work"] for each in kept["second"]["lines"]] == ["two"]
    assert calls == ["second", "first"]
    works["second"] = True
    said = run(*given)
    assert calls == ["second", "first", "second"]
    assert "one: 1 s" in said and "three: 3 s" in said
    kept = {row["name"]: row for row in json.loads(file.read_text())}
    assert "failed" not in kept["second"]


def test_a_spent_budget_begins_no_row(rows, tmp_path):
    calls, works = rows
    works["second"] = True
    said = run("--device", "cpu", "--quick", "--budget", "-1", code=1)
    assert calls == []
    assert "not measured: second (not begun), first (not begun); start again for these" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_nothing_is_measured(tmp_path):
    assert "not measured: no GPU is here" in run("--json", tmp_path / "rows.json")
    assert not (tmp_path / "rows.json").exists()


def test_rows_of_another_card_or_torch_are_not_taken_for_this_ones(tmp_path):
    file = tmp_path / "rows.json"
    others = [CARD | {"name": "B"}, CARD | {"torch": "2"}, CARD | {"quick": True}]
    for each in [CARD, *others]:
        gpu.keep(file, {"ceilings": {"name": "ceilings", "card": each, "lines": []}}, each)
    for each in [CARD, *others]:
        assert gpu.read(file, each)["ceilings"]["card"] == each
    assert gpu.read(file, CARD | {"name": "C"}) == {} == gpu.read(tmp_path / "none.json", CARD)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_page_gets_the_tables_of_all_cards_where_there_is_none(tmp_path):
    file, page = tmp_path / "rows.json", tmp_path / "page.md"
    for card in (CARD, CARD | {"name": "Other"}, CARD | {"name": "Tried", "quick": True}):
        row = {"name": "ceilings", "card": card, "lines": [line("copy", 3.0, "TB/s")]}
        gpu.keep(file, {"ceilings": row}, card)
    page.write_text("before <!-- gpu --> old <!-- end of gpu --> after")
    run("--json", file, "--write", page)
    text = page.read_text()
    assert text.startswith("before <!-- gpu -->\n\nCard, driver 1.2, torch 3:\n\n| work |")
    assert text.endswith("<!-- end of gpu --> after") and "old" not in text
    assert "Other, driver" in text and "Tried" not in text
    assert text.count("| copy | 3 TB/s |") == 2


def test_the_table_says_what_is_missing():
    ours, peer = (Work(name, lambda: None, 2.0) for name in ("work", "usual"))
    (each,) = in_turns([ours], peer, 3, "cpu")
    assert each["low"] <= each["ratio"] <= each["high"]
    each |= {"ours": 10.0, "peer": 30.0, "ratio": 3.0, "low": 2.0, "high": 4.0}
    text = markdown({"a": {"lines": [each]}, "b": {"lines": [], "failed": "?"}}, "abc", CARD)
    assert "| work | 10 s | usual | 30 s | 3.0 (2.0 to 4.0) |\n" in text
    assert text.endswith("| b (the rest) | not measured | | | |\n| c | not measured | | | |")
    assert markdown({}, "abc", {}).count("not measured") == 3


def test_a_part_of_the_work_counts_as_often_as_it_is_done():
    clock = iter([0.0, 2.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.perf_counter", lambda: next(clock))
        assert Work("half", lambda: None, 2).seconds("cpu") == 4.0


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
