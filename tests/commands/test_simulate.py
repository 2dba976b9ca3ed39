"""``simulate``: the folder that it writes."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from brain_teacher.commands.simulate import DEFAULTS, LIMITS, _draw_stimuli, simulate
from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.dataset.description import read_description
from brain_teacher.dataset.ids import image_ids_from_numbers
from brain_teacher.errors import UsageError

SMALL = {
    "snr": 0.4, "subjects": 2, "categories": 16, "shown": 2, "unseen": 3,
    "voxels": 58, "image_size": 24, "seed": 3,
}  # fmt: skip


def make(folder, **changes):
    lines = []
    simulate(folder, **(SMALL | changes), say=lines.append)
    return lines


def contents(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulate") / "one" / "tiny_sample"
    make(folder)
    return folder


@pytest.fixture(scope="module")
def recording(sample):
    return read_bdata(sample / "bdata" / "S1.h5")


def test_the_same_settings_give_the_same_bytes(sample, tmp_path):
    make(tmp_path / "two" / "tiny_sample")
    first, second = contents(sample), contents(tmp_path / "two" / "tiny_sample")
    assert list(first) == list(second)
    assert [name for name in first if first[name] != second[name]] == []


def test_another_seed_gives_other_pictures_and_voxels(sample, tmp_path):
    make(tmp_path / "tiny_sample", seed=4)
    first, second = contents(sample), contents(tmp_path / "tiny_sample")
    assert list(first) == list(second)
    assert all(first[name] != second[name] for name in first)


def test_fewer_subjects_voxels_or_signal_leave_the_rest_as_it_was(sample, tmp_path):
    fewer, first = tmp_path / "fewer", contents(sample)
    make(fewer, subjects=1)
    left = contents(fewer)
    assert "bdata/S2.h5" not in left
    assert left.pop("dataset.yaml") != first["dataset.yaml"]
    assert left == {name: first[name] for name in left}
    make(tmp_path / "none", snr=0)
    silent = contents(tmp_path / "none")
    changed = {name for name in first if silent[name] != first[name]}
    assert changed == {"dataset.yaml", "bdata/S1.h5", "bdata/S2.h5"}


def test_every_category_has_its_pictures(sample):
    training = [f"n{99000001 + c}" for c in range(16)]
    test = [f"n{99100001 + c}" for c in range(4)]
    expected = {f"shown/{c}_{n}.png" for c in training for n in (1, 2)}
    expected |= {f"shown/{c}_1.png" for c in test}
    expected |= {f"unseen/{c}/{c}_{n}.png" for c in training for n in (3, 4, 5)}
    found = {str(p.relative_to(sample / "images")) for p in (sample / "images").rglob("*.png")}
    assert found == expected
    assert set(contents(sample)) == {f"images/{name}" for name in expected} | {
        "dataset.yaml", "bdata/S1.h5", "bdata/S2.h5",
    }  # fmt: skip
    for name in sorted(found)[:3]:
        with Image.open(sample / "images" / name) as image:
            assert (image.size, image.mode, image.format) == ((24, 24), "RGB", "PNG")


def test_the_description_says_simulated_and_how(sample):
    description = read_description(sample)
    assert description.name == "tiny-sample"
    assert description.simulated is True
    assert description.source == "Simulated brains and pictures; no real recording"
    assert description.subjects == {"S1": "bdata/S1.h5", "S2": "bdata/S2.h5"}
    assert description.roi == ["V1", "V2", "V3", "V4", "LOC", "FFA", "PPA", "LVC", "HVC", "VC"]
    assert len(description.categories) == 20
    assert description.categories["n99000007"] == "square, vertical stripes"
    assert description.superclasses["n99000007"] == "square"
    assert description.superclasses["n99100004"] == "ring"
    assert description.simulation == SMALL | {"snr_per_subject": [0.4, 0.3]}


def test_bdpy_selects_each_roi(sample):
    import bdpy

    bdata = bdpy.BData(str(sample / "bdata" / "S1.h5"))
    counts = {key: bdata.select(f"ROI_{key} = 1").shape for key in ("V1", "LVC", "HVC", "VC")}
    assert counts == {"V1": (64, 8), "LVC": (64, 22), "HVC": (64, 30), "VC": (64, 58)}
    assert bdata.select("ROI_V1 = 1 | ROI_V2 = 1").shape == (64, 16)


def test_labels_stand_in_the_order_of_god(sample):
    import bdpy

    bdata = bdpy.BData(str(sample / "bdata" / "S1.h5"))
    labels = ["DataType", "Run", "Block", "stimulus_id", "category_index", "image_index"]
    for column, key in enumerate(labels, start=58):
        np.testing.assert_array_equal(bdata.select(key)[:, 0], bdata.dataset[:, column])


def test_trials_are_numbered_by_data_type_run_and_block(recording):
    _, _, labels = recording
    np.testing.assert_array_equal(labels["DataType"], np.repeat([1, 2], 32))
    np.testing.assert_array_equal(labels["Run"], np.repeat([1, 1, 2], [32, 16, 16]))
    blocks = np.concatenate([np.arange(1, n + 1) for n in (32, 16, 16)])
    np.testing.assert_array_equal(labels["Block"], blocks)


def test_stimulus_ids_are_exact_and_name_pictures_that_are_there(sample, recording):
    _, _, labels = recording
    ids = image_ids_from_numbers(labels["stimulus_id"])
    shown = {path.stem for path in (sample / "images" / "shown").iterdir()}
    assert set(ids.tolist()) == shown
    row = ids.tolist().index("n99000016_2")
    assert labels["stimulus_id"][row] == 99000016.000002
    is_training = labels["DataType"] == 1
    assert len(set(ids[is_training])) == 32
    assert set(np.unique(ids[~is_training], return_counts=True)[1]) == {8}


@pytest.mark.parametrize("data_type", [1, 2])
def test_indices_count_the_sorted_ids_of_a_data_type(recording, data_type):
    _, _, labels = recording
    rows = labels["DataType"] == data_type
    ids = image_ids_from_numbers(labels["stimulus_id"][rows])
    categories = [image_id.split("_")[0] for image_id in ids]
    for key, names in (("image_index", ids.tolist()), ("category_index", categories)):
        rank = {name: position for position, name in enumerate(sorted(set(names)), start=1)}
        assert labels[key][rows].tolist() == [rank[name] for name in names]


def test_voxels_are_64ths_and_lie_apart(sample, recording):
    import bdpy

    voxels, _, _ = recording
    np.testing.assert_array_equal(voxels * 64, np.rint(voxels * 64))
    bdata = bdpy.BData(str(sample / "bdata" / "S1.h5"))
    places = np.stack([bdata.get_metadata(f"voxel_{axis}")[:58] for axis in "xyz"], axis=1)
    assert len(np.unique(places, axis=0)) == 58


def test_subjects_see_the_pictures_in_different_orders(sample):
    orders = [
        read_bdata(sample / "bdata" / f"{subject}.h5")[2]["stimulus_id"] for subject in ("S1", "S2")
    ]
    assert (orders[0] != orders[1]).mean() > 0.8
    np.testing.assert_array_equal(np.sort(orders[0]), np.sort(orders[1]))


def test_a_single_picture_of_the_recording_is_the_one_that_the_voxels_saw(tmp_path):
    # Almost without noise, equal pictures have equal voxels within a run: ids and rows agree.
    make(tmp_path / "loud", snr=100, voxels=580, subjects=1)
    voxels, rois, labels = read_bdata(tmp_path / "loud" / "bdata" / "S1.h5")
    rows = (labels["DataType"] == 2) & (labels["Run"] == 1)
    voxels, ids = voxels[rows][:, rois["VC"]], labels["stimulus_id"][rows]
    distance = np.linalg.norm(voxels[:, None] - voxels, axis=2)
    same = ids[:, None] == ids
    assert distance[same].max() < distance[~same].min()


@pytest.mark.parametrize("categories", [2, 3, 4, 5])
def test_few_categories_and_the_least_of_everything_work(tmp_path, categories):
    least = {name: low for name, (low, _) in LIMITS.items()}
    make(tmp_path / "least", **(least | {"categories": categories}))
    description = read_description(tmp_path / "least")
    assert len(description.categories) == categories + 4
    voxels, rois, _ = read_bdata(tmp_path / "least" / "bdata" / "S1.h5")
    assert voxels.shape == (2 * categories + 32, 20) and np.isfinite(voxels).all()
    assert min(mask.sum() for mask in rois.values()) == 2


def test_pictures_hold_no_category_that_was_not_asked_for():
    stimuli = _draw_stimuli(SMALL | {"categories": 5, "unseen": 20})
    for name, (ids, _, mixtures) in stimuli.items():
        assert len(ids) == len(mixtures)
        assert not mixtures[:, 5:16].any(), name


def test_it_says_what_it_wrote(tmp_path):
    folder = tmp_path / "sample"
    assert make(folder, categories=2) == [
        f"simulated 2 subjects and 14 pictures in {folder} (SNR 0.4 in S1)"
    ]


BAD = [
    ("snr", -0.1, "snr is -0.1; give a number from 0 to 100"),
    ("snr", float("nan"), "snr is nan; give a number from 0 to 100"),
    ("subjects", 0, "subjects is 0; give a whole number from 1 to 99"),
    ("subjects", 1.5, "subjects is 1.5; give a whole number from 1 to 99"),
    ("categories", 17, "categories is 17; give a whole number from 2 to 16"),
    ("shown", 1, "shown is 1; give a whole number from 2 to 1000"),
    ("unseen", 1, "unseen is 1; give a whole number from 2 to 10000"),
    ("voxels", 19, "voxels is 19; give a whole number from 20 to 100000"),
    ("image_size", 11, "image_size is 11; give a whole number from 12 to 256"),
    ("seed", -1, "seed is -1; give a whole number from 0 to 4294967295"),
]


@pytest.mark.parametrize(("name", "value", "message"), BAD)
def test_a_setting_out_of_range_is_refused(tmp_path, name, value, message):
    with pytest.raises(UsageError) as caught:
        make(tmp_path / "sample", **{name: value})
    assert str(caught.value) == message
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError) as caught:
        make(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} exists already; choose another folder with --out, or remove it"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_every_default_has_limits_that_hold_it():
    assert list(DEFAULTS) == list(LIMITS)
    assert all(low <= DEFAULTS[name] <= high for name, (low, high) in LIMITS.items())


def test_reading_the_defaults_loads_nothing_heavy():
    code = (
        "import sys, brain_teacher.commands.simulate;"
        "print(sorted({'numpy', 'h5py', 'PIL', 'yaml', 'pydantic', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
