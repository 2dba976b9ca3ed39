"""GOD's files as they must be: its real trials, from which everything is known but the voxels."""

import numpy as np
import pandas as pd
import pytest

from brain_teacher.dataset.bdata import read_bdata, write_bdata
from brain_teacher.dataset.stimuli import name_trials, read_stimuli
from brain_teacher.dataset.trials import place_in_run
from brain_teacher.sources.recordings import god
from helpers.recordings import GOD_TRIALS, needs_god

pytestmark = needs_god
N_VOXELS = 12


@pytest.fixture(scope="module")
def everyone():
    """All trials that a recording has (no one-back repeats), of all subjects."""
    seen = pd.read_csv(GOD_TRIALS)
    seen = seen[seen["one_back_repeat"] == 0]
    imagined = pd.read_csv(GOD_TRIALS.with_name("imagery_trials.csv.gz"))
    imagined = imagined.rename(columns={"category_id": "stimulus_id"})
    return pd.concat([seen, imagined], ignore_index=True)


def trials_of(everyone, subject):
    return everyone[everyone["subject"] == subject].reset_index(drop=True)


def write(path, trials, **changes):
    """A subject's file, with made-up voxels."""
    own = ("stimulus_id", "run", "data_type", "block", "category_index")
    names = ("stimulus_id", "Run", "DataType", "Block", "category_index")
    labels = {name: trials[key].to_numpy(float) for name, key in zip(names, own, strict=True)}
    voxels = np.random.default_rng(0).standard_normal((len(trials), N_VOXELS))
    rois = {name: np.arange(N_VOXELS) // 2 == k % 6 for k, name in enumerate(god.ROIS)}
    # They overlap: V1 lies in LVC, all in VC.
    rois |= {"LVC": rois["V1"] | rois["V2"], "VC": np.ones(N_VOXELS, bool)}
    write_bdata(path, voxels, rois=rois, labels=labels | changes)
    return path


@pytest.mark.parametrize("subject", god.SUBJECTS)
def test_the_real_trials_are_the_published_design(everyone, subject, tmp_path):
    trials = trials_of(everyone, subject)
    facts, problems, cautions = god.examine(write(tmp_path / "a.h5", trials))
    assert (problems, cautions) == ([], [])
    assert facts == "1,200 training, 1,750 test, 500 imagery trials; VC 12 voxels"


def test_names_come_from_the_numbers_in_whatever_order_the_rows_stand(everyone, tmp_path):
    trials = trials_of(everyone, "S4").sample(frac=1, random_state=0).reset_index(drop=True)
    # Before figshare's version 5 category_index was wrong; nothing may depend on it.
    wrong = np.roll(trials["category_index"].to_numpy(float), 1)
    path = write(tmp_path / "a.h5", trials, category_index=wrong)
    _, _, labels = read_bdata(path)
    named = name_trials(labels["stimulus_id"], None, data_type=labels["DataType"])
    seen = trials["data_type"] != god.IMAGERY
    assert named["image_id"][seen].tolist() == trials["image_id"][seen].tolist()
    assert named["category"].tolist() == trials["category"].tolist()
    _, problems, (caution,) = god.examine(path)
    assert problems == [] and caution.startswith("category_index contradicts stimulus_id")


def test_runs_are_counted_anew_in_each_data_type(everyone, tmp_path):
    trials = trials_of(everyone, "S5")
    _, _, labels = read_bdata(write(tmp_path / "a.h5", trials))
    place = place_in_run(labels["Run"], labels["DataType"], labels["Block"])
    runs = pd.DataFrame({"kind": labels["DataType"], "run": labels["Run"], "place": place})
    largest = runs.groupby(["kind", "run"])["place"].max()
    # 24 runs of 50 images (five repeats left out), 35 of 50, 20 of 25: none runs on into another.
    assert largest.groupby("kind").size().tolist() == [24, 35, 20]
    assert [set(largest[kind]) for kind in (1, 2, 3)] == [{50}, {50}, {25}]
    assert runs.duplicated().sum() == 0


def test_float32_numbers_are_refused(everyone, tmp_path):
    trials = trials_of(everyone, "S1")
    numbers = trials["stimulus_id"].to_numpy(np.float32).astype(float)
    assert len(np.unique(numbers[trials["data_type"] == 1])) == 150
    _, problems, _ = god.examine(write(tmp_path / "a.h5", trials, stimulus_id=numbers))
    assert problems == ["stimulus_id has the precision of float32: which image it was is lost"]


def test_numbers_that_lost_their_last_zeros_as_text_are_the_same_numbers(everyone, tmp_path):
    # As in the authors' own tables: 122 of the ids end in 0.
    images = trials_of(everyone, "S1").query("data_type == 1")
    text = images["stimulus_id"].map("{:.6f}".format)
    assert text.str.endswith("0").sum() == 122
    table = images[["image_id", "category"]].assign(stimulus_id=text.str.rstrip("0"))
    table.to_csv(tmp_path / "stimuli.csv", index=False)
    named = name_trials(images["stimulus_id"].to_numpy(), read_stimuli(tmp_path))
    assert named["image_id"].tolist() == images["image_id"].tolist()


def test_repeats_that_were_not_left_out_are_seen(everyone, tmp_path):
    trials = trials_of(everyone, "S1")
    twice = pd.concat([trials, trials.query("data_type == 1 and run == 1").head(1)])
    _, problems, _ = god.examine(write(tmp_path / "a.h5", twice))
    assert problems == [
        "1,201 training trials, not 1,200",
        f"training image {trials['image_id'][0]} comes 2 times, not 1",
    ]
