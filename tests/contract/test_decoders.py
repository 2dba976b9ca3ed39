"""The contract of every decoder in ``DECODERS``."""

import dataclasses
from functools import cache

import numpy as np
import pytest
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from brain_teacher.dataset.image_features import ImageFeatures
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.decoding.folds import nest
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from brain_teacher.decoding.soft_labels import FORMAT, SoftLabels
from helpers.recordings import count_hits, make_voxels, p_of_chance

COMMON = {"normalise": "run", "select": "f-score", "n_voxels": 10, "calibrate": True}


def make_features(voxels):
    """Image features that say the category, and the image a little."""
    rng = np.random.default_rng(7)
    images, first = np.unique(voxels.image_id, return_index=True)
    number = np.unique(voxels.category[first], return_inverse=True)[1]
    values = rng.standard_normal((number.max() + 1, 30))[number]
    values = values + 0.3 * rng.standard_normal(values.shape)
    return ImageFeatures(values=values.astype(np.float32), image_id=images)


# In place of the defaults, which are for real recordings.
SMALL = {
    "logistic": {"C": [0.01, 0.1]},
    "ridge": {"penalty": [3.0, 30.0]},
    "features": {"penalty": [3.0, 30.0]},
    "mlp": {"steps": [20, 40], "batch": 16, "hidden": 16, "learning_rate": 0.01},
    "resnet1d": {
        "seed": 0,
        "width": 8,
        "steps": 36,
        "batch": 8,
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "precision": "float32",
    },
}
# What decoders may need, made for some voxels.
NEEDS = {"features": make_features}


def own(name, voxels):
    """A decoder's own settings as its block has them, and what it needs."""
    decoder = DECODERS[name]
    settings = decoder.settings(**SMALL.get(name, {})).model_dump()
    given = decoder.arguments(settings, {need: NEEDS[need](voxels) for need in decoder.needs})
    return given | ({"device": "cpu"} if decoder.torch else {})


@pytest.fixture(autouse=True)
def one_thread():
    """As the command has it: one thread repeats to the bit, and is faster."""
    with threadpool_limits(1):
        yield


@pytest.fixture(params=sorted(DECODERS))
def name(request):
    if DECODERS[request.param].torch:
        import torch

        torch.set_num_threads(1)
    return request.param


def draw_voxels():
    # 5 images of each of 4 categories, once in each of two runs; signal enough to be found.
    voxels = make_voxels(categories=4, images=5, shows=2, voxels=16, signal=4, seed=5)
    return dataclasses.replace(voxels, run=1 + (voxels.run - 1) // 5)


@pytest.fixture
def voxels():
    return draw_voxels()


def decode(name, voxels, *, plan=None, by="image", group=None, **changes):
    trials = training_trials(voxels)
    plan = plan or plan_for(trials, by=by, group=group)
    settings = COMMON | own(name, trials) | changes
    return DECODERS[name].decode(trials, plan, **settings), plan


@cache
def decoded(name, **changes):
    """The soft labels of the untouched voxels: one decoding for all tests that look at them."""
    labels, plan = decode(name, draw_voxels(), **changes)
    for array in (labels.log_probs, labels.image_id, labels.class_id, labels.fold):
        array.flags.writeable = False
    return labels, plan


def same(first, second, **tolerance):
    """The same soft labels by id."""
    assert first.image_id.tolist() == second.image_id.tolist()
    assert first.class_id.tolist() == second.class_id.tolist()
    tolerance = tolerance or {"atol": 0}
    np.testing.assert_allclose(np.exp(first.log_probs), np.exp(second.log_probs), **tolerance)


def test_the_entry_says_what_it_is(name):
    decoder = DECODERS[name]
    assert decoder.label and decoder.decode.__doc__
    assert set(decoder.needs) <= set(NEEDS)
    # All its settings have defaults: a params.yaml that does not know it stays right.
    assert decoder.settings().model_dump().keys() == decoder.settings.model_fields.keys()
    for block in decoder.needs.values():
        assert issubclass(decoder.settings, block)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"calibrate": False},
        {"normalise": "fold"},
        {"normalise": "centre"},
        {"select": "correlation"},
        {"n_voxels": 500},  # more than there are: all of them
        {"by": "group", "group": "style", "one_option": True, "calibrate": False},
    ],
    ids=str,
)
def test_every_image_gets_log_probabilities(name, voxels, changes):
    changes = dict(changes)
    if changes.pop("one_option", False):
        if name == "resnet1d":  # its validation images are a fold of their own
            with pytest.raises(ValueError, match="every image has group s1"):
                decode(name, voxels, **changes)
            return
        changes |= {k: v[:1] for k, v in own(name, voxels).items() if isinstance(v, list)}
    if any(isinstance(value, list) for value in changes.values()):
        labels, plan = decode(name, voxels, **changes)
    else:
        labels, plan = decoded(name, **changes)
    assert isinstance(labels, SoftLabels)
    assert sorted(labels.image_id.tolist()) == sorted(set(voxels.image_id.tolist()))
    assert labels.class_id.tolist() == sorted(set(voxels.category.tolist()))
    assert labels.log_probs.dtype == np.float32 and labels.log_probs.shape == (20, 4)
    np.testing.assert_allclose(logsumexp(labels.log_probs, axis=1), 0, atol=1e-5)
    for fold, images in enumerate(plan.predict):
        assert (labels.take(images).fold == fold).all()


