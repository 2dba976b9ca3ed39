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
from PIL import Image
from scipy.io import savemat

from brain_teacher.chain.params import load_params
from brain_teacher.cli.following import NEXT
from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.dataset.trials import read_voxels
from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.sources.formats.own_arrays import read_arrays
from helpers.running import project, run

PAGE = (Path(__file__).parents[2] / "docs" / "own-data.md").read_text("utf-8")
TRIALS = "image_id,category,run,style\nb,dog,1,x\na,cat,1,y\na,cat,2,y\nb,dog,2,x\n"
VOXELS = np.arange(12.0).reshape(4, 3)


@pytest.mark.full
def test_the_page_works_as_written(tmp_path):
    def quick(content):
        content["distill"] |= {"width": 8}

    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    kinds = [kind for kind, _ in blocks]
    assert (kinds.count("python"), kinds.count(""), kinds.count("sh")) == (3, 5, 1)
    space, said = {}, {}
    with project(tmp_path, quick):
        for kind, text in blocks:
            if kind == "python":
                exec(compile(text, "own-data.md", "exec"), space)
            elif kind == "yaml":
                teacher = load_params("params.yaml", yaml.safe_load(text)).distill.teacher
                assert teacher == ["none", "table-people", "brain"]
            elif not kind:
                for line in text.splitlines():
                    program, command, *arguments = shlex.split(line)
                    assert program == "brain-teacher"
                    said[command] = said.get(command, "") + run(command, *arguments)
        assert "data/mine: nothing is wrong\n" in said["check"] and "caution" not in said["check"]
        left_out = "left out, as a trial's or not said of every image: 'response_time'"
        assert f"note: trials.csv: {left_out}\n" in said["new-dataset"]
        table = read_soft_labels("runs/mine/soft_labels/S1_FFA_logistic.npz")
        right = table.class_id[table.log_probs.argmax(axis=1)] == [
            image.split("-")[0] for image in table.image_id
        ]
        assert right.mean() >= 20 / 24  # a signal was put in
        # To the end: all seven teachers, the table, a verdict, and where the figure lies.
        assert "14 students of 7 teachers" in said["distill"]
        assert "Verdict: " in Path("runs/mine/comparison/tables/comparison.txt").read_text()
        for command, path in (("decode", "soft_labels/figures/accuracy.png"),
                              ("compare", "comparison/figures/comparison.png")):  # fmt: skip
            assert f"figure: runs/mine/{path}\n" in said[command]
            assert Path("runs/mine", path).is_file()
        again = pd.read_csv("choices-again.csv", index_col="image_id")
        counts = pd.read_csv("choices.csv", index_col="image_id")
        expected = counts.div(counts.sum(axis=1), axis=0)
        pd.testing.assert_frame_equal(again.sort_index(), expected.sort_index(), atol=1e-5)


def test_each_command_of_the_page_is_named_by_the_one_before(tmp_path):
    way = re.findall(r"^brain-teacher (preprocess|decode|distill|compare) .*$", PAGE, re.MULTILINE)
    assert way[:4] == ["preprocess", "decode", "distill", "compare"]
    named = [NEXT[command].split()[1].partition("{")[0] for command in ("check", *way[:3])]
    assert named == way[:4]


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


def test_superclasses_of_a_table_are_the_categories(work):
    table = pd.read_csv("t.csv").assign(superclass=["animal"] * 4)
    table.to_csv("t.csv", index=False)
    new(*ARRAYS)
    content = yaml.safe_load(Path("data/mine/dataset.yaml").read_text())
    assert content["superclasses"] == {"cat": "animal", "dog": "animal"}


def test_a_category_of_two_superclasses_is_refused(work):
    Path("t.csv").write_text(
        "image_id,category,run,superclass\na,cat,1,x\nb,cat,1,y\na,cat,2,x\nb,cat,2,y\n"
    )
    assert new(*ARRAYS, code=1) == (
        "Error: category 'cat' has several superclasses: give each one, or call the column "
        "'superclass' otherwise\n"
    )


def labels_of(*columns):
    labels = read_bdata("data/mine/bdata/S1.h5")[2]
    return [labels[name].tolist() for name in columns]


