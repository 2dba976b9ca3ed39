"""What nobody would notice: recordings, tables and pictures as people have them, read as meant."""

import json
import unicodedata
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brain_teacher.dataset.bdata import read_bdata, write_bdata
from brain_teacher.dataset.trials import Voxels
from brain_teacher.decoding.soft_labels import FORMAT, read_soft_labels
from brain_teacher.files import write_npz
from brain_teacher.sources.checks.dataset import check_dataset
from brain_teacher.sources.formats.own_trials import read_trials
from helpers.running import project, run

CATEGORIES = ("cat", "dog", "shoe")


@pytest.fixture
def work(tmp_path):
    """Two sessions of 9 pictures of 3 categories; 2 unseen pictures for each shown one."""
    with project(tmp_path):
        yield tmp_path


def trials():
    rows = [
        (f"{category}-{k}", category, k + 1, session)
        for session in (1, 2)
        for k in range(3)
        for category in CATEGORIES
    ]
    return pd.DataFrame(rows, columns=["image_id", "category", "run", "session"])


def voxels(n_trials=18, n_voxels=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n_trials, n_voxels))


def new(table, data, *more, code=0):
    """A data set of one subject; gives what is said."""
    table.to_csv("t.csv", index=False)
    np.save("v.npy", data)
    arrays = ("--voxels", "S1=v.npy", "--trials", "S1=t.csv")
    return run("new-dataset", "data/mine", *arrays, *more, code=code)


def picture(path, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def draw(name=lambda text: text):
    """All pictures, in folders for ``--images`` and ``--unseen``; gives these options."""
    for seed, (image, category) in enumerate(trials()[["image_id", "category"]].values[:9]):
        picture(Path("shown", name(f"{image}.png")), seed)
        for k in (0, 1):
            picture(Path("unseen", name(category), name(f"{image}-{k}.png")), 100 + 2 * seed + k)
    return "--images", "shown", "--unseen", "unseen"


def found():
    """Problems and cautions."""
    both = check_dataset(Path("data/mine"))
    return both.problems, [text.removeprefix("data/mine/") for text in both.cautions]


def labels():
    return read_bdata("data/mine/bdata/S1.h5")[2]


# What stands among the voxels


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (lambda table: pd.factorize(table["category"])[0], "one value for each category"),
        (lambda table: table["category"] == "dog", "one value for each category"),
        (lambda table: pd.factorize(table["image_id"])[0] ** 2, "one value for each image"),
        (lambda table: table["run"] + 3 * table["session"], "one value for each run"),
        (lambda table: table.index, "the trials' numbers"),
    ],
)
def test_a_column_of_the_table_among_the_voxels(work, column, said):
    table = pd.concat([trials()] * 3, ignore_index=True)
    table["session"] = np.repeat(np.arange(6), 9)
    new(table, np.c_[voxels(54), np.asarray(column(table), float)])
    (problems, (caution,)) = found()
    assert not problems
    assert caution.startswith(f"bdata/S1.h5: voxel 6 has {said}")


def test_voxels_that_brains_have_are_no_columns(work):
    # Spikes, most of them none; and an image's mean, given again for each of its trials.
    table = pd.concat([trials()] * 3, ignore_index=True)
    table["session"] = np.repeat(np.arange(6), 9)
    spikes = np.random.default_rng(0).poisson(0.3, (54, 200))
    new(table, np.c_[spikes, np.random.default_rng(1).normal(size=54)])
    assert found() == ([], [])
    run_of = voxels(9)[pd.factorize(table["image_id"])[0]]
    np.save("v.npy", run_of)
    arrays = ("--voxels", "S1=v.npy", "--trials", "S1=t.csv")
    run("new-dataset", "data/means", *arrays)
    (only,) = check_dataset("data/means").cautions
    assert "all voxels are those of an earlier trial" in only


def test_one_recording_as_two_subjects(work):
    table = trials()
    table.to_csv("t.csv", index=False)
    np.save("one.npy", voxels())
    np.save("two.npy", np.r_[voxels()[:5], voxels(13, seed=1)])
    given = [f"--{kind}" if n == 0 else f"S{s}={file}" for s, name in ((1, "one"), (2, "two"))
             for kind, file in (("voxels", f"{name}.npy"), ("trials", "t.csv"))
             for n in (0, 1)]  # fmt: skip
    run("new-dataset", "data/mine", *given)
    assert found() == (
        [],
        [
            "bdata/S2.h5: 5 of 18 trials have exactly the voxels of trials of data/mine/bdata/"
            "S1.h5: one recording under two names? Subjects would seem to agree"
        ],
    )


