"""GOD's real order of presentation: its rounds, and what can be decoded from time alone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brain_teacher.dataset.trials import Voxels
from brain_teacher.decoding.controls import permute_trials, time_voxels
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from brain_teacher.decoding.rounds import find_rounds
from helpers.recordings import GOD_TRIALS, count_hits, needs_god, p_of_chance

pytestmark = needs_god
SUBJECTS = ("S1", "S2", "S3", "S4", "S5")
IN_ORDER = [(first, first + 1, first + 2) for first in range(1, 25, 3)]
# ../shared/data/README.md; found there by another program.
ROUNDS = dict.fromkeys(SUBJECTS, IN_ORDER) | {
    "S5": [
        *((1, 2, 9), (3, 4, 5), (6, 7, 8), (10, 11, 12)),
        *((13, 14, 21), (15, 16, 17), (18, 19, 22), (20, 23, 24)),
    ]
}


@pytest.fixture(scope="module")
def table():
    """The trials that a recording has: no one-back repeats."""
    trials = pd.read_csv(GOD_TRIALS)
    return trials[(trials["data_type"] == 1) & (trials["one_back_repeat"] == 0)]


@pytest.fixture(params=SUBJECTS)
def subject(request):
    return request.param


def voxels_of(table, subject, *, signal=0.0):
    """A subject's 1,200 training trials, with made-up voxels; `signal` is their SD by category."""
    trials = table[table["subject"] == subject]
    rng = np.random.default_rng(SUBJECTS.index(subject))
    data = rng.standard_normal((len(trials), 100))
    data += 0.5 * rng.standard_normal((25, 100))[trials["run"]]
    data += signal * rng.standard_normal((151, 100))[trials["category_index"]]
    return Voxels(
        data=data.astype(np.float32),
        image_id=trials["image_id"].to_numpy(dtype=str),
        category=trials["category"].to_numpy(dtype=str),
        run=trials["run"].to_numpy(),
        position=trials["block"].to_numpy(),
    )


def test_the_rounds_are_those_of_the_table(table, subject):
    trials = table[table["subject"] == subject]
    run, category = (trials[name].to_numpy() for name in ("run", "category"))
    found = find_rounds(run, category)
    members = [tuple(np.unique(run[found == number]).tolist()) for number in range(1, 9)]
    assert members == ROUNDS[subject]
    np.testing.assert_array_equal(found, trials["round"])


def test_one_back_repeats_change_no_round():
    trials = pd.read_csv(GOD_TRIALS)
    trials = trials[trials["data_type"] == 1]
    assert trials["one_back_repeat"].sum() == 5 * 24 * 5
    for _, rows in trials.groupby("subject"):
        found = find_rounds(rows["run"].to_numpy(), rows["category"].to_numpy())
        np.testing.assert_array_equal(found, rows["round"])


def test_rounds_do_not_depend_on_the_numbers_of_the_runs(table, subject):
    trials = table[table["subject"] == subject]
    rng = np.random.default_rng(5)
    renamed = rng.permutation(100)[trials["run"]]
    found = find_rounds(renamed, trials["category"].to_numpy())
    pairs = set(zip(found.tolist(), trials["round"].tolist(), strict=True))
    assert len(pairs) == 8


def check_folds(voxels, plan, n_folds):
    """`n_folds` x 150 categories x 1 image, and no run on both sides."""
    assert len(plan.predict) == n_folds
    for fit, held_out in zip(plan.fit, plan.predict, strict=True):
        sides = [np.isin(voxels.image_id, images) for images in (fit, held_out)]
        assert (sides[0] ^ sides[1]).all()
        _, counts = np.unique(voxels.category[sides[1]], return_counts=True)
        assert counts.tolist() == [1] * 150
        runs = [np.unique(voxels.run[side]) for side in sides]
        assert len(runs[1]) == 3 and not np.isin(*runs).any()


def test_folds_by_round_leave_an_image_of_each_category_out_and_split_no_run(table, subject):
    voxels = voxels_of(table, subject)
    plan = plan_for(voxels)
    assert plan.by == "round"
    check_folds(voxels, plan, 8)
    assert all(len(fit) == 1050 for fit in plan.fit)
    # One level down, from the trials of the outer fold alone.
    for fit in plan.fit:
        inside = voxels.take(np.isin(voxels.image_id, fit))
        check_folds(inside, plan_for(inside, by="round"), 7)


def hits(voxels, *, by, decoder="ridge", normalise="fold"):
    """How many of the 1,200 images are right; 8 by chance."""
    own = {"ridge": {"penalty": [100.0]}, "logistic": {"C": [0.1]}}[decoder]
    voxels = training_trials(voxels)
    found = DECODERS[decoder].decode(
        voxels,
        plan_for(voxels, by=by),
        normalise=normalise,
        select="f-score",
        n_voxels=100,
        calibrate=False,
        **own,
    )
    return count_hits(found, voxels)


@pytest.mark.parametrize("decoder", ["ridge", pytest.param("logistic", marks=pytest.mark.full)])
def test_time_alone_is_at_chance_by_round_and_below_by_image(table, subject, decoder):
    timed = time_voxels(voxels_of(table, subject))
    assert p_of_chance(hits(timed, by="round", decoder=decoder), 1200, 150) > 0.001
    # No category comes twice in a run: what the run is says which categories are used up. That is
    # how it is, and is reported: 0 of 1,200 has p = 0.0003.
    assert hits(timed, by="image", decoder=decoder) == 0


@pytest.mark.parametrize("by", ["round", "image"])
@pytest.mark.parametrize("normalise", ["run", "fold"])
def test_recordings_exchanged_within_runs_are_not_above_chance(table, by, normalise):
    found = []
    for name in SUBJECTS:
        voxels = voxels_of(table, name, signal=0.7)
        if name == "S1":
            assert hits(voxels, by=by, normalise=normalise) > 1000
        for seed in (20, 21):
            permuted = permute_trials(voxels, rng=np.random.default_rng(seed))
            found.append(hits(permuted, by=by, normalise=normalise))
    n = 1200 * len(found)
    if (by, normalise) == ("image", "fold"):
        # Voxels that tell runs apart tell which categories the run has used up: 5.8 of 1,200 over
        # 40 other draws, chance 8.
        assert sum(found) < n / 150, found
    else:
        assert p_of_chance(sum(found), n, 150) > 0.001, found


@pytest.mark.parametrize("size", [1.0, 3.0])
def test_a_drift_in_the_voxels_is_not_decoded_by_round(table, subject, size):
    voxels = voxels_of(table, subject)
    waves = time_voxels(voxels).data[:, 24:]
    drift = waves @ np.random.default_rng(7).standard_normal((waves.shape[1], 100))
    drifting = replace(voxels, data=(voxels.data + size * drift).astype(np.float32))
    for normalise in ("run", "fold"):
        found = hits(drifting, by="round", normalise=normalise)
        assert p_of_chance(found, 1200, 150) > 0.001, normalise
