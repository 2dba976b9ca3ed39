"""``outcomes``: every measure of every student, made again where no weights were kept."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from brain_teacher.analysis.further import FURTHER
from helpers.running import project, run

TEACHERS = ("none", "brain")
FAMILY = ["none"]

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Three subjects, of whom the third is held out; 4 categories of 8 pictures in 4 folds."""
    folder = tmp_path_factory.mktemp("outcomes")

    def small(content):
        content["decode"] |= {"voxels": 60, "nested": True, "folds": {"by": "image", "count": 4}}
        content["decode"]["logistic"]["C"] = [0.1]
        content["distill"] |= {"teacher": [*TEACHERS], "subject": ["S1", "S2"], "seeds": 2}
        content["distill"] |= {"epochs": 1, "width": 8, "image_size": 12}
        content["compare"]["family"] = FAMILY

    with project(folder, small) as patch:
        patch.setenv("BRAIN_TEACHER_DEVICE", "cpu")
        patch.setattr("brain_teacher.chain.decodings.figures.write_figures", lambda *_: [])
        patch.setattr("brain_teacher.tracking.Tracker.log_student", lambda *_, **__: None)
        run(
            *("simulate", "--out", "data/sample", "--subjects", "3", "--categories", "4"),
            *("--shown", "8", "--unseen", "4", "--voxels", "60", "--image-size", "12"),
        )
        run("preprocess", "--roi", "HVC", "--out", "outputs/voxels")
        run("decode", "--out", "outputs/soft_labels")
        run("distill", "--split", "folds", "--out", "outputs/folds")
        run("distill", "--out", "outputs/students")
        yield folder


def digests(folder):
    return {file: file.read_bytes() for file in sorted(Path(folder).rglob("*.*"))}


@pytest.fixture(scope="module")
def made(work):
    before = digests("outputs/folds")
    said = run("outcomes", "--students", "outputs/folds", "--out", "runs/folds")
    assert digests("outputs/folds") == before  # a DVC output: nothing is written there
    return said


def metrics(folder):
    return json.loads((Path(folder) / "metrics.json").read_text("utf-8"))


def test_weights_that_were_not_kept_are_made_again_once(made):
    # Of 16 students each teacher's best has its weights.
    assert "weights of 14 students made again (folds-weights), 14 new, 0 kept" in made
    assert "16 students to be measured, 16 new" in made
    again = run("outcomes", "--students", "outputs/folds", "--out", "runs/folds")
    assert "14 students made again (folds-weights), 0 new, 14 kept" in again
    assert "16 students to be measured, 0 new, 16 kept" in again


def test_every_outcome_is_there_for_every_teacher(made):
    content = metrics("runs/folds")
    assert content["exploratory"] and content["simulated"] and content["primary"] == "accuracy"
    table = pd.DataFrame(content["outcomes"])
    # Of four classes there is no top-5.
    assert [*dict.fromkeys(table["outcome"])] == [name for name in FURTHER if name != "top5"]
    assert [*content["left_out"]] == ["top5"]
    assert "takes 6 classes at least; there are 4" in content["left_out"]["top5"]
    assert [*dict.fromkeys(table["teacher"])] == [*TEACHERS]
    images = table.groupby("outcome")["images"].first()
    assert images["noise"] == images["likeness"] == 32 and images["mean-1"] == 240
    assert images["ece"] == 1
    others = table[table["teacher"] != "brain"]
    assert others["p_holm"].isna().tolist() == (others["outcome"] == "accuracy").tolist()
    assert (others["p_holm"].dropna() >= others["p"][others["p_holm"].notna()]).all()


def test_what_was_found_is_told_and_drawn(made):
    assert "Likeness is to S3, who did not teach, on 32 images" in made
    assert "accuracy is the primary outcome, and `compare` decides by it" in made
    assert "figure: runs/folds/figures/outcomes.png" in made
    for file in ("figures/outcomes.png", "figures/outcomes.svg", "tables/outcomes.md"):
        assert (Path("runs/folds") / file).stat().st_size > 0
    fine = pd.read_csv("runs/folds/tables/details.csv")
    assert len(fine[fine["outcome"] == "likeness"]) == 5 * 2
    assert len(fine[fine["outcome"] == "attack"]) == 3 * 2
    assert set(fine["simulated"]) == {True}


def test_what_cannot_be_had_is_said_with_its_reason(work):
    said = run("outcomes", "--out", "runs/unseen")
    left_out = metrics("runs/unseen")["left_out"]
    assert left_out["likeness"].startswith("all subjects saw 4 images that a student was not")
    assert "were not shown (distill.split: folds)" in left_out["consistency"]
    assert (
        "Left out: likeness to a held-out brain, since all subjects saw 4 images"
        in said.replace("\n", " ")
    )
    outcomes = {row["outcome"] for row in metrics("runs/unseen")["outcomes"]}
    assert outcomes == {*FURTHER} - {"top5", "likeness", "consistency"}


def test_students_of_other_soft_labels_are_not_measured(work, tmp_path):
    content = yaml.safe_load(Path("params.yaml").read_text("utf-8"))
    content["distill"]["batch"] = 31
    run("decode", "--out", str(tmp_path / "other"), "--decoder", "ridge")
    shutil.copytree(tmp_path / "other", tmp_path / "renamed")
    for file in (tmp_path / "renamed").glob("*_ridge.npz"):
        file.rename(str(file).replace("_ridge", "_logistic"))
    other = ("--soft-labels", str(tmp_path / "renamed"), "--out", str(tmp_path / "out"))
    said = run("outcomes", *other, code=1)
    assert "was taught by other soft labels, pictures or settings than are given now" in said
    assert said.count("\n") == 1
