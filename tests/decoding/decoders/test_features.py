"""The decoder by image features, against a plain loop over folds and against leaks."""

import dataclasses
import re

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from brain_teacher.dataset.image_features import ImageFeatures
from brain_teacher.dataset.trials import Voxels
from brain_teacher.decoding.calibration import at_bound
from brain_teacher.decoding.decoders import features as module
from brain_teacher.decoding.decoders.features import decode_features
from brain_teacher.decoding.feature_similarity import (
    SCALE,
    correlation_logits,
    correlations,
    scale_by,
)
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from brain_teacher.decoding.solvers import ridge
from helpers.recordings import count_hits, p_of_chance
from noise_designs import scaled_by_run

SETTINGS = {
    "normalise": "run",
    "select": "f-score",
    "n_voxels": 500,
    "calibrate": False,
    "penalty": [10.0],
}


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


def draw(*, categories=5, images=4, shows=1, n_features=12, n_voxels=30, noise=1.0, seed=0):
    """Voxels are a linear mix of image features, and noise; features differ in scale and mean."""
    rng = np.random.default_rng(seed)
    category, number = (v.ravel() for v in np.indices((categories, images)))
    content = rng.standard_normal((categories, n_features))[category]
    content += 0.7 * rng.standard_normal(content.shape)
    names = np.array([f"c{c}_{n}" for c, n in zip(category, number, strict=True)])
    rows = np.repeat(np.arange(len(names)), shows)
    run = 1 + (number[rows] + np.tile(np.arange(shows), len(names))) % max(images, 2)
    mix = rng.standard_normal((n_features, n_voxels)) / np.sqrt(n_features)
    data = content[rows] @ mix + noise * rng.standard_normal((len(rows), n_voxels))
    order = rng.permutation(len(rows))
    voxels = Voxels(
        data=data.astype(np.float32)[order],
        image_id=names[rows][order],
        category=np.array([f"c{c}" for c in category])[rows][order],
        run=run[order],
    )
    offset, spread = rng.uniform(-5, 5, n_features), np.exp(rng.standard_normal(n_features))
    shuffled = rng.permutation(len(names))
    values = (offset + spread * content)[shuffled].astype(np.float32)
    return training_trials(voxels), ImageFeatures(values, names[shuffled], meta={"layer": "toy"})


def decode(voxels, features, plan=None, **changes):
    plan = plan or plan_for(voxels, by="image")
    return decode_features(voxels, plan, features=features, **(SETTINGS | changes))


