"""The scale is out of fold: redone with numpy and scikit-learn, in ten designs and at the edges."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression, Ridge
from threadpoolctl import threadpool_limits

from brain_teacher.decoding import out_of_fold as driver
from brain_teacher.decoding.decoders.logistic import decode_logistic
from brain_teacher.decoding.decoders.ridge import decode_ridge
from brain_teacher.decoding.out_of_fold import plan_for, standardise_by, training_trials
from brain_teacher.decoding.voxel_scaling import (
    best_voxels,
    centred_sides,
    runs_stay_whole,
    scaled_sides,
    zscore_by_run,
)
from helpers.recordings import make_voxels
from noise_designs import DESIGNS, draw, scaled, shuffled

DECODERS = {
    "ridge": (decode_ridge, {"penalty": [100.0]}),
    "logistic": (decode_logistic, {"C": [0.03]}),
}
REDONE = [*(("ridge", d) for d in DESIGNS), *(("logistic", d) for d in DESIGNS[::4])]


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


def some_signal(design, seed=0):
    """A design's noise, with the categories a little apart, and runs unlike."""
    trials = draw(design, seed, voxels=24)
    rng = np.random.default_rng(seed)
    number = np.unique(trials.category, return_inverse=True)[1]
    run = np.unique(trials.run, return_inverse=True)[1]
    data = trials.data + 0.6 * rng.standard_normal((number.max() + 1, 24))[number]
    data = data * np.exp(0.3 * rng.standard_normal(run.max() + 1))[run, None]
    data += 5 * rng.standard_normal((run.max() + 1, 24))[run]
    return training_trials(replace(trials, data=data.astype(np.float32)))


def by_hand(name, trials, plan, *, n_voxels):
    """Out-of-fold log-probabilities and temperatures, a model at a time."""
    rows, temperatures = {}, []
    for fit, predict in zip(plan.fit, plan.predict, strict=True):
        part = trials.take(np.isin(trials.image_id, fit))
        inner, found = plan_for(part, by="image"), {}
        for inner_fit, inner_predict in zip(inner.fit, inner.predict, strict=True):
            found |= fitted(name, part, inner_fit, inner_predict, n_voxels)
        right = np.unique(trials.category).searchsorted(part.category_of(np.array([*found])))
        table = np.array([*found.values()])

        def nll(log_temperature, table=table, right=right):
            softened = log_softmax(table / np.exp(log_temperature), axis=1)
            return -softened[np.arange(len(right)), right].mean()

        bounds = np.log([0.05, 20])
        found = minimize_scalar(nll, bounds=bounds, method="bounded", options={"xatol": 1e-7})
        temperatures.append(np.exp(found.x))
        own = fitted(name, trials, fit, predict, n_voxels)
        rows |= {image: log_softmax(row / temperatures[-1]) for image, row in own.items()}
    return np.array([rows[image] for image in sorted(rows)]), temperatures


def fitted(name, trials, fit, predict, n_voxels):
    """Log-probabilities of some images by one model, each the mean over its trials."""
    # Whatever is on neither side is not there.
    trials = trials.take(np.isin(trials.image_id, np.concatenate([fit, predict])))
    own = np.isin(trials.image_id, fit)
    data = scaled(trials, own, "run")
    best = SelectKBest(f_classif, k=n_voxels).fit(data[own], trials.category[own])
    x, y = best.transform(data[own]), np.unique(trials.category[own], return_inverse=True)[1]
    if name == "ridge":
        one_hot = np.eye(y.max() + 1)[y]
        logits = Ridge(alpha=100.0).fit(x, one_hot).predict(best.transform(data[~own]))
        logits = logits / one_hot.mean(axis=0)
    else:
        model = LogisticRegression(C=0.03, tol=1e-9, max_iter=10_000, solver="newton-cg")
        logits = model.fit(x, y).decision_function(best.transform(data[~own]))
    shown = trials.image_id[~own]
    log_probs = log_softmax(logits, axis=1)
    return {i: log_softmax(log_probs[shown == i].mean(axis=0)) for i in map(str, predict)}


@pytest.mark.parametrize(("name", "design"), REDONE)
def test_a_run_is_scaled_by_its_fitted_trials_one_level_down_too(name, design):
    trials = some_signal(design)
    redone(name, trials, plan_for(trials, by="image"))


