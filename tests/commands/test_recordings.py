"""Recordings as laboratories have them, from `new-dataset` to soft labels."""

import shutil
from pathlib import Path

import bdpy
import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.dataset.trials import Voxels, read_voxels
from brain_teacher.decoding.controls import permute_trials, time_voxels
from brain_teacher.decoding.out_of_fold import plan_for
from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.decoding.voxel_scaling import zscore_by_run
from helpers.running import project, run

IMAGES = [f"{category}_{k}" for category in ("cat", "dog") for k in range(4)]


@pytest.fixture
def work(tmp_path):
    with project(tmp_path) as patch:
        yield patch


def write(path, names, *, first=1, voxels=6, rois=None, maps=None, **labels):
    """A newer file of the field: images by a value map, ROIs without a prefix, no DataType."""
    rng = np.random.default_rng(len(names))
    bdata = bdpy.BData()
    bdata.add(rng.standard_normal((len(names), voxels)), "VoxelData")
    for roi, mask in (rois or {"hV4": np.arange(voxels) < 4}).items():
        bdata.add_metadata(roi, np.array(mask, float), where="VoxelData")
    codes = {name: float(k) for k, name in enumerate(sorted(set(names)), start=first)}
    for key, values in labels.items():
        bdata.add(np.array(values, float)[:, None], key)
    bdata.add(np.array([codes[name] for name in names])[:, None], "stimulus_name")
    bdata.add_vmap("stimulus_name", maps or {code: name for name, code in codes.items()})
    bdata.save(str(path))


def new(*arguments, code=0):
    return run("new-dataset", "data/mine", *arguments, code=code)


# Sessions


def trials(run, **more):
    """Two sessions of two runs, each of which shows every image once."""
    rng = np.random.default_rng(0)
    shown = np.concatenate([rng.permutation(IMAGES) for _ in range(4)])
    table = {"image_id": shown, "category": [name[:3] for name in shown], "run": run, **more}
    pd.DataFrame(table).to_csv("t.csv", index=False)
    noise = rng.standard_normal((32, 10))
    # Each run has an offset of its own: scaled together with another, it hides the signal.
    offset = 3 * np.repeat(rng.standard_normal((4, 10)), 8, axis=0)
    np.save("v.npy", noise + offset + (np.char.find(shown, "cat") == 0)[:, None])


def decoded(name):
    run("new-dataset", f"data/{name}", "--voxels", "S1=v.npy", "--trials", "S1=t.csv")
    run("preprocess", "--data", f"data/{name}", "--roi", "all", "--out", f"{name}/voxels")
    place = ("--data", f"data/{name}", "--voxels", f"{name}/voxels")
    run("decode", *place, "--decoder", "ridge", "--out", f"{name}/soft_labels")
    voxels, _ = read_voxels(f"{name}/voxels/S1_all.npz")
    return voxels, read_soft_labels(f"{name}/soft_labels/S1_all_ridge.npz")


def test_runs_that_restart_in_each_session_give_what_right_numbers_give(work):
    right, again = np.repeat([1, 2, 3, 4], 8), np.repeat([1, 2, 1, 2], 8)
    session = np.repeat([1, 2], 16)
    dates = np.array([20261128093015, 20261128103015])[session - 1]
    trials(right)
    voxels, expected = decoded("right")
    for name, sessions in (("numbers", session), ("dates", dates)):
        trials(again, session=sessions)
        found, soft_labels = decoded(name)
        np.testing.assert_array_equal(found.run, voxels.run)
        np.testing.assert_array_equal(soft_labels.log_probs, expected.log_probs)
        assert "session" not in pd.read_csv(f"data/{name}/stimuli.csv")
    # The session is what matters here.
    trials(again)
    assert not np.array_equal(decoded("without")[1].log_probs, expected.log_probs)


