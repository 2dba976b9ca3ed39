"""``dissect`` through the command line: every part, less of the brain, students taken over."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.amounts import first_trials
from brain_teacher.chain.students.answers import digest_of_images
from brain_teacher.dataset.trials import Voxels, read_voxels
from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.distillation.parts import PARTS
from brain_teacher.files import write_npz
from brain_teacher.tracking.store import find_looks, import_mlflow
from helpers.running import project, run

SMALL = {"roi": ["HVC"], "seeds": 2, "epochs": 1, "width": 8, "image_size": 12}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Two subjects, 5 categories of 6 pictures; students of the brain are there."""

    def small(content):
        content["decode"] |= {"voxels": 20}
        content["decode"]["logistic"]["C"] = [0.01, 0.1]
        content["distill"] |= SMALL

    with project(tmp_path_factory.mktemp("dissect"), small) as patch:
        patch.setenv("BRAIN_TEACHER_DEVICE", "cpu")
        patch.setattr("brain_teacher.chain.decodings.figures.write_figures", lambda *_: [])
        sizes = "--subjects 2 --categories 5 --shown 6 --unseen 4 --voxels 60 --image-size 16"
        run("simulate", "--out", "data/sample", "--seed", "3", *sizes.split())
        run("preprocess", "--roi", "HVC", "--out", "outputs/voxels")
        run("decode", "--out", "outputs/soft_labels")
        given = ("--teacher", "none,brain-confidence,brain", "--out", "outputs/students")
        run("distill", *given)
        yield patch


@pytest.fixture(scope="module")
def whole(work):
    """All parts, and what was said."""
    return Path("runs/whole"), run("dissect", "--out", "runs/whole")


def test_every_part_teaches_and_what_is_there_is_taken_over(whole):
    out, said = whole
    assert "the curve of trials is left out: each image was shown once" in said
    assert "6 students are those of outputs/students, and are taken over" in said
    table = pd.read_csv(out / "parts.csv").set_index("part")
    assert table.index.tolist() == ["none", *PARTS, "subjects-1", "brain"]
    assert f"{2 * len(table)} students of {len(table)} teachers, {2 * len(table) - 6} new" in said
    tested = [name for name, each in PARTS.items() if each.dose is None]
    assert table.index[table["p_corrected"].notna()].tolist() == tested
    everyone = student_folder.read_all(out)
    for name, row in table.iterrows():
        students = [everyone[f"{name}_{seed}"] for seed in (0, 1)]
        assert row["accuracy"] == pytest.approx(np.mean([s.accuracy("test") for s in students]))
    for name in ("none_0", "brain_1", "brain-confidence_0"):
        files = (Path(place) / name / "student.npz" for place in (out, "outputs/students"))
        one, two = (file.read_bytes() for file in files)
        assert one == two
    content = json.loads((out / "metrics.json").read_text())
    assert content["exploratory"] and content["simulated"] and not content["left_out"]
    assert [row["part"] for row in content["parts"]] == table.index.tolist()
    assert {file.stem for file in (out / "figures").iterdir()} == {"contributions", "doses"}
    assert "(simulated)" in said and "exploratory" in said
    assert f", 0 new, {2 * len(table)} kept" in run("dissect", "--out", str(out))
    # Both are looks; their students are none of their own.
    tested = digest_of_images(everyone["none_0"].image_id["test"])
    assert len(find_looks(import_mlflow(), tested)) == 2


def test_the_first_subject_alone_is_its_table(whole, tmp_path):
    run("distill", "--subject", "S1", "--teacher", "brain", "--out", str(tmp_path / "S1"))
    one = student_folder.read(whole[0], "subjects-1_1").log_probs["test"]
    two = student_folder.read(tmp_path / "S1", "brain_1").log_probs["test"]
    np.testing.assert_array_equal(one, two)


def test_a_part_alone_comes_with_what_it_is_held_against(work, tmp_path):
    out = tmp_path / "one"
    said = run("dissect", "--part", "image-profile", "--seeds", "2", "--out", str(out))
    table = pd.read_csv(out / "parts.csv")
    assert table["part"].tolist() == ["none", "even", "class-profile", "image-profile", "brain"]
    assert "Holm's correction over 3 parts" in " ".join(said.split())


def test_students_of_other_settings_are_not_taken_over(work, tmp_path):
    given = ("dissect", "--part", "even", "--epochs", "2", "--out", str(tmp_path / "other"))
    assert "taken over" not in run(*given)


