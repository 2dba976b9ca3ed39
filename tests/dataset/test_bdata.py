"""BData files: written and read, and what is wrong with broken ones."""

import re
import time

import h5py
import numpy as np
import pytest

from brain_teacher.dataset.bdata import read_bdata, write_bdata

LABELS = {
    # float32 would lose both decimals.
    "stimulus_id": np.array([1443537.022563, 1518878.005958, 1443537.022563, 4532670.000007]),
    "Run": np.array([1.0, 1, 2, 2]),
    "DataType": np.array([1.0, 1, 1, 2]),
}
ROIS = {"V1": np.array([1, 1, 0, 0, 0], bool), "HVC": np.array([0, 1, 0, 1, 1], bool)}
VOXELS = np.random.default_rng(0).standard_normal((4, 5))


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "S1.h5"
    write_bdata(path, VOXELS, rois=ROIS, labels=LABELS, voxel_metadata={"voxel_x": np.arange(5)})
    return path


def check(path):
    voxels, rois, labels = read_bdata(path)
    np.testing.assert_array_equal(voxels, VOXELS)
    assert list(rois) == list(ROIS)
    for roi, mask in ROIS.items():
        np.testing.assert_array_equal(rois[roi], mask)
        assert rois[roi].dtype == bool
    assert set(labels) == set(LABELS)
    for name, column in LABELS.items():
        np.testing.assert_array_equal(labels[name], column)


def fails(path, message):
    with pytest.raises(ValueError, match=f"^{message}$") as caught:
        read_bdata(path)
    assert "\n" not in str(caught.value)


def edit(path, change):
    """Put `change` of (dataset, value, key) in their place."""
    with h5py.File(path, "r+") as file:
        names = ("dataset", "metadata/value", "metadata/key")
        arrays = change(*(file[name][:] for name in names))
        for name, array in zip(names, arrays, strict=True):
            del file[name]
            file[name] = array


def test_what_was_written_is_read(recording):
    check(recording)


def test_the_fields_own_library_finds_everything(recording):
    import bdpy

    bdata = bdpy.BData(str(recording))
    np.testing.assert_array_equal(bdata.select("ROI_V1 = 1"), VOXELS[:, ROIS["V1"]])
    np.testing.assert_array_equal(
        bdata.select("ROI_V1 = 1 | ROI_HVC = 1"), VOXELS[:, ROIS["V1"] | ROIS["HVC"]]
    )
    np.testing.assert_array_equal(bdata.get("stimulus_id")[:, 0], LABELS["stimulus_id"])
    np.testing.assert_array_equal(bdata.get_metadata("voxel_x", where="VoxelData"), np.arange(5))


def test_a_file_of_the_fields_own_library_is_read(tmp_path):
    import bdpy

    bdata = bdpy.BData()
    for name, column in LABELS.items():  # before the voxels, as other laboratories have it
        bdata.add(column[:, None], name)
    bdata.add(VOXELS, "VoxelData")
    for roi, mask in ROIS.items():
        bdata.add_metadata(f"ROI_{roi}", mask.astype(float), where="VoxelData")
    bdata.save(str(tmp_path / "S1.h5"))
    check(tmp_path / "S1.h5")


def test_a_recording_may_have_200_000_voxels(tmp_path):
    voxels = np.zeros((4, 200_000))
    voxels[:, -1] = np.arange(4)
    rois = {"all": np.ones(200_000, bool)}
    write_bdata(tmp_path / "S1.h5", voxels, rois=rois, labels=LABELS)
    found, masks, _ = read_bdata(tmp_path / "S1.h5")
    assert found.shape == voxels.shape and found[:, -1].tolist() == [0, 1, 2, 3]
    assert masks["all"].all()


def test_what_is_written_says_nothing_of_its_maker(recording):
    with h5py.File(recording) as file:
        assert set(file) == {"dataset", "metadata"} and not file.attrs
    content = recording.read_bytes()
    assert b".py" not in content and str(recording.parent).encode() not in content


def test_equal_arrays_give_equal_bytes_at_any_time(recording, tmp_path):
    time.sleep(1.1)  # HDF5 keeps times in seconds, where it keeps them
    write_bdata(
        tmp_path / "again.h5",
        VOXELS.copy(),
        rois=ROIS,
        labels=LABELS,
        voxel_metadata={"voxel_x": np.arange(5)},
    )
    assert (tmp_path / "again.h5").read_bytes() == recording.read_bytes()


