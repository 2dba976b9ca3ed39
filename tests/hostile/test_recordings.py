"""Recordings cut at any byte, with bytes exchanged: a result, or one line; never the process's end.

`make test-full` tries ten times as many.
"""

import contextlib
import gzip
import io
import math
import shutil
import time
import warnings
from pathlib import Path

import bdpy
import h5py
import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from brain_teacher.dataset.bdata import read_recording, write_bdata
from brain_teacher.dataset.foreign_files import read_mat
from brain_teacher.dataset.image_features import read_image_features
from brain_teacher.dataset.stimuli import name_labels
from brain_teacher.dataset.trials import trial_columns
from brain_teacher.sources.formats.nifti import read_nifti
from helpers.running import project, run

FEW = 100
VOXELS = np.random.default_rng(0).standard_normal((12, 6))
LABELS = {
    "stimulus_id": 1443537 + np.arange(1, 13) / 1e6,
    "Run": np.repeat([1.0, 2], 6),
    "DataType": np.ones(12),
}
# Where bytes are exchanged, as a share of the file, and what they become; most of what libraries
# stumble over stands at the beginning.
PLACE = st.one_of(st.floats(0, 1, exclude_max=True), st.floats(0, 0.1))
CHANGES = st.lists(st.tuples(PLACE, st.integers(0, 255)), min_size=1, max_size=4)
CUT = st.floats(0, 1)


def many(*strategies, times):
    """A test of `FEW` examples, or so many times as many."""
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]

    def decorate(function):
        given_them = given(*strategies)(function)
        return settings(max_examples=FEW * times, deadline=None, suppress_health_check=quiet)(
            given_them
        )

    return decorate


times = pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.full)])


def changed(content, changes, cut):
    content = bytearray(content)
    for place, value in changes:
        content[int(place * len(content))] = value
    return bytes(content[: int(cut * len(content))])


def held(function, *arguments):
    """What it gives, within 10 s; None where it says in a line what is wrong."""
    start = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of wild numbers
            return function(*arguments)
    except ValueError as error:
        assert str(error) and "\n" not in str(error) and "unexpected" not in str(error)
    finally:
        # The clock runs while others have the processor: ten times what a reader may take of it.
        assert time.monotonic() - start < 30
    return None


def bdata_with_names(path):
    bdata = bdpy.BData()
    bdata.add(VOXELS, "VoxelData")
    bdata.add_metadata("V1", np.ones(6), where="VoxelData")
    for key, values in LABELS.items():
        bdata.add(values[:, None], key)
    bdata.add(np.arange(12.0)[:, None], "stimulus_name")
    bdata.add_vmap("stimulus_name", {float(k): f"n01443537_{k + 1}" for k in range(12)})
    bdata.save(str(path))


