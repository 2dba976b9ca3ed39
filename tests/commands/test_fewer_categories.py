"""Some categories have no picture: what is decoded, taught, judged and said counts the others."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brain_teacher.decoding.soft_labels import read_soft_labels
from helpers.running import project, run

GONE = "n99000002"
TAUGHT = ["n99000001", "n99000003", "n99000004"]
STUDENTS = ("--teacher", "none,brain", "--seeds", "2", "--epochs", "1", "--device", "cpu")


def small(content):
    content["decode"] |= {"voxels": 20, "nested": False}
    content["decode"]["logistic"]["C"] = [0.1]
    content["distill"] |= {"roi": ["V1"], "seeds": 2}
    content["compare"]["family"] = ["none"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two subjects, 4 categories of 4 shown and 4 unseen pictures; decoded with all of them."""
    folder = tmp_path_factory.mktemp("fewer")
    with project(folder, small):
        run(
            *("simulate", "--out", "data/sample", "--subjects", "2", "--categories", "4"),
            *("--shown", "4", "--unseen", "4", "--voxels", "40", "--image-size", "12"),
            *("--seed", "1"),
        )
        run("preprocess", "--roi", "V1", "--out", "voxels")
        run("decode", "--voxels", "voxels", "--out", "all")
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy of it, with the pictures of one category gone."""
    shutil.copytree(made, tmp_path / "copy")
    with project(tmp_path / "copy", small):
        lose(GONE)
        yield tmp_path / "copy"


def lose(category):
    for path in Path("data/sample/images/shown").glob(f"{category}_*"):
        path.unlink()
    shutil.rmtree(f"data/sample/images/unseen/{category}")


def decode(out="soft_labels", code=0):
    return run("decode", "--voxels", "voxels", "--out", out, code=code)


def test_soft_labels_are_those_of_all_restricted_and_normalised(folder):
    said = decode()
    assert "sample, 3 of 4 categories (simulated); " in said and "chance 33.3, 12 images" in said
    assert "chance 33.3\n" in said.partition("noise in the voxels' place")[2]
    for subject in ("S1", "S2"):
        whole = read_soft_labels(f"all/{subject}_V1_logistic.npz")
        part = read_soft_labels(f"soft_labels/{subject}_V1_logistic.npz")
        kept = np.isin(whole.class_id, TAUGHT)
        rows = ~np.char.startswith(whole.image_id, GONE)
        assert (part.class_id.tolist(), len(part.image_id)) == (TAUGHT, 12)
        probs = np.exp(whole.log_probs[np.ix_(rows, kept)].astype(float))
        probs /= probs.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(np.exp(part.log_probs), probs, atol=1e-5)
        assert part.categories == "3 of 4" and part.meta["quality"]["chance"] == 1 / 3
    metrics = json.loads(Path("soft_labels/metrics.json").read_text())
    assert {cell["categories"] for cell in metrics["cells"]} == {"3 of 4"}
    assert all(row["chance"] == pytest.approx(1 / 3, abs=0.05) for row in metrics["noise"])
    points = pd.read_csv("soft_labels/figures/accuracy.csv")
    assert set(points["dataset"]) == {"sample, 3 of 4 categories"}


def test_where_a_network_looks_at_pictures_only_their_trials_are_decoded(folder):
    decode = ("decode", "--decoder", "features", "--voxels", "voxels", "--subject", "S1")
    said = run(*decode, "--device", "cpu", "--out", "soft_labels")
    assert "sample, 3 of 4 categories (simulated); " in said and "chance 33.3, 12 images" in said
    part = read_soft_labels("soft_labels/S1_V1_features.npz")
    assert (part.class_id.tolist(), part.categories) == (TAUGHT, "3 of 4")


def test_other_pictures_make_cells_new_and_the_same_keep_them(folder):
    decode()
    assert "2 cells, 0 new, 2 kept" in decode()
    Path("data/sample/images/shown/n99000001_1.png").rename("kept.png")
    assert "2 cells, 0 new, 2 kept" in decode()  # its category still has others
    lose("n99000003")
    assert "2 cells, 2 new, 0 kept" in decode()
    assert read_soft_labels("soft_labels/S1_V1_logistic.npz").categories == "2 of 4"
    lose("n99000004")
    assert decode(code=1).endswith(
        "Error: data/sample has pictures of 1 of 4 categories, 'n99000001': add pictures of "
        "others, or set pictures: false in dataset.yaml to decode them all\n"
    )


@pytest.mark.full
def test_students_learn_and_are_judged_on_these_whatever_table_teaches(folder):
    # The table of all categories put more than a quarter of its mass where no student can look.
    for table, out in (("all", "one"), ("soft_labels", "two")):
        if table == "soft_labels":
            decode()
        said = run("distill", "--soft-labels", table, *STUDENTS, "--out", out)
        assert "validation accuracy in %, sample, 3 of 4 categories (simulated)" in said
        said = run("compare", "--students", out, "--out", f"{out}-compared")
        assert said.splitlines()[0].startswith(
            "sample, 3 of 4 categories (simulated): can 2 subjects"
        )
        metrics = json.loads(Path(f"{out}-compared/metrics.json").read_text())
        assert metrics["categories"] == "3 of 4"
        assert "3 of 4 categories" in Path(f"{out}-compared/tables/comparison.md").read_text()
        with np.load(f"{out}/brain_0/student.npz") as student:
            assert student["class_id"].tolist() == TAUGHT


def test_controls_and_plan_count_these(folder):
    said = run("controls", "--voxels", "voxels", "--out", "controls")
    assert "sample, 3 of 4 categories (simulated): top-1 in %, chance 33.3\n" in said
    assert read_soft_labels("controls/S1_time-only_logistic.npz").class_id.tolist() == TAUGHT
    said = run("plan", "--discordant", "0.1", "--seed-sd", "1", "--device", "cpu")
    assert "3 of 4 categories have pictures" in said


def test_check_says_it_in_one_line_and_the_rest_goes_on(folder):
    lose("n99000003")
    said = run("check", "data/sample")
    assert said.count("categories") == 2
    assert (
        "caution: 2 of 4 categories have pictures: outputs, chance and controls count these; "
        "without: 'n99000002', 'n99000003'\n"
    ) in said


def test_a_category_without_unseen_pictures_is_left_out_where_images_looked_for_them(folder):
    shutil.rmtree("data/sample/images/unseen/n99000003")
    said = run("check", "data/sample", code=1)
    assert "category 'n99000003' has no validation image" in said
    Path("data/sample/images/missing.csv").write_text(
        "image_id,category,kind,reason\nn99000003,n99000003,category,no unseen picture\n"
    )
    assert "caution: 2 of 4 categories have pictures" in run("check", "data/sample")
    decode()
    assert read_soft_labels("soft_labels/S1_V1_logistic.npz").class_id.tolist() == [
        "n99000001", "n99000004",
    ]  # fmt: skip
    said = run("distill", "--soft-labels", "soft_labels", *STUDENTS, "--out", "students")
    assert "sample, 2 of 4 categories" in said


def test_a_data_set_for_decoding_alone_leaves_none_out(folder):
    shutil.rmtree("data/sample/images/shown")
    assert "top-1 accuracy in %, out of fold, sample (simulated)" in decode()
    assert len(read_soft_labels("soft_labels/S1_V1_logistic.npz").class_id) == 4
