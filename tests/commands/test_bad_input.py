"""A person's mistakes: one line that says what, where and what to do; nothing half-written."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from brain_teacher.distillation.teachers import TEACHERS
from helpers.running import ROOT, run, work_in


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A tiny data set, decoded; tests copy it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "MLproject").touch()
    shutil.copy(ROOT / "params.yaml", folder)
    with pytest.MonkeyPatch.context() as patch:
        use(patch, folder)
        run(
            *("simulate", "--out", "data/sample", "--subjects", "2", "--categories", "2"),
            *("--shown", "4", "--unseen", "4", "--voxels", "40", "--image-size", "12"),
            *("--seed", "1"),
        )
        run("preprocess", "--roi", "V1", "--out", "outputs/voxels")
        run("decode", "--out", "outputs/soft_labels")
    return folder


@pytest.fixture
def folder(made, tmp_path, monkeypatch):
    """A copy of it, to be broken; the working folder."""
    shutil.copytree(made, tmp_path / "copy")
    use(monkeypatch, tmp_path / "copy")
    return tmp_path / "copy"


def use(patch, folder):
    # One store for all of these tests: to make its schema takes seconds.
    work_in(patch, folder, folder.parents[1] / "bad-input.db")


def fails(*arguments, code=1):
    """The command fails with one line; gives it without ``Error: ``."""
    output = run(*arguments, "--quiet", code=code)
    assert output.startswith("Error: ") and output.count("\n") == 1, output
    assert not list(Path().rglob(".part-*"))
    return output.removeprefix("Error: ").rstrip("\n")


def change(file, edit):
    content = yaml.safe_load(Path(file).read_text())
    edit(content)
    Path(file).write_text(yaml.safe_dump(content))


def test_missing_data_folder(folder):
    shutil.rmtree("data")
    assert fails("preprocess") == (
        "there is no data set folder data/sample: `dvc pull data.dvc` brings the sample, "
        "`brain-teacher simulate` makes one, or name yours with --data or dataset.name"
    )
    assert not Path("runs").exists()


def test_folder_without_description(folder):
    Path("data/sample/dataset.yaml").unlink()
    said = fails("preprocess")
    assert said == "data/sample has no dataset.yaml: it is not a data set folder"


def test_truncated_recording(folder):
    path = Path("data/sample/bdata/S2.h5")
    path.write_bytes(path.read_bytes()[:5000])
    said = fails("preprocess", "--out", "out")
    assert said.startswith("data/sample/bdata/S2.h5: is cut off (5,000 of ")
    assert said.endswith(" bytes are there); fetch it again")
    assert not Path("out/index.json").exists()


def test_missing_column(folder):
    with h5py.File("data/sample/bdata/S1.h5", "r+") as file:
        keys = file["metadata/key"][()]
        keys[keys == b"Run"] = b"Rum"
        file["metadata/key"][...] = keys
    assert fails("preprocess") == (
        "data/sample/bdata/S1.h5: has no column 'Run' (it has Block, DataType, Rum, "
        "category_index, image_index, stimulus_id)"
    )


def test_nan_voxels(folder):
    with h5py.File("data/sample/bdata/S1.h5", "r+") as file:
        file["dataset"][3, 1] = np.nan
    assert fails("preprocess", "--roi", "V1", "--out", "out") == (
        "data/sample/bdata/S1.h5, ROI V1: 1 of 5 voxels are not finite, first voxel 1 in trial 3 "
        "(nan); remove such voxels or trials from the recording"
    )
    assert not list(Path("out").iterdir())


def test_unknown_roi(folder):
    assert fails("preprocess", "--roi", "HVX", code=2) == (
        "preprocess.roi: there is no 'HVX'; did you mean 'HVC'? "
        "(known: V1, V2, V3, V4, LOC, FFA, PPA, LVC, HVC, VC)"
    )


def test_roi_that_the_recording_lacks(folder):
    change("data/sample/dataset.yaml", lambda content: content["roi"].append("FFB"))
    assert fails("preprocess", "--roi", "FFB") == (
        "data/sample/bdata/S1.h5 has no ROI 'FFB' (it has V1, V2, V3, V4, LOC, FFA, PPA, LVC, HVC, "
        "VC); correct preprocess.roi in params.yaml; did you mean 'FFA'?"
    )


def test_subject_without_a_file(folder):
    Path("data/sample/bdata/S2.h5").unlink()
    assert fails("preprocess") == (
        "subject S2 has no file data/sample/bdata/S2.h5; put it there, or take the subject out of "
        "dataset.yaml"
    )


def test_image_without_a_file(folder):
    Path("data/sample/images/shown/n99000001_2.png").unlink()
    assert fails("distill", "--roi", "V1") == (
        "image 'n99000001_2' of the soft labels has no file in data/sample/images/shown "
        "(1 of 8 are missing): looked for n99000001_2.*; put it there"
    )


def test_broken_image(folder):
    Path("data/sample/images/shown/n99000001_2.png").write_text("no picture")
    said = fails("distill", "--roi", "V1")
    assert said.startswith(
        "data/sample: data/sample/images/shown/n99000001_2.png cannot be read as"
    )


def test_data_set_without_pictures(folder):
    change("data/sample/dataset.yaml", lambda content: content.update(pictures=False))
    assert fails("distill", "--roi", "V1") == (
        "data set sample has no pictures (dataset.yaml: pictures: false): voxels can be decoded, "
        "but there is nothing that a student could look at"
    )


@pytest.mark.parametrize("split", ["validation", "test"])
def test_category_without_images_on_a_side(folder, split):
    unseen = sorted(Path("data/sample/images/unseen").glob("*/*.png"))
    rows = [(path.stem, path.parent.name, "test") for path in unseen]
    table = pd.DataFrame(rows, columns=["image_id", "category", "split"])
    other = "test" if split == "validation" else "validation"
    table["split"] = np.where(table["category"] == "n99000001", other, table["split"])
    first = table["category"] == "n99000002"
    table.loc[table.index[first][0], "split"] = "validation"
    table.to_csv("data/sample/unseen.csv", index=False)
    assert fails("distill", "--roi", "V1") == (
        f"data/sample: category 'n99000001' has no {split} image: put images under "
        "images/unseen/n99000001, or correct unseen.csv"
    )


def test_category_that_the_soft_labels_do_not_know(folder):
    # It got the number of the next category in the alphabet, without a word: 24 of 24 test pictures
    # were judged by another category's.
    shown = sorted(path.stem for path in Path("data/sample/images/shown").glob("*.png"))
    category = [name.split("_")[0].replace("n99000002", "n00000002") for name in shown]
    rows = zip(range(len(shown)), shown, category, strict=True)
    table = pd.DataFrame(rows, columns=["stimulus_id", "image_id", "category"])
    table.to_csv("data/sample/stimuli.csv", index=False)
    Path("data/sample/images/unseen/n99000002").rename("data/sample/images/unseen/n00000002")
    assert fails("distill", "--roi", "V1", "--subject", "S1") == (
        "data/sample/images/shown/n99000002_1.png shows category 'n00000002', of which the soft "
        "labels know nothing (8 of 16 pictures are so); correct the category in stimuli.csv, or "
        "decode again"
    )


def test_soft_labels_of_other_images(folder):
    path = Path("outputs/soft_labels/S1_V1_logistic.npz")
    with np.load(path) as file:
        arrays = dict(file)
    arrays["image_id"] = np.array([f"n0000000{row}_1" for row in range(8)])
    np.savez(path, **arrays)
    assert fails("distill", "--roi", "V1") == (
        "outputs/soft_labels: no image was seen by all of the subjects"
    )
    assert fails("distill", "--roi", "V1", "--subject", "S1") == (
        "image 'n00000000_1' of the soft labels has no file in data/sample/images/shown "
        "(8 of 8 are missing): looked for n00000000_1.*; put it there"
    )


def test_no_epochs(folder):
    assert fails("distill", "--epochs", "0", code=2) == (
        "params.yaml: distill.epochs: Input should be greater than or equal to 1 (it is 0)"
    )


def test_misspelt_key(folder):
    change("params.yaml", lambda content: content["distill"].update(temprature=2))
    assert fails("distill", code=2) == (
        "params.yaml: unknown key 'distill.temprature'; did you mean 'temperature'?"
    )


def test_misspelt_teacher(folder):
    assert fails("distill", "--roi", "V1", "--teacher", "smoth", code=2) == (
        "distill.teacher: there is no 'smoth'; did you mean 'smooth'? "
        f"(known: {', '.join(TEACHERS)})"
    )


def test_missing_soft_labels(folder):
    assert fails("distill", "--roi", "V2") == (
        "outputs/soft_labels/S1_V2_logistic.npz is missing: `dvc pull outputs/soft_labels` brings "
        "the published soft labels, `dvc repro decode` makes them"
    )


def test_missing_voxels(folder):
    Path("outputs/voxels/S2_V1.npz").unlink()
    assert fails("decode", "--out", "out") == (
        "outputs/voxels/S2_V1.npz is missing, though index.json lists it: preprocess again"
    )
    shutil.rmtree("outputs/voxels")
    assert fails("decode", "--out", "out") == (
        "outputs/voxels holds no voxels (index.json is missing): run `dvc repro preprocess`, or "
        "`brain-teacher preprocess`"
    )
    assert not Path("out").exists()


def test_comparison_and_promotion_without_students(folder):
    assert fails("compare", "--out", "out") == (
        "outputs/students holds no students: run `dvc repro distill`, or `brain-teacher distill`"
    )
    assert not Path("out").exists()
    assert fails("promote") == "outputs/comparison/metrics.json is missing"


def test_simulate_never_overwrites(folder):
    said = fails("simulate", "--out", "data/sample", "--seed", "1", code=2)
    assert said == ("data/sample exists already; choose another folder with --out, or remove it")


def test_an_unseen_image_that_was_shown(folder):
    shutil.copy("data/sample/images/shown/n99000001_2.png", "data/sample/images/unseen/n99000001/")
    assert fails("distill", "--roi", "V1") == (
        "data/sample: image 'n99000001_2' is under images/unseen and under images/shown (1 are): "
        "students would be tested on what they learnt from"
    )


def test_an_empty_list(folder):
    change("params.yaml", lambda content: content["distill"].update(teacher=[]))
    assert fails("distill", code=2) == (
        "params.yaml: distill.teacher: give 'all', or a list of names (at least one)"
    )


def test_an_image_listed_as_missing_teaches_nobody(folder):
    lost = "n99000001_2"
    Path(f"data/sample/images/shown/{lost}.png").unlink()
    Path("data/sample/images/missing.csv").write_text(
        f"image_id,category,kind,reason\n{lost},n99000001,shown,not there\n"
    )
    change("params.yaml", lambda content: content["compare"].update(family=["none"]))
    short = ("--teacher", "none,brain", "--seeds", "2", "--epochs", "1", "--device", "cpu")
    said = run("distill", "--roi", "V1", *short, "--out", "students")
    assert "1 shown images have no picture (images/missing.csv) and teach nobody; 7 do\n" in said
    said = run("compare", "--students", "students", "--out", "comparison")
    assert "unseen images; 1 shown images had no picture and taught nobody\n" in said
    for file in ("comparison.md", "comparison.txt"):
        assert "1 shown images had no picture" in Path("comparison/tables", file).read_text()
    # Not listed, it is a mistake as before.
    Path("data/sample/images/missing.csv").unlink()
    assert fails("distill", "--roi", "V1") == (
        f"image '{lost}' of the soft labels has no file in data/sample/images/shown "
        f"(1 of 8 are missing): looked for {lost}.*; put it there"
    )
