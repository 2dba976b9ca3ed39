"""``multiverse`` through the command line: each specification decoded, taught and judged."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brain_teacher.analysis.comparison import compare_answers
from brain_teacher.chain.params import load_params
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.answers import digest_of_images
from brain_teacher.chain.students.specifications import planned, specifications
from brain_teacher.chain.voxels import Index
from brain_teacher.tracking.store import find_looks, import_mlflow
from helpers.running import project, run

FAMILY = ["none", "brain-class"]
GRID = {
    "voxels": [10, 20], "most": 3, "seeds": 2, "temperature": [1, 2], "alpha": [0.8],
    "family": FAMILY,
}  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Two subjects, two ROIs, a small grid."""

    def small(content):
        content["decode"] |= {"voxels": 20}
        content["decode"]["logistic"]["C"] = [0.01, 0.1]
        content["distill"] |= {"roi": ["HVC"], "epochs": 1, "width": 8, "image_size": 12}
        content["multiverse"] |= GRID

    with project(tmp_path_factory.mktemp("multiverse"), small) as patch:
        patch.setenv("BRAIN_TEACHER_DEVICE", "cpu")
        sizes = "--subjects 2 --categories 4 --shown 6 --unseen 4 --voxels 60 --image-size 16"
        run("simulate", "--out", "data/sample", "--seed", "3", *sizes.split())
        run("preprocess", "--roi", "LOC,HVC", "--out", "outputs/voxels")
        yield patch


def index():
    return Index.model_validate_json(Path("outputs/voxels/index.json").read_text())


def test_the_plans_own_comes_first_and_more_most_only_adds(work):
    params = load_params("params.yaml")
    three, there = specifications(params, index())
    assert three[0] == planned(params) and len(three) == 3
    # 2 ROIs, 2 decoders, 2 numbers of voxels, 2 temperatures, 1 alpha, 2 losses.
    assert there == 32
    every, _ = specifications(load_params("params.yaml", {"multiverse": {"most": 99}}), index())
    assert len(set(every)) == len(every) == 32
    more, _ = specifications(load_params("params.yaml", {"multiverse": {"most": 9}}), index())
    assert set(three) < set(more)


def test_more_voxels_than_there_are_is_no_other_specification(work):
    params = load_params("params.yaml", {"multiverse": {"voxels": [500, 600], "most": 99}})
    # The plan's own, of 20, and one of all voxels in place of two.
    assert specifications(params, index())[1] == 1 + 16


@pytest.mark.full
def test_each_specification_has_its_own_verdict(work):
    said = run("multiverse", "--out", "runs/m")
    assert "3 of 32 specifications" in said and "(simulated)" in said and "exploratory" in said
    table = pd.read_csv("runs/m/specifications.csv")
    specs, _ = specifications(load_params("params.yaml"), index())
    for number, (spec, row) in enumerate(zip(specs, table.itertuples(), strict=True)):
        names = {"none": "none", "brain-class": f"{number}_brain-class", "brain": f"{number}_brain"}
        answers = {
            teacher: {k: student_folder.read("runs/m", f"{name}_{k}") for k in (0, 1)}
            for teacher, name in names.items()
        }
        result = compare_answers(answers, teacher="brain", family=FAMILY, margin=0.04)
        assert row.verdict == result.verdict.words
        assert row.mean == pytest.approx(result.differences["none"].mean)
        meta = answers["brain"][0].meta
        told = (
            meta["roi"],
            meta["decoder"],
            meta["settings"]["temperature"],
            meta["settings"]["loss"],
        )
        assert told == (spec.roi, spec.decoder, spec.temperature, spec.loss)
    content = json.loads(Path("runs/m/metrics.json").read_text())
    assert content["exploratory"] and sum(each["share"] for each in content["verdicts"]) == 1
    assert Path("runs/m/figures/specifications.png").is_file()
    assert ", 0 new, 14 kept" in run("multiverse", "--out", "runs/m")
    tested = student_folder.read("runs/m", "none_0").image_id["test"]
    # Both are looks; their students are none of their own.
    assert len(find_looks(import_mlflow(), digest_of_images(tested))) == 2


def test_the_plans_own_is_what_decode_and_distill_make(work, tmp_path):
    run("multiverse", "--out", "runs/m")
    run("decode", "--out", str(tmp_path / "labels"))
    given = ("--soft-labels", str(tmp_path / "labels"), "--seeds", "2", "--teacher", "none,brain")
    run("distill", *given, "--out", str(tmp_path / "students"))
    for ours, theirs in (("0_brain_1", "brain_1"), ("none_0", "none_0")):
        one = student_folder.read("runs/m", ours).log_probs["test"]
        two = student_folder.read(tmp_path / "students", theirs).log_probs["test"]
        np.testing.assert_array_equal(one, two)


def test_mistakes_are_one_line(work):
    said = run("multiverse", "--roi", "V9", code=2)
    assert "multiverse.roi: there is no 'V9'" in said
    said = run("multiverse", "--seeds", "1", code=2)
    assert "multiverse.seeds" in said