def test_ids_are_text(name):
    labels, _ = decoded(name)
    assert labels.image_id.dtype.kind == "U" and labels.class_id.dtype.kind == "U"


def test_meta_says_how(name):
    for calibrate, changes in ((True, {}), (False, {"calibrate": False})):
        meta = decoded(name, **changes)[0].meta
        assert meta["format"] == FORMAT
        assert meta["folds"] == {"by": "image", "number": 5, "count": "auto"}
        assert meta["calibrated"] is calibrate
        assert len(meta["temperatures"]) == (5 if calibrate else 0)
        assert 0 <= meta["temperatures_at_bound"] <= len(meta["temperatures"])


def test_the_same_input_gives_the_same_bits(name, voxels):
    second = decode(name, voxels)[0].arrays()
    for key, array in decoded(name)[0].arrays().items():
        np.testing.assert_array_equal(array, second[key])


def test_the_order_of_trials_does_not_matter(name, voxels):
    order = np.random.default_rng(0).permutation(len(voxels.data))
    expected = decoded(name)[0].arrays()
    for key, array in decode(name, voxels.take(order))[0].arrays().items():
        np.testing.assert_array_equal(array, expected[key])


def test_the_order_of_voxels_does_not_matter(name, voxels):
    order = np.random.default_rng(1).permutation(voxels.data.shape[1])
    permuted = dataclasses.replace(voxels, data=voxels.data[:, order])
    # Sums over voxels in another order: rounding only.
    same(decoded(name)[0], decode(name, permuted)[0], atol=1e-5)


def test_the_input_is_left_alone(name, voxels):
    trials = training_trials(voxels)
    before = {key: array.copy() for key, array in trials.columns().items()}
    data = trials.data.copy()
    plan = plan_for(trials, by="image")
    said = str(plan)
    settings = COMMON | own(name, trials)
    copied = settings.copy()
    DECODERS[name].decode(trials, plan, **settings)
    np.testing.assert_array_equal(trials.data, data)
    for key, array in trials.columns().items():
        np.testing.assert_array_equal(array, before[key])
    assert str(plan) == said and settings == copied


def test_a_plan_is_needed(name, voxels):
    with pytest.raises(TypeError, match="plan"):
        DECODERS[name].decode(training_trials(voxels), **COMMON, **own(name, voxels))


def test_signal_is_found(name, voxels):
    hits = count_hits(decoded(name)[0], voxels)
    assert hits > 10 and p_of_chance(hits, 20, 4) < 0.001


def test_held_out_images_are_not_heard(name, voxels):
    """A fold's own categories exchanged: what is predicted for it stays to the bit."""
    trials = training_trials(voxels)
    plan = plan_for(trials, by="image")
    held_out = np.flatnonzero(np.isin(trials.image_id, plan.predict[0]))
    renamed = {"c0": "c1", "c1": "c2", "c2": "c3", "c3": "c0"}
    category = trials.category.copy()
    category[held_out] = [renamed[name] for name in category[held_out]]
    first = decoded(name)[0]
    settings = COMMON | own(name, trials)
    second = DECODERS[name].decode(dataclasses.replace(trials, category=category), plan, **settings)
    rows = first.fold == 0
    np.testing.assert_array_equal(first.log_probs[rows], second.log_probs[rows])
    assert not np.array_equal(first.log_probs[~rows], second.log_probs[~rows])


def test_nested_soft_labels_hold_nothing_of_test_and_validation_images(name):
    # Enough images for inner folds of inner folds that leave every run some trials to fit on.
    trials = training_trials(make_voxels(categories=4, images=8, voxels=16, signal=1.5, seed=5))
    outer = plan_for(trials, by="image")
    nested = nest(outer)[1]
    kept = np.isin(trials.image_id, np.concatenate(nested.plan.predict))
    assert not np.isin(trials.image_id[kept], outer.predict[1]).any()
    assert not np.isin(trials.image_id[kept], outer.predict[2]).any()
    labels, _ = decode(name, trials.take(kept), plan=nested.plan)
    assert sorted(labels.image_id) == sorted(np.unique(trials.image_id[kept]))
    assert labels.meta["folds"]["number"] == 6


def test_a_constant_voxel_changes_nothing(name, voxels):
    more = np.concatenate([voxels.data, np.full((len(voxels.data), 1), 7, np.float32)], axis=1)
    for changes in ({}, {"normalise": "fold"}):
        expected = decoded(name, **changes)[0]
        found = decode(name, dataclasses.replace(voxels, data=more), **changes)[0]
        same(expected, found, atol=1e-5)
