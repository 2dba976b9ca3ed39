"""BIDS derivatives: the Haxby slice written as one with its real events, and what does not fit."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from nilearn.glm.first_level import FirstLevelModel

from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.reading.text import read_json
from brain_teacher.sources.formats.bids import (
    Derivative,
    from_bids,
    least_squares_separate,
    read_events,
)
from brain_teacher.sources.recordings.haxby import read_blocks
from helpers.derivatives import SPACE, haxby_derivative, write_run
from helpers.pages import run_page
from helpers.real_data import DATA
from helpers.running import ROOT, project, run

needs_data = pytest.mark.skipif(not (DATA / "haxby_slice").is_dir(), reason="no real recordings")
COLUMNS = ["onset", "duration", "trial_type"]


def made(tmp_path, **wanted):
    (tmp_path / "out").mkdir(parents=True)
    wanted = Derivative(**{"folder": tmp_path / "bids"} | wanted)
    files, rois, notes = from_bids(tmp_path / "out", wanted)
    return {name: read_bdata(tmp_path / "out" / file) for name, file in files.items()}, rois, notes


@needs_data
def test_the_haxby_slice_comes_back_where_its_events_are_its_labels(tmp_path):
    derivative = haxby_derivative(tmp_path / "bids")
    voxels, _, runs, length = read_blocks(DATA / "haxby_slice")
    labels = (DATA / "haxby_slice" / "attributes_literal.txt").read_text().split()[-2 * 1452 :]
    label, run_of = np.array(labels[::2]), np.array(labels[1::2], int)
    for number in range(12):
        own = label[run_of == number]
        starts = [
            i for i in range(len(own)) if own[i] != "rest" and (i == 0 or own[i] != own[i - 1])
        ]
        rows = [(2.5 * start, 22.5, own[start]) for start in starts]
        name = f"sub-1_task-objectviewing_run-{number + 1:02d}_events.tsv"
        pd.DataFrame(rows, columns=COLUMNS).to_csv(
            tmp_path / "bids/sub-1/func" / name, sep="\t", index=False
        )
    (tmp_path / "out").mkdir()
    wanted = Derivative(derivative, window=(0, 22.5))
    files, _, notes = from_bids(tmp_path / "out", wanted)
    found, masks, columns = read_bdata(tmp_path / "out" / files["sub-1"])
    np.testing.assert_array_equal(found, voxels)
    assert columns["Run"].tolist() == runs.tolist() and not notes
    assert set(length) == {9} and list(masks) == ["brain"]


@needs_data
def test_the_haxby_slice_with_its_real_events_decodes_as_the_slice_does(tmp_path):
    derivative = haxby_derivative(tmp_path / "bids")
    with project(tmp_path):
        said = run(
            *("new-dataset", "data/haxby-bids", "--bids", str(derivative)),
            *("--merge", "3", "--window", "3", "25.5"),
        )
        assert "1 subjects, ROIs brain" in said
        settings = str(ROOT / "params/haxby-slice.yaml")
        run("preprocess", "--params", settings, "--data", "data/haxby-bids", "--out", "voxels")
        run(
            "decode",
            "--params",
            settings,
            "--data",
            "data/haxby-bids",
            "--voxels",
            "voxels",
            "--out",
            "soft",
        )
        cells = {cell["decoder"]: cell for cell in read_json("soft/metrics.json")["cells"]}
    print({name: cell["top1"] for name, cell in cells.items()})
    # Today's slice, whose labels begin 1 to 4.5 s after these onsets: 0.833.
    assert cells["logistic"]["top1"] > 0.75


def write(
    folder, *, sub="01", ses=None, run="1", rows=None, shape=(3, 3, 2), n_volumes=40, seed=0, **more
):
    """A run whose voxel k answers to trial number k; gives its volumes and events."""
    rng = np.random.default_rng(seed)
    volumes = rng.standard_normal((*shape, n_volumes)).astype(np.float32)
    func, stem = write_run(folder, volumes, sub=sub, ses=ses, run=run, seconds=2.0, **more)
    if rows is None:
        rows = [(10.0 * n, 2.0, "ab"[n % 2]) for n in range(1, 6)]
    table = pd.DataFrame(rows, columns=[*COLUMNS, "stim_file"][: len(rows[0])])
    table.to_csv(func / f"{stem}_events.tsv", sep="\t", index=False)
    return volumes, func / f"{stem}_events.tsv"


def test_a_run_is_its_sessions_and_runs_without_events_are_said(tmp_path):
    volumes = {}
    for ses in ("1", "2"):
        for number in ("1", "2"):
            seed = int(ses + number)
            volumes[ses, number], events = write(tmp_path / "bids", ses=ses, run=number, seed=seed)
    events.unlink()
    found, _, notes = made(tmp_path, window=(0, 4))
    voxels, _, labels = found["sub-01"]
    assert labels["Session"].tolist() == [1] * 10 + [2] * 5
    assert labels["Run"].tolist() == [1] * 5 + [2] * 5 + [1] * 5
    assert [note for note in notes if "sub-01_ses-2_task-look_run-2" in note and "left out" in note]
    right = volumes["2", "1"].reshape(-1, 40)[:, 10:12].mean(axis=1)  # trial 2, at 20 s
    np.testing.assert_allclose(voxels[11], right)


def test_pictures_are_the_events_and_masks_are_rois(tmp_path):
    rows = [
        (4.0, 2.0, "a", "set/x.png"),
        (12.0, 2.0, "b", "set/y.png"),
        (20.0, 2.0, "a", "set/x.png"),
    ]
    volumes, _ = write(tmp_path / "bids", rows=rows)
    atlas = np.zeros((3, 3, 2), np.int16)
    atlas[0], atlas[1, 0, 0] = 7, 8
    nibabel.save(nibabel.Nifti1Image(atlas, np.eye(4)), tmp_path / "01_atlas.nii.gz")
    place = str(tmp_path / "{sub}_atlas.nii.gz")
    found, rois, _ = made(
        tmp_path, window=(0, 2), image="stim_file", rois={"V1": f"{place}:7", "any": place}
    )
    voxels, masks, labels = found["sub-01"]
    assert rois == ["V1", "any"] and masks["V1"].sum() == 6 and masks["any"].sum() == 7
    assert labels["stimulus_id"].tolist() == [1, 2, 1]
    np.testing.assert_allclose(voxels[:, masks["V1"]], volumes[0].reshape(6, 40)[:, [2, 6, 10]].T)
    stimuli = pd.read_csv(tmp_path / "out" / "stimuli.csv")
    assert stimuli[["image_id", "category"]].to_numpy().tolist() == [["x", "a"], ["y", "b"]]


def test_the_page_works_as_printed(tmp_path):
    rows = [(8.0 * n, 2.0, "ab"[n % 2], f"set/{'ab'[n % 2]}{n}.png") for n in range(1, 9)]
    for number in ("1", "2"):
        write(tmp_path / "derivatives/fmriprep", run=number, rows=rows, seed=int(number))
    (tmp_path / "masks").mkdir()
    mask = nibabel.Nifti1Image(np.ones((3, 3, 2), np.uint8), np.eye(4))
    nibabel.save(mask, tmp_path / "masks/sub-01_V1.nii.gz")
    with project(tmp_path):
        said = list(run_page("bids.md").values())
    assert "data/mine: 1 subjects, ROIs V1" in said[0] and "nothing is wrong" in said[1]


def test_events_of_one_category_that_follow_closely_are_one_trial(tmp_path):
    rows = [(2.0 * n, 0.5, "face" if n < 4 else "cat") for n in range(8)] + [(30.0, 0.5, "cat")]
    _, events = write(tmp_path / "bids", rows=rows)
    trials = read_events(events, Derivative(tmp_path, merge=3))
    assert trials.to_numpy().tolist() == [[0, 6.5, "face"], [8, 6.5, "cat"], [30, 0.5, "cat"]]
    assert len(read_events(events, Derivative(tmp_path, merge=3, without=("cat",)))) == 1


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the model's of its own masker
@pytest.mark.parametrize("with_confounds", [False, True])
def test_least_squares_separate_is_nilearns_first_level_model(with_confounds):
    rng = np.random.default_rng(3)
    volumes = rng.standard_normal((2, 2, 1, 60)).astype(np.float32)
    times = 2.0 * np.arange(60)
    trials = pd.DataFrame({"onset": [4.0, 30.0, 61.0, 90.0], "duration": 3.0})
    confounds = pd.DataFrame(rng.standard_normal((60, 2))) if with_confounds else None
    found = least_squares_separate(volumes.reshape(4, 60).T.astype(float), times, trials, confounds)
    image = nibabel.Nifti1Image(volumes, np.eye(4))
    mask = nibabel.Nifti1Image(np.ones((2, 2, 1), np.uint8), np.eye(4))
    model = FirstLevelModel(
        t_r=2.0, mask_img=mask, hrf_model="glover", signal_scaling=False, minimize_memory=False,
        noise_model="ols", standardize=False,
    )  # fmt: skip
    for number in range(4):
        events = trials.assign(trial_type=["own" if n == number else "others" for n in range(4)])
        model.fit(image, events, confounds=confounds)
        right = model.compute_contrast("own", output_type="effect_size").get_fdata().ravel()
        np.testing.assert_allclose(found[number], right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["test-v21_desc-confounds_timeseries", "test_desc-confounds_regressors"]
)
@needs_data
def test_confounds_of_both_namings_are_taken_away(tmp_path, name):
    table = pd.read_csv(DATA / "confounds" / f"{name}.tsv", sep="\t", na_values="n/a")
    drift = table["trans_x"].fillna(0).to_numpy()
    steady = drift[5:]  # nilearn leaves the first volumes out, which are not
    rows = [(10 + 2.0 * n, 2.0, "a") for n in sorted([steady.argmin(), steady.argmax()])]
    write(tmp_path / "bids", n_volumes=len(table), rows=rows)
    volumes = np.random.default_rng(0).standard_normal((3, 3, 2, len(table)))
    volumes += 1000 * drift / np.ptp(steady)
    func, stem = write_run(
        tmp_path / "bids", volumes.astype(np.float32), sub="01", run="1", seconds=2.0
    )
    ending = name.split("_", 1)[1]
    table.to_csv(func / f"{stem}_{ending}.tsv", sep="\t", index=False, na_rep="n/a")
    (func / f"{stem}_{ending}.json").write_text("{}")
    raw, _, _ = made(tmp_path / "raw", folder=tmp_path / "bids", window=(0, 2))
    found, _, _ = made(tmp_path, window=(0, 2), confounds=("motion",))
    # A constant is no confound: what trials differ by is what counts.
    assert np.ptp(raw["sub-01"][0], axis=0).min() > 900
    assert np.ptp(found["sub-01"][0], axis=0).max() < 10
    separate, _, _ = made(tmp_path / "lss", folder=tmp_path / "bids", confounds=("wm_csf",))
    assert separate["sub-01"][0].shape == found["sub-01"][0].shape


def test_confounds_of_another_run_are_an_error(tmp_path):
    _, events = write(tmp_path / "bids")
    stem = events.name.removesuffix("_events.tsv")
    columns = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    table = pd.DataFrame(np.zeros((39, 6)), columns=columns)
    for ending in ("derivative1", "power2", "derivative1_power2"):
        table = table.join(table.iloc[:, :6].add_suffix(f"_{ending}"))
    table.to_csv(events.parent / f"{stem}_desc-confounds_timeseries.tsv", sep="\t", index=False)
    (events.parent / f"{stem}_desc-confounds_timeseries.json").write_text("{}")
    with pytest.raises(ValueError, match="39 rows of confounds for 40 volumes"):
        made(tmp_path, window=(0, 4), confounds=("motion",))


def spoil_events(text):
    def spoil(folder):
        next(folder.rglob("*_events.tsv")).write_text(text)

    return spoil


def cut(ending):
    def spoil(folder):
        path = next(folder.rglob(f"*{ending}"))
        path.write_bytes(path.read_bytes()[:-200])

    return spoil


def other_grid(folder):
    path = next(folder.rglob("*_mask.nii.gz"))
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 3, 2), np.uint8), np.eye(4)), path)


def shifted(folder):
    path = next(folder.rglob("*_mask.nii.gz"))
    nibabel.save(nibabel.Nifti1Image(np.ones((3, 3, 2), np.uint8), 2 * np.eye(4)), path)


def other_seconds(folder):
    next(folder.rglob("*_bold.json")).write_text('{"RepetitionTime": 1.5}')


def no_json(folder):
    next(folder.rglob("*_bold.json")).write_text("{")


def no_mask(folder):
    next(folder.rglob("*_mask.nii.gz")).unlink()


def two_tasks(folder):
    write(folder, task="rest")


def no_events(folder):
    next(folder.rglob("*_events.tsv")).unlink()


def no_image(folder):
    path = next(folder.rglob("*_bold.nii.gz"))
    path.write_bytes(gzip.compress(b"no image"))


HEAD = "onset\tduration\ttrial_type\n"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(spoil_events("duration\ttrial_type\n1\ta\n"), "has no column 'onset' (it has duration, "),
     (spoil_events(HEAD + "1\t1\ta\nn/a\t1\tb\n"), ".tsv: row 3: onset or duration is no number"),
     (spoil_events(HEAD + "1\t-1\ta\n"), "row 2: duration is below 0"),
     (spoil_events(HEAD), "has no trials"),
     (spoil_events(""), "is no TSV"),
     (spoil_events(HEAD + "70\t1\ta\n790\t1\tb\n"), "trials, row 2: the run has not all"),
     (cut("_bold.nii.gz"), "_bold.nii.gz: "),
     (no_image, "_bold.nii.gz: "),
     (other_grid, "_bold.nii.gz: "),
     (shifted, "_bold.nii.gz: "),
     (other_seconds, "the header says 2 s a volume, sub-01_task-look_run-1_space-"),
     (no_json, "desc-preproc_bold.json is no JSON"),
     (no_mask, "say which voxels with --roi NAME=MASK"),
     (two_tasks, "there are several (look, rest): say which with --task"),
     (no_events, "no run has its events.tsv; say where they lie with --events DIR")],
)  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path, spoil, message):
    write(tmp_path / "bids")
    spoil(tmp_path / "bids")
    with project(tmp_path):
        said = run("new-dataset", "data/mine", "--bids", "bids", "--window", "0", "4", code=1)
    assert message in said and "unexpected" not in said
    assert not (tmp_path / "data" / "mine").exists()


def test_an_empty_folder_and_a_wrong_roi_are_named(tmp_path):
    with project(tmp_path):
        Path("empty").mkdir()
        assert "empty has no sub-*" in run("new-dataset", "data/mine", "--bids", "empty", code=1)
        write(tmp_path / "bids")
        said = run("new-dataset", "data/mine", "--bids", "bids", "--roi", "V1=none.nii.gz", code=1)
        assert "--roi V1: none.nii.gz cannot be read" in said
        said = run("new-dataset", "data/mine", "--bids", "bids", "--roi", "V1", code=2)
        assert "give NAME=MASK" in said
        mask = next(Path("bids").rglob("*_mask.nii.gz"))
        said = run("new-dataset", "data/mine", "--bids", "bids", "--roi", f"V1={mask}:9", code=1)
        assert "has no voxel" in said
        assert SPACE in str(mask)