def test_a_part_that_cannot_be_made_is_left_out(work, tmp_path, monkeypatch):
    monkeypatch.setattr("brain_teacher.distillation.parts._right", lambda lesson: lesson.truth >= 0)
    given = ("--part", "right,wrong", "--out", str(tmp_path / "left"))
    said = run("dissect", *given)
    assert "right is left out: every image is of that kind: there is nothing to part" in said
    left_out = json.loads((tmp_path / "left" / "metrics.json").read_text())["left_out"]
    assert sorted(left_out) == ["right", "wrong"]


def test_mistakes_are_one_line(work, tmp_path):
    said = run("dissect", "--part", "even,profil", code=2)
    assert "part: there is no 'profil'" in said
    content = yaml.safe_load(Path("params.yaml").read_text("utf-8"))
    content["distill"]["loss"] = "relational"
    Path("relational.yaml").write_text(yaml.safe_dump(content))
    said = run("dissect", "--params", "relational.yaml", code=2)
    assert "parts are of answers, and this loss compares images" in said
    said = run("dissect", "--seeds", "1", code=2)
    assert "distill.seeds: give 2 or more (an interval is shown with each mean)" in said


def test_first_trials_are_those_that_came_first():
    voxels = Voxels(
        data=np.arange(7.0)[:, None], image_id=list("baabbax"), category=list("dccddce"),
        run=[2, 2, 1, 1, 1, 1, 1], position=[1, 2, 4, 1, 3, 2, 1],
        data_type=np.array([1, 1, 1, 1, 1, 1, 2]),
    )  # fmt: skip
    one, two = (first_trials(voxels, number).data[:, 0].tolist() for number in (1, 2))
    assert one == [3, 5, 6] and two == [2, 3, 4, 5, 6]


def test_fewer_trials_are_decoded_and_teach(work, tmp_path, monkeypatch):
    """Each picture shown three times: voxel files of before, with noise."""
    monkeypatch.setattr("brain_teacher.commands.dissect.PARTS", {"even": PARTS["even"]})
    rng, place = np.random.default_rng(4), tmp_path / "voxels"
    place.mkdir()
    index = json.loads(Path("outputs/voxels/index.json").read_text())
    for row in index["cells"]:
        file = f"{row['subject']}_{row['roi']}.npz"
        voxels, meta = read_voxels(Path("outputs/voxels") / file)
        n = len(voxels.data)
        thrice = voxels.take(np.tile(np.arange(n), 3))
        data = thrice.data + rng.standard_normal(thrice.data.shape).astype(np.float32)
        run_of = thrice.run + np.repeat([0, 10, 20], n).astype(np.int32)
        columns = thrice.columns() | {"run": run_of}
        write_npz(place / file, data=data, **columns, meta=np.array(json.dumps(meta)))
    (place / "index.json").write_text(json.dumps(index))
    labels, out = tmp_path / "soft_labels", tmp_path / "dissect"
    run("decode", "--voxels", str(place), "--out", str(labels))
    places = ("--voxels", str(place), "--soft-labels", str(labels))
    run("dissect", *places, "--out", str(out))
    table = pd.read_csv(out / "parts.csv").set_index("part")
    assert table.index.tolist() == ["none", "even", "subjects-1", "trials-1", "trials-2", "brain"]
    cut, _ = read_voxels(out / "trials-2" / "voxels" / "S1_HVC.npz")
    shown = cut.image_id[cut.data_type == 1]
    assert set(np.unique(shown, return_counts=True)[1]) == {2} and set(cut.run) & {11, 12}
    # What three trials say is what the brain says; fewer say something else.
    less, all_ = (
        read_soft_labels(where / "S1_HVC_logistic.npz").log_probs
        for where in (out / "trials-2" / "soft_labels", labels)
    )
    assert less.shape == all_.shape and not np.allclose(less, all_)


@pytest.mark.full
def test_shown_images_that_are_tested_have_parts_but_no_curves(work, tmp_path):
    content = yaml.safe_load(Path("params.yaml").read_text("utf-8"))
    content["decode"]["nested"], content["distill"]["split"] = True, "folds"
    Path("folds.yaml").write_text(yaml.safe_dump(content))
    labels = ("--params", "folds.yaml", "--out", str(tmp_path / "labels"))
    run("decode", *labels)
    given = ("--params", "folds.yaml", "--soft-labels", str(tmp_path / "labels"))
    run("dissect", *given, "--part", "image-profile", "--out", str(tmp_path / "folds"))
    table = pd.read_csv(tmp_path / "folds" / "parts.csv")
    shown = read_soft_labels(tmp_path / "labels" / "S1_HVC_logistic.npz").image_id
    assert set(table["images"]) == {len(shown)}
