"""Labels of the field's newer BData, held to what bdpy makes of them."""

import re

import bdpy
import numpy as np
import pandas as pd
import pytest

from brain_teacher.dataset.bdata import read_bdata, read_recording
from brain_teacher.dataset.labels import standard_labels
from brain_teacher.dataset.stimuli import name_labels

NAMES = ["n01443537_22563", "n01518878_5958", "n01443537_22563", "n04532670_7"]
CODES = np.array([3.0, 1, 3, 2])
MAP = dict(zip(CODES, NAMES, strict=True))
VOXELS = np.random.default_rng(0).standard_normal((4, 5))
COLUMNS = {"Run": np.array([1.0, 1, 2, 2]), "DataType": np.ones(4)}


def write(path, columns, maps=None, metadata=None):
    """A file as bdpy makes it."""
    bdata = bdpy.BData()
    bdata.add(VOXELS, "VoxelData")
    for key, flags in (metadata or {}).items():
        bdata.add_metadata(key, np.array(flags, float), where="VoxelData")
    for key, values in columns.items():
        bdata.add(np.array(values, float)[:, None], key)
    for key, names in (maps or {}).items():
        bdata.add_vmap(key, dict(names))
    bdata.save(str(path))
    return path


def refuses(message, function, *arguments, **settings):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(*arguments, **settings)


def test_images_are_named_by_the_value_map_as_bdpy_names_them(tmp_path):
    path = write(tmp_path / "a.h5", COLUMNS | {"stimulus_name": CODES}, {"stimulus_name": MAP})
    voxels, _, labels = read_bdata(path)
    assert labels["image_id"].tolist() == bdpy.BData(str(path)).get_labels("stimulus_name") == NAMES
    np.testing.assert_array_equal(voxels, VOXELS)
    np.testing.assert_array_equal(labels["stimulus_id"], CODES)
    named = name_labels(labels, None)
    assert named["category"].tolist() == ["n01443537", "n01518878", "n01443537", "n04532670"]


@pytest.mark.parametrize("key", ["image_name", "stimulus", "picture_shown"])
def test_the_label_of_names_may_be_called_otherwise(key):
    found = standard_labels(COLUMNS | {key: CODES}, {key: MAP, "Run": {1.0: "a", 2.0: "b"}})
    assert found.columns["image_id"].tolist() == NAMES
    assert found.said == [f"images are named by the value map of {key}"]


def test_endings_of_picture_files_are_no_part_of_an_image_id():
    names = {code: f"{name}.JPEG" for code, name in MAP.items()}
    found = standard_labels(COLUMNS | {"stimulus_name": CODES}, {"stimulus_name": names})
    assert found.columns["image_id"].tolist() == NAMES


def test_two_pictures_do_not_become_one_image():
    maps = {"stimulus_name": {3.0: "cat.jpg", 1.0: "cat.png", 2.0: "dog.png"}}
    says = "'cat.jpg' and 'cat.png' of a value map are both image 'cat'; call one otherwise"
    refuses(says, standard_labels, COLUMNS | {"stimulus_name": CODES}, maps)
    # One picture may have two codes.
    maps = {"stimulus_name": {3.0: "cat.jpg", 1.0: "cat.jpg", 2.0: "dog.png"}}
    found = standard_labels(COLUMNS | {"stimulus_name": CODES}, maps)
    assert found.columns["image_id"].tolist() == ["cat", "cat", "cat", "dog"]


def test_runs_sessions_and_kinds_of_trials_as_bdata_datasets_call_them():
    # KamitaniLab/bdata-datasets: trial_id, session, run, trial_type, stimulus_name.
    kinds = np.array([5.0, 5, 7, 5])
    columns = {"session": [2, 2, 2, 3], "run": [1, 1, 2, 1], "trial_type": kinds,
               "stimulus_name": CODES}  # fmt: skip
    columns = {key: np.array(values, float) for key, values in columns.items()}
    maps = {"stimulus_name": MAP, "trial_type": {5.0: "train", 7.0: "Test"}}
    found = standard_labels(columns, maps).columns
    assert found["DataType"].tolist() == [1, 1, 2, 1]
    np.testing.assert_array_equal(found["Run"], columns["run"])
    np.testing.assert_array_equal(found["Session"], columns["session"])
    maps["trial_type"][7.0] = "rest"
    says = "row 2: trial_type is 'rest', not training, test, imagery"
    refuses(says, standard_labels, columns, maps)
    # Other words, as BIDS has them, say nothing of it.
    maps["trial_type"] = {5.0: "stimulus", 7.0: "one-back"}
    found = standard_labels(columns, maps, data_type=2).columns
    assert found["DataType"].tolist() == [2] * 4


def test_image_index_counts_the_images_of_each_type():
    columns = COLUMNS | {
        "image_index": np.array([1.0, 2, 1, 2]),
        "DataType": np.array([1, 1, 2, 2]),
    }
    found = standard_labels(columns, {})
    # Training image 1 and test image 1 are two images.
    assert found.columns["stimulus_id"].tolist() == [1, 2, 1_000_001, 1_000_002]
    assert found.said == ["images are numbered by image_index, test images from 1,000,000 on"]
    # GOD's files have it too, beside the number that says which image it is.
    number = np.full(4, 1443537.022563)
    found = standard_labels(columns | {"stimulus_id": number}, {})
    assert found.columns["stimulus_id"] is number