def test_folds_rounds_and_controls_take_a_run_of_each_session_for_its_own():
    rng = np.random.default_rng(0)
    # Rounds of two runs, two rounds a session; a run shows each of its categories three times.
    shows = ["ab", "cd", "ac", "bd", "ad", "bc", "abc", "d"]
    category = np.concatenate([np.repeat(list(each), 3) for each in shows])
    right = np.repeat(np.arange(1, 9), [3 * len(each) for each in shows])
    session = np.where(right < 5, "ses-1", "ses-2")
    order = rng.permutation(48)
    known = {
        "data": rng.standard_normal((48, 5)).astype(np.float32)[order],
        "image_id": np.array([f"{c}{k}" for k, c in enumerate(category)])[order],
        "category": category[order],
        "position": np.concatenate([1 + np.arange(3 * len(each)) for each in shows])[order],
    }
    groups = {"session": session[order]}
    expected = Voxels(**known, run=right[order])
    found = Voxels(**known, run=(1 + (right - 1) % 4)[order], groups=groups)
    for by, folds in (("run", 8), ("round", 4), ("auto", 4)):
        plans = [plan_for(voxels, by=by) for voxels in (expected, found)]
        assert len(plans[0].predict) == folds
        for one, other in zip(plans[0].predict, plans[1].predict, strict=True):
            assert one.tolist() == other.tolist()
    np.testing.assert_array_equal(time_voxels(found).data, time_voxels(expected).data)
    permuted = [permute_trials(v, rng=np.random.default_rng(1)).data for v in (expected, found)]
    np.testing.assert_array_equal(*permuted)
    scaled = [zscore_by_run(voxels.data, voxels.run) for voxels in (expected, found)]
    np.testing.assert_array_equal(*scaled)


def test_runs_may_be_called_by_date_and_time(work):
    trials(np.repeat([1, 2, 3, 4], 8))
    _, expected = decoded("right")
    trials(np.repeat([20261128093015, 20261128101530, 20261128110045, 20261129093015], 8))
    voxels, soft_labels = decoded("times")
    assert voxels.run.tolist() == np.repeat([1, 2, 3, 4], 8).tolist()
    np.testing.assert_array_equal(soft_labels.log_probs, expected.log_probs)


# Newer BData


def test_training_and_test_files_become_one_data_set(work):
    shown = [*IMAGES, *IMAGES]
    write("train.h5", shown, run=np.repeat([1, 2], 8), session=np.ones(16))
    write("test.h5", ["sky_1", "sky_2"] * 2, run=[1, 1, 2, 2], session=np.ones(4))
    assert new("--bdata", "S1=train.h5,test.h5").splitlines() == [
        "note: train.h5: has no DataType: its trials are taken for training",
        "note: train.h5: images are named by the value map of stimulus_name",
        "note: test.h5: has no DataType: its trials are taken for test",
        "note: test.h5: images are named by the value map of stimulus_name",
        "note: stimuli.csv: 10 images; 'cat_0' shows 'cat'",
        "note: S1: voxels, ROIs and labels were written anew, nothing else",
        "data/mine: 1 subjects, ROIs hV4",
        "next: brain-teacher check data/mine; then set dataset.name: mine in params.yaml",
    ]
    run("preprocess", "--data", "data/mine", "--roi", "hV4", "--out", "voxels")
    voxels, _ = read_voxels("voxels/S1_hV4.npz")
    assert voxels.image_id.tolist() == shown + ["sky_1", "sky_2"] * 2
    assert voxels.category.tolist() == [name[:3] for name in voxels.image_id]
    assert voxels.data_type.tolist() == [1] * 16 + [2] * 4
    assert voxels.run.tolist() == [1] * 8 + [2] * 8 + [1, 1, 2, 2]
    first = bdpy.BData("train.h5").select("hV4").astype(np.float32)
    np.testing.assert_array_equal(voxels.data[:16], first)
    assert "data/mine: nothing is wrong\n" in run("check", "data/mine")


def test_a_newer_file_put_into_a_data_set_by_hand_is_read_as_well(work):
    names = [f"n0144353{k}_{n}" for k in range(2) for n in range(1, 5)]
    kinds = np.ones(16)
    write("S1.h5", names * 2, run=np.repeat([1, 2], 8), DataType=kinds)
    Path("data/hand").mkdir(parents=True)
    shutil.move("S1.h5", "data/hand/S1.h5")
    content = {"name": "hand", "simulated": False, "subjects": {"S1": "S1.h5"}, "roi": ["hV4"]}
    Path("data/hand/dataset.yaml").write_text(yaml.safe_dump(content | {"pictures": False}))
    assert "data/hand: nothing is wrong\n" in run("check", "data/hand")
    run("preprocess", "--data", "data/hand", "--roi", "hV4", "--out", "voxels")
    assert read_voxels("voxels/S1_hV4.npz")[0].image_id.tolist() == names * 2
    table = "stimulus_id,image_id,category\n" + "".join(
        f"{k},{name},{name[:9]}\n" for k, name in enumerate(reversed(names), start=1)
    )
    Path("data/hand/stimuli.csv").write_text(table)
    says = (
        f"row 0: stimulus_id 1 is '{names[0]}' by the recording's value map, but '{names[-1]}' by "
        "stimuli.csv; correct one of them"
    )
    assert says in run("check", "data/hand", code=1)
    assert says in run("preprocess", "--data", "data/hand", "--out", "again", code=1)


