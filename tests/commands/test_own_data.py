"""docs/own-data.md as printed; and `new-dataset`, right and wrong."""

import re
import shlex
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from brain_teacher.chain.params import load_params
from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.dataset.trials import read_voxels
from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.sources.formats.own_arrays import read_arrays
from helpers.running import project, run

PAGE = (Path(__file__).parents[2] / "docs" / "own-data.md").read_text("utf-8")
TRIALS = "image_id,category,run,style\nb,dog,1,x\na,cat,1,y\na,cat,2,y\nb,dog,2,x\n"
VOXELS = np.arange(12.0).reshape(4, 3)


def test_the_page_works_as_written(tmp_path):
    def quick(content):
        content["distill"] |= {"width": 8}

    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert [kind for kind, _ in blocks].count("python") == 2 and len(blocks) == 8
    space = {}
    with project(tmp_path, quick):
        for kind, text in blocks:
            if kind == "python":
                exec(compile(text, "own-data.md", "exec"), space)
            elif kind == "yaml":
                teacher = load_params("params.yaml", yaml.safe_load(text)).distill.teacher
                assert teacher == ["none", "table-people", "brain"]
            elif not kind:
                for line in text.splitlines():
                    program, *arguments = shlex.split(line)
                    assert program == "brain-teacher"
                    said = run(*arguments)
                    if arguments[0] == "check":
                        assert said.endswith("data/mine: nothing is wrong\n")
        table = read_soft_labels("runs/mine/soft_labels/S1_FFA_logistic.npz")
        right = table.class_id[table.log_probs.argmax(axis=1)] == [
            image.split("-")[0] for image in table.image_id
        ]
        assert right.mean() >= 10 / 12  # a signal was put in; p = 0.02 by chance
        again = pd.read_csv("choices-again.csv", index_col="image_id")
        counts = pd.read_csv("choices.csv", index_col="image_id")
        expected = counts.div(counts.sum(axis=1), axis=0)
        pd.testing.assert_frame_equal(again.sort_index(), expected.sort_index(), atol=1e-5)


@pytest.fixture
def work(tmp_path):
    with project(tmp_path):
        np.save("v.npy", VOXELS)
        Path("t.csv").write_text(TRIALS)
        yield tmp_path


def new(*arguments, code=0):
    return run("new-dataset", "data/mine", *arguments, code=code)


ARRAYS = ("--voxels", "S1=v.npy", "--trials", "S1=t.csv")


def test_arrays_become_bdata_joined_by_id(work):
    assert new(*ARRAYS).splitlines() == [
        "data/mine: 1 subjects, ROIs all",
        "next: brain-teacher check data/mine; then set dataset.name: mine in params.yaml",
    ]
    assert yaml.safe_load(Path("data/mine/dataset.yaml").read_text()) == {
        "name": "mine",
        "simulated": False,
        "subjects": {"S1": "bdata/S1.h5"},
        "roi": ["all"],
        "pictures": False,
    }
    assert Path("data/mine/stimuli.csv").read_text().splitlines() == [
        "stimulus_id,image_id,category,style",
        "1,a,cat,y",
        "2,b,dog,x",
    ]
    voxels, rois, labels = read_bdata("data/mine/bdata/S1.h5")
    np.testing.assert_array_equal(voxels, VOXELS)
    assert rois["all"].all()
    assert labels["stimulus_id"].tolist() == [2, 1, 1, 2] and labels["Run"].tolist() == [1, 1, 2, 2]
    assert labels["DataType"].tolist() == [1] * 4
    said = run("check", "data/mine", code=1)
    assert "subject S1: 'cat', 'dog' with a single image" in said


@pytest.mark.parametrize(
    "order", [["category", "image_id", "run", "style"], ["image_id", "style", "category", "run"]]
)
def test_the_order_of_the_columns_changes_nothing(work, order):
    # A group before the category was written as the category; before the image it was a KeyError.
    pd.read_csv("t.csv")[order].to_csv("t.csv", index=False)
    new(*ARRAYS)
    assert Path("data/mine/stimuli.csv").read_text().splitlines() == [
        "stimulus_id,image_id,category,style",
        "1,a,cat,y",
        "2,b,dog,x",
    ]


@pytest.mark.parametrize("name", ["file", "row"])
def test_groups_may_have_any_name(work, name):
    # Two names of our own took the column's place, which went without a word.
    pd.read_csv("t.csv").rename(columns={"style": name}).to_csv("t.csv", index=False)
    new(*ARRAYS)
    header = Path("data/mine/stimuli.csv").read_text().splitlines()[0]
    assert header == f"stimulus_id,image_id,category,{name}"