def bdata_of_matlab(path, do_compression):
    keys = ["VoxelData", "ROI_V1", *LABELS]
    flags = np.full((5, 9), np.nan)
    flags[:2, :6] = 1
    flags[2:, 6:] = np.where(np.eye(3) == 1, 1, np.nan)
    values = np.hstack([VOXELS, np.stack([*LABELS.values()], axis=1)])
    names = np.array(keys, dtype=object)
    metadata = {"key": names, "description": names, "value": flags}
    savemat(path, {"dataSet": values, "metaData": metadata}, do_compression=do_compression)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Content of each kind of recording, by its name."""
    folder = tmp_path_factory.mktemp("recordings")
    rois = {"V1": np.arange(6) < 4, "VC": np.ones(6, bool)}
    write_bdata(folder / "ours.h5", VOXELS, rois=rois, labels=LABELS)
    bdata_with_names(folder / "bdpys.h5")
    bdata_of_matlab(folder / "plain.mat", False)
    bdata_of_matlab(folder / "packed.mat", True)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


NAMES = ["ours.h5", "bdpys.h5", "plain.mat", "packed.mat"]


@times
@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_recording_is_read_or_refused(files, tmp_path, name, times):
    path = tmp_path / name

    @many(CHANGES, CUT, times=times)
    @example([], 1.0)
    def holds(changes, cut):
        path.write_bytes(changed(files[name], changes, cut))
        recording = held(read_recording, path)
        if recording is None:
            assert changes or cut < 1
            return
        n_trials, n_voxels = recording.voxels.shape
        assert all(mask.shape == (n_voxels,) for mask in recording.rois.values())
        assert all(len(column) == n_trials for column in recording.labels.columns.values())

    holds()


# What may stand at each place of a BData file, right and wrong.
NUMBERS = st.sampled_from([np.nan, np.inf, -1.0, 0.0, 1.0, 1.5, 2.0**60, 1443537.022563])
TABLE = st.tuples(st.integers(0, 4), st.integers(0, 6)).flatmap(
    lambda shape: st.lists(NUMBERS, min_size=math.prod(shape), max_size=math.prod(shape)).map(
        lambda values: np.array(values).reshape(shape)
    )
)
NAMES_OF_KEYS = st.sampled_from(
    [
        "VoxelData",
        "ROI_\x1b[31m",
        "Run",
        "DataType",
        "stimulus_id",
        "V1",
        "stimulus_name",
        "a\nb",
        "",
    ]
)
ODD = st.one_of(
    TABLE,
    NUMBERS,
    TABLE.map(lambda values: values.ravel().astype(complex)),
    st.text(max_size=4),
    st.lists(NAMES_OF_KEYS, min_size=1, max_size=6),
    st.dictionaries(st.sampled_from(["1", "0.0", "nan", "x"]), st.text(max_size=4), max_size=3),
)
KEYS = ["VoxelData", "V1", "stimulus_id", "Run", "DataType", "stimulus_name"]


def put(file, place, content):
    """Write a value, a list of text, or a mapping as a group."""
    if isinstance(content, dict):
        for name, each in content.items():
            put(file, f"{place}/{name}", each)
        file.require_group(place)
    elif isinstance(content, list):
        file[place] = [text.encode() for text in content]
    else:
        file[place] = content.replace("\0", "") if isinstance(content, str) else content


@times
def test_bdata_of_odd_shapes_are_read_or_refused(tmp_path, times):
    path = tmp_path / "a.h5"
    flags = np.zeros((6, 7))
    flags[:2, :2] = 1
    flags[2:, 2:6] = np.eye(4)
    right = {
        "dataset": np.arange(28.0).reshape(4, 7) % 3, "metadata/key": KEYS,
        "metadata/value": flags, "vmap/stimulus_name": {"0": "a_1", "1.0": "a_2", "2": "b_1"},
    }  # fmt: skip
    place = st.sampled_from(["metadata/description", "header/callstack", "metadata", *right])
    cells = st.lists(st.tuples(st.integers(0, 27), NUMBERS), max_size=4)

    keys = st.one_of(st.just(KEYS), st.lists(NAMES_OF_KEYS, min_size=6, max_size=6))

    @many(st.dictionaries(place, ODD, max_size=2), keys, cells, times=times)
    def holds(odd, keys, numbers):
        content = {name: value for name, value in right.items() if name not in odd}
        content["metadata/key"] = keys
        values = content.get("dataset", np.zeros((4, 7))).copy()
        for cell, number in numbers:
            values.flat[cell] = number
        content["dataset"] = odd.get("dataset", values)
        with h5py.File(path, "w") as file:
            for name, value in (content | odd).items():
                if not name.startswith("metadata/") or "metadata" not in odd:
                    put(file, name, value)
        recording = held(read_recording, path)
        if recording is not None:
            labels = recording.labels.columns
            with contextlib.suppress(ValueError):
                assert len(trial_columns(labels, name_labels(labels, None))["run"]) == 4

    holds()


@times
def test_damaged_features_are_read_or_refused(files, tmp_path, times):
    path = tmp_path / "a.h5"

    @many(CHANGES, CUT, times=times)
    def holds(changes, cut):
        path.write_bytes(changed(files["ours.h5"], changes, cut))
        held(read_image_features, path, "cnn1")

    holds()


@times
@pytest.mark.parametrize("is_packed", [True, False])
def test_damaged_structures_of_matlab_are_read_or_refused(tmp_path, is_packed, times):
    """As the dissimilarities of others come: structures in cells."""
    path, content = tmp_path / "a.mat", io.BytesIO()
    each = np.array([("a", np.eye(3)), ("b", np.eye(3))], [("name", "O"), ("RDM", "O")])
    savemat(content, {"RDMs": each, "more": {"x": [[1, 2]]}}, do_compression=is_packed)

    @many(CHANGES, CUT, times=times)
    def holds(changes, cut):
        path.write_bytes(changed(content.getvalue(), changes, cut))
        held(read_mat, path, ["RDMs", "more"])

    holds()


@times
@pytest.mark.parametrize("is_packed", [True, False])
def test_a_damaged_nifti_is_read_or_refused(tmp_path, is_packed, times):
    path = tmp_path / "a.nii.gz"
    image = nibabel.Nifti1Image(np.arange(30, dtype="<i2").reshape((2, 3, 1, 5), order="F"), None)
    image.header.set_slope_inter(2, 1)
    content = image.to_bytes()

    @many(CHANGES, CUT, times=times)
    @example([], 1.0)
    def holds(changes, cut):
        if is_packed:
            path.write_bytes(changed(gzip.compress(content), changes, cut))
        else:
            path.write_bytes(gzip.compress(changed(content, changes, cut)))
        found = held(read_nifti, path)
        if not changes and cut == 1:
            values = np.arange(30).reshape((2, 3, 1, 5), order="F") * 2 + 1
            np.testing.assert_array_equal(found, values)

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_holds_as_well(files, tmp_path, name):
    with project(tmp_path):
        before = set(Path().iterdir())

        @settings(max_examples=FEW // 4, deadline=None)
        @given(CHANGES, CUT)
        def holds(changes, cut):
            Path(name).write_bytes(changed(files[name], changes, cut))
            for code in (0, 1):
                try:
                    said = run("new-dataset", "data/mine", "--bdata", f"S1={name}", code=code)
                    break
                except AssertionError:
                    if code:
                        raise
            assert "unexpected" not in said and "Traceback" not in said
            if code:
                assert said.startswith("Error: ") and said.count("\n") == 1
                assert not [*Path("data").iterdir()]
            shutil.rmtree("data")
            assert {*Path().iterdir()} <= before | {Path(name)}

        holds()
