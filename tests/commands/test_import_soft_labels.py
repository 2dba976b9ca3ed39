"""Tables of others as teachers, and soft labels for others."""

import json
import re
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from brain_teacher.chain.dataset import open_dataset
from brain_teacher.chain.params import load_params
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.setting import open_setting
from brain_teacher.decoding.soft_labels import FORMAT, SoftLabels, read_soft_labels
from brain_teacher.files import write_npz
from helpers.running import ROOT, project, run

TINY = ["--subjects", "1", "--categories", "3", "--shown", "4", "--unseen", "8", "--voxels", "40"]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A data set, a table of made-up choices, and a table that was decoded."""
    folder = tmp_path_factory.mktemp("import")

    def change(content):
        content["dataset"]["name"] = "tiny"

    with project(folder, change):
        run("simulate", "--out", "data/tiny", *TINY, "--seed", "3")
        shown = (folder / "data/tiny/images/shown").iterdir()
        # Of the training categories: the others are for identification.
        images = sorted(p.stem for p in shown if p.name.startswith("n990"))
        category = [image.split("_")[0] for image in images]
        counts = pd.get_dummies(pd.Series(category)).astype(int) * 6 + 1
        counts.insert(0, "image_id", images)
        counts.loc[len(counts)] = ["n99000001_999", 1, 2, 3]  # of another data set
        counts.sample(frac=1, random_state=0).to_csv("choices.csv", index=False)
        yield folder


def test_a_table_of_choices_teaches_like_a_brain(work):
    named = ["--kind", "people", "--decoder", "made-up"]
    said = run("import-soft-labels", "choices.csv", *named, "--values", "counts")
    place = "data/tiny/soft_labels/people_choices_made-up.npz"
    assert said.splitlines() == [
        f"{place}: a table of people; 12 of its 13 images, 3 classes; the class with most is the "
        "right one in 100.0%; 4 shown images have no row",
        "teach with it: brain-teacher distill --data data/tiny --decoder made-up --subject people "
        "--roi choices",
    ]
    labels = read_soft_labels(place)
    assert labels.meta["dataset"] == "tiny" and labels.meta["simulated"] is True
    assert labels.kind == "people" and labels.votes.tolist() == [9] * 12
    np.testing.assert_allclose(np.sort(np.exp(labels.log_probs)), [[1 / 9, 1 / 9, 7 / 9]] * 12)
    small = ["--teacher", "none,brain", "--seeds", "1", "--epochs", "1", "--out", "students"]
    said = run("distill", "--decoder", "made-up", "--roi", "choices", *small)
    assert (
        "Not brains: a table of people (people, choices) taught these students, by the name of "
        "people." in said
    )
    assert re.search(r"^  people +[\d.]+  \(1 students\)$", said, re.MULTILINE)
    student = student_folder.read("students", "brain_0")
    origin = {key: student.meta[key] for key in ("subject", "roi", "decoder", "kind")}
    assert origin == {
        "subject": "people", "roi": "choices", "decoder": "made-up", "kind": "people",
    }  # fmt: skip
    # What the recordings say is another table, by another name.
    said = run("distill", "--decoder", "made-up", *small, code=2)
    assert said == (
        "Error: distill.roi: there is no 'HVC' (known: choices); choose with --roi, or distill.roi "
        "in params.yaml\n"
    )
    said = run("distill", "--decoder", "logistic", *small, code=1)
    assert said.startswith("Error: outputs/soft_labels/S1_HVC_logistic.npz is missing: ")


def test_exported_and_imported_a_table_is_the_same(work):
    for name in ("preprocess", "decode"):
        run(
            name, "--roi", "V1", "--out", f"outputs/{'voxels' if name[0] == 'p' else 'soft_labels'}"
        )
    before = read_soft_labels("outputs/soft_labels/S1_V1_logistic.npz")
    said = run("export", "outputs/soft_labels/S1_V1_logistic.npz")
    assert said.splitlines() == [
        "S1_V1_logistic.csv",
        "out-of-fold probabilities, 12 images x 3 classes, joined by image_id (simulated)",
    ]
    there = (
        "Error: S1_V1_logistic.csv is there already; choose another --out, or give --overwrite\n"
    )
    assert run("export", "outputs/soft_labels/S1_V1_logistic.npz", code=2) == there
    run("export", "outputs/soft_labels/S1_V1_logistic.npz", "--overwrite")
    again = ["--kind", "brain", "--decoder", "theirs", "--subject", "S1", "--roi", "V1"]
    run("import-soft-labels", "S1_V1_logistic.csv", *again)
    after = read_soft_labels("data/tiny/soft_labels/S1_V1_theirs.npz").take(before.image_id)
    assert after.class_id.tolist() == before.class_id.tolist()
    np.testing.assert_allclose(np.exp(after.log_probs), np.exp(before.log_probs), atol=1e-5)


def test_an_import_says_what_is_behind_the_table(work):
    said = run("import-soft-labels", "choices.csv", "--decoder", "x", code=2)
    assert "Missing option '--kind'. Choose from:\n\tbrain,\n\tpeople,\n\twords,\n\tmodel" in said


def change(file, **distill):
    content = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    content["dataset"]["name"] = "tiny"
    content["distill"] |= {"precision": "float32", "width": 8, "image_size": 12} | distill
    content["compare"]["family"] = ["none", "brain-class"]
    file.write_text(yaml.safe_dump(content))
    return ("--params", str(file))


def test_what_people_taught_is_never_called_a_brain(work, tmp_path):
    named = ["--kind", "people", "--decoder", "voted", "--values", "counts"]
    for who in ("ann", "bob"):
        run("import-soft-labels", "choices.csv", *named, "--subject", who)
    own = change(
        tmp_path / "people.yaml", decoder="voted", subject=["ann", "bob"], roi=["choices"],
        teacher=["none", "brain-class", "brain"], seeds=3, epochs=2,
    )  # fmt: skip
    students, out = str(tmp_path / "students"), str(tmp_path / "comparison")
    said = run("distill", *own, "--out", students)
    assert "people: 2 tables averaged over 12 images; NLL 0.2" in said
    assert "people-class" in said and "brain-class" not in said
    said = run("compare", *own, "--students", students, "--out", out)
    plain = " ".join(said.split())
    assert "can 2 tables of people (ann+bob, choices) teach a ResNet18 of width 8?" in plain
    assert "Not brains: 2 tables of people (ann+bob, choices) taught these students" in plain
    assert "people minus none is" in plain and "people-class" in plain
    assert not re.search(r"\bbrain\b(?!-teacher)", plain, re.IGNORECASE), plain
    content = json.loads((tmp_path / "comparison" / "metrics.json").read_text())
    assert content["kind"] == "people" and set(content["people_minus"]) == {"none", "people-class"}
    for name in ("tables/comparison.csv", "tables/comparison.md", "figures/points.csv"):
        text = (tmp_path / "comparison" / name).read_text()
        assert not re.search(r"\bbrain\b(?!-teacher)", text), text
    evidence = ("--students", students, "--comparison", out)
    said = run("promote", *own, *evidence, "--dry-run")
    assert ", challenger (dry run)\n" in said
    assert (
        "Neither champion nor brain-taught: taught by people, not by a brain; the verdict is "
        in said
    )
    assert "bound of people - none is" in said
    with sqlite3.connect("mlflow.db") as store:
        kinds = store.execute("select value from tags where key = 'kind'").fetchall()
        names = store.execute("select name from runs where name like 'people seed %'").fetchall()
    assert ("people",) in kinds and len(names) >= 3


def test_a_table_of_ones_own_stands_beside_the_brain(work, tmp_path):
    run("import-soft-labels", "choices.csv", "--kind", "people", "--decoder", "own", "--values",
        "counts")  # fmt: skip
    for name, place in (("preprocess", "voxels"), ("decode", "soft_labels")):
        run(name, "--roi", "V1", "--out", f"outputs/{place}")
    own = change(
        tmp_path / "own.yaml", roi=["V1"], teacher=["none", "table-crowd", "brain"], seeds=2,
        epochs=1, tables={"crowd": ["data/tiny/soft_labels/people_choices_own.npz"]},
    )  # fmt: skip
    students = tmp_path / "students"
    said = run("distill", *own, "--out", str(students))
    assert "table-crowd: a table of people, 12 images\n" in said
    one, two = (student_folder.read(students, f"{n}_0") for n in ("table-crowd", "brain"))
    assert not np.array_equal(one.log_probs["test"], two.log_probs["test"])
    family = yaml.safe_load((tmp_path / "own.yaml").read_text())
    family["compare"]["family"] = ["none", "table-crowd"]
    (tmp_path / "family.yaml").write_text(yaml.safe_dump(family))
    said = run("compare", "--params", str(tmp_path / "family.yaml"), "--students", str(students),
               "--out", str(tmp_path / "out"))  # fmt: skip
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert set(content["brain_minus"]) == {"none", "table-crowd"} and content["kind"] == "brain"
    missing = change(
        tmp_path / "missing.yaml", roi=["V1"], teacher=["table-crowd"], tables={"crowd": ["x.npz"]}
    )
    said = run("distill", *missing, "--out", str(tmp_path / "x"), code=1)
    assert said == (
        "Error: x.npz is missing: distill.tables.crowd must name files that `import-soft-labels` "
        "or `decode` wrote\n"
    )
    said = run("distill", *own, "--teacher", "table-crowds", code=2)
    assert "distill.teacher: there is no 'table-crowds'; did you mean 'table-crowd'?" in said


def test_two_names_of_one_table_are_refused(work, tmp_path):
    named = ["--kind", "people", "--values", "counts"]
    for decoder in ("first", "second"):
        run("import-soft-labels", "choices.csv", *named, "--decoder", decoder)
    place = "data/tiny/soft_labels/people_choices_{}.npz"
    tables = {name: [place.format(name)] for name in ("first", "second")}
    given = {"decoder": "first", "subject": ["people"], "roi": ["choices"], "tables": tables}
    own = change(tmp_path / "a.yaml", teacher=["none", "table-second", "brain"], **given)
    refusal = (
        "Error: distill.tables: {!r} and {!r} are two names of one table (its probabilities are "
        "the same): take one of them out\n"
    )
    said = run("distill", *own, "--out", str(tmp_path / "x"), code=1)
    assert said == refusal.format("table-second", "brain")
    for name, place in (("preprocess", "voxels"), ("decode", "soft_labels")):
        run(name, "--roi", "V1", "--out", f"outputs/{place}")
    own = change(
        tmp_path / "b.yaml", roi=["V1"], tables=tables, teacher=["table-first", "table-second"]
    )
    said = run("distill", *own, "--out", str(tmp_path / "x"), code=1)
    assert said == refusal.format("table-second", "table-first")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["choices.csv", "--decoder", "ridge"],
            2,
            "--decoder: 'ridge' is a decoder of this project; choose another",
        ),
        (
            ["choices.csv", "--decoder", "a_b"],
            2,
            "--decoder: 'a_b' may hold only letters, digits and '-'",
        ),
        (["choice.csv", "--decoder", "x"], 2, "there is no file choice.csv"),
        (
            ["choices.csv", "--decoder", "x", "--prior", "2"],
            2,
            "--prior belongs to counts, and these are probabilities (--values)",
        ),
        (
            ["choices.csv", "--decoder", "x", "--class-ids", "c.txt"],
            1,
            "choices.csv: holds its names itself; image and class ids are for a .npy array",
        ),
        (
            ["other.csv", "--decoder", "x"],
            1,
            "other.csv: none of its 1 images ('z' for one) lies in data/tiny/images/shown; its ids "
            "must be the file names without ending",
        ),
        (
            ["lacks.csv", "--decoder", "x"],
            1,
            "lacks.csv: has no column for category 'n99000003'",
        ),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(work, arguments, code, message):
    (work / "other.csv").write_text("image_id,a,b\nz,0,1\n")
    pd.read_csv("choices.csv").drop(columns="n99000003").to_csv("lacks.csv", index=False)
    before = sorted((work / "data/tiny").rglob("*"))
    values = [] if code == 2 else ["--values", "counts"]
    said = run("import-soft-labels", *arguments, "--kind", "people", *values, code=code)
    assert said == f"Error: {message}\n"
    assert sorted((work / "data/tiny").rglob("*")) == before


@pytest.mark.parametrize("out", ["params.yaml", "data", "x.npy"])
def test_export_overwrites_nothing_that_is_there(work, out):
    meta = {"format": FORMAT, "kind": "model"}
    labels = SoftLabels(np.log([[0.5, 0.5]]), *map(np.array, (["a"], ["x", "y"], [0])), meta)
    write_npz("a.npz", **labels.arrays())
    Path("x.class_ids.txt").write_text("mine")
    before = Path("params.yaml").read_text()
    there = out if out != "x.npy" else "x.class_ids.txt"
    said = run("export", "a.npz", "--format", "npy", "--out", out, code=2)
    assert said == f"Error: {there} is there already; choose another --out, or give --overwrite\n"
    assert Path("params.yaml").read_text() == before
    assert Path("x.class_ids.txt").read_text() == "mine" and not Path("x.image_ids.txt").exists()


def test_no_table_is_read_or_written_through_a_link_out_of_the_data_set(work, tmp_path):
    place, called = Path("data/tiny/soft_labels"), ["--kind", "people", "--decoder", "linked"]
    place.mkdir(exist_ok=True)
    place.rename("data/before")
    place.symlink_to(tmp_path)
    table = f"{place}/people_choices_linked.npz"
    said = " is a link that leads out of the data set; put a copy in its place\n"
    try:
        asked = ["choices.csv", *called, "--values", "counts"]
        assert run("import-soft-labels", *asked, code=1) == f"Error: data/tiny: {table}{said}"
        taught = ["--decoder", "linked", "--subject", "people", "--roi", "choices"]
        assert run("distill", *taught, code=1) == f"Error: data/tiny: {place}{said}"
        assert not list(tmp_path.iterdir())
    finally:
        place.unlink()
        Path("data/before").rename(place)


def test_export_of_something_else_is_an_error(work):
    assert run("export", "none.npz", code=2) == "Error: there is no soft-label file none.npz\n"
    message = (
        "is broken, or not a soft-label file (it begins like neither .npy nor .npz); fetch it again"
    )
    assert run("export", "choices.csv", code=1) == f"Error: choices.csv: {message}\n"


def test_what_is_simulated_stays_so_in_a_data_set_that_is_not(work):
    shutil.copytree("data/tiny", "data/real")
    file = work / "data/real/dataset.yaml"
    content = yaml.safe_load(file.read_text()) | {"name": "real", "simulated": False}
    del content["simulation"]
    file.write_text(yaml.safe_dump(content))
    table = pd.read_csv("choices.csv").set_index("image_id")
    arrays = {"counts": table.to_numpy(), "image_id": table.index.to_numpy(dtype=str)}
    arrays["class_id"] = table.columns.to_numpy(dtype=str)
    np.savez("choices.npz", **arrays, meta=np.array('{"simulated": true}'))
    named = ["--data", "data/real", "--kind", "people", "--decoder", "sim"]
    said = run("import-soft-labels", "choices.npz", *named)
    assert "choices.npz says that it is simulated: so will every result that it is in\n" in said
    place = "data/real/soft_labels/people_choices_sim.npz"
    assert read_soft_labels(place).meta["simulated"] is True
    params = load_params("params.yaml", {"distill": {"decoder": "sim", "roi": ["choices"]}})
    where = {"soft_labels": "outputs/soft_labels", "controls": "x", "rivals": "y"}
    setting = open_setting(
        params.with_distill(teacher=["none", "brain"]), dataset=open_dataset("data/real"), **where
    )
    assert setting.origin["simulated"] is True and setting.dataset.description.simulated is True


def test_a_class_that_no_image_shows_is_named(work):
    table = pd.read_csv("choices.csv")
    table["kitty"] = 0
    table.to_csv("renamed.csv", index=False)
    named = ["--kind", "people", "--decoder", "renamed", "--values", "counts"]
    said = run("import-soft-labels", "renamed.csv", *named)
    assert "no shown image is of its class 'kitty': renamed, or of other images?\n" in said