def test_value_maps_that_contradict_one_another_are_an_error_that_shows_both(work):
    labels = {"run": [1] * 8, "DataType": np.ones(8)}
    write("a.h5", IMAGES, **labels)
    for file, first in (("b.h5", 1), ("c.h5", 2)):
        write(file, [*IMAGES[1:], "dog_9"] if first == 1 else IMAGES, first=first, **labels)
    says = (
        "Error: stimulus 1 is 'cat_0' by the value map of a.h5, but 'cat_1' by that of b.h5; "
        "correct one of them\n"
    )
    assert new("--bdata", "S1=a.h5", "--bdata", "S2=b.h5", code=1) == says
    assert new("--bdata", "S1=a.h5,b.h5", code=1) == says
    # All of S2's images would be those of the neighbouring code.
    said = new("--bdata", "S1=a.h5", "--bdata", "S2=c.h5", code=1)
    assert "stimulus 2 is 'cat_1' by the value map of a.h5, but 'cat_0' by that of c.h5" in said


def test_check_finds_codes_that_mean_another_image_for_another_subject(work):
    names = [f"n0144353{k}_{n}" for k in range(2) for n in range(1, 5)]
    Path("data/hand").mkdir(parents=True)
    for subject, first in (("S1", 1), ("S2", 2)):
        labels = {"run": [1] * 8, "DataType": np.ones(8), "first": first}
        write(f"data/hand/{subject}.h5", names, **labels)
    content = {"name": "hand", "simulated": False, "roi": ["hV4"], "pictures": False}
    content["subjects"] = {"S1": "S1.h5", "S2": "S2.h5"}
    Path("data/hand/dataset.yaml").write_text(yaml.safe_dump(content))
    said = run("check", "data/hand")
    assert (
        f"caution: stimulus 2 is '{names[1]}' by the value map of S1.h5, but '{names[0]}' by that "
        "of S2.h5: each is read by its own; is none wrong?\n"
    ) in said
    assert "8 training images of 2 categories, 8 seen by all 2 subjects\n" in said


def test_subjects_with_the_same_map_share_numbers(work):
    labels = {"run": [1] * 8, "DataType": np.ones(8)}
    write("a.h5", IMAGES, **labels)
    write("b.h5", IMAGES[::-1], **labels)
    new("--bdata", "S1=a.h5", "--bdata", "S2=b.h5")
    numbers = [read_bdata(f"data/mine/bdata/{s}.h5")[2]["stimulus_id"] for s in ("S1", "S2")]
    assert numbers[0].tolist() == numbers[1][::-1].tolist() == list(range(1, 9))


def test_names_that_say_no_category_are_left_to_the_person(work):
    write("a.h5", ["sky", "sea"], run=[1, 1], DataType=[1, 1])
    said = new("--bdata", "S1=a.h5")
    assert (
        "stimuli.csv: what 'sea' shows is not known (2 of 2 images are so); write it there" in said
    )
    assert Path("data/mine/stimuli.csv").read_text().splitlines()[1:] == ["1,sea,", "2,sky,"]
    assert "stimuli.csv: rows 2, 3: a cell is empty" in run("check", "data/mine", code=1)


def test_files_of_one_kind_are_sessions_of_their_own(work):
    labels = {"run": np.repeat([1, 2], 4), "DataType": np.ones(8)}
    write("ses1.h5", IMAGES, **labels)
    write("ses2.h5", IMAGES, **labels)
    new("--bdata", "S1=ses1.h5,ses2.h5")
    run("preprocess", "--data", "data/mine", "--roi", "hV4", "--out", "voxels")
    assert read_voxels("voxels/S1_hV4.npz")[0].run.tolist() == np.repeat([1, 2, 3, 4], 4).tolist()