def test_voxels_that_float32_cannot_hold(work):
    said = new(trials(), voxels() * [1, 1, 1e300, 1, 1, 1], code=1)
    assert said.startswith(
        "Error: v.npy: all: 1 of 6 voxels are not finite, or too large for float32, first voxel 2 "
    )
    assert said.endswith("save them in larger units\n")


# Names


def test_categories_and_images_that_read_alike(work):
    table = trials()
    table.loc[table["image_id"] == "cat-0", "category"] = "Cat"
    table.loc[table["image_id"] == "dog-1", "image_id"] = "DOG_0"
    table["superclass"] = table["category"].map({"cat": "animal", "dog": "Animal"}).fillna("thing")
    table["style"] = table["image_id"].map({"shoe-0": "old style", "shoe-1": "old_style"})
    new(table.fillna("new"), voxels())
    assert found()[1][-5:] == [
        f"{what} that read alike, but are not the same: {pair}; is one meant? write it the same "
        "way everywhere"
        for what, pair in (
            ("superclasses", "'Animal' and 'animal'"),
            ("groups (superclass)", "'Animal' and 'animal'"),
            ("groups (style)", "'old style' and 'old_style'"),
            ("categories", "'Cat' and 'cat'"),
            ("images", "'DOG_0' and 'dog-0'"),
        )
    ]


# Pictures


def test_pictures_that_are_not_read_are_named(work):
    new(trials(), voxels(), *draw())
    images = Path("data/mine/images")
    picture(images / "unseen" / "cat" / "deep" / "x.png", 1)
    (images / "unseen" / "cat" / "y").write_bytes(b"")
    (images / "shown" / ".hidden").write_bytes(b"")
    assert found() == (
        [],
        [
            "images: 2 files are not read, which lie elsewhere than as shown/NAME.ENDING or "
            "unseen/CATEGORY/NAME.ENDING: unseen/cat/deep/x.png, unseen/cat/y"
        ],
    )


def test_unseen_pictures_without_a_row_and_of_test_trials(work):
    table = trials().assign(data_type=lambda each: 1 + (each["image_id"] == "cat-0"))
    table = pd.concat([table, table.tail(3).assign(image_id="cat-9", category="cat")])
    new(table, voxels(21), *draw())
    images = Path("data/mine/images")
    picture(images / "shown" / "cat-9.png", 77)
    (images / "shown" / "cat-0.png").rename(images / "unseen" / "cat" / "cat-0.png")
    rows = [(f"{category}-{k}-0", category, split) for category in CATEGORIES
            for k, split in ((0, "validation"), (1, "test"))]  # fmt: skip
    splits = pd.DataFrame(rows, columns=["image_id", "category", "split"])
    splits.to_csv("data/mine/unseen.csv", index=False)
    problems, cautions = found()
    assert not problems
    assert cautions[-2:] == [
        "images/unseen: 1 pictures were shown in test trials, which 'unseen' denies: 'cat-0'",
        "unseen.csv: 13 of 19 unseen pictures stand in no row, and are left out: 'cat-0', "
        "'cat-0-1', 'cat-1-1', 'cat-2-0', 'cat-2-1', 'dog-0-1', 'dog-1-1', 'dog-2-0', 'dog-2-1', "
        "'shoe-0-1' and 3 more",
    ]


# Tables


@pytest.mark.parametrize(
    "named",
    [
        {"session": "Session"},
        {"session": "ses", "run": "Run", "image_id": "Image ID", "category": " category "},
        {"image_id": "imageId", "session": " session"},
    ],
)
def test_columns_as_others_call_them(work, named):
    said = new(trials().rename(columns=named), voxels())
    assert labels()["Session"].tolist() == trials()["session"].tolist()
    for name, ours in ((name.strip(), ours) for ours, name in named.items()):
        assert (f"{name} is taken for {ours}" in said) == (name != ours)


def test_blanks_are_no_part_of_a_name(work):
    table = trials()
    table["category"] = [f" {c}" if n % 2 else f"{c} " for n, c in enumerate(table["category"])]
    new(table, voxels())
    assert set(pd.read_csv("data/mine/stimuli.csv")["category"]) == set(CATEGORIES)


def test_data_types_in_words(work):
    kinds = ["training", "Test", "imagery"] * 6
    new(trials().assign(DataType=kinds), voxels())
    assert labels()["DataType"].tolist() == [1, 2, 3] * 6