def test_a_table_as_bids_has_it(work):
    # A column of the trial was an error, one at a time; left of image_id a KeyError.
    Path("t.tsv").write_text(
        "onset\tduration\tresponse_time\tsession\trun\timage_id\tcategory\tstyle\trater\n"
        "8\t4\tn/a\tses-01\trun-1\tdogs/b.JPG\tdog\tx\tann\n"
        "0\t4\t0.5\tses-01\trun-1\tcats/a.jpg\tcat\ty\tann\n"
        "0\t4\t\tses-10\trun-1\tcats/a.jpg\tcat\ty\tbob\n"
        "4\t4\t0.7\tses-10\trun-1\tdogs/b.JPG\tdog\tx\tann\n"
    )
    said = new("--voxels", "S1=v.npy", "--trials", "S1=t.tsv").splitlines()
    assert said[:-2] == [
        "note: t.tsv: session: ses-01 is 1 ... ses-10 is 2",
        "note: t.tsv: run: run-1 is 1 ... run-1 is 1",
        "note: t.tsv: onset gives each trial's place in its run",
        "note: t.tsv: dogs/b.JPG is image 'b': ids go without folder and ending",
        "note: t.tsv: left out, as a trial's or not said of every image: 'duration', "
        "'response_time', 'rater'",
    ]
    assert Path("data/mine/stimuli.csv").read_text().splitlines() == [
        "stimulus_id,image_id,category,style",
        "1,a,cat,y",
        "2,b,dog,x",
    ]
    assert labels_of("stimulus_id", "Run", "Session", "Block") == [
        [2, 1, 1, 2], [1, 1, 1, 1], [1, 1, 2, 2], [2, 1, 1, 2],
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["run", "session"])
def test_numbers_that_no_file_holds_are_numbered(work, name):
    # Dates and times all became -2147483648.
    dates = ["20230511093000", "20230511093000", "20230512100000", "20230512100000"]
    pd.read_csv("t.csv").assign(**{name: dates}).to_csv("t.csv", index=False)
    said = new(*ARRAYS)
    assert f"note: t.csv: {name}: {dates[0]} is 1 ... {dates[2]} is 2\n" in said
    assert labels_of({"run": "Run", "session": "Session"}[name]) == [[1, 1, 2, 2]]


def test_the_index_that_pandas_writes_is_no_group(work):
    pd.read_csv("t.csv").to_csv("t.csv")
    assert new(*ARRAYS, code=1) == (
        "Error: t.csv: column 1 has no name, as pandas writes its index: write the table with "
        "index=False, or name the column\n"
    )


def test_a_table_with_semicolons(work):
    Path("t.csv").write_text(TRIALS.replace(",", ";"))
    new(*ARRAYS)
    assert labels_of("stimulus_id", "Run") == [[2, 1, 1, 2], [1, 1, 2, 2]]


def test_ids_with_colons_slashes_and_dots_stay_where_they_name_no_picture(work):
    Path("t.csv").write_text(TRIALS.replace("a,cat", "x:1,cat").replace("b,dog", "x/1.5,dog"))
    new(*ARRAYS)
    lines = Path("data/mine/stimuli.csv").read_text().splitlines()
    assert lines[1:] == ["1,x/1.5,dog,x", "2,x:1,cat,y"]


def test_two_names_of_one_image_are_refused(work):
    endings = {"b,dog": "b.png,dog", "a,cat,1": "a.png,cat,1", "a,cat,2": "a.jpg,cat,2"}
    for plain, ending in endings.items():
        Path("t.csv").write_text(Path("t.csv").read_text().replace(plain, ending))
    assert new(*ARRAYS, code=1) == (
        "Error: t.csv: a.png and a.jpg are both image 'a': give each image an id of its own\n"
    )


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


def test_pictures_in_folders_of_any_depth(work):
    for name in ("shown/cats/2023/a.png", "shown/dogs/b.jpg", "shown/extra.png",
                 "unseen/cat/far/away/c.png", "unseen/dog/d.JPG"):  # fmt: skip
        picture(Path(name))
    for name in ("shown/cats/Thumbs.db", "shown/cats/._a.png", "unseen/README.txt"):
        Path(name).write_text("no picture")
    said = new(*ARRAYS, "--images", "shown", "--unseen", "unseen")
    assert "note: shown: 1 pictures of no trial are left out, extra.png for one\n" in said
    there = [path.relative_to("data/mine/images") for path in Path("data/mine/images").rglob("*.*")]
    assert sorted(map(str, there)) == [
        "shown/a.png", "shown/b.jpg", "unseen/cat/c.png", "unseen/dog/d.JPG",
    ]  # fmt: skip


