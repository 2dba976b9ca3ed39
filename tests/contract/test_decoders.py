"""The contract of every decoder in ``DECODERS``."""

import dataclasses

import numpy as np
import pytest
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from brain_teacher.decoding.decoders import DECODERS, plan_for, training_trials
from brain_teacher.decoding.soft_labels import FORMAT, SoftLabels
from making_decoding import count_hits, make_voxels, p_of_chance

SETTINGS = {"normalise": "run", "n_voxels": 10, "C": 0.1, "calibrate": True}


@pytest.fixture(autouse=True)
def one_thread():
    """As the command has it: one thread repeats to the bit, and is faster."""
    with threadpool_limits(1):
        yield


@pytest.fixture(params=sorted(DECODERS))
def decoder(request):
    return DECODERS[request.param]


@pytest.fixture
def voxels():
    # 5 images of each of 4 categories, each shown twice; signal enough to be found.
    return make_voxels(categories=4, images=5, shows=2, voxels=16, signal=1.0, seed=5)


def decode(decoder, voxels, *, by="image", group=None, **changes):
    trials = training_trials(voxels)
    plan = plan_for(trials, by=by, group=group)
    return decoder(trials, plan, group=group, **(SETTINGS | changes)), plan


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"calibrate": False},
        {"normalise": "fold"},
        {"n_voxels": 500},
        {"by": "group", "group": "style", "calibrate": False},
    ],
)
def test_every_image_gets_log_probabilities(decoder, voxels, changes):
    labels, plan = decode(decoder, voxels, **changes)
    assert isinstance(labels, SoftLabels)
    assert sorted(labels.image_id.tolist()) == sorted(set(voxels.image_id.tolist()))
    assert labels.class_id.tolist() == sorted(set(voxels.category.tolist()))
    assert labels.log_probs.dtype == np.float32 and labels.log_probs.shape == (20, 4)
    np.testing.assert_allclose(logsumexp(labels.log_probs, axis=1), 0, atol=1e-5)
    for fold, images in enumerate(plan.predict):
        assert (labels.take(images).fold == fold).all()


def test_ids_are_text(decoder, voxels):
    labels, _ = decode(decoder, voxels)
    assert labels.image_id.dtype.kind == "U" and labels.class_id.dtype.kind == "U"


def test_meta_says_how(decoder, voxels):
    for calibrate in (True, False):
        meta = decode(decoder, voxels, calibrate=calibrate)[0].meta
        assert meta["format"] == FORMAT
        assert meta["folds"] == {"by": "image", "number": 5}
        assert meta["calibrated"] is calibrate
        assert len(meta["temperatures"]) == (5 if calibrate else 0)
        assert 0 <= meta["temperatures_at_bound"] <= len(meta["temperatures"])


def test_the_same_input_gives_the_same_bits(decoder, voxels):
    first, second = (decode(decoder, voxels)[0].arrays() for _ in range(2))
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_the_order_of_trials_does_not_matter(decoder, voxels):
    order = np.random.default_rng(0).permutation(len(voxels.data))
    expected = decode(decoder, voxels)[0].arrays()
    for name, array in decode(decoder, voxels.take(order))[0].arrays().items():
        np.testing.assert_array_equal(array, expected[name])


def test_the_input_is_left_alone(decoder, voxels):
    trials = training_trials(voxels)
    before = {name: array.copy() for name, array in trials.columns().items()}
    data = trials.data.copy()
    plan = plan_for(trials, by="image")
    said = str(plan)
    settings = SETTINGS.copy()
    decoder(trials, plan, **settings)
    np.testing.assert_array_equal(trials.data, data)
    for name, array in trials.columns().items():
        np.testing.assert_array_equal(array, before[name])
    assert str(plan) == said and settings == SETTINGS


def test_names_of_categories_and_images_do_not_matter(decoder, voxels):
    # Other names in the same order: other folds, so only what is not a matter of folds.
    renamed = dataclasses.replace(
        voxels,
        image_id=np.char.add("x", voxels.image_id),
        category=np.char.add("x", voxels.category),
    )
    labels = decode(decoder, renamed)[0]
    assert labels.class_id.tolist() == ["xc0", "xc1", "xc2", "xc3"]
    assert set(labels.image_id) == set(renamed.image_id)


def test_signal_is_found(decoder, voxels):
    hits = count_hits(decode(decoder, voxels)[0], voxels)
    assert hits > 10 and p_of_chance(hits, 20, 4) < 0.001


def test_held_out_images_are_not_heard(decoder, voxels):
    """A fold's own categories exchanged: what is predicted for it stays to the bit."""
    trials = training_trials(voxels)
    plan = plan_for(trials, by="image")
    held_out = np.flatnonzero(np.isin(trials.image_id, plan.predict[0]))
    renamed = {"c0": "c1", "c1": "c2", "c2": "c3", "c3": "c0"}
    category = trials.category.copy()
    category[held_out] = [renamed[name] for name in category[held_out]]
    first = decoder(trials, plan, **SETTINGS)
    second = decoder(dataclasses.replace(trials, category=category), plan, **SETTINGS)
    rows = first.fold == 0
    np.testing.assert_array_equal(first.log_probs[rows], second.log_probs[rows])
    assert not np.array_equal(first.log_probs[~rows], second.log_probs[~rows])