def test_decimal_commas_are_named(work):
    said = new(trials().assign(onset="1,5"), voxels(), code=1)
    assert said == ("Error: t.csv: row 2: onset is '1,5', no number; write decimals with a point\n")


def test_homes_behind_a_subject(work, monkeypatch):
    monkeypatch.setenv("HOME", str(work))
    new(trials(), voxels())
    given = ("--voxels", "S1=~/v.npy", "--trials", "S1=~/t.csv")
    assert run("new-dataset", "data/again", *given).startswith("data/again: 1 subjects")


def test_accents_of_file_names_as_macos_codes_them(work):
    table = trials().replace("cat", "café")
    table["image_id"] = table["image_id"].str.replace("cat", "café")

    def name(text):
        return unicodedata.normalize("NFD", text.replace("cat", "café"))

    new(table, voxels(), *draw(name))
    assert found() == ([], [])
    folder = Path("data/mine/images/unseen/caf\u00e9")
    assert Path("data/mine/images/shown/caf\u00e9-0.png").is_file() and folder.is_dir()
    # By hand, nothing is renamed, and said.
    folder.rename(folder.with_name("cafe\u0301"))
    (caution,) = (text for text in found()[1] if "read alike" in text)
    assert (
        "categories that read alike, but are not the same: 'cafe\\u0301' and 'caf\\xe9'" in caution
    )


def test_two_names_of_one_code(work):
    mapped = {"stimulus_name": np.repeat([1.0, 2, 3, 4], 3), "Run": np.tile([1.0, 2, 3], 4)}
    mapped["DataType"] = np.ones(12)
    write_bdata("b.h5", voxels(12), rois={"V1": np.ones(6, bool)}, labels=mapped)
    with h5py.File("b.h5", "a") as file:
        for code, name in {
            "1": "cat-1",
            "1.0": "dog-1",
            "2": "c-2",
            "3": "c-3",
            "4": "c-4",
        }.items():
            file[f"vmap/stimulus_name/{code}"] = np.bytes_(name)
    said = run("new-dataset", "data/mine", "--bdata", "S1=b.h5", code=1)
    assert said == (
        "Error: b.h5: the value map of 'stimulus_name' calls 1 both 'cat-1' and 'dog-1'\n"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"data": np.ones((2, 2)) * 1j}, "voxels are complex128, not numbers"),
        ({"data": np.ma.masked_array(np.ones((2, 2)), [[1, 0], [0, 0]])}, "voxels: some are mask"),
        ({"run": np.ma.masked_array([1, 2], [1, 0])}, "run: some are masked: leave them out"),
        ({"data": np.array([[1, 2], [3, 1e39]])}, "not finite, or too large for float32, first"),
    ],
)
def test_what_a_notebook_would_lose(given, message):
    columns = {"data": np.ones((2, 2)), "run": [1, 2], "image_id": ["a", "b"]}
    with pytest.raises(ValueError, match=message):
        Voxels(category=["a", "b"], **columns | given)


def test_a_name_of_two_lines_makes_no_line_of_its_own(work):
    name = "cat\n  data/mine: nothing is wrong"
    table = trials().replace("cat", name).replace("cat-0", f"{name}-0")
    said = new(table.replace("shoe", name.upper()), voxels())
    assert said.count("\n") == 2
    said = run("check", "data/mine")
    assert sum(line.strip() == "data/mine: nothing is wrong" for line in said.splitlines()) == 1
    table.loc[0, "category"] = "dog"
    table.to_csv("t.csv", index=False)
    arrays = ("--voxels", "S1=v.npy", "--trials", "S1=t.csv")
    said = run("new-dataset", "data/other", *arrays, code=1)
    assert said.count("\n") == 1 and r"image 'cat\n  data/mine: nothing is wrong-0' is" in said


@pytest.mark.parametrize("ids", [["a\n  b", "a\n  b"], ["a\n", "b\n"]])
def test_soft_labels_quote_ids_in_one_line(tmp_path, ids):
    arrays = {
        "log_probs": np.zeros((2, 2), np.float32), "image_id": np.array(ids),
        "class_id": np.array(["x", "y"]), "fold": np.zeros(2, np.int16),
        "meta": np.array(json.dumps({"format": FORMAT, "kind": "people", "simulated": False})),
    }  # fmt: skip
    write_npz(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError) as wrong:
        read_soft_labels(tmp_path / "a.npz")
    assert "\n" not in str(wrong.value) and r"a\n" in str(wrong.value)


