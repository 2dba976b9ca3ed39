"""Identification of categories that were never trained on, on toy recordings."""

import dataclasses
import re

import numpy as np
import pytest
from scipy import stats
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from brain_teacher.dataset.image_features import ImageFeatures
from brain_teacher.dataset.trials import Voxels
from brain_teacher.decoding import identification as module
from brain_teacher.decoding.identification import identify, pairwise, split_half
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from helpers.recordings import p_of_chance

SETTINGS = {"normalise": "run", "select": "f-score", "n_voxels": 500, "penalty": [10.0]}
N_FEATURES, N_VOXELS, TRAINED, IMAGES, TESTED = 20, 50, 12, 6, 10


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


def draw(*, noise=1.0, imagined=1.0, averages=True, repeats=8, apart=50.0, seed=0):
    """GOD in small: 12 categories trained on, 10 others seen and imagined; every category has runs.

    Run numbers start from 1 in each data type; each type's voxels lie `apart`. `imagined` is how
    much of an image's pattern is left in imagery.
    """
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((N_FEATURES, N_VOXELS)) / np.sqrt(N_FEATURES)
    centres = rng.standard_normal((TRAINED + TESTED, N_FEATURES))
    category, number = (v.ravel() for v in np.indices((TRAINED, IMAGES)))
    content = centres[category] + 0.5 * rng.standard_normal((len(category), N_FEATURES))
    # Random runs: one of each category a run would let a run's sum tell what is left.
    trained = [(f"a{c:02}_{n}", f"a{c:02}", 1) for c, n in zip(category, number, strict=True)]
    run = rng.permutation(np.tile(np.arange(1, 7), len(category) // 6))
    seen = centres[TRAINED:] + 0.2 * rng.standard_normal((TESTED, N_FEATURES))
    rows, runs, patterns = list(trained), [*run], [*content]
    for kind, strength in ((2, 1.0), (3, imagined)):
        for repeat in range(repeats):
            for c in range(TESTED):
                # As in GOD, imagery has a category for a name.
                name = f"t{c}_0" if kind == 2 else f"t{c}"
                rows.append((name, f"t{c}", kind))
                runs.append(repeat + 1)
                patterns.append(strength * seen[c])
    kinds = np.array([row[2] for row in rows])
    data = np.array(patterns) @ mix + noise * rng.standard_normal((len(rows), N_VOXELS))
    data += apart * kinds[:, None] + rng.standard_normal((4, 20, N_VOXELS))[kinds, runs]
    voxels = Voxels(
        data=data.astype(np.float32),
        image_id=np.array([row[0] for row in rows]),
        category=np.array([row[1] for row in rows]),
        run=np.array(runs),
        data_type=kinds,
    )
    features = ImageFeatures(
        np.concatenate([content, seen]).astype(np.float32),
        np.array([row[0] for row in trained] + [f"t{c}_0" for c in range(TESTED)]),
        *(
            (centres[TRAINED:].astype(np.float32), np.array([f"t{c}" for c in range(TESTED)]))
            if averages
            else ()
        ),
    )
    return voxels.take(rng.permutation(len(rows))), features


def run(voxels, features, **changes):
    plan = plan_for(training_trials(voxels))
    return identify(voxels, plan, features=features, **(SETTINGS | changes))


def only(result, prefix):
    return {k.removeprefix(prefix): v for k, v in result.items() if k.startswith(prefix)}


def fails(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("normalise", ["run", "fold"])
@pytest.mark.parametrize("averages", [True, False])
def test_categories_never_trained_on_are_identified(normalise, averages):
    # Only z-scoring by run takes a data type's own place in voxel space away.
    apart = 50.0 if normalise == "run" else 0.1
    toy = draw(averages=averages, imagined=0.7, apart=apart)
    result = run(*toy, normalise=normalise)
    for kind in ("seen", "imagined"):
        found = only(result, f"{kind}_")
        assert found["categories"] == TESTED and found["trials"] == 8 * TESTED
        assert found["trained_on"] == 0
        assert found["candidates"] == ("category averages" if averages else "test images")
        assert found["chance"] == 0.1 and found["pairwise_chance"] == 0.5
        assert found["top1"] >= 0.6
        assert found["pairwise"] > 0.9
    assert result["penalty"] == 10.0


def by_hand(voxels, features, kind, normalise, n_voxels):
    """Prediction of each test category, z-scored, with scikit-learn and a loop."""
    train = voxels.data_type == 1
    data = np.empty(voxels.data.shape)
    if normalise == "fold":
        data = StandardScaler().fit(voxels.data[train]).transform(voxels.data)
    else:
        for t in (1, 2, 3):
            for r in np.unique(voxels.run[voxels.data_type == t]):
                rows = (voxels.data_type == t) & (voxels.run == r)
                data[rows] = StandardScaler().fit_transform(voxels.data[rows].astype(float))
    select = SelectKBest(f_classif, k=n_voxels).fit(data[train], voxels.category[train])
    data = select.transform(data)
    row_of = {image: row for row, image in enumerate(features.image_id)}
    targets = features.values[[row_of[i] for i in voxels.image_id[train]]].astype(float)
    scaler = StandardScaler().fit(targets)
    model = Ridge(alpha=10.0).fit(data[train], scaler.transform(targets))
    names = np.unique(voxels.category[voxels.data_type == kind])
    of_kind = voxels.data_type == kind
    predicted = [
        model.predict(data[of_kind & (voxels.category == name)]).mean(axis=0) for name in names
    ]
    return np.array(predicted), names, scaler


@pytest.mark.parametrize("averages", [True, False])
@pytest.mark.parametrize(("kind", "prefix"), [(2, "seen_"), (3, "imagined_")])
@pytest.mark.parametrize(("normalise", "n_voxels"), [("run", 50), ("run", 15), ("fold", 50)])
def test_the_numbers_are_those_of_a_plain_loop(kind, prefix, averages, normalise, n_voxels):
    voxels, features = draw(noise=2.5, averages=averages, apart=0.1, seed=1)
    spread = np.exp(1.5 * np.random.default_rng(0).standard_normal(N_VOXELS))
    voxels = dataclasses.replace(voxels, data=(spread * voxels.data).astype(np.float32))
    found = only(run(voxels, features, normalise=normalise, n_voxels=n_voxels), prefix)
    predicted, names, scaler = by_hand(voxels, features, kind, normalise, n_voxels)
    row_of = {image: row for row, image in enumerate(features.image_id)}
    if averages:
        candidates = scaler.transform(features.category_values)
    else:
        candidates = scaler.transform(features.values[[row_of[f"{n}_0"] for n in names]])
    similarity = np.array([[np.corrcoef(p, c)[0, 1] for c in candidates] for p in predicted])
    right = [similarity[k, k] > np.delete(similarity[k], k) for k in range(TESTED)]
    hits = sum(row.all() for row in right)
    assert 0 < hits < TESTED  # a case that can tell
    assert found["top1"] == hits / TESTED
    exact = stats.binomtest(hits, TESTED).proportion_ci(0.95, method="exact")
    assert (found["top1_low"], found["top1_high"]) == pytest.approx((exact.low, exact.high))
    shares = [row.mean() for row in right]
    interval = stats.ttest_1samp(shares, 0.5).confidence_interval(0.95)
    assert found["pairwise"] == pytest.approx(np.mean(shares))
    assert found["pairwise_low"] == pytest.approx(interval.low)
    assert found["pairwise_high"] == pytest.approx(min(1.0, interval.high))


def test_a_tie_counts_half():
    assert pairwise(np.zeros((4, 4))).tolist() == [0.5] * 4
    assert pairwise(np.eye(3)).tolist() == [1.0] * 3
    assert pairwise(-np.eye(3)).tolist() == [0.0] * 3


def test_all_right_has_a_narrow_interval():
    found = only(run(*draw(noise=0.01)), "seen_")
    assert found["top1"] == found["pairwise"] == found["pairwise_high"] == 1
    assert found["pairwise_low"] == 1
    # Exact, of 10 of 10: 0.025 ** (1 / 10).
    assert found["top1_low"] == pytest.approx(0.025**0.1) and found["top1_high"] == 1


def test_noise_is_at_chance():
    # Seeds written down before the result was seen.
    hits, shares, halves = 0, [], []
    for seed in range(100, 120):
        voxels, features = draw(seed=seed)
        noise = np.random.default_rng(seed).standard_normal(voxels.data.shape)
        result = run(dataclasses.replace(voxels, data=noise), features, splits=20)
        for kind in ("seen", "imagined"):
            hits += round(TESTED * result[f"{kind}_top1"])
            shares.append(result[f"{kind}_pairwise"])
            halves.append(result[f"{kind}_split_half_pairwise"])
    assert p_of_chance(hits, 400, TESTED) > 0.001
    for values in (shares, halves):
        assert stats.ttest_1samp(values, 0.5).pvalue > 0.001
        assert abs(np.mean(values) - 0.5) < 0.06


# --- split-half reliability


def test_without_noise_split_half_is_near_one():
    result = run(*draw(noise=0.01))
    for kind in ("seen", "imagined"):
        assert result[f"{kind}_split_half_top1"] > 0.99
        assert result[f"{kind}_split_half_pairwise"] > 0.99


def test_split_half_falls_with_noise_and_repeats_from_their_seed():
    values = [run(*draw(noise=noise))["seen_split_half_pairwise"] for noise in (1, 4, 16)]
    assert values[0] > values[1] > values[2] > 0.4
    again, other = (run(*draw(noise=16), seed=seed)["seen_split_half_pairwise"] for seed in (0, 1))
    assert again == values[2] != other


def test_split_half_has_no_lean_where_runs_sum_to_zero():
    # 4 categories, each once in each of 10 runs that were z-scored: with halves that shared runs,
    # noise comes to 0.65 here.
    category, run_of = (v.ravel() for v in np.indices((4, 10)))
    found = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((4, 10, 15))
        noise -= noise.mean(axis=0)
        halves = split_half(noise.reshape(40, 15), category, run_of, splits=10, rng=rng)
        found.append(halves["split_half_pairwise"])
    assert np.mean(found) == pytest.approx(0.5, abs=4 * stats.sem(found))
    assert stats.sem(found) < 0.015


def test_split_half_by_hand():
    # Two runs: the two halves are these, in one order or the other.
    predicted = np.array(
        [[5.0, 3, 3, 1], [1, 0, 0, 0], [1, 4, 3, 5], [3, 3, 5, 4], [3, 3, 3, 5], [1, 4, 4, 0]]
    )
    category, run_of = np.array(list("abcabc")), np.array([1, 1, 1, 2, 2, 2])
    halves = split_half(predicted, category, run_of, splits=200, rng=np.random.default_rng(0))
    r = np.array([[np.corrcoef(a, b)[0, 1] for b in predicted[3:]] for a in predicted[:3]])
    one, two = (m.argmax(axis=1) == np.arange(3) for m in (r, r.T))
    assert one.mean() != two.mean()
    share = (halves["split_half_top1"] - two.mean()) / (one.mean() - two.mean())
    assert 0.4 < share < 0.6
    expected = share * pairwise(r).mean() + (1 - share) * pairwise(r.T).mean()
    assert halves["split_half_pairwise"] == pytest.approx(expected)


def test_one_run_has_no_split_half():
    predicted, category = np.random.default_rng(0).standard_normal((6, 4)), np.arange(6) % 3
    rng = np.random.default_rng(0)
    assert split_half(predicted, category, np.ones(6), splits=5, rng=rng) == {}
    # Each category in a run of its own: no half has what the other has.
    assert split_half(predicted, category, category, splits=5, rng=rng) == {}
    voxels, features = draw(repeats=1)
    found = only(run(voxels, features), "seen_")
    assert "top1" in found and not any(key.startswith("split_half") for key in found)


# --- what is there and what is not


def test_what_is_not_there_has_no_key():
    voxels, features = draw()
    result = run(voxels.take(voxels.data_type != 3), features)
    assert only(result, "seen_") and not only(result, "imagined_")
    result = run(voxels.take(voxels.data_type != 2), features)
    assert only(result, "imagined_") and not only(result, "seen_")
    assert run(voxels.take(voxels.data_type == 1), features) == {}
    one = voxels.take((voxels.data_type == 1) | (voxels.category == "t3"))
    assert run(one, features) == {"penalty": 10.0}


def test_a_category_trained_on_is_left_out_and_counted():
    voxels, features = draw()
    renamed = np.where(voxels.category == "t0", "a00", voxels.category)
    found = only(run(dataclasses.replace(voxels, category=renamed), features), "seen_")
    assert found["categories"] == 9 and found["trained_on"] == 1 and found["chance"] == 1 / 9
    assert found["trials"] == 72


def test_the_order_of_trials_does_not_matter():
    voxels, features = draw(noise=2.5)
    order = np.random.default_rng(5).permutation(len(voxels.data))
    settings = {"penalty": [1.0, 100.0], "n_voxels": 20}
    first, second = run(voxels, features, **settings), run(voxels.take(order), features, **settings)
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert second[key] == (value if isinstance(value, str) else pytest.approx(value, abs=1e-9))


def test_data_types_are_scaled_apart():
    voxels, features = draw(noise=2.5)
    moved = voxels.data.copy()
    moved[voxels.data_type == 2] = 9 + 3 * moved[voxels.data_type == 2]
    other = run(dataclasses.replace(voxels, data=moved), features)
    for key, value in run(voxels, features).items():
        assert other[key] == (value if isinstance(value, str) else pytest.approx(value, abs=1e-6))


def test_test_trials_have_no_part_in_the_fit(monkeypatch):
    voxels, features = draw(noise=2.5)
    asked = []
    solve = module.ridge.solve_folds

    def watched(data, targets, pairs, **settings):
        asked.append((len(data), pairs, settings["penalties"]))
        return solve(data, targets, pairs, **settings)

    monkeypatch.setattr(module.ridge, "solve_folds", watched)
    run(voxels, features, penalty=[1.0, 100.0], n_voxels=20)
    trained = TRAINED * IMAGES
    (n_inner, inner, _), (_, outer, penalties) = asked
    assert n_inner == trained and len(penalties) == 1
    assert sorted(np.concatenate([held for _, held in inner])) == list(range(trained))
    ((fit, held_out),) = outer
    assert fit.tolist() == list(range(trained)) and held_out.min() == trained


def test_the_penalty_is_chosen_among_training_images():
    voxels, features = draw(noise=3.0)
    penalties = [1e-2, 30.0, 1e6]
    result = run(voxels, features, penalty=penalties)
    training = training_trials(voxels)
    plan = plan_for(training)
    data = np.empty(training.data.shape)
    for r in np.unique(training.run):
        rows = training.run == r
        data[rows] = StandardScaler().fit_transform(training.data[rows].astype(float))
    known = features.of_images(training.image_id).astype(float)
    score = np.zeros(3)
    for fit_images, held_images in zip(plan.fit, plan.predict, strict=True):
        fit, held = (np.isin(training.image_id, side) for side in (fit_images, held_images))
        scaler = StandardScaler().fit(known[fit])
        for k, alpha in enumerate(penalties):
            model = Ridge(alpha=alpha).fit(data[fit], scaler.transform(known[fit]))
            own = scaler.transform(known[held])
            score[k] += sum(
                np.corrcoef(p, o)[0, 1] for p, o in zip(model.predict(data[held]), own, strict=True)
            )
    assert result["penalty"] == penalties[score.argmax()]
    # Test trials cannot change it.
    noise = np.where(voxels.data_type[:, None] == 1, voxels.data, 1e3 * voxels.data[::-1])
    assert (
        run(dataclasses.replace(voxels, data=noise), features, penalty=penalties)["penalty"]
        == (result["penalty"])
    )


def test_what_lacks_features_is_named():
    voxels, features = draw(averages=False)
    kept = features.image_id != "t4_0"
    short = ImageFeatures(features.values[kept], features.image_id[kept])
    fails(lambda: run(voxels, short), "image 't4_0' has no image features (1 have none)")
    kept = features.image_id != "a03_1"
    short = ImageFeatures(features.values[kept], features.image_id[kept])
    fails(lambda: run(voxels, short), "image 'a03_1' has no image features (1 have none)")
    fails(
        lambda: run(voxels.take(voxels.data_type != 2), features),
        "image 't0' has no image features (1 have none)",
    )
