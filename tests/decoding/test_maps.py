"""Decoded maps, against a plain loop over folds and against leaks."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from brain_teacher.dataset.trials import Voxels
from brain_teacher.decoding.maps import decode_maps
from brain_teacher.decoding.out_of_fold import each_inner_fold, plan_for, trial_pairs
from brain_teacher.decoding.out_of_fold import training_trials as in_order
from brain_teacher.seeds import named_rng

PENALTY = [1.0, 30.0, 1000.0]
CATEGORIES, EACH, SHOWN, PLACES = 4, 5, 2, 9


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield


def draw(seed=0, *, noise=1.0):
    """Voxels that see maps on a grid, each image in two trials; and the maps, in another order."""
    rng = named_rng("maps", seed)
    images = np.array([f"c{c}_{n}" for c in range(CATEGORIES) for n in range(EACH)])
    maps = rng.uniform(0, 1, (len(images), PLACES))
    rows = rng.permutation(np.repeat(np.arange(len(images)), SHOWN))
    data = maps[rows] @ rng.normal(size=(PLACES, 20)) + noise * rng.normal(size=(len(rows), 20))
    voxels = Voxels(
        data=data.astype(np.float64),
        image_id=images[rows],
        category=np.array([image.split("_")[0] for image in images[rows]]),
        run=1 + np.arange(len(rows)) // 10,
    )
    order = rng.permutation(len(images))
    return in_order(voxels), maps[order], images[order]


def decode(voxels, maps, image_id, *, normalise="centre", penalty=PENALTY):
    plan = plan_for(voxels, by="image")
    return decode_maps(voxels, plan, maps, image_id, normalise=normalise, penalty=penalty)


def test_they_are_those_of_a_plain_loop_over_folds():
    voxels, maps, image_id = draw()
    plan = plan_for(voxels, by="image")
    of = dict(zip(image_id, maps, strict=True))
    targets = np.array([of[image] for image in voxels.image_id])

    def predicted(fit, held_out, penalty):
        return (
            Ridge(alpha=penalty).fit(voxels.data[fit], targets[fit]).predict(voxels.data[held_out])
        )

    expected, chosen = {}, set()
    for fit, held_out in trial_pairs(voxels, plan):
        errors = [
            sum(
                np.square(predicted(a, b, penalty) - targets[b]).sum()
                for a, b in each_inner_fold(voxels, plan, fit)
            )
            for penalty in PENALTY
        ]
        best = PENALTY[int(np.argmin(errors))]
        chosen.add(best)
        answers = predicted(fit, held_out, best)
        for image in np.unique(voxels.image_id[held_out]):
            expected[image] = answers[voxels.image_id[held_out] == image].mean(axis=0)
    images, decoded = decode(voxels, maps, image_id)
    assert chosen != {PENALTY[0]}
    np.testing.assert_array_equal(images, sorted(expected))
    np.testing.assert_allclose(decoded, [expected[image] for image in images], atol=1e-8)


@pytest.mark.parametrize("normalise", ["run", "fold", "centre"])
def test_no_picture_shapes_its_own_map(normalise):
    voxels, maps, image_id = draw()
    images, before = decode(voxels, maps, image_id, normalise=normalise)
    maps = maps.copy()
    maps[image_id == images[3]] += 1000
    _, after = decode(voxels, maps, image_id, normalise=normalise)
    np.testing.assert_allclose(after[3], before[3], rtol=1e-9)
    # Pictures of its own fold aside, it shapes those of all others.
    assert (np.abs(after - before).max(axis=1) > 1).sum() >= len(images) // 2


def test_the_order_of_trials_and_of_maps_does_not_matter():
    voxels, maps, image_id = draw()
    rng = named_rng("order")
    order, other = rng.permutation(len(voxels.image_id)), rng.permutation(len(image_id))
    one = decode(voxels, maps, image_id)
    two = decode(in_order(voxels.take(order)), maps[other], image_id[other])
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_voxels_see_is_decoded_and_noise_is_not():
    found = []
    for noise in (0.1, 1e6):
        voxels, maps, image_id = draw(noise=noise)
        _, decoded = decode(voxels, maps, image_id, penalty=[1.0])
        truth = maps[np.argsort(image_id)]
        found.append(np.corrcoef(decoded.ravel(), truth.ravel())[0, 1])
    assert found[0] > 0.95 and abs(found[1]) < 0.3


def test_a_picture_without_a_map_is_named():
    voxels, maps, image_id = draw()
    with pytest.raises(ValueError, match="there is no map of image 'c"):
        decode(voxels, maps[1:], image_id[1:])
