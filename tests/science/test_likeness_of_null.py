"""Likeness to a brain that was held out, where brains see nothing.

Small: 64 shown pictures of 12 pixels, 2 subjects who teach, one who does not. The simulation's
seeds were written here before any result was seen.
"""

import json

import pandas as pd
import pytest

from helpers.running import project, run

pytestmark = pytest.mark.trains


def likeness(folder, *, snr, seed):
    """The rows of likeness by teacher, and the ceiling, of students tested on shown pictures."""

    def small(content):
        content["decode"] |= {"voxels": 100, "nested": True, "folds": {"by": "image", "count": 4}}
        content["decode"]["logistic"]["C"] = [0.03]
        content["distill"] |= {"teacher": ["none", "brain"], "subject": ["S1", "S2"], "seeds": 3}
        content["distill"] |= {"width": 8, "image_size": 12, "split": "folds"}
        content["compare"]["family"] = ["none"]

    with project(folder, small) as patch:
        patch.setenv("BRAIN_TEACHER_DEVICE", "cpu")
        patch.setattr("brain_teacher.chain.decodings.figures.write_figures", lambda *_: [])
        patch.setattr("brain_teacher.tracking.Tracker.log_student", lambda *_, **__: None)
        run(
            *("simulate", "--out", "data/sample", "--subjects", "3", "--categories", "8"),
            *("--unseen", "4", "--voxels", "150", "--image-size", "12", "--snr", str(snr)),
            *("--seed", str(seed)),
        )
        run("preprocess", "--roi", "HVC", "--out", "outputs/voxels")
        run("decode", "--out", "outputs/soft_labels")
        run("distill", "--out", "outputs/students")
        run("outcomes", "--out", "runs/outcomes")
    content = json.loads((folder / "runs" / "outcomes" / "metrics.json").read_text("utf-8"))
    table = pd.DataFrame(content["outcomes"]).set_index(["outcome", "teacher"])
    return table.loc["likeness"], content["ceiling"]


def test_who_was_taught_by_brains_that_see_nothing_is_no_liker_to_one(tmp_path):
    rows, ceiling = likeness(tmp_path, snr=0, seed=701)
    # Neither students nor the other brains are like it, but for chance.
    assert ceiling["lower_low"] < 0 < ceiling["lower_high"]
    assert rows.loc["none", "minus_low"] < 0 < rows.loc["none", "minus_high"]
    assert rows["mean"].abs().max() < 0.1
