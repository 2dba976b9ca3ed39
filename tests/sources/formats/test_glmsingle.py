"""GLMsingle's output, as Python and as MATLAB write it."""

import h5py
import nibabel
import numpy as np
import pandas as pd
import pytest

from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.sources.formats import glmsingle
from brain_teacher.sources.formats.glmsingle import read_glmsingle
from helpers.running import project, run

BETAS = np.random.default_rng(0).standard_normal((4, 3, 2, 7)).astype(np.float32)
BETAS[0, :, :, 2] = np.nan  # outside of the brain
BETAS[3, 2, 1] = np.nan


def of_python(path, values=BETAS, name="betasmd"):
    with h5py.File(path, "w") as file:
        file[name], file["R2"] = values, np.zeros(3)
    return path


def of_matlab(path, values=BETAS):
    with h5py.File(path, "w", userblock_size=512) as file:
        file["modelmd"] = values.transpose()
        file["modelmd"].attrs["MATLAB_class"] = np.bytes_("single")
    return path


@pytest.mark.parametrize("write", [of_python, of_matlab])
@pytest.mark.parametrize("slab", [1, 2**27])
def test_trials_are_rows_and_voxels_keep_their_places(tmp_path, monkeypatch, write, slab):
    monkeypatch.setattr(glmsingle, "SLAB", slab)
    responses, finite = read_glmsingle(write(tmp_path / "TYPED.hdf5"))
    right = np.isfinite(BETAS).all(axis=-1)
    np.testing.assert_array_equal(finite, right)
    np.testing.assert_array_equal(responses, BETAS[right].T)


def test_voxels_by_trials_are_read_too(tmp_path):
    responses, finite = read_glmsingle(of_python(tmp_path / "flat.hdf5", BETAS[1, 0]))
    np.testing.assert_array_equal(responses, BETAS[1, 0].T)
    assert finite.shape == (2,)


def text(path):
    path.write_text("no HDF5")
    return path


@pytest.mark.parametrize(
    ("write", "message"),
    [(lambda path: of_python(path, name="betas"), "holds 0 of betasmd and modelmd"),
     (lambda path: of_python(path, np.full((2, 3), np.nan, "f4")), "no voxel is finite"),
     (lambda path: of_python(path, BETAS[0]), "not numbers"),
     (lambda path: of_python(path, np.ones((2, 3), complex)), "not numbers"),
     (text, "cannot be read as HDF5")],
)  # fmt: skip
def test_what_is_no_output_of_glmsingle_is_said(tmp_path, write, message):
    with pytest.raises(ValueError, match=message):
        read_glmsingle(write(tmp_path / "wrong.hdf5"))


def test_links_and_data_elsewhere_are_refused(tmp_path):
    other = of_python(tmp_path / "other.hdf5")
    with h5py.File(tmp_path / "linked.hdf5", "w") as file:
        file["betasmd"] = h5py.ExternalLink(str(other), "/betasmd")
    with pytest.raises(ValueError, match="links are not followed"):
        read_glmsingle(tmp_path / "linked.hdf5")
    layout = h5py.VirtualLayout(BETAS.shape, "f4")
    layout[...] = h5py.VirtualSource(str(other), "betasmd", BETAS.shape)
    with h5py.File(tmp_path / "virtual.hdf5", "w") as file:
        file.create_virtual_dataset("betasmd", layout)
    with pytest.raises(ValueError, match="from other files"):
        read_glmsingle(tmp_path / "virtual.hdf5")


def test_it_becomes_a_data_set_by_its_masks(tmp_path):
    mask = np.zeros(BETAS.shape[:3], np.uint8)
    mask[1, :2] = 1
    with project(tmp_path):
        of_python("TYPED.hdf5")
        nibabel.save(nibabel.Nifti1Image(mask, np.eye(4)), "S1_V1.nii.gz")
        table = pd.DataFrame({"image_id": list("abcabca"), "run": [1, 1, 1, 2, 2, 2, 2]})
        table.assign(category=table["image_id"]).to_csv("trials.csv", index=False)
        given = ("--voxels", "S1=TYPED.hdf5", "--trials", "S1=trials.csv")
        run("new-dataset", "data/mine", *given, "--roi", "V1={sub}_V1.nii.gz")
        voxels, masks, _ = read_bdata("data/mine/bdata/S1.h5")
        np.testing.assert_array_equal(voxels, BETAS[mask == 1].T)
        assert list(masks) == ["V1"]
        run("new-dataset", "data/whole", *given)
        assert read_bdata("data/whole/bdata/S1.h5")[0].shape == (7, 17)
        np.save("TYPED.npy", np.array({"betasmd": BETAS}), allow_pickle=True)
        given = ("--voxels", "S1=TYPED.npy", "--trials", "S1=trials.csv")
        said = run("new-dataset", "data/other", *given, code=1)
        assert "GLMsingle's output with wanthdf5=1" in said
