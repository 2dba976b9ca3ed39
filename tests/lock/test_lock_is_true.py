"""The committed lock is true: done again, its results come out again.

A lock can be declared (``dvc commit``) without anything having run; this cannot. ``make
check-lock`` runs it on the checkout itself, with what ``dvc pull`` brings.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "outputs" / "comparison" / "metrics.json"

pytestmark = [pytest.mark.lock, pytest.mark.trains]


def run(*command, cwd=ROOT):
    done = subprocess.run(
        [sys.executable, "-m", *command],
        check=False,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pulled():
    run("dvc", "pull", "outputs/soft_labels", "data.dvc")
    return ROOT / "outputs" / "soft_labels"


def test_a_cell_decoded_again_gives_the_committed_soft_labels(pulled, tmp_path):
    run(
        "brain_teacher",
        "preprocess",
        "--subject",
        "S1",
        "--roi",
        "HVC",
        "--out",
        str(tmp_path / "v"),
    )
    run("brain_teacher", "decode", "--voxels", str(tmp_path / "v"), "--out", str(tmp_path / "s"))
    name = "S1_HVC_logistic.npz"
    with np.load(pulled / name) as committed, np.load(tmp_path / "s" / name) as again:
        assert committed["image_id"].tolist() == again["image_id"].tolist()
        assert committed["class_id"].tolist() == again["class_id"].tolist()
        difference = np.abs(np.exp(committed["log_probs"]) - np.exp(again["log_probs"])).max()
    assert difference < 1e-3


def test_two_students_trained_again_give_the_committed_accuracies(pulled, tmp_path):
    out = str(tmp_path / "students")
    run("brain_teacher", "distill", "--teacher", "none,brain", "--seeds", "1", "--out", out)
    from brain_teacher.chain.students import folder as student_folder

    committed = json.loads(COMMITTED.read_text())["students"]
    for teacher in ("none", "brain"):
        of_teacher = [s for s in committed if s["teacher"] == teacher]
        expected = next(s["test"] for s in of_teacher if s["seed"] == 0)
        spread = np.std([s["test"] for s in of_teacher], ddof=1)
        again = student_folder.read(out, f"{teacher}_0").accuracy("test")
        assert abs(again - expected) <= 3 * spread, (teacher, again, expected, spread)