def test_what_was_looked_for_is_said(work):
    picture(Path("shown/cats/b.png"))
    said = new(*ARRAYS, "--images", "shown")
    assert (
        "note: shown: no picture of 1 of 2 images: looked for a.png (or .bmp, .gif, .jpeg, .jpg, "
        ".tif, .tiff, .webp) in any folder below\n"
    ) in said
    Path("data/mine/stimuli.csv").write_text(
        "stimulus_id,image_id,category\n1,b.png,cat\n2,c,dog\n"
    )
    assert (
        "images/shown: no picture of 2 training images: 'b.png', 'c'; looked for b.png.*, and "
        "there is b.png: give ids without their ending\n"
    ) in run("check", "data/mine", code=1)


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (["shown/x/a.png", "shown/y/a.jpg"], "shown/x/a.png and shown/y/a.jpg are both image 'a': "
         "take one away, or give each an id of its own"),
        (["shown/a.png", "unseen/c.png"], "unseen/c.png lies in no category's folder: put it into "
         "unseen/CATEGORY"),
    ],
)  # fmt: skip
def test_pictures_that_cannot_be_told_are_refused(work, pictures, message):
    Path("unseen").mkdir()
    for name in pictures:
        picture(Path(name))
    said = new(*ARRAYS, "--images", "shown", "--unseen", "unseen", code=1)
    assert said == f"Error: {message}\n"
    assert not list(Path("data").iterdir())


@pytest.mark.parametrize(
    ("trials", "message"),
    [
        (TRIALS + "c,cat,3,y\n", "v.npy: all has 4 trials, t.csv has 5"),
        (TRIALS.replace("a,cat,2,y", "a,dog,2,y"), "t.csv: row 4: category of image 'a' is 'dog', "
         "elsewhere 'cat'; an image has one"),
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
        (np.array([[1.0, np.nan]] * 4), "v.npy: all: 1 of 2 voxels are not finite, "
         "first voxel 1 in trial 0 (nan); leave such voxels out: "
         "array[:, numpy.isfinite(array).all(axis=0)]"),
        (np.array([[np.nan] * 2, *[[1.0] * 2] * 3]), "v.npy: all: 2 of 2 voxels are not finite, "
         "first voxel 0 in trial 0 (nan); leave such trials out, in the table too: "
         "array[numpy.isfinite(array).all(axis=1)]"),
        (np.ones((3, 4)), "v.npy: all has 3 trials, t.csv has 4; it is turned round: save its .T"),
        (np.ones(4), "v.npy: all is float64 of shape (4,), not numbers (trials, voxels)"),
        (np.array([["a"]] * 4), "v.npy: all is <U1 of shape (4, 1), not numbers (trials, voxels)"),
    ],
)  # fmt: skip
def test_a_wrong_array_is_named(work, content, message):
    np.save("v.npy", content)
    assert new(*ARRAYS, code=1) == f"Error: {message}\n"


def test_an_array_of_objects_names_the_remedy(work):
    np.save("v.npy", VOXELS.astype(object), allow_pickle=True)
    assert new(*ARRAYS, code=1) == (
        "Error: v.npy: holds Python objects, which are not opened; save numbers: numpy.save(file, "
        "array.astype('float32')), and GLMsingle's output with wanthdf5=1\n"
    )


def test_files_of_something_else(work):
    Path("v.npy").write_bytes(b"something else")
    assert new(*ARRAYS, code=1) == (
        "Error: v.npy: is no .npy or .npz of numbers (it begins like neither .npy nor .npz)\n"
    )
    with zipfile.ZipFile("v.npy", "w") as file:
        file.writestr("V1", "text")
    assert new(*ARRAYS, code=1).startswith("Error: v.npy: is no .npy or .npz of numbers (EOF: ")
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


GIVE = (
    "give --bdata SUBJECT=FILE, or --voxels and --trials, for each subject; or --bids DIR; or, of "
    "pictures without recordings, --labels CSV"
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], GIVE),
        (["--bdata", "S1=t.csv", *ARRAYS], GIVE),
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
