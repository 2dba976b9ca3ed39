"""Folds and penalties solved at once, against scikit-learn fold by fold, solved tightly."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from brain_teacher.decoding.solvers import logistic
from brain_teacher.decoding.solvers.logistic import solve_folds

PENALTIES = [0.01, 1.0, 0.001, 0.1]


@pytest.fixture(autouse=True)
def one_thread():
    """As the command has it: one thread repeats to the bit, and is faster."""
    with threadpool_limits(1):
        yield


def draw(n_voxels, n_classes, *, n_trials=64, n_pairs=3, even=False, seed=0):
    """Voxels in units of their own, category, and folds that differ in size."""
    rng = np.random.default_rng(seed)
    category = np.arange(n_trials) % n_classes
    if not even:  # the first class is the largest
        category[rng.random(n_trials) < 0.3] = 0
        category[:n_classes] = np.arange(n_classes)
    category = rng.permutation(category)
    centres = 0.5 * rng.standard_normal((n_classes, n_voxels))
    data = centres[category] + rng.standard_normal((n_trials, n_voxels))
    data = data * rng.uniform(0.5, 2, n_voxels) + rng.uniform(-3, 3, n_voxels)
    pairs = []
    while len(pairs) < n_pairs:
        order, (a, b) = rng.permutation(n_trials), sorted(rng.integers(5, 20, 2))
        if len(np.unique(category[order[b:]])) == n_classes:  # a to b are on neither side
            pairs.append((np.sort(order[b:]), order[:a]))
    return data, category, pairs


def expected(data, category, pairs, C, *, chosen=None, standardise=False):
    """Probabilities by scikit-learn, (n_C, n_held_out, n_classes) for each pair."""
    probs = []
    for number, (fit, held_out) in enumerate(pairs):
        x = data if chosen is None else data[:, chosen[number]]
        if standardise:
            x = StandardScaler().fit(x[fit]).transform(x)
        models = [LogisticRegression(C=c, tol=1e-10, solver="newton-cg", max_iter=500) for c in C]
        probs.append([m.fit(x[fit], category[fit]).predict_proba(x[held_out]) for m in models])
    return probs


def error(logits, probs):
    pairs = zip(logits, probs, strict=True)
    return max(np.abs(softmax(mine, axis=2) - theirs).max() for mine, theirs in pairs)


def difference(logits, others):
    return max(np.abs(a - b).max() for a, b in zip(logits, others, strict=True))


@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 8])
@pytest.mark.parametrize("n_voxels", [5, 300])
def test_probabilities_are_those_of_scikit_learn(n_voxels, n_classes, standardise):
    data, category, pairs = draw(n_voxels, n_classes)
    logits = solve_folds(data, category, pairs, C=PENALTIES, standardise=standardise)
    shapes = [(len(PENALTIES), len(held_out), n_classes) for _, held_out in pairs]
    assert [a.shape for a in logits] == shapes
    assert all(a.dtype == np.float64 for a in logits)
    probs = expected(data, category, pairs, PENALTIES, standardise=standardise)
    assert error(logits, probs) < 1e-4


@pytest.mark.parametrize("standardise", [False, True])
def test_voxels_are_chosen_by_pair(standardise):
    data, category, pairs = draw(60, 5)
    rng = np.random.default_rng(1)
    chosen = [np.sort(rng.permutation(60)[:count]) for count in (3, 20, 55)]
    probs = expected(data, category, pairs, PENALTIES, chosen=chosen, standardise=standardise)
    kwargs = {"chosen": chosen, "standardise": standardise}
    assert error(solve_folds(data, category, pairs, C=PENALTIES, **kwargs), probs) < 1e-4


def test_many_pairs_share_the_kernel_of_all_trials():
    data, category, pairs = draw(300, 4, n_pairs=12)
    logits = solve_folds(data, category, pairs, C=PENALTIES)
    assert error(logits, expected(data, category, pairs, PENALTIES)) < 1e-4
    alone = [solve_folds(data, category, [pair], C=PENALTIES)[0] for pair in pairs]
    assert difference(logits, alone) < 1e-3


@pytest.mark.parametrize("tolerance", [1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
@pytest.mark.parametrize(("n_voxels", "C"), [(20, 1000.0), (20, 1.0), (400, 0.1), (400, 0.003)])
def test_the_error_is_within_the_tolerance(n_voxels, C, tolerance):
    data, category, pairs = draw(n_voxels, 10, n_trials=96, seed=3)
    logits = solve_folds(data, category, pairs, C=[C], tolerance=tolerance)
    assert error(logits, expected(data, category, pairs, [C])) < tolerance


@pytest.mark.parametrize("offset", [1e3, -1e4])
@pytest.mark.parametrize("C", [[0.001], [0.1, 100.0]])
def test_large_offsets_and_weak_penalties_are_solved_in_double_precision(offset, C):
    data, category, pairs = draw(40, 4, n_pairs=12)
    logits = solve_folds(data + offset, category, pairs, C=C)
    assert error(logits, expected(data, category, pairs, C)) < 1e-4


@pytest.mark.parametrize(("scale", "C"), [(1, 0.1), (100, 0.1)])
def test_signal_along_which_the_softmax_saturates_at_once(scale, C):
    # Newton's first step overshoots from 1/K to 1 here; a careless search then stops for good.
    rng = np.random.default_rng(0)
    category = np.tile(np.arange(20), 6)
    data = (0.5 * rng.standard_normal((20, 400)))[category] + rng.standard_normal((120, 400))
    pairs = [(np.arange(100), np.arange(100, 120))]
    logits = solve_folds(scale * data, category, pairs, C=[C])
    assert error(logits, expected(scale * data, category, pairs, [C])) < 1e-4


@pytest.mark.parametrize("C", [0.001, 0.1, 10.0])
def test_an_outlying_trial(C):
    data, category, pairs = draw(80, 5, n_pairs=1)
    data[pairs[0][0][5]] *= 30
    logits = solve_folds(data, category, pairs, C=[C])
    assert error(logits, expected(data, category, pairs, [C])) < 1e-4


@pytest.mark.parametrize("name", ["ARRAY_BYTES", "KERNEL_BYTES"])
@pytest.mark.parametrize("size", [1, 30_000, 2**30])
def test_batches_change_nothing(monkeypatch, name, size):
    data, category, pairs = draw(300, 4, n_pairs=12)
    once = solve_folds(data, category, pairs, C=PENALTIES, tolerance=1e-6)
    monkeypatch.setattr(logistic, name, size)
    again = solve_folds(data, category, pairs, C=PENALTIES, tolerance=1e-6)
    assert difference(once, again) < 1e-5


def test_order_of_trials_voxels_and_penalties_does_not_matter():
    data, category, pairs = draw(80, 5)
    once = solve_folds(data, category, pairs, C=PENALTIES, tolerance=1e-6)
    rng = np.random.default_rng(1)
    trials, voxels, order = (rng.permutation(n) for n in (64, 80, len(PENALTIES)))
    place = np.argsort(trials)
    again = solve_folds(
        data[trials][:, voxels],
        category[trials],
        [(rng.permutation(place[fit]), place[held_out]) for fit, held_out in pairs],
        C=np.array(PENALTIES)[order],
        tolerance=1e-6,
    )
    assert difference([logits[order] for logits in once], again) < 1e-5


@pytest.mark.parametrize("chosen", [None, [np.arange(3, 60)] * 12])
def test_a_pair_has_the_same_bits_in_any_company(chosen):
    data, category, pairs = draw(80, 5, n_pairs=12)
    once = solve_folds(data, category, pairs, C=PENALTIES, chosen=chosen)
    order = np.random.default_rng(1).permutation(12)[:3]
    again = solve_folds(data, category, [pairs[k] for k in order], C=PENALTIES, chosen=chosen)
    for number, logits in zip(order, again, strict=True):
        np.testing.assert_array_equal(logits, once[number])


@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize("n_pairs", [2, 12])
def test_nothing_outside_a_fit_has_a_say_in_it(n_pairs, standardise):
    data, category, pairs = draw(80, 5, n_pairs=n_pairs)
    once = solve_folds(data, category, pairs, C=PENALTIES, standardise=standardise)
    rng = np.random.default_rng(1)
    for number, (fit, held_out) in enumerate(pairs):
        other = np.setdiff1d(np.arange(64), fit)
        labels, voxels = category.copy(), data.copy()
        labels[other] = rng.integers(0, 5, len(other))
        unseen = np.setdiff1d(other, held_out[:1])
        voxels[unseen] = 10 * rng.standard_normal((len(unseen), 80))
        # The other pairs' fits change with it, which must not matter either.
        again = solve_folds(voxels, labels, pairs, C=PENALTIES, standardise=standardise)
        np.testing.assert_array_equal(again[number][:, :1], once[number][:, :1])


def test_constant_voxels_count_for_nothing():
    data, category, pairs = draw(30, 4)
    for standardise in (False, True):
        kwargs = {"C": [0.1], "standardise": standardise, "tolerance": 1e-6}
        once = solve_folds(data, category, pairs, **kwargs)
        more = np.concatenate([data, np.full((64, 2), 0.1)], axis=1)
        assert difference(once, solve_folds(more, category, pairs, **kwargs)) < 1e-5
        flat = solve_folds(np.full((64, 3), 0.1), category, pairs, **kwargs)
        for logits, (fit, _) in zip(flat, pairs, strict=True):
            frequency = np.bincount(category[fit]) / len(fit)
            assert np.abs(softmax(logits, axis=2) - frequency).max() < 1e-6


@settings(max_examples=15, deadline=None)
@given(scale=st.floats(0.01, 100), offset=st.floats(-10, 10), seed=st.integers(0, 9))
def test_units_of_the_voxels_are_units_of_the_penalty(scale, offset, seed):
    # W X is the same with W / scale and scale X, ||W||^2 then with C / scale^2.
    data, category, pairs = draw(30, 3, seed=seed)
    once = solve_folds(data, category, pairs, C=[0.1], tolerance=1e-6)
    other = solve_folds(scale * data + offset, category, pairs, C=[0.1 / scale**2], tolerance=1e-6)
    assert error(once, [softmax(logits, axis=2) for logits in other]) < 1e-5


def test_certainty_is_a_large_number_and_no_infinity():
    data, category, pairs = draw(5, 6)
    far = np.concatenate([data, 1e5 * data])
    pairs = [(fit, held_out + 64) for fit, held_out in pairs]
    for logits in solve_folds(far, np.tile(category, 2), pairs, C=[1.0]):
        assert np.isfinite(logits).all() and np.ptp(logits, axis=2).min() > 1000


def test_a_pair_without_held_out_trials_has_no_logits():
    data, category, pairs = draw(20, 3)
    none = np.array([], dtype=int)
    assert solve_folds(data, category, [(pairs[0][0], none)], C=[1.0])[0].shape == (1, 0, 3)


def test_inputs_are_left_alone():
    data, category, pairs = draw(20, 3)
    data = data.astype(np.float32)
    before = [array.copy() for array in (data, category, *itertools.chain(*pairs))]
    solve_folds(data, category, pairs, C=PENALTIES)
    for array, copy in zip((data, category, *itertools.chain(*pairs)), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_bad_input():
    data, category, pairs = draw(20, 3)
    with pytest.raises(ValueError, match=r"^C must be above 0, not -1$"):
        solve_folds(data, category, pairs, C=[1.0, -1.0])
    with pytest.raises(ValueError, match=r"^C must be above 0, not 0$"):
        solve_folds(data, category, pairs, C=[0.0])
    fit = np.flatnonzero(category != 1)
    with pytest.raises(
        ValueError,
        match=r"^the fit of pair 1 has no trial of class 1; choose other folds$",
    ):
        solve_folds(data, category, [pairs[0], (fit, pairs[0][1])], C=[1.0])
    with pytest.raises(ValueError, match=r"^all trials are of one class; decoding needs two$"):
        solve_folds(data, 0 * category, pairs, C=[1.0])
    data[7, 3] = np.nan
    with pytest.raises(ValueError, match=r"^voxel 3 of trial 7 is nan; leave one out$"):
        solve_folds(data, category, pairs, C=[1.0])


def test_a_fit_that_does_not_end_says_so(monkeypatch):
    data, category, pairs = draw(20, 3)
    monkeypatch.setattr(logistic, "MOST_STEPS", 3)
    with pytest.warns(RuntimeWarning) as caught:
        solve_folds(data, category, pairs[:1], C=[1.0])
    assert [str(warning.message) for warning in caught] == [
        "1 of 1 fits at C = 1 need more than 3 steps; use a smaller C or a larger tolerance"
    ]
    assert caught[0].filename == __file__
