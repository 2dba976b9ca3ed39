"""Tables of others as teachers, and soft labels for others."""

import numpy as np
import pandas as pd
import pytest

from brain_teacher.chain.students import folder as student_folder
from brain_teacher.decoding.soft_labels import read_soft_labels
from helpers.running import project, run

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
    said = run("import-soft-labels", "choices.csv", "--decoder", "made-up", "--values", "counts")
    place = "data/tiny/soft_labels/people_choices_made-up.npz"
    assert said.splitlines() == [
        f"{place}: 12 of the table's 13 images, 3 classes; the class with most is the right one in "
        "100.0%; 4 shown images have no row",
        "teach with it: brain-teacher distill --decoder made-up --subject people --roi choices",
    ]
    labels = read_soft_labels(place)
    assert labels.meta["dataset"] == "tiny" and labels.meta["simulated"] is True
    np.testing.assert_allclose(np.sort(np.exp(labels.log_probs)), [[1 / 9, 1 / 9, 7 / 9]] * 12)
    small = ["--teacher", "none,brain", "--seeds", "1", "--epochs", "1", "--out", "students"]
    run("distill", "--decoder", "made-up", "--roi", "choices", *small)
    student = student_folder.read("students", "brain_0")
    origin = {key: student.meta[key] for key in ("subject", "roi", "decoder")}
    assert origin == {"subject": "people", "roi": "choices", "decoder": "made-up"}
    # What the recordings say is another table, by another name.
    said = run("distill", "--decoder", "made-up", *small, code=2)
    assert said == "Error: distill.roi: there is no 'HVC' (known: choices)\n"
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
    again = ["--decoder", "theirs", "--subject", "S1", "--roi", "V1"]
    run("import-soft-labels", "S1_V1_logistic.csv", *again)
    after = read_soft_labels("data/tiny/soft_labels/S1_V1_theirs.npz").take(before.image_id)
    assert after.class_id.tolist() == before.class_id.tolist()
    np.testing.assert_allclose(np.exp(after.log_probs), np.exp(before.log_probs), atol=1e-5)


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
    said = run("import-soft-labels", *arguments, *values, code=code)
    assert said == f"Error: {message}\n"
    assert sorted((work / "data/tiny").rglob("*")) == before


def test_export_of_something_else_is_an_error(work):
    assert run("export", "none.npz", code=2) == "Error: there is no soft-label file none.npz\n"
    message = (
        "is broken, or not a soft-label file (it begins like neither .npy nor .npz); fetch it again"
    )
    assert run("export", "choices.csv", code=1) == f"Error: choices.csv: {message}\n"
