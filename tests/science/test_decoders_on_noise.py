"""Noise in, chance out: every decoder, plain and nested folds, in the size of GOD.

1,200 trials of 150 categories, 50 a run, in 8 rounds of 3 runs, and 1,000 voxels of noise that know
nothing of them, but have gains, offsets and a drift per run. The seeds were committed before any
result was seen.
"""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from brain_teacher.dataset.image_features import ImageFeatures
from brain_teacher.dataset.trials import Voxels
from brain_teacher.decoding.decoders.mlp import Mlp
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.decoding.folds import nest
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from helpers.recordings import count_hits, p_of_chance

SEED = 20261125
CATEGORIES, ROUNDS, RUNS, VOXELS = 150, 8, 3, 1000
COMMON = {"normalise": "run", "select": "f-score", "n_voxels": 300, "calibrate": True}

pytestmark = pytest.mark.trains


def draw_noise(seed):
    """A recording of noise in GOD's design: which categories share a run is drawn anew a round."""
    rng = np.random.default_rng(seed)
    category = np.concatenate([rng.permutation(CATEGORIES) for _ in range(ROUNDS)])
    run = 1 + np.arange(len(category)) * RUNS // CATEGORIES
    number = np.arange(len(category)) // CATEGORIES
    data = rng.standard_normal((len(run), VOXELS))
    drift = np.cumsum(rng.standard_normal((len(run), 5)), axis=0) / np.sqrt(len(run))
    data += drift @ rng.standard_normal((5, VOXELS))
    n_runs = run.max() + 1
    data = data * np.exp(0.1 * rng.standard_normal(n_runs))[run, None]
    data += 0.5 * rng.standard_normal((n_runs, VOXELS))[run]
    names = np.array([f"n{c:08d}" for c in category])
    images = np.array([f"{c}_{n}" for c, n in zip(names, number, strict=True)])
    return training_trials(Voxels(data.astype(np.float32), images, names, run))


def own_settings(name, voxels):
    if name == "logistic":
        return {"C": [0.0001, 0.001, 0.01]}
    if name == "ridge":
        return {"penalty": [100.0, 1000.0, 10_000.0]}
    if name == "features":
        images, first = np.unique(voxels.image_id, return_index=True)
        number = np.unique(voxels.category[first], return_inverse=True)[1]
        rng = np.random.default_rng(SEED)
        # As real features: images of a category resemble each other.
        values = rng.standard_normal((CATEGORIES, 100))[number]
        values = values + rng.standard_normal(values.shape)
        features = ImageFeatures(values=values.astype(np.float32), image_id=images)
        return {"penalty": [100.0, 1000.0, 10_000.0], "features": features}
    if name == "mlp":
        return Mlp(steps=[50, 100], hidden=64).model_dump() | {"device": "cpu"}
    return {
        "seed": 0,
        "width": 4,
        "steps": 9,
        "batch": 64,
        "learning_rate": 0.003,
        "weight_decay": 0.05,
        "precision": "float32",
        "device": "cpu",
    }


@pytest.fixture(scope="module")
def noise():
    return draw_noise(SEED)


@pytest.fixture(autouse=True)
def one_thread():
    import torch

    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield


def hits_and_images(name, voxels, plan):
    labels = DECODERS[name].decode(voxels, plan, **COMMON, **own_settings(name, voxels))
    return count_hits(labels, voxels), len(labels.image_id)


@pytest.mark.parametrize(
    ("name", "by"),
    [*((name, "auto") for name in sorted(DECODERS)), ("logistic", "image"), ("ridge", "image")],
)
def test_noise_decodes_at_chance(name, by, noise):
    plan = plan_for(noise, by=by)
    assert plan.by == ("round" if by == "auto" else "image")
    assert [len(images) for images in plan.predict] == [CATEGORIES] * ROUNDS
    hits, images = hits_and_images(name, noise, plan)
    print(f"{name}: {hits} of {images} right, chance {images / CATEGORIES:.0f}")
    assert images == 1200
    assert p_of_chance(hits, images, CATEGORIES) > 0.001, hits


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_noise_decodes_at_chance_in_nested_folds(name, noise):
    outer = plan_for(noise, by="round")
    nested = nest(outer)[SEED % ROUNDS]
    part = noise.take(np.isin(noise.image_id, np.concatenate(nested.plan.predict)))
    hits, images = hits_and_images(name, part, nested.plan)
    print(f"{name}: {hits} of {images} right, chance {images / CATEGORIES:.0f}")
    assert images == 900
    assert p_of_chance(hits, images, CATEGORIES) > 0.001, hits