def test_zeros_that_a_spreadsheet_took_away(work):
    table = trials()
    table["image_id"] = pd.factorize(table["image_id"])[0]
    for k in range(9):
        picture(Path("shown", f"{k:03d}.png"), k)
    said = new(table, voxels(), "--images", "shown")
    assert "; there is '000': did a spreadsheet take the zeros of the ids away?" in said


def test_shares_as_counts_and_a_table_that_is_replaced(work):
    new(trials(), voxels(), *draw())
    ids = sorted(set(trials()["image_id"]))
    for name, number in (("one", 0.5), ("two", 2)):
        rows = pd.DataFrame([[image, number, number, 1] for image in ids])
        rows.columns = ["image_id", *CATEGORIES]
        rows.to_csv(f"{name}.csv", index=False)
    given = ("--data", "data/mine", "--kind", "people", "--decoder", "own", "--values", "counts")
    said = run("import-soft-labels", "one.csv", *given)
    assert "no whole numbers: 2 to 2 votes an image are meant? Of shares, give --values p" in said
    assert "is lost" not in said + run("import-soft-labels", "one.csv", *given)
    said = run("import-soft-labels", "two.csv", *given)
    lost = (
        "data/mine/soft_labels/people_choices_own.npz was a table of other numbers, which is lost"
    )
    assert lost in said and "whole numbers" not in said


def test_a_table_that_begins_with_an_empty_line(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\r\nimage_id,category,run\r\na,cat,1\r\n")
    with pytest.raises(ValueError, match="^row 1 is empty, and must name the columns$"):
        read_trials(tmp_path / "t.csv")


def write_named(path, **more):
    """Training or test trials without a DataType."""
    numbers = {"stimulus_id": np.repeat([1443537.1, 1443537.2], 6), "Run": np.tile([1.0, 2], 6)}
    rois = {"V1": np.ones(6, bool)}
    write_bdata(path, voxels(12, seed=len(path)), rois=rois, labels=numbers, **more)


def test_files_in_another_order_than_their_names_say(work):
    for name in ("S1_train.h5", "test_of_S1.h5", "latest.h5"):
        write_named(name)
    said = run("new-dataset", "data/mine", "--bdata", "S1=test_of_S1.h5,S1_train.h5", code=1)
    assert said == (
        "Error: test_of_S1.h5: is called after test, but taken for training, by its place: give "
        "TRAINING,TEST,IMAGERY in this order, or rename\n"
    )
    assert "taken for test" in run("new-dataset", "data/a", "--bdata", "S1=latest.h5,test_of_S1.h5")
    assert "1 subjects" in run("new-dataset", "data/b", "--bdata", "S1=S1_train.h5,latest.h5")


def test_flags_of_an_roi_that_are_neither_0_nor_1(work):
    write_named("a.h5", voxel_metadata={"ROI_soft": np.array([0, 0.2, 0.9, 1, 1, np.nan])})
    said = run("new-dataset", "data/mine", "--bdata", "S1=a.h5")
    assert "ROI 'soft' has 2 voxels flagged by another number than 0 and 1: they are left" in said


@pytest.mark.parametrize("names", [["image_id", "category"], ["Image ID", " Category"]])
def test_labels_as_a_folder_of_pictures_gives_them(work, names):
    draw()
    table = trials()[["image_id", "category"]].drop_duplicates()
    table["image_id"] = table["category"] + "/" + table["image_id"] + ".jpg"
    table["category"] += " "
    table.set_axis(names, axis=1).to_csv("labels.csv", index=False)
    said = run("new-dataset", "data/mine", "--images", "shown", "--labels", "labels.csv",
               "--unseen", "unseen")  # fmt: skip
    assert "cat/cat-0.jpg is image 'cat-0'" in said and found() == ([], [])
    assert len(list(Path("data/mine/images/shown").iterdir())) == 9


def test_a_workbook_is_no_table(work):
    new(trials(), voxels())
    with zipfile.ZipFile("t.xlsx", "w") as archive:
        archive.writestr("sheet.xml", "<sheet/>")
    arrays = ("--voxels", "S1=v.npy", "--trials", "S1=t.xlsx")
    assert run("new-dataset", "data/other", *arrays, code=1) == (
        "Error: t.xlsx: is a zip archive, as .xlsx and .npz are: save it as text, a table as CSV\n"
    )