def test_the_order_of_columns_does_not_matter_but_for_that_of_the_voxels(recording):
    # 5 voxels, then stimulus_id, Run, DataType.
    order = [5, 0, 1, 7, 2, 3, 6, 4]
    edit(recording, lambda data, value, key: (data[:, order], value[:, order], key))
    check(recording)


@pytest.mark.parametrize("outside", [np.nan, 0.0])
def test_roi_flags_of_voxels_outside_may_be_nan(recording, outside):
    def change(data, value, key):
        rows = [row for row, name in enumerate(key) if name.startswith(b"ROI_")]
        value[rows] = np.where(value[rows] == 1, 1, outside)
        return data, value, key

    edit(recording, change)
    check(recording)


def test_a_column_group_of_several_columns_is_no_label(recording):
    def change(data, value, key):
        both = np.array([[0, 0, 0, 0, 0, 1, 1, 0.0]])
        return data, np.vstack([value, both]), np.append(key, b"Label")

    with h5py.File(recording, "r+") as file:
        text = file["metadata/description"][:]
        del file["metadata/description"]
        file["metadata/description"] = np.append(text, b"1 = Label")
    edit(recording, change)
    check(recording)


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_a_truncated_file_is_one_line(recording, share):
    whole = recording.read_bytes()
    recording.write_bytes(whole[: int(share * len(whole))])
    fails(recording, r"is (cut off .+|damaged \(.+\)); fetch it again")


def test_other_endings_are_refused(recording):
    path = recording.rename(recording.with_suffix(".csv"))
    fails(path, re.escape("ends in '.csv'; BData ends in .h5 or .mat"))


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    fails(tmp_path / "S9.h5", re.escape("cannot be opened (No such file or directory)"))


def test_hdf5_that_is_not_bdata_is_one_line(tmp_path):
    with h5py.File(tmp_path / "S1.h5", "w") as file:
        file["dataset"] = VOXELS
    fails(tmp_path / "S1.h5", "is no BData: it has no table 'dataset' with 'metadata'")


@pytest.mark.parametrize(
    ("missing", "rest"),
    [
        ("stimulus_id", "DataType, Run"),
        ("Run", "DataType, stimulus_id"),
        ("DataType", "Run, stimulus_id"),
    ],
)
def test_a_missing_label_is_named(tmp_path, missing, rest):
    labels = {name: column for name, column in LABELS.items() if name != missing}
    write_bdata(tmp_path / "S1.h5", VOXELS, rois=ROIS, labels=labels)
    remedy = "; `new-dataset --bdata S1=training.h5,test.h5` takes it from the files' order"
    said = f"has no column '{missing}' (it has {rest}){remedy * (missing == 'DataType')}"
    fails(tmp_path / "S1.h5", re.escape(said))


@pytest.mark.parametrize("name", ["stimulus_id", "Run", "DataType"])
def test_a_label_that_is_nan_is_named_with_its_row(tmp_path, name):
    labels = LABELS | {name: LABELS[name].copy()}
    labels[name][2] = np.nan
    write_bdata(tmp_path / "S1.h5", VOXELS, rois=ROIS, labels=labels)
    fails(tmp_path / "S1.h5", f"row 2: {name} is nan")


def test_a_file_without_voxels_says_so(recording):
    def rename(data, value, key):
        return data, value, np.where(key == b"VoxelData", b"BrainData", key)

    edit(recording, rename)
    fails(recording, "no column is marked as VoxelData")


def test_a_table_narrower_than_its_metadata_says_so(recording):
    edit(recording, lambda data, value, key: (data[:, :-1], value, key))
    fails(recording, re.escape("dataset has shape (4, 7), but metadata for 8 columns"))


def test_names_that_cannot_be_printed_are_refused(recording):
    def rename(data, value, key):
        return data, value, np.where(key == b"ROI_HVC", b"ROI_\x1b[2J", key)

    edit(recording, rename)
    says = r"a key of the metadata is 'ROI_\x1b[2J', which cannot be printed"
    fails(recording, re.escape(says))


def test_a_file_without_trials_says_so(recording):
    edit(recording, lambda data, value, key: (data[:0], value, key))
    fails(recording, "has no trials")


def test_a_table_of_one_dimension_says_so(recording):
    edit(recording, lambda data, value, key: (data[0], value, key))
    fails(recording, re.escape("dataset has shape (8,), but metadata for 8 columns"))