def test_the_type_of_all_trials_is_taken_where_the_file_has_none():
    columns = {"Run": COLUMNS["Run"], "stimulus_id": CODES}
    found = standard_labels(columns, {}, data_type=2)
    assert found.columns["DataType"].tolist() == [2] * 4 and found.is_type_assumed
    assert found.said == ["has no DataType: its trials are taken for test"]
    found = standard_labels(columns | {"DataType": np.ones(4)}, {}, data_type=2)
    assert found.columns["DataType"].tolist() == [1] * 4 and not found.is_type_assumed


def test_a_code_without_a_name_is_named_with_its_row():
    maps = {"stimulus_name": {3.0: "a", 1.0: "b"}}
    says = "row 3: stimulus_name is 2.0, which its value map does not name"
    refuses(says, standard_labels, COLUMNS | {"stimulus_name": CODES}, maps)
    codes = np.array([3, 1, np.nan, 3])
    refuses("row 2: stimulus_id is nan", standard_labels, COLUMNS | {"stimulus_name": codes}, maps)


def test_names_that_say_no_category_ask_for_stimuli():
    maps = {"stimulus_name": MAP | {2.0: "dog_12s"}}
    labels = standard_labels(COLUMNS | {"stimulus_name": CODES}, maps).columns
    says = (
        "row 3: image 'dog_12s' is not called by GOD's rule (n01443537_22563); say in stimuli.csv "
        "which stimulus_id is which image, and what it shows"
    )
    refuses(says, name_labels, labels, None)


def test_stimuli_that_contradict_the_value_map_are_an_error_that_shows_both():
    labels = standard_labels(COLUMNS | {"stimulus_name": CODES}, {"stimulus_name": MAP}).columns
    table = pd.DataFrame({"image_id": MAP.values(), "category": list("abc")}, index=[3.0, 1, 2])
    named = name_labels(labels, table)
    assert named["image_id"].tolist() == NAMES and named["category"].tolist() == list("abac")
    # A table made for other codes: every picture had another's category, without a word.
    table.index = [1.0, 3, 2]
    says = (
        "row 0: stimulus_id 3 is 'n01443537_22563' by the recording's value map, but "
        "'n01518878_5958' by stimuli.csv; correct one of them"
    )
    refuses(says, name_labels, labels, table)


# ROIs


def test_rois_of_newer_files_have_no_prefix(tmp_path):
    masks = {"hV4": [1, 1, 0, 0, 0], "LOC": [0, 1, np.nan, 1, 0], "none": [0, 0, 0, 0, 0]}
    coordinates = {"voxel_x": [0, 1.5, 1, 0, 1], "voxel_i": [0, 1, 2, 3, 4]}
    path = write(tmp_path / "a.h5", COLUMNS | {"stimulus_id": CODES}, metadata=masks | coordinates)
    rois = read_bdata(path)[1]
    assert {name: mask.tolist() for name, mask in rois.items()} == {
        "hV4": [True, True, False, False, False],
        "LOC": [False, True, False, True, False],
    }
    # Where some are marked as ROIs, the others are something else.
    path = write(tmp_path / "b.h5", COLUMNS | {"stimulus_id": CODES},
                 metadata=masks | {"ROI_V1": [1, 0, 0, 0, 0]})  # fmt: skip
    assert list(read_bdata(path)[1]) == ["V1"]


def test_vertices_of_the_surface_are_voxels_as_well(tmp_path):
    # As bdpy makes them of fMRIPrep's surfaces, FreeSurfer's labels with them.
    bdata = bdpy.BData()
    bdata.add(VOXELS, "VertexData")
    masks = {"VertexLeft": [1, 1, 1, 0, 0], "freesurfer_dk_lh.cuneus": [0, 1, 1, 0, 0]}
    for key, flags in masks.items():
        bdata.add_metadata(key, np.array(flags, float), where="VertexData")
    for key, values in (COLUMNS | {"stimulus_id": CODES}).items():
        bdata.add(values[:, None], key)
    bdata.save(str(tmp_path / "a.h5"))
    voxels, rois, _ = read_bdata(tmp_path / "a.h5")
    np.testing.assert_array_equal(voxels, VOXELS)
    assert {name: mask.tolist() for name, mask in rois.items()} == {
        "VertexLeft": [True, True, True, False, False],
        "freesurfer-dk-lh-cuneus": [False, True, True, False, False],
    }


def test_names_of_rois_become_names_of_files(tmp_path):
    masks = {
        "ROI_hMT+": [1, 0, 0, 0, 0],
        "ROI_hMT": [0, 1, 0, 0, 0],
        "ROI_lh.V1_ex": [0, 0, 1, 0, 0],
    }
    path = write(tmp_path / "a.h5", COLUMNS | {"stimulus_id": CODES}, metadata=masks)
    recording = read_recording(path)
    assert {name: int(mask.argmax()) for name, mask in recording.rois.items()} == {
        "hMT": 1,
        "lh-V1-ex": 2,
    }
    assert recording.said == [
        "ROI 'hMT+' is left out: its name would be 'hMT', as another's",
        "ROI 'lh.V1_ex' is called lh-V1-ex",
    ]
