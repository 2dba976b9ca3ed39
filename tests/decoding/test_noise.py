"""Noise in the voxels' place: at chance, and above it where a leak is planted."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from brain_teacher.decoding import out_of_fold as driver
from brain_teacher.decoding.noise import decode_noise
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from helpers.recordings import make_voxels
from noise_designs import DESIGNS, draw, once_a_run, twice_a_run


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


def noise_of(trials, *, normalise="run", choose=True, seed="S1"):
    plan = plan_for(trials, by="image")
    how = {"normalise": normalise, "select": "f-score", "choose": choose}
    return decode_noise(trials, plan, **how, seed=seed)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("normalise", ["run", "fold"])
def test_noise_is_at_chance_in_ten_designs(design, normalise):
    assert noise_of(draw(design, 0), normalise=normalise)["p"] > 0.001


def test_voxels_are_chosen_only_where_they_are_in_the_users_decode():
    # Two images a category: a fold fits on one of each, which tells no voxel from another.
    trials = training_trials(make_voxels(categories=20, images=2, voxels=10))
    with pytest.raises(ValueError, match="use all voxels"):
        noise_of(trials, normalise="fold")
    assert noise_of(trials, normalise="fold", choose=False)["p"] > 0.001


@pytest.mark.parametrize("design", [once_a_run, twice_a_run])
def test_a_scale_of_all_trials_of_a_run_is_seen(design, monkeypatch):
    monkeypatch.setattr(driver, "runs_stay_whole", lambda *_: True)
    found = noise_of(draw(design, 0))
    assert found["p"] < 1e-6 and found["top1"] > 1.3 * found["chance"]


def test_a_choice_of_voxels_by_all_trials_is_seen(monkeypatch):
    choose = driver.best_voxels

    def leaking(data, category, pairs, count, **how):
        everything = [(np.arange(len(data)), [])]
        return choose(data, category, everything, count, **how) * len(pairs)

    monkeypatch.setattr(driver, "best_voxels", leaking)
    assert noise_of(draw(once_a_run, 0))["p"] < 1e-6


def test_what_was_recorded_is_not_looked_at():
    trials = draw(once_a_run, 0)
    found = noise_of(trials)
    assert noise_of(replace(trials, data=-trials.data)) == found
    assert noise_of(trials, seed="S2")["top1"] != found["top1"]
    assert (found["draws"], found["images"], found["chance"]) == (20, 96, pytest.approx(1 / 8))


def test_chance_follows_what_is_guessed_and_shown():
    by_hand = draw(DESIGNS[6], 0)  # 6 to 30 images of 5 categories
    assert noise_of(by_hand)["chance"] != pytest.approx(1 / 5)