def test_data_types_and_blocks_are_kept(work):
    table = pd.read_csv("t.csv").assign(data_type=[1, 1, 2, 2], block=[2, 1, 1, 2])
    table.to_csv("t.csv", index=False)
    new(*ARRAYS)
    labels = read_bdata("data/mine/bdata/S1.h5")[2]
    assert labels["DataType"].tolist() == [1, 1, 2, 2] and labels["Block"].tolist() == [2, 1, 1, 2]


def test_two_subjects_share_numbers_and_rois(work):
    np.savez("v2.npz", V1=VOXELS, all=VOXELS[:, :2])
    Path("t2.csv").write_text(TRIALS.replace("a,cat", "c,cat"))
    new(*ARRAYS, "--voxels", "S2=v2.npz", "--trials", "S2=t2.csv")
    content = yaml.safe_load(Path("data/mine/dataset.yaml").read_text())
    assert content["roi"] == ["all"] and list(content["subjects"]) == ["S1", "S2"]
    assert read_bdata("data/mine/bdata/S2.h5")[2]["stimulus_id"].tolist() == [2, 3, 3, 2]


def test_an_older_mat_file_is_converted(work):
    """The layout of BrainDecoderToolbox of 2016: dataSet, metaData."""
    columns = np.hstack([VOXELS, [[1443537.000001, 1, 1]] * 4])
    keys = ["VoxelData", "ROI_V1", "ROI_LH_V1", "stimulus_id", "Run", "DataType"]
    flags = np.full((6, 6), np.nan)
    flags[:3, :3] = 1
    flags[3:, 3:] = np.where(np.eye(3) == 1, 1, np.nan)
    metadata = {
        "key": np.array(keys, dtype=object),
        "description": np.array(keys, dtype=object),
        "value": flags,
    }
    savemat("old.mat", {"dataSet": columns, "metaData": metadata})
    lines = new("--bdata", "S1=old.mat").splitlines()
    assert lines[:4] == [
        "note: old.mat: ROI 'LH_V1' is called LH-V1",
        "note: old.mat: has the layout of 2016 (dataSet, metaData)",
        "note: S1: voxels, ROIs and labels were written anew, nothing else",
        "data/mine: 1 subjects, ROIs V1, LH-V1",
    ]
    voxels, rois, labels = read_bdata("data/mine/bdata/S1.h5")
    np.testing.assert_array_equal(voxels, VOXELS)
    assert rois["V1"].tolist() == [True] * 3 and labels["stimulus_id"][0] == 1443537.000001


def test_sessions_of_a_table_of_trials(work):
    # An image of two sessions was refused, as if the session were the image's.
    Path("t.csv").write_text("image_id,category,run,session\na,cat,1,1\nb,dog,1,1\na,cat,1,2\n"
                             "b,dog,1,2\n")  # fmt: skip
    new(*ARRAYS)
    run("preprocess", "--data", "data/mine", "--roi", "all", "--out", "voxels")
    voxels, _ = read_voxels("voxels/S1_all.npz")
    assert voxels.run.tolist() == [1, 1, 2, 2]
    assert voxels.groups["session"].tolist() == ["1", "1", "2", "2"]


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        (TRIALS + "c,cat,3,y\n", "v.npy: all has 4 trials, t.csv has 5"),
        (TRIALS.replace("a,cat,2,y", "a,dog,2,y"), "t.csv: row 4: category of image 'a' is 'dog', "
         "elsewhere 'cat'; a column belongs to the image, not to the trial"),
        (TRIALS.replace("a,cat,2", "a,cat,two"), "t.csv: row 4: run is 'two', no whole number"),
        (TRIALS.replace("a,cat,2", "a,cat,inf"), "t.csv: row 4: run is 'inf', no whole number"),
        ("image_id,category,run,data_type\na,cat,1,1\na,cat,1,257\n", "t.csv: row 3: data_type is "
         "257, not 1 (training), 2 (test) or 3 (imagery)"),
        (TRIALS.replace("a,cat,2", ",cat,2"), "t.csv: row 4: a cell is empty"),
        ("image_id,category\n", "t.csv: has no column 'run' (it has image_id, category)"),
        ("image_id,category,run\n", "t.csv: has no trials"),
    ],
)  # fmt: skip
def test_a_wrong_table_names_its_row_and_leaves_nothing(work, trials, message):
    Path("t.csv").write_text(trials)
    assert new(*ARRAYS, code=1) == f"Error: {message}\n"
    assert not list(Path("data").iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.array([[1.0, np.nan]] * 4), "v.npy: all: voxel 1 of trial 0 is nan"),
        (np.ones(4), "v.npy: all is float64 of shape (4,), not numbers (trials, voxels)"),
        (np.array([["a"]] * 4), "v.npy: all is <U1 of shape (4, 1), not numbers (trials, voxels)"),
    ],
)
def test_a_wrong_array_is_named(work, content, message):
    np.save("v.npy", content)
    assert new(*ARRAYS, code=1) == f"Error: {message}\n"