def fails(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


# --- the logits


def test_logits_are_correlations_by_hand():
    rng = np.random.default_rng(1)
    features = 3 + rng.standard_normal((9, 6)) * np.arange(1, 7)
    category = np.array([0, 1, 2, 0, 1, 2, 2, 1, 2])
    predicted = 3 + rng.standard_normal((2, 4, 6))
    logits = correlation_logits(predicted, features, category)
    scaler = StandardScaler().fit(features)
    known = scaler.transform(features)
    assert logits.shape == (2, 4, 3)
    for option in range(2):
        for trial in range(4):
            own = scaler.transform(predicted[option, trial][None])[0]
            for number in range(3):
                mean = known[category == number].mean(axis=0)
                expected = SCALE * np.corrcoef(own, mean)[0, 1]
                assert logits[option, trial, number] == pytest.approx(expected, abs=1e-10)


def test_features_may_be_in_any_units():
    rng = np.random.default_rng(2)
    features, category = rng.standard_normal((8, 5)), np.arange(8) % 2
    predicted = rng.standard_normal((3, 5))
    spread, offset = np.exp(3 * rng.standard_normal(5)), 100 * rng.standard_normal(5)
    np.testing.assert_allclose(
        correlation_logits(spread * predicted + offset, spread * features + offset, category),
        correlation_logits(predicted, features, category),
        atol=1e-8,
    )


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
def test_a_constant_feature_counts_for_nothing(value):
    rng = np.random.default_rng(3)
    features, category = rng.standard_normal((10, 5)), np.arange(10) % 2
    predicted = rng.standard_normal((3, 5))
    wider = np.insert(features, 2, value, axis=1)
    # Not even where the prediction is another: a constant feature has no scale.
    np.testing.assert_allclose(
        correlation_logits(np.insert(predicted, 2, value + 7, axis=1), wider, category),
        correlation_logits(predicted, features, category),
        atol=1e-12,
    )


def test_fewer_than_two_features_that_vary_are_refused():
    features = np.array([[1.0, 2, 3], [1, 2, 4], [1, 2, 5]])
    fails(
        lambda: scale_by(features),
        "1 of 3 image features differ between the images fitted on, a correlation needs 2; "
        "choose another layer",
    )


def test_categories_with_the_same_features_share_their_logit():
    rng = np.random.default_rng(4)
    half = rng.standard_normal((3, 4))
    logits = correlation_logits(
        rng.standard_normal((5, 4)),
        np.concatenate([half, half, 1 + half]),
        np.repeat([0, 1, 2], 3),
    )
    np.testing.assert_array_equal(logits[:, 0], logits[:, 1])
    assert (logits[:, 2] != logits[:, 0]).all()


def test_what_has_no_shape_correlates_with_nothing():
    rows = np.array([[1.0, 2, 3], [5, 5, 5], [5, 5 + 1e-7, 5]])
    columns = np.array([[0.0, 1, 5], [2, 2, 2]])
    found = correlations(rows, columns)
    assert found[0, 0] > 0.9
    np.testing.assert_array_equal(found.ravel()[1:], np.zeros(5))
    assert correlations(rows[:1], rows[:1] ** 2) == pytest.approx(
        np.corrcoef([1, 2, 3], [1, 4, 9])[0, 1]
    )


# --- the decoder


@pytest.mark.parametrize("normalise", ["run", "fold"])
@pytest.mark.parametrize("n_voxels", [12, 500])
def test_it_equals_a_plain_loop_over_folds(normalise, n_voxels):
    voxels, features = draw(shows=2, seed=5)
    labels = decode(voxels, features, normalise=normalise, n_voxels=n_voxels)
    row_of = {image: row for row, image in enumerate(features.image_id)}
    known = features.values[[row_of[image] for image in voxels.image_id]].astype(float)
    steps = [StandardScaler()] if normalise == "fold" else []
    plan = plan_for(voxels, by="image")
    for fit_images, predict_images in zip(plan.fit, plan.predict, strict=True):
        fit, data = np.isin(voxels.image_id, fit_images), voxels.data
        if normalise == "run":
            data = scaled_by_run(data.astype(float), voxels.run, fit)
        _, first = np.unique(voxels.image_id[fit], return_index=True)  # each image once
        scaler = StandardScaler().fit(known[fit][first])
        targets = scaler.transform(known[fit])
        select = SelectKBest(f_classif, k=min(n_voxels, 30)).fit(data[fit], voxels.category[fit])
        model = make_pipeline(*steps, Ridge(alpha=10.0))
        model.fit(select.transform(data[fit]).astype(float), targets)
        means = {
            name: targets[first][voxels.category[fit][first] == name].mean(axis=0)
            for name in labels.class_id
        }
        for image in predict_images:
            own = voxels.image_id == image
            predicted = model.predict(select.transform(data[own]).astype(float))
            assert len(predicted) == 2
            logits = [
                [SCALE * np.corrcoef(row, mean)[0, 1] for mean in means.values()]
                for row in predicted
            ]
            expected = log_softmax(log_softmax(logits, axis=1).mean(axis=0))
            np.testing.assert_allclose(labels.take([image]).log_probs[0], expected, atol=2e-4)


def test_meta_says_how():
    voxels, features = draw()
    meta = decode(voxels, features, penalty=[1.0, 100.0], calibrate=True).meta
    assert meta["features"] == {"layer": "toy"}
    assert len(meta["penalty"]) == 4 and set(meta["penalty"]) <= {1.0, 100.0}


@pytest.mark.parametrize("calibrate", [False, True])
@pytest.mark.parametrize("normalise", ["run", "fold"])
def test_features_of_held_out_images_are_not_heard(normalise, calibrate):
    voxels, features = draw(seed=6)
    plan = plan_for(voxels, by="image")
    settings = {"normalise": normalise, "calibrate": calibrate, "penalty": [1.0, 100.0]}
    changed = features.values.copy()
    held_out = np.isin(features.image_id, plan.predict[0])
    changed[held_out] = np.random.default_rng(0).normal(50, 20, changed[held_out].shape)
    first = decode(voxels, features, **settings)
    second = decode(voxels, dataclasses.replace(features, values=changed), **settings)
    rows = first.fold == 0
    np.testing.assert_array_equal(first.log_probs[rows], second.log_probs[rows])
    assert np.abs(first.log_probs[~rows] - second.log_probs[~rows]).max() > 0.1


def test_categories_of_held_out_images_are_not_heard():
    voxels, features = draw(seed=7)
    plan = plan_for(voxels, by="image")
    held_out = np.isin(voxels.image_id, plan.predict[0])
    category = voxels.category.copy()
    category[held_out] = np.roll(category[held_out], 1)
    settings = {"plan": plan, "calibrate": True, "n_voxels": 12, "penalty": [1.0, 100.0]}
    first = decode(voxels, features, **settings)
    second = decode(dataclasses.replace(voxels, category=category), features, **settings)
    rows = first.fold == 0
    np.testing.assert_array_equal(first.log_probs[rows], second.log_probs[rows])
    assert not np.array_equal(first.log_probs[~rows], second.log_probs[~rows])


def test_signal_is_found():
    voxels, features = draw(categories=8, images=5, n_voxels=60, noise=1.5, seed=8)
    labels = decode(voxels, features, calibrate=True, penalty=[1.0, 10.0, 100.0])
    hits = count_hits(labels, voxels)
    assert hits > 20 and p_of_chance(hits, 40, 8) < 1e-6
    # The temperature finds its place within the bounds: SCALE is right for signal.
    assert not any(map(at_bound, labels.meta["temperatures"]))


@pytest.mark.parametrize("normalise", ["run", "fold"])
def test_noise_is_at_chance_and_says_little(normalise):
    # Seed written down before the result was seen.
    voxels, features = draw(categories=20, images=8, n_voxels=80, seed=20)
    rng = np.random.default_rng(20)
    noise = rng.standard_normal(voxels.data.shape).astype(np.float32)
    # Each run shows each category once: z-scored by all of its trials, it would tell by their sum.
    voxels = dataclasses.replace(voxels, data=noise)
    labels = decode(voxels, features, normalise=normalise, calibrate=True, penalty=[10.0, 1e3])
    assert p_of_chance(count_hits(labels, voxels), 160, 20) > 0.001
    truth = labels.truth([image.split("_")[0] for image in labels.image_id])
    assert -labels.log_probs[np.arange(160), truth].mean() < np.log(20) + 0.05


def test_constant_voxels_say_nothing():
    voxels, features = draw(seed=9)
    voxels = dataclasses.replace(voxels, data=np.full_like(voxels.data, 3.3))
    for normalise in ("run", "fold"):
        labels = decode(voxels, features, normalise=normalise)
        np.testing.assert_allclose(labels.log_probs, -np.log(5), atol=1e-5)


def test_the_order_of_features_and_parts_does_not_matter(monkeypatch):
    voxels, features = draw(seed=10)
    settings = {"calibrate": True, "penalty": [1.0, 100.0], "n_voxels": 12}
    expected = decode(voxels, features, **settings)
    order = np.random.default_rng(0).permutation(len(features.image_id))
    other = ImageFeatures(features.values[order], features.image_id[order])
    np.testing.assert_array_equal(decode(voxels, other, **settings).log_probs, expected.log_probs)
    calls = []
    solve = ridge.solve_folds
    monkeypatch.setattr(
        ridge, "solve_folds", lambda *a, **k: calls.append(len(a[2])) or solve(*a, **k)
    )
    # 4 outer folds of 5 trials, 12 inner ones: 5 x 2 penalties x 12 features x 8 bytes each.
    monkeypatch.setattr(module, "MOST_BYTES", 3 * 960)
    for n_voxels in (12, 500):
        whole = decode(voxels, features, **(settings | {"n_voxels": n_voxels}))
        assert sum(calls) == 16 and len(calls) > 4 and max(calls) == 3
        calls.clear()
        if n_voxels == 12:
            np.testing.assert_allclose(whole.log_probs, expected.log_probs, atol=1e-5)


def test_an_image_without_features_is_named():
    voxels, features = draw()
    kept = ~np.isin(features.image_id, ["c1_2", "c3_0"])
    short = ImageFeatures(features.values[kept], features.image_id[kept])
    fails(lambda: decode(voxels, short), "image 'c1_2' has no image features (2 have none)")