def redone(name, trials, plan):
    """Decode, and hold it against the same by hand."""
    settings = {"normalise": "run", "select": "f-score", "n_voxels": 10, "calibrate": True}
    decode, own = DECODERS[name]
    found = decode(trials, plan, **settings, **own)
    expected, temperatures = by_hand(name, trials, plan, n_voxels=10)
    tolerance = {"ridge": 1e-5, "logistic": 2e-4}[name]
    assert found.meta["temperatures"] == pytest.approx(temperatures, rel=20 * tolerance)
    np.testing.assert_allclose(np.exp(found.log_probs), np.exp(expected), atol=tolerance)


def test_whole_runs_are_scaled_once_for_all_folds(monkeypatch):
    """By run, what is solved is `zscore_by_run`; scaled in each fold it gives the same."""
    voxels = training_trials(make_voxels(categories=6, images=5, voxels=20, signal=0.7))
    settings = {"normalise": "run", "select": "f-score", "n_voxels": 8, "calibrate": True}
    plan, penalty = plan_for(voxels, by="run"), [10.0, 100.0]
    shared = decode_ridge(voxels, plan, penalty=penalty, **settings)
    monkeypatch.setattr(driver, "runs_stay_whole", lambda *_: False)
    each = decode_ridge(voxels, plan, penalty=penalty, **settings)
    np.testing.assert_allclose(shared.log_probs, each.log_probs, atol=1e-4)


def test_when_one_scaling_serves_all_folds():
    run = np.repeat([1, 2, 3], 4)
    everything = np.arange(12)
    whole = [(everything[:8], everything[8:]), (everything[:4], everything[4:8])]
    assert runs_stay_whole(run, whole)
    for fit, held_out in ((everything[:7], everything[8:]), (everything[:8], everything[9:])):
        assert not runs_stay_whole(run, [*whole, (fit, held_out)])
    assert not runs_stay_whole(np.repeat([1, 2, 3, 4], 3), [(everything[:6], everything[6:])])


# The edges


def four_categories():
    trials = some_signal(shuffled)
    return trials.take(np.isin(trials.category, np.unique(trials.category)[:4]))


def in_a_run_of_their_own(trials, which):
    return training_trials(replace(trials, run=np.where(which, 9, trials.run)))


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("left", [1, 2])
def test_all_trials_of_a_run_are_held_out_but_one_or_two(name, left):
    trials = four_categories()
    first = plan_for(trials, by="image").predict[0]
    others = trials.image_id[~np.isin(trials.image_id, first)][:left]
    trials = in_a_run_of_their_own(trials, np.isin(trials.image_id, [*first, *others]))
    plan = plan_for(trials, by="image")
    assert (np.isin(trials.image_id, plan.fit[0]) & (trials.run == 9)).sum() == left
    redone(name, trials, plan)


@pytest.mark.parametrize("name", DECODERS)
def test_a_category_is_in_one_run_only(name):
    trials = four_categories()
    trials = in_a_run_of_their_own(trials, trials.category == trials.category[0])
    redone(name, trials, plan_for(trials, by="image"))
    with pytest.raises(
        ValueError, match=r"^folds by run leave no image of category 'c\d+' to fit on"
    ):
        redone(name, trials, plan_for(trials, by="run"))


def sides(data, run, fit, *others):
    return scaled_sides(np.array(data, dtype=float)[:, None], [fit, *others], standardise=run)


def test_a_run_that_keeps_one_fitted_trial_has_its_mean_and_the_others_deviation():
    run = np.array([1, 1, 1, 1, 1, 2, 2, 2])
    data = [1.0, 3, 5, 7, 9, 10, 14, 6]
    fit, held_out = sides(data, run, [0, 1, 2, 3, 4, 5], [6, 7])
    # Run 1: mean 5, variance 8. Pooled: squares 40 over 5 - 1 + 1 - 1 degrees of freedom.
    np.testing.assert_allclose(fit.ravel(), np.array([-4, -2, 0, 2, 4, 0]) / [*[8**0.5] * 5, 1])
    np.testing.assert_allclose(held_out.ravel(), np.array([4, -4]) / 10**0.5)


