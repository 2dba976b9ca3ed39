"""Small recordings for the tests of the dataset and decoding rooms."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from brain_teacher.dataset.trials import Voxels

GOD_TRIALS = (
    Path(__file__).parents[3] / "shared" / "data" / "god_design" / "perception_trials.csv.gz"
)

# GOD's presentation order (OpenNeuro ds001246, CC0); it stays where it is.
needs_god = pytest.mark.skipif(not GOD_TRIALS.exists(), reason=f"{GOD_TRIALS} is not there")


def make_voxels(*, categories=4, images=4, shows=1, voxels=12, signal=1.0, seed=0):
    """Trials in shuffled order: every image `shows` times, every category once a run.

    Run r shows image r % `images` of each category; a run shifts and scales its voxels. `signal` is
    the standard deviation between categories, over noise of 1.
    """
    rng = np.random.default_rng(seed)
    number, run, category = np.meshgrid(
        np.arange(images), np.arange(shows), np.arange(categories), indexing="ij"
    )
    number, run, category = (values.ravel() for values in (number, run, category))
    run = 1 + number + images * run
    data = signal * rng.standard_normal((categories, voxels))[category]
    data += rng.standard_normal(data.shape)
    data *= np.exp(0.1 * rng.standard_normal(run.max() + 1))[run, None]
    data += 0.5 * rng.standard_normal((run.max() + 1, voxels))[run]
    names = np.array([f"c{c}" for c in category])
    trials = Voxels(
        data=data.astype(np.float32),
        image_id=np.array([f"{c}_{n}" for c, n in zip(names, number, strict=True)]),
        category=names,
        run=run.astype(np.int32),
        data_type=np.ones(len(run), dtype=np.int8),
        groups={"style": np.array([f"s{n % 2}" for n in number])},
    )
    return trials.take(rng.permutation(len(run)))


def category_of(voxels, image_ids):
    known = dict(zip(voxels.image_id, voxels.category, strict=True))
    return np.array([known[image] for image in image_ids])


def count_hits(soft_labels, voxels):
    truth = soft_labels.truth(category_of(voxels, soft_labels.image_id))
    return int((soft_labels.log_probs.argmax(axis=1) == truth).sum())


def p_of_chance(hits, n, n_classes):
    """Exact two-sided p of that many hits, were each one a guess."""
    return binomtest(hits, n, 1 / n_classes).pvalue
