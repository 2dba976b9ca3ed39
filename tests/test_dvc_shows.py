"""What dvc.yaml shows: few numbers on a screen, each figure once, two revisions in one plot."""

import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest
import yaml

from brain_teacher.chain.summary import PLOT, SUMMARY, write_plot, write_summary
from brain_teacher.commands.compare import _few

ROOT = Path(__file__).parents[1]
FILE = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))
# pygtrie, under DVC.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")
COLUMNS = {
    "outputs/voxels/plot.csv": ["roi", "voxels"],
    "outputs/soft_labels/plot.csv": ["roi", "top1"],
    "outputs/controls/plot.csv": ["control", "top1"],
    "outputs/students/plot.csv": ["epoch", "none", "brain"],
    "outputs/comparison/tables/ladder.csv": ["what", "mean"],
}


def dvc(*arguments):
    """DVC in this process: each of its own takes seconds to begin."""
    from dvc.cli import main

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert main(list(arguments)) == 0


def commit(folder):
    for call in (
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"],
    ):
        subprocess.run(["git", *call], cwd=folder, check=True)


def write(value):
    """Tables as the stages write them."""
    for name, columns in COLUMNS.items():
        table = pd.DataFrame({column: [value, 2 * value] for column in columns})
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name == PLOT:
            write_plot(path.parent, table, simulated=True)
        else:
            table.to_csv(path, index=False)
    numbers = {"top1": 0.305781, "chance": 0.0625}
    for folder in ("soft_labels", "controls"):
        write_summary(Path("outputs", folder), numbers, simulated=True)
    content = {
        "accuracy": {"brain": 0.5609375, "none": 0.43229166, "semantic": 0.1},
        "differences": [{"b": "none", "mean": 0.12864583, "low": 0.10787656, "high": 0.14941}],
    }
    write_summary(Path("outputs/comparison"), _few(content, "accuracy", "brain"), simulated=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A repository with this dvc.yaml, but for its stages, and tables of two revisions."""
    folder = tmp_path_factory.mktemp("shown")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        subprocess.run(["git", "init", "-q"], check=True)
        dvc("--quiet", "init")
        shown = {key: FILE[key] for key in ("metrics", "plots", "artifacts")}
        shown["metrics"] = [*shown["metrics"], f"outputs/comparison/{SUMMARY}"]
        Path("dvc.yaml").write_text(yaml.safe_dump(shown, sort_keys=False))
        for each in figures():
            Path(each).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "docs" / "ladder.png", each)
        write(1.0)
        commit(folder)
        write(3.0)
        commit(folder)
        yield folder


def figures():
    return [each for each in FILE["plots"] if isinstance(each, str)]


def test_the_metrics_of_a_comparison_are_on_a_screen(folder, capsys):
    dvc("metrics", "show")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    assert len([line for line in lines if "summary.json" in line]) == 3
    assert {"brain", "none", "low", "high", "top1", "chance"} <= set(lines[0].split())


def test_two_revisions_lie_over_one_another_and_each_figure_is_there_once(folder):
    call = [sys.executable, "-m", "dvc", "plots", "diff", "HEAD~1", "HEAD", "--json", "--split"]
    said = subprocess.run(call, cwd=folder, check=True, capture_output=True, text=True).stdout
    shown = json.loads(said)
    assert "errors" not in shown
    drawn = shown["data"]
    assert len(drawn) == len(COLUMNS) + len(figures()) == len(FILE["plots"])
    tables = [each for each in drawn.values() if each[0]["type"] == "vega"]
    assert len(tables) == len(COLUMNS)
    for (plot,) in tables:
        assert set(plot["revisions"]) == {"HEAD~1", "HEAD"}
        points = plot["anchor_definitions"]["<DVC_METRIC_DATA>"]
        points = json.loads(points) if isinstance(points, str) else points
        assert {each["rev"] for each in points} == {"HEAD~1", "HEAD"}


def test_every_figure_is_a_png_and_stands_once():
    assert len(set(figures())) == len(figures())
    assert all(each.endswith(".png") for each in figures())


def test_stages_and_artifacts_say_what_they_are():
    assert all(stage["desc"] for stage in FILE["stages"].values())
    outs = {
        out if isinstance(out, str) else next(iter(out))
        for stage in FILE["stages"].values()
        for out in stage["outs"]
    }
    for each in FILE["artifacts"].values():
        assert each["path"] in outs and each["desc"] and each["type"] in ("dataset", "model")