def test_a_file_without_sessions_does_not_take_them_from_the_other(work):
    write("train.h5", IMAGES * 2, run=np.repeat([1, 2, 1, 2], 4), session=np.repeat([1, 2], 8))
    write("test.h5", ["sky_1", "sky_2"], run=[1, 1])
    new("--bdata", "S1=train.h5,test.h5")
    run("preprocess", "--data", "data/mine", "--roi", "hV4", "--out", "voxels")
    voxels, _ = read_voxels("voxels/S1_hV4.npz")
    assert len(set(voxels.run[voxels.data_type == 1])) == 4


def test_one_file_may_name_its_images_and_another_number_them(work):
    names = [f"n0144353{k}_{n}" for k in range(2) for n in range(1, 5)]
    write("train.h5", names, run=[1] * 8)
    bdata = bdpy.BData("train.h5")
    numbers = np.array([1443530 + k + n / 1e6 for k in range(2) for n in range(1, 5)])
    other = bdpy.BData()
    other.add(bdata.select("VoxelData"), "VoxelData")
    other.add_metadata("hV4", np.arange(6) < 4, where="VoxelData")
    for key, values in {"stimulus_id": numbers[::-1], "Run": np.ones(8)}.items():
        other.add(values[:, None], key)
    other.save("test.h5")
    new("--bdata", "S1=train.h5,test.h5")
    labels = read_bdata("data/mine/bdata/S1.h5")[2]
    assert labels["stimulus_id"].tolist() == [*range(1, 9), *range(8, 0, -1)]
    assert labels["DataType"].tolist() == [1] * 8 + [2] * 8


def test_files_of_different_voxels_are_not_joined(work):
    write("train.h5", IMAGES, run=[1] * 8)
    write("test.h5", IMAGES, run=[1] * 8, voxels=7)
    assert new("--bdata", "S1=train.h5,test.h5", code=1) == (
        "Error: train.h5 and test.h5 have not the same voxels and ROIs\n"
    )


def test_what_a_file_tells_of_its_maker_is_not_copied(work):
    number = np.array([1443537.022563, 1518878.005958] * 2)
    bdata = bdpy.BData()
    bdata.add(np.arange(12.0).reshape(4, 3), "VoxelData")
    bdata.add_metadata("ROI_V1", np.ones(3), "1 = ROI_V1", where="VoxelData")
    bdata.add_metadata("voxel_x", np.arange(3) / 7, "Value = x", where="VoxelData")
    for key, values in {"stimulus_id": number, "Run": [1, 1, 2, 2], "DataType": [1] * 4}.items():
        bdata.add(np.array(values, float)[:, None], key)
    bdata.save("a.h5")
    mine = b"test_what_a_file_tells_of_its_maker_is_not_copied"  # this source, in the file
    assert mine in Path("a.h5").read_bytes()
    said = new("--bdata", "S1=a.h5").splitlines()
    assert said[0] == (
        "note: a.h5: its header, with the call stack and source code of its maker, was left out"
    )
    copied = Path("data/mine/bdata/S1.h5")
    assert mine not in copied.read_bytes() and str(Path.cwd()).encode() not in copied.read_bytes()
    with h5py.File(copied) as file:
        assert set(file) == {"dataset", "metadata"}
    again = bdpy.BData(str(copied))
    np.testing.assert_array_equal(again.dataset, bdata.dataset)
    assert again.metadata.key == bdata.metadata.key
    assert again.metadata.description == bdata.metadata.description
    np.testing.assert_array_equal(again.metadata.value, bdata.metadata.value)


def test_what_is_not_to_be_read_leaves_nothing(work, tmp_path):
    with h5py.File("secret.h5", "w") as file:
        file["dataset"] = np.eye(3)
    with h5py.File("a.h5", "w") as file:
        file["dataset"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "dataset")
    said = new("--bdata", "S1=a.h5", code=1)
    assert said == (
        f"Error: a.h5: '/dataset' is a link to '{tmp_path}/secret.h5': links are not followed\n"
    )
    assert not list(Path("data").iterdir())
