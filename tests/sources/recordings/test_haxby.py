"""The Haxby slice from small files of its layout; the real ones are in tests/real."""

import nibabel
import numpy as np
import pytest

from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.sources.recordings import haxby
from helpers import real_data as real_data


@pytest.fixture
def slice_of_two(tmp_path):
    """A folder of raw files: 2 voxels of 4 are in the mask; two runs of 7 volumes."""
    rng = np.random.default_rng(0)
    bold = rng.integers(0, 1000, (2, 2, 1, 14)).astype("i2")
    mask = np.array([[0, 1], [1, 0]], "i2")[..., None]
    label = ["rest", "cat", "cat", "rest", "shoe", "shoe", "shoe"] + ["shoe"] * 3 + ["cat"] * 4
    run = [0] * 7 + [1] * 7
    for name, values in (("bold", bold), ("mask", mask)):
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / f"{name}.nii.gz")
    lines = [f"{name} {number}" for name, number in zip(label, run, strict=True)]
    (tmp_path / "attributes_literal.txt").write_text("\n".join(lines) + "\n")
    return tmp_path, np.stack([bold[0, 1, 0], bold[1, 0, 0]], axis=1)


def test_a_block_is_a_stretch_of_one_category_in_one_run(slice_of_two):
    raw, volumes = slice_of_two
    voxels, category, run, length = haxby.read_blocks(raw)
    # By hand; run 2 begins with the category that run 1 ends with, and rest is left out.
    assert category.tolist() == ["cat", "shoe", "shoe", "cat"]
    assert (run.tolist(), length) == ([1, 1, 2, 2], [2, 3, 3, 4])
    means = [volumes[a:b].mean(axis=0) for a, b in ((1, 3), (4, 7), (7, 10), (10, 14))]
    np.testing.assert_allclose(voxels, means)


def test_a_block_is_an_image_in_the_data_set(slice_of_two, tmp_path):
    raw, _ = slice_of_two
    (folder := tmp_path / "data").mkdir()
    haxby.build(raw, folder)
    voxels, rois, labels = read_bdata(folder / "bdata" / "haxby.h5")
    np.testing.assert_allclose(voxels, haxby.read_blocks(raw)[0])
    assert list(rois) == ["slice"] and rois["slice"].all()
    assert labels["Run"].tolist() == [1, 1, 2, 2]
    assert (folder / "stimuli.csv").read_text("utf-8").splitlines() == [
        "stimulus_id,image_id,category",
        "1,run01-cat,cat",
        "2,run01-shoe,shoe",
        "3,run02-shoe,shoe",
        "4,run02-cat,cat",
    ]


@real_data.needs("haxby_slice")
def test_the_real_files_are_those_that_are_pinned():
    from brain_teacher.files import file_digest

    for file in haxby.FILES:
        path = real_data.DATA / "haxby_slice" / file.path
        assert (path.stat().st_size, file_digest(path)) == (file.size, file.sha256)
