"""Ridge in folds, against scikit-learn refitted for each fold and penalty."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from brain_teacher.decoding.solvers import ridge
from brain_teacher.decoding.solvers.ridge import solve_folds

PENALTIES = [0.3, 7.0, 200.0]

# Of more trials, the folds of `make_pairs` are few enough to share their products.
FEW = 100


def refitted(data, targets, pairs, *, penalties=PENALTIES, chosen=None, standardise=False):
    """The plain loop, in float64."""
    data, predicted = data.astype(np.float64), []
    for number, (fit, held_out) in enumerate(pairs):
        columns = slice(None) if chosen is None else chosen[number]
        x, x_held_out = data[fit][:, columns], data[held_out][:, columns]
        if standardise:
            scaler = StandardScaler().fit(x)
            x, x_held_out = scaler.transform(x), scaler.transform(x_held_out)
        predicted.append(
            np.stack([Ridge(alpha=p).fit(x, targets[fit]).predict(x_held_out) for p in penalties])
        )
    return predicted


def make_trials(n, voxels, targets=4, seed=0):
    rng = np.random.default_rng(seed)
    data = 3 + rng.standard_normal((n, voxels)) * np.exp(rng.standard_normal(voxels))
    weights = rng.standard_normal((voxels, targets)) / np.sqrt(voxels)
    return data, data @ weights + rng.standard_normal((n, targets)) + 5


def make_pairs(n, folds=4, seed=1):
    """Outer and inner folds of unequal size, and, of few trials, some that are neither."""
    rng = np.random.default_rng(seed)
    fold = rng.choice(folds, n, p=np.arange(1, folds + 1) / np.arange(1, folds + 1).sum())
    numbers = range(folds)
    pairs = [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in numbers]
    pairs += [
        (np.flatnonzero((fold != f) & (fold != g)), np.flatnonzero(fold == g))
        for f in numbers
        for g in numbers
        if f != g
    ]
    # Fitted on less than is left out.
    pairs.append((np.flatnonzero(fold == 1), np.flatnonzero(fold == 2)))
    if n < FEW:
        # In no order, with some trials on neither side.
        order = rng.permutation(n)
        pairs.append((order[: 2 * n // 3], order[2 * n // 3 + 3 :]))
    return pairs


def assert_equal(found, expected, **tolerance):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.float64
        np.testing.assert_allclose(one, other, **({"rtol": 0, "atol": 1e-9} | tolerance))


def test_one_voxel_by_hand():
    # Centred: x -1, 1 and t -1, 1; weight 2 / (2 + 2) around (1, 1); at 3: 1 + 0.5 * 2.
    data, targets = np.array([[0.0], [2], [3]]), np.array([[0.0], [2], [99]])
    for standardise in (False, True):  # the deviation is 1
        (found,) = solve_folds(
            data, targets, [([0, 1], [2])], penalties=[2], standardise=standardise
        )
        np.testing.assert_allclose(found, [[[2.0]]])


@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize("choose", [False, True])
@pytest.mark.parametrize(
    ("n", "voxels"), [(140, 1), (140, 20), (140, 90), (140, 300), (60, 20), (60, 59), (60, 200)]
)
def test_each_pair_is_as_refitted(n, voxels, choose, standardise):
    data, targets = make_trials(n, voxels)
    pairs = make_pairs(n)
    chosen = None
    if choose:
        rng = np.random.default_rng(2)
        chosen = [np.sort(rng.permutation(voxels)[: (voxels + 1) // 2]) for _ in pairs]
    settings = {"chosen": chosen, "standardise": standardise}
    before = data.copy(), targets.copy()
    found = solve_folds(data, targets, pairs, penalties=PENALTIES, **settings)
    assert_equal(found, refitted(data, targets, pairs, **settings))
    np.testing.assert_array_equal(data, before[0])
    np.testing.assert_array_equal(targets, before[1])


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_block_that_is_left_out_is_as_refitted(data):
    n = data.draw(st.integers(4, 40))
    voxels = data.draw(st.integers(1, 50))
    x, targets = make_trials(n, voxels, targets=2, seed=data.draw(st.integers(0, 1000)))
    pairs = []
    for order in data.draw(st.lists(st.permutations(range(n)), min_size=1, max_size=4)):
        n_fit = data.draw(st.integers(1, n - 1))
        n_held_out = data.draw(st.integers(1, n - n_fit))
        pairs.append((np.array(order[:n_fit]), np.array(order[n_fit : n_fit + n_held_out])))
    penalties = data.draw(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=4))
    standardise = data.draw(st.booleans())
    found = solve_folds(x, targets, pairs, penalties=penalties, standardise=standardise)
    expected = refitted(x, targets, pairs, penalties=penalties, standardise=standardise)
    assert_equal(found, expected, atol=1e-7)


@pytest.mark.parametrize("voxels", [30, 300])
@pytest.mark.parametrize("penalty", [1e-4, 1e12])
def test_one_penalty_far_out(voxels, penalty):
    data, targets = make_trials(140, voxels)
    pairs = make_pairs(140)
    for standardise in (False, True):
        found = solve_folds(data, targets, pairs, penalties=[penalty], standardise=standardise)
        expected = refitted(data, targets, pairs, penalties=[penalty], standardise=standardise)
        assert_equal(found, expected, atol=1e-6)


def test_many_targets():
    data, targets = make_trials(140, 40, targets=400)
    pairs = make_pairs(140)
    for standardise in (False, True):
        found = solve_folds(data, targets, pairs, penalties=PENALTIES, standardise=standardise)
        assert_equal(found, refitted(data, targets, pairs, standardise=standardise))


def test_leaving_out_one_trial_at_a_time():
    data, targets = make_trials(50, 20)
    pairs = [(np.delete(np.arange(50), t), np.array([t])) for t in range(50)]
    for standardise in (False, True):
        found = solve_folds(data, targets, pairs, penalties=PENALTIES, standardise=standardise)
        assert_equal(found, refitted(data, targets, pairs, standardise=standardise))


# Constant voxels and wild trials


@pytest.mark.parametrize("value", [0.0, 0.1, 12345.678])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constant_voxels_change_nothing(value, dtype):
    data, targets = make_trials(140, 20)
    data = data.astype(dtype)
    pairs = make_pairs(140)
    padded = np.insert(data, [0, 7, 20], value, axis=1).astype(dtype)
    for standardise in (False, True):
        settings = {"penalties": PENALTIES, "standardise": standardise}
        assert_equal(
            solve_folds(padded, targets, pairs, **settings),
            solve_folds(data, targets, pairs, **settings),
            atol=1e-9 if dtype == np.float64 else 1e-4,
        )


def test_constant_voxels_alone_predict_the_mean_of_the_fit():
    targets = make_trials(140, 1)[1]
    pairs = make_pairs(140)
    for standardise in (False, True):
        found = solve_folds(
            np.full((140, 3), 0.1), targets, pairs, penalties=[1, 10], standardise=standardise
        )
        for (fit, _), values in zip(pairs, found, strict=True):
            np.testing.assert_allclose(
                values, np.broadcast_to(targets[fit].mean(axis=0), values.shape)
            )


@pytest.mark.parametrize("wild", [3.0, 1e4, 1e8])
@pytest.mark.parametrize("voxels", [20, 300])
def test_a_voxel_that_varies_only_outside_the_fit(voxels, wild):
    data, targets = make_trials(140, voxels)
    pairs = make_pairs(140)[:4]
    data[:, 3] = 1.25
    data[pairs[0][1][0], 3] += wild
    found = solve_folds(data, targets, pairs, penalties=PENALTIES, standardise=True)
    assert_equal(found, refitted(data, targets, pairs, standardise=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_wild_trial_outside_the_fit_costs_no_digits(dtype):
    data, targets = make_trials(140, 20)
    data = data.astype(dtype)
    pairs = make_pairs(140)[:4]
    data[pairs[0][1][0], [3, 5]] = 1e6, -1e7
    settings = {"penalties": [30.0, 300.0], "standardise": True}
    found = solve_folds(data, targets, pairs, **settings)[:1]
    tolerance = 1e-9 if dtype == np.float64 else 1e-4
    expected = refitted(data, targets, pairs[:1], **settings)
    assert_equal(found, expected, atol=tolerance, rtol=tolerance)


# Precision


@pytest.mark.parametrize("voxels", [20, 300])
@pytest.mark.parametrize("standardise", [False, True])
def test_large_offsets_cost_no_digits(voxels, standardise):
    data, targets = make_trials(140, voxels)
    pairs = make_pairs(140)
    settings = {"penalties": [200.0, 2000.0], "standardise": standardise}
    expected = solve_folds(data, targets, pairs, **settings)
    moved = solve_folds(data + 1e4, targets + 1e5, pairs, **settings)
    assert_equal([values - 1e5 for values in moved], expected, atol=1e-7)
    single = data.astype(np.float32)
    expected = solve_folds(single, targets, pairs, **settings)
    moved = solve_folds(single, targets + 1e5, pairs, **settings)
    assert_equal([values - 1e5 for values in moved], expected, atol=1e-5)


@pytest.mark.parametrize("common", [0, 0.7])
@pytest.mark.parametrize("voxels", [60, 130, 400])
@pytest.mark.parametrize("standardise", [False, True])
def test_float32_is_near_float64(voxels, common, standardise, monkeypatch):
    # `common` moves all voxels together: one eigenvalue then towers above the rest.
    rng = np.random.default_rng(0)
    category = np.repeat(np.arange(20), 7)
    data = 0.3 * rng.standard_normal((20, voxels))[category] + rng.standard_normal((140, voxels))
    data = (data + common * rng.standard_normal((140, 1))).astype(np.float32)
    targets, pairs = np.eye(20)[category], make_pairs(140)
    settings = {"standardise": standardise}
    largest = np.linalg.eigvalsh(np.cov(data, rowvar=False)).max() * 140
    assert ridge._largest_eigenvalue(data - data.mean(axis=0)) == pytest.approx(largest, rel=0.2)
    exact = {p: refitted(data, targets, pairs, penalties=[p], **settings) for p in (3.0, 1000.0)}
    found = solve_folds(data, targets, pairs, penalties=[1000], **settings)
    assert_equal(found, exact[1000.0], atol=3e-6)
    assert np.abs(found[0] - exact[1000.0][0]).max() > 1e-10  # it was float32
    # The penalty is too small for it:
    monkeypatch.setattr(ridge, "FLOAT32_RANGE", largest / 30)
    assert_equal(solve_folds(data, targets, pairs, penalties=[3], **settings), exact[3.0])


# Laws


ways = pytest.mark.parametrize(
    ("n", "voxels", "standardise"),
    [
        (140, 20, False),
        (140, 300, False),
        (60, 20, False),
        (140, 20, True),
        (140, 300, True),
    ],
)


@ways
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_targets_of_what_is_left_out_touch_no_bit(n, voxels, standardise, dtype):
    data, targets = make_trials(n, voxels)
    data, pairs = data.astype(dtype), make_pairs(n)
    settings = {"penalties": [50.0, 5000.0], "standardise": standardise}
    expected = solve_folds(data, targets, pairs, **settings)
    for number, (fit, _) in enumerate(pairs):
        unknown = np.full_like(targets, np.nan)
        unknown[fit] = targets[fit]
        found = solve_folds(data, unknown, pairs, **settings)[number]
        np.testing.assert_array_equal(found, expected[number])


@ways
def test_the_order_of_voxels_and_of_trials_does_not_matter(n, voxels, standardise):
    data, targets = make_trials(n, voxels)
    pairs = make_pairs(n)
    settings = {"penalties": PENALTIES, "standardise": standardise}
    expected = solve_folds(data, targets, pairs, **settings)
    rng = np.random.default_rng(3)
    columns, rows = rng.permutation(voxels), rng.permutation(n)
    place = np.argsort(rows)
    moved = [(place[fit], place[held_out]) for fit, held_out in pairs]
    found = solve_folds(data[rows][:, columns], targets[rows], moved, **settings)
    assert_equal(found, expected)


@ways
def test_a_pair_alone_is_as_among_others(n, voxels, standardise):
    data, targets = make_trials(n, voxels)
    pairs = make_pairs(n)
    settings = {"penalties": PENALTIES, "standardise": standardise}
    together = solve_folds(data, targets, pairs, **settings)
    for pair, expected in zip(pairs, together, strict=True):
        assert_equal(solve_folds(data, targets, [pair], **settings), [expected])


def test_no_pairs_and_no_trials_to_predict():
    data, targets = make_trials(20, 3)
    assert solve_folds(data, targets, [], penalties=PENALTIES) == []
    (found,) = solve_folds(data, targets, [(np.arange(15), [])], penalties=PENALTIES)
    assert found.shape == (3, 0, 4)


# What is refused


def refuses(message, *arguments, **settings):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        solve_folds(*arguments, **({"penalties": [1.0]} | settings))


def test_pairs_that_cannot_be_fitted_are_refused():
    data, targets = make_trials(10, 3)
    good = (np.arange(8), np.array([8, 9]))
    message = "pair 1 has no trial to fit on"
    refuses(message, data, targets, [good, (np.array([], dtype=int), np.arange(3))])
    refuses("pair 1 has trial 2 on both sides", data, targets, [good, ([0, 1, 2], [4, 2])])


def test_targets_of_another_shape_are_refused():
    data, targets = make_trials(10, 3)
    pairs = [(np.arange(8), np.array([8, 9]))]
    message = "targets have shape (9, 4); give one row of targets for each of the 10 trials"
    refuses(message, data, targets[:9], pairs)
    message = "targets have shape (10,); give one row of targets for each of the 10 trials"
    refuses(message, data, targets[:, 0], pairs)


@pytest.mark.parametrize("standardise", [False, True])
def test_a_penalty_that_is_lost_beside_the_voxels_is_refused(standardise):
    data, targets = make_trials(60, 200)
    message = (
        "penalty 1e-30 is too small to be told from 0 beside these voxels; use larger penalties"
    )
    data[:, 100:] = data[:, :100]
    data[:30] = data[30:]  # an eigenvalue of 0, which rounding makes less
    pairs = [(np.arange(40), np.arange(40, 60))]
    refuses(message, data, targets, pairs, penalties=[10, 1e-30], standardise=standardise)
