"""What has gone wrong with GOD's files before, and does not here; ids are tested in test_ids.py."""

import warnings

import numpy as np
import pytest

from brain_teacher.dataset.bdata import read_bdata, write_bdata
from brain_teacher.dataset.stimuli import name_trials, read_stimuli
from brain_teacher.dataset.trials import place_in_run

LABELS = {
    "stimulus_id": np.array([1443537.02256, 1443537.022561, 1518878.00595, 1443537.02256]),
    "Run": np.array([1.0, 1, 1, 1]),
    "DataType": np.array([1.0, 1, 2, 2]),
}
VOXELS = np.arange(12.0).reshape(4, 3)
ROIS = {"V1": np.array([1, 1, 0], bool), "LVC": np.array([1, 1, 0], bool), "VC": np.ones(3, bool)}


@pytest.fixture
def recording(tmp_path):
    write_bdata(tmp_path / "Subject1.h5", VOXELS, rois=ROIS, labels=LABELS)
    return tmp_path / "Subject1.h5"


def test_text_that_lost_its_trailing_zeros_is_the_same_number(tmp_path):
    # As in KamitaniLab's table of the training images: 122 of 1,200 ids.
    text = "stimulus_id,image_id,category\n1443537.02256,a,fish\n1443537.022561,b,fish\n"
    (tmp_path / "stimuli.csv").write_text(text + "1518878.00595,c,bird\n")
    named = name_trials(LABELS["stimulus_id"], read_stimuli(tmp_path))
    assert named["image_id"].tolist() == ["a", "b", "c", "a"]
    # By GOD's own rule the zeros come back: 022560, not 02256.
    assert name_trials(LABELS["stimulus_id"], None)["image_id"][0] == "n01443537_22560"


def test_categories_come_from_the_id_whatever_category_index_says(tmp_path):
    wrong = LABELS | {"category_index": np.array([9.0, 8, 7, 6])}
    write_bdata(tmp_path / "a.h5", VOXELS, rois=ROIS, labels=wrong)
    numbers = read_bdata(tmp_path / "a.h5")[2]["stimulus_id"]
    category = name_trials(numbers, None)["category"].tolist()
    assert category == ["n01443537", "n01443537", "n01518878", "n01443537"]


def test_runs_of_one_number_in_different_data_types_are_different_runs():
    place = place_in_run(LABELS["Run"].astype(int), LABELS["DataType"].astype(int))
    assert place.tolist() == [1, 2, 1, 2]


def test_overlapping_rois_each_keep_their_voxels(recording):
    voxels, rois, _ = read_bdata(recording)
    np.testing.assert_array_equal(voxels[:, rois["LVC"]], voxels[:, rois["V1"]])
    assert rois["VC"].sum() == 3 and rois["V1"].sum() == 2


def test_bdpys_own_selection_is_a_trap_that_is_not_stepped_into(recording):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import bdpy

        bdata = bdpy.BData(str(recording))
        with pytest.raises(RuntimeError, match="1.0"):
            bdata.select("ROI_V1 = 1.0")
        outside = bdata.select("ROI_V1 = 0")
    assert outside.shape[1] > 1  # label columns, too: of the voxels only one is outside
    voxels, rois, _ = read_bdata(recording)
    assert voxels[:, ~rois["V1"]].shape[1] == 1
