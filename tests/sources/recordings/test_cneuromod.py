"""CNeuroMod-THINGS: small files of the repository's layout, through to soft labels."""

import h5py
import nibabel
import numpy as np
import pandas as pd
import pytest

from brain_teacher.dataset.trials import read_voxels
from brain_teacher.reading.text import read_json
from helpers.pages import quick_presets, run_page
from helpers.running import project, run

SHAPE = (3, 2, 2)
INSIDE = np.ones(SHAPE, bool)
INSIDE[0, 0, 0] = False  # no signal
V1 = np.zeros(SHAPE, bool)
V1[:2, 0] = True
OBJECTS = ["ape", "coffee_pot", "ping-pong_table"]


def order(session, number):
    """Six trials of a run: each object twice; a picture comes in both sessions."""
    rng = np.random.default_rng(number)
    return [f"{name}/{name}_0{1 + number}s.jpg" for name in rng.permutation(OBJECTS * 2)]


def betas(session, number):
    shown = [OBJECTS.index(path.split("/")[0]) for path in order(session, number)]
    rng = np.random.default_rng(10 * session + number)
    tuned = np.arange(INSIDE.sum()) % 3
    return (np.equal.outer(shown, tuned) + 0.5 * rng.standard_normal((6, INSIDE.sum()))).astype(
        "f4"
    )


def nifti(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values.astype(np.uint8), np.eye(4)), path)


@pytest.fixture
def tree(tmp_path):
    """The repository; the working folder is a project."""
    raw = tmp_path / "work" / "cneuromod-things"
    for subject in ("01", "06"):
        out = raw / "THINGS/glmsingle" / f"sub-{subject}" / "glmsingle/output"
        out.mkdir(parents=True)
        stem = f"sub-{subject}_task-things_space-T1w_model-fitHrfGLMdenoiseRR"
        with h5py.File(out / f"{stem}_stats-trialBetas_desc-zscore_statseries.h5", "w") as file:
            file["mask_array"], file["mask_affine"] = INSIDE.astype(float), np.eye(4)
            for session in (1, 10):
                for number in (1, 2, 3, 4):
                    file[f"{session}/{number}/betas"] = betas(session, number)
                    write_events(raw, subject, session, number)
        rois = raw / "retinotopy/prf" / f"sub-{subject}" / "rois"
        stem = f"sub-{subject}_task-retinotopy_space-T1w_model-npythy"
        nifti(rois / f"{stem}_label-V1_desc-nn_mask.nii.gz", V1)
        nifti(rois / f"{stem}_label-V1_desc-linear_mask.nii.gz", ~V1)
        atlas = raw / "floc/rois" / f"sub-{subject}" / "rois/from_atlas"
        stem = f"sub-{subject}_parcel-kanwisher_space-T1w_contrast-face_roi-FFA"
        nifti(atlas / f"{stem}_desc-bilat_mask.nii", ~V1)
        nifti(atlas / f"{stem}_desc-L_mask.nii", V1)
    with project(tmp_path / "work"):
        yield raw


def write_events(raw, subject, session, number, rows=6):
    table = pd.DataFrame({"TrialNumber": range(1, 7), "image_path": order(session, number)})
    table["image_path"] = "images_fmri/" + table["image_path"]
    table = table.assign(run=number, onset=3.0)[:rows]
    table = table.sample(frac=1, random_state=0)  # TrialNumber is the order, not the row
    ses = f"ses-{session:03d}"
    func = raw / "THINGS/fmriprep/sourcedata/things" / f"sub-{subject}" / ses / "func"
    func.mkdir(parents=True, exist_ok=True)
    name = f"sub-{subject}_{ses}_task-things_run-{number}_events.tsv"
    table.to_csv(func / name, sep="\t", index=False)
    return func / name


def test_betas_are_joined_to_their_events_and_decoded(tree):
    quick_presets(decode={"normalise": "fold"})
    said = run_page("things.md", only="cneuromod")  # as printed
    assert "2 subjects, ROIs FFA, V1" in said["fetch cneuromod-things --from cneuromod-things"]
    voxels, _ = read_voxels("runs/cneuromod-things/voxels/sub-01_V1.npz")
    runs = [(session, number) for session in (1, 10) for number in (1, 2, 3, 4)]
    right = np.concatenate([betas(*each)[:, V1[INSIDE]] for each in runs])
    np.testing.assert_array_equal(voxels.data, right)
    shown = [path for each in runs for path in order(*each)]
    assert voxels.category.tolist() == [path.split("/")[0] for path in shown]
    assert voxels.image_id.tolist() == [path.split("/")[1][:-4] for path in shown]
    assert np.unique(voxels.run).size == 8
    cells = read_json("runs/cneuromod-things/soft_labels/metrics.json")["cells"]
    assert min(cell["top1"] for cell in cells if cell["roi"] == "FFA") > 0.6


def fewer_events(raw):
    write_events(raw, "06", 10, 3, rows=5)


def no_events(raw):
    next(raw.rglob("sub-06_ses-010_*run-3_events.tsv")).unlink()


def no_mask(raw):
    for path in raw.rglob("sub-06*_mask.nii*"):
        path.unlink()


def other_grid(raw):
    nifti(next(raw.rglob("sub-06*label-V1_desc-nn_mask.nii.gz")), np.ones((4, 2, 2)))


def no_betas(raw):
    for path in raw.rglob("*.h5"):
        path.unlink()
        path.symlink_to("nowhere")  # as before `datalad get`


def cut(raw):
    path = next(raw.rglob("sub-06*.h5"))
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(fewer_events, "session 10, run 3: betas of shape (6, 11) for 5 events"),
     (no_events, "session 10, run 3 has no events.tsv"),
     (no_mask, "there is no mask of an ROI of sub-06"),
     (other_grid, "mask of V1 has shape (4, 2, 2), the betas' (3, 2, 2)"),
     (no_betas, "until `datalad get`"),
     (cut, "cannot be read")],
)  # fmt: skip
def test_what_does_not_fit_is_named(tree, spoil, message):
    spoil(tree)
    said = run("fetch", "cneuromod-things", "--from", str(tree), code=1)
    assert message in said and "unexpected" not in said


def test_without_a_folder_it_says_how_to_bring_the_files(tree):
    said = run("fetch", "cneuromod-things", code=2)
    assert "datalad clone" in said and "--from DIR" in said