def test_files_of_something_else(work):
    Path("v.npy").write_bytes(b"something else")
    assert new(*ARRAYS, code=1) == (
        "Error: v.npy: is no .npy or .npz of numbers (it begins like neither .npy nor .npz)\n"
    )
    with zipfile.ZipFile("v.npy", "w") as file:
        file.writestr("V1", "text")
    assert new(*ARRAYS, code=1) == (
        "Error: v.npy: V1 is |S4 of shape (), not numbers (trials, voxels)\n"
    )
    said = new("--bdata", "S1=t.csv", code=1)
    assert said == "Error: t.csv: ends in '.csv'; BData ends in .h5 or .mat\n"
    with h5py.File("new.mat", "w", userblock_size=512) as file:
        file["dataSet"] = VOXELS
    assert new("--bdata", "S1=new.mat", code=1) == (
        "Error: new.mat: is of MATLAB 7.3; save it again in MATLAB with save(..., '-v7')\n"
    )


@pytest.mark.parametrize("name", ["v.npy", "v.npz"])
@given(cut=st.floats(0, 1, exclude_max=True))
@settings(max_examples=20, deadline=None)
def test_an_array_truncated_at_any_byte_is_named(arrays, name, cut):
    content = (arrays / name).read_bytes()
    path = arrays / f"cut.{name}"
    path.write_bytes(content[: int(cut * len(content))])
    with pytest.raises(ValueError, match=r"^is (neither \.npy nor \.npz|no \.npy .+ \(.+\))$"):
        read_arrays(path)


@pytest.mark.parametrize("name", ["v.npy", "v.npz"])
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_in_an_array_is_an_error_or_gives_numbers(arrays, name, place, bit):
    content = bytearray((arrays / name).read_bytes())
    content[place % len(content)] ^= 1 << bit
    path = arrays / f"flipped.{name}"
    path.write_bytes(bytes(content))
    parts, said = {}, ""
    try:
        parts = read_arrays(path)
    except ValueError as error:
        said = str(error)
    assert "\n" not in said and "unsafe" not in said
    assert all(values.ndim == 2 and np.isfinite(values).all() for values in parts.values())


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arrays")
    np.save(folder / "v.npy", VOXELS)
    np.savez_compressed(folder / "v.npz", V1=VOXELS)
    return folder


def test_a_picture_that_cannot_be_copied_leaves_nothing(work):
    Path("shown").mkdir()
    Path("shown/a.png").symlink_to("nowhere")
    assert new(*ARRAYS, "--images", "shown", code=1) == (
        "Error: data/mine was not made: shown/a.png cannot be copied ([Errno 2] No such file or "
        "directory: 'shown/a.png')\n"
    )
    assert not list(Path("data").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --bdata SUBJECT=FILE, or --voxels and --trials, for each subject"),
        (["--bdata", "S1=t.csv", *ARRAYS], "give --bdata SUBJECT=FILE, or --voxels and --trials, "
         "for each subject"),
        (ARRAYS[:2], "subject 'S1' has not both --voxels and --trials"),
        (["--bdata", "v.npy"], "--bdata v.npy: give SUBJECT=FILE, such as S1=recording.h5"),
        (["--bdata", "S1=no.h5"], "--bdata: there is no file no.h5"),
        ([*ARRAYS, "--voxels", "S1=v.npy"], "--voxels: subject S1 stands twice"),
        ([*ARRAYS, "--images", "none"], "--images: there is no folder none"),
        ([*ARRAYS, "--unseen", "."], "--unseen needs --images: students learn from the pictures "
         "shown"),
    ],
)  # fmt: skip
def test_usage(work, arguments, message):
    assert new(*arguments, code=2) == f"Error: {message}\n"
    said = run("new-dataset", "data/my_data", *arguments, code=2)
    assert said == "Error: 'my_data': a data set's name may hold letters, digits and '-'\n"


def test_what_is_there_is_not_overwritten(work):
    new(*ARRAYS)
    message = "data/mine exists already; choose another name, or remove it"
    assert new(*ARRAYS, code=2) == f"Error: {message}\n"