@pytest.mark.parametrize("left", [1, 2, 3, 4])
def test_few_fitted_trials_do_not_blow_up_the_others(left):
    """Of two, a deviation near 0 is no rarity: held-out noise had z-scores of hundreds."""
    rng = np.random.default_rng(left)
    largest = []
    for _ in range(300):
        run = np.repeat([1, 2, 3], [12, 12, 12])
        fit = np.r_[0:24, 24 : 24 + left]
        data = rng.standard_normal(36)
        largest.append(np.abs(sides(data, run, fit, np.arange(24 + left, 36))[1]).max())
    assert max(largest) < 30, max(largest)


def test_a_run_held_out_whole_is_scaled_by_its_own_trials_of_that_side():
    run = np.repeat([1, 2], 6)
    data = [1.0, 2, 3, 4, 5, 6, 100, 200, 300, 400, -7, 900]
    fit, some, others = sides(data, run, np.arange(6), np.arange(6, 10), [10, 11])
    expected = (np.array([100, 200, 300, 400]) - 250) / np.std([100, 200, 300, 400])
    np.testing.assert_allclose(some.ravel(), expected)
    # Two: around their own mean they would be mirror images, and one alone would be 0.
    pooled = np.sqrt(6 * np.var([1, 2, 3, 4, 5, 6]) / 5)
    np.testing.assert_allclose(others.ravel(), (np.array([-7, 900]) - 3.5) / pooled)
    np.testing.assert_allclose(fit.mean(), 0, atol=1e-12)


def test_no_run_with_two_fitted_trials_is_said():
    with pytest.raises(ValueError, match="^" + re.escape(
        "no run has two trials to fit on, so that nothing says how far a voxel varies within "
        "runs; choose decode.normalise: fold"
    ) + "$"):  # fmt: skip
        sides([1.0, 2, 3], np.array([1, 2, 2]), [0, 1], [2])


@pytest.mark.parametrize("by", ["f-score", "correlation"])
def test_voxels_are_chosen_as_each_fold_scales_them(by):
    trials = some_signal(DESIGNS[5])
    number = driver.class_numbers(trials)
    pairs = driver.trial_pairs(trials, plan_for(trials, by="image"))
    chosen = best_voxels(trials.data, number, pairs, 8, by=by, standardise=trials.run)
    assert len({columns.tobytes() for columns in chosen}) > 1
    for pair, columns in zip(pairs, chosen, strict=True):
        x, _ = scaled_sides(trials.data, pair, standardise=trials.run)
        whole = [(np.arange(len(x)), [])]
        (expected,) = best_voxels(x, number[pair[0]], whole, 8, by=by)
        assert columns.tolist() == expected.tolist()
    raw = best_voxels(trials.data, number, pairs, 8, by=by)
    assert any((a != b).any() for a, b in zip(raw, chosen, strict=True))


def test_what_a_network_sees_of_a_fold():
    trials = some_signal(DESIGNS[5])
    fit, validation, held_out = np.arange(80), np.arange(80, 100), np.arange(100, 128)
    own = np.isin(np.arange(128), fit)
    for normalise in ("run", "fold", "centre"):
        columns, how = np.array([5, 2, 9]), standardise_by(trials, normalise)
        sides = (fit, validation, held_out)
        found = centred_sides(trials.data, sides, standardise=how, columns=columns)
        assert all(part.dtype == np.float32 for part in found)
        if normalise == "centre":
            expected = trials.data - trials.data[own].mean(axis=0)
        else:
            expected = scaled(trials, own, normalise)
        for part, rows in zip(found, (fit, validation, held_out), strict=True):
            np.testing.assert_allclose(part, expected[rows][:, columns], rtol=1e-4, atol=1e-4)


def test_other_trials_of_the_run_that_are_on_no_side_are_not_seen():
    trials = some_signal(DESIGNS[5])
    pair = np.arange(60), np.arange(60, 90)
    data = trials.data.copy()
    data[90:] += 100
    for a, b in zip(*(scaled_sides(d, pair, standardise=trials.run) for d in (trials.data, data)),
                    strict=True):  # fmt: skip
        np.testing.assert_array_equal(a, b)


def test_whole_runs_one_by_one_are_zscore_by_run():
    trials = some_signal(DESIGNS[5])
    last = trials.run == trials.run.max()
    pair = np.flatnonzero(~last), np.flatnonzero(last)
    expected = zscore_by_run(trials.data, trials.run)
    for part, rows in zip(
        scaled_sides(trials.data, pair, standardise=trials.run), pair, strict=True
    ):
        np.testing.assert_allclose(part, expected[rows], atol=1e-12)
