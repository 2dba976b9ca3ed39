"""The residual perceptron as a decoder: what its networks see of each fold, what they choose by."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_softmax

from brain_teacher.decoding.calibration import fit_temperature
from brain_teacher.decoding.decoders import mlp
from brain_teacher.decoding.decoders.mlp import Mlp, decode_mlp
from brain_teacher.decoding.out_of_fold import (
    average_trials,
    each_inner_fold,
    one_inner_pair,
    plan_for,
    training_trials,
    trial_pairs,
)
from brain_teacher.decoding.voxel_scaling import voxel_scores
from brain_teacher.networks import mlp_training
from helpers.recordings import make_voxels

SMALL = Mlp(steps=[4, 8], batch=8, hidden=8, layers=1).model_dump() | {"device": "cpu"}
COMMON = {"normalise": "run", "select": "f-score", "n_voxels": 10, "calibrate": True}


def decode(voxels, **changes):
    trials = training_trials(voxels)
    return decode_mlp(trials, plan_for(trials), **(COMMON | SMALL | changes))


def test_each_fold_has_a_network_that_predicts_and_one_that_chooses(monkeypatch):
    """Who is fitted on, who is predicted; how they are scaled; with which seed."""
    voxels = training_trials(make_voxels(images=5, shows=2, voxels=12))
    plan = plan_for(voxels)
    given, rng = {}, np.random.default_rng(0)

    def spy(fits, **settings):
        shapes = [(2, len(held_out), settings["n_classes"]) for *_, held_out in fits]
        given.update(settings, fits=fits, logits=[rng.standard_normal(shape) for shape in shapes])
        return given["logits"]

    monkeypatch.setattr(mlp_training, "fit_predict_together", spy)
    labels = decode(voxels, normalise="fold", n_voxels=5, steps=[8, 4])
    assert given["steps"] == [4, 8] and len(set(given["seeds"])) == len(given["fits"]) == 10
    number = np.unique(voxels.category, return_inverse=True)[1]
    outer = trial_pairs(voxels, plan)
    inner = [one_inner_pair(voxels, plan, side)[0] for side, _ in outer]
    for (rows, held_out), fit in zip([*outer, *inner], given["fits"], strict=True):
        raw = voxels.data[rows].astype(np.float64)
        score = voxel_scores(voxels.data, number, [(rows, [])], by="f-score")[0]
        best = np.argsort(-score)[:5]
        scaled = (voxels.data[:, best] - raw[:, best].mean(0)) / raw[:, best].std(0)
        # In whatever order the columns are: those of its first trial tell which is which.
        order = [int(np.abs(scaled[rows[0]] - value).argmin()) for value in fit[0][0]]
        assert sorted(order) == list(range(5))
        np.testing.assert_allclose(fit[0], scaled[rows][:, order], rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(fit[1], number[rows])
        np.testing.assert_allclose(fit[2], scaled[held_out][:, order], rtol=1e-4, atol=1e-5)
    for fold, (_, validation) in enumerate(inner):
        images, log_probs = average_trials(given["logits"][5 + fold], voxels.image_id[validation])
        truth = np.array([number[voxels.image_id == image][0] for image in images])
        temperatures = [fit_temperature(rows, truth) for rows in log_probs]
        nll = [
            -log_softmax(rows / t, axis=1)[np.arange(len(truth)), truth].mean()
            for rows, t in zip(log_probs, temperatures, strict=True)
        ]
        best = int(np.argmin(nll))
        assert labels.meta["step"][fold] == [4, 8][best]
        assert labels.meta["temperatures"][fold] == temperatures[best]
        held_out = outer[fold][1]
        images, log_probs = average_trials(given["logits"][fold], voxels.image_id[held_out])
        expected = log_softmax(log_probs[best] / temperatures[best], axis=1)
        np.testing.assert_allclose(labels.take(images).log_probs, expected, rtol=1e-5)


def test_soft_labels_say_how_they_were_made():
    voxels = make_voxels(images=4, voxels=12, signal=1.5)
    labels = decode(voxels)
    assert labels.meta["device"] == "cpu" and labels.meta["precision"] == "float32"
    assert len(labels.meta["step"]) == len(labels.meta["temperatures"]) == 4
    assert set(labels.meta["step"]) <= {4, 8}
    assert not np.array_equal(labels.log_probs, decode(voxels, seed=1).log_probs)


@pytest.mark.parametrize("normalise", ["run", "fold", "centre"])
def test_permuted_voxels_give_the_same_bits(normalise):
    voxels = make_voxels(images=4, voxels=12)
    columns = np.random.default_rng(0).permutation(12)
    permuted = replace(voxels, data=np.ascontiguousarray(voxels.data[:, columns]))
    first, second = (decode(each, normalise=normalise) for each in (voxels, permuted))
    np.testing.assert_array_equal(first.log_probs, second.log_probs)


def test_constant_voxels_are_left_out():
    voxels = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    voxels[:, 2] = 0
    order = mlp._in_one_order(voxels)
    assert sorted(order) == [0, 1, 3]
    columns = [3, 0, 2, 1]
    assert [columns[voxel] for voxel in mlp._in_one_order(voxels[:, columns])] == order
    assert mlp._in_one_order(0 * voxels) == [0]


def test_a_quarter_of_the_inner_folds_is_left_out_together():
    voxels = training_trials(make_voxels(categories=3, images=8))
    plan = plan_for(voxels)
    for fit, held_out in trial_pairs(voxels, plan):
        ((rest, together),) = one_inner_pair(voxels, plan, fit)
        first, second, *others = (held for _, held in each_inner_fold(voxels, plan, fit))
        assert len(others) == 5 and sorted(together) == sorted([*first, *second])
        assert sorted([*rest, *together]) == sorted(fit) and not set(fit) & set(held_out)


def test_fewer_are_left_out_where_a_category_would_be_missing():
    # Of 6 runs, c0 is shown in 3: with one held out and one left out, one is left.
    voxels = training_trials(make_voxels(categories=3, images=6))
    voxels = voxels.take((voxels.category != "c0") | (voxels.run < 4))
    plan = plan_for(voxels, by="run")
    counts = []
    for fit, _ in trial_pairs(voxels, plan):
        ((rest, together),) = one_inner_pair(voxels, plan, fit)
        assert set(voxels.category[rest]) == {"c0", "c1", "c2"}
        counts.append(len(set(voxels.run[together])))
    assert counts == [1, 1, 1, 2, 2, 2]
