"""The 1-D ResNet18 as a decoder: its training, what it chooses by, what it sees of each fold."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import nn

from brain_teacher.decoding.calibration import fit_temperature
from brain_teacher.decoding.decoders import resnet1d
from brain_teacher.decoding.decoders.resnet1d import decode_resnet1d
from brain_teacher.decoding.out_of_fold import (
    average_trials,
    one_inner_pair,
    plan_for,
    training_trials,
    trial_pairs,
)
from brain_teacher.decoding.voxel_scaling import voxel_scores
from brain_teacher.networks import resnet1d_training as training
from brain_teacher.networks.resnet1d import predict
from brain_teacher.networks.resnet1d_training import fit_predict
from helpers.recordings import make_voxels

SETTINGS = {
    "width": 4,
    "steps": 18,
    "batch": 8,
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "device": "cpu",
    "precision": "float32",
}
DECODED = SETTINGS | {"normalise": "run", "select": "f-score", "n_voxels": 10, "calibrate": True}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def make_trials(*, classes=3, each=8, voxels=20, signal=1.5, seed=0):
    """Voxels and classes of trials to fit on, to validate on, held out."""
    rng = np.random.default_rng(seed)
    means = signal * rng.standard_normal((classes, voxels))
    parts = []
    for count in (each, 4, 4):
        category = rng.permutation(np.repeat(np.arange(classes), count))
        data = means[category] + rng.standard_normal((len(category), voxels))
        parts += [data.astype(np.float32), category]
    return parts


def fit(parts, *, seed=0, n_classes=3, **changes):
    fit_x, fit_y, validation_x, validation_y, held_out, _ = parts
    return fit_predict(
        fit_x,
        fit_y,
        validation_x,
        validation_y,
        held_out,
        n_classes=n_classes,
        seed=seed,
        **(SETTINGS | changes),
    )


def decode(voxels, *, seed=0, **changes):
    trials = training_trials(voxels)
    return decode_resnet1d(trials, plan_for(trials, by="image"), seed=seed, **(DECODED | changes))


def test_the_same_seed_gives_the_same_bits():
    parts = make_trials()
    before = torch.random.get_rng_state()
    first = fit(parts)
    torch.manual_seed(99)
    second = fit(parts)
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two)
    torch.random.set_rng_state(before)
    fit(parts)
    assert torch.equal(torch.random.get_rng_state(), before)  # the caller's state is left alone


def test_another_seed_gives_another_network():
    parts = make_trials()
    assert not np.array_equal(fit(parts, seed=0)[1], fit(parts, seed=1)[1])


def test_signal_is_found_and_noise_is_not():
    hits = []
    for signal in (1.5, 0.0):
        parts = make_trials(classes=4, each=16, voxels=24, signal=signal)
        _, held_out, _ = fit(parts, n_classes=4, width=8, steps=120, batch=16)
        hits.append(int((held_out.argmax(axis=1) == parts[5]).sum()))
    # 16 held-out trials, chance 4: 12 or more have p < 0.0001, 9 or more p < 0.01.
    assert hits[0] >= 12 and hits[1] < 9, hits


def test_held_out_trials_have_no_influence():
    parts = make_trials()
    validation, held_out, epoch = fit(parts)
    other = [*parts[:4], np.concatenate([parts[4][::-1], 100 + parts[4]]), None]
    found = fit(other)
    np.testing.assert_array_equal(found[0], validation)
    assert found[2] == epoch
    np.testing.assert_allclose(found[1][: len(held_out)], held_out[::-1], atol=1e-5)


def test_validation_trials_change_the_choice_only():
    """With one epoch (of 3 steps) there is nothing to choose: validation changes no prediction."""
    parts = make_trials()
    other = [*parts[:2], -parts[2], parts[3][::-1].copy(), *parts[4:]]
    np.testing.assert_array_equal(fit(parts, steps=3)[1], fit(other, steps=3)[1])


def test_the_epoch_has_the_lowest_validation_nll(monkeypatch):
    parts = make_trials(signal=0.3, seed=3)
    logits = []

    def spy(network, signal, **settings):
        logits.append(predict(network, signal, **settings).numpy())
        return torch.from_numpy(logits[-1])

    monkeypatch.setattr(training, "predict", spy)
    validation, held_out, epoch = fit(parts, steps=36)
    *each, last = logits
    assert len(each) == 12  # validation after each epoch, held-out trials once, at the end
    nll = [
        np.mean([np.log(np.exp(row - row[k]).sum()) for row, k in zip(rows, parts[3], strict=True)])
        for rows in each
    ]
    assert epoch == 1 + int(np.argmin(nll)) and 1 < epoch < 12, nll
    np.testing.assert_array_equal(validation, each[epoch - 1])
    np.testing.assert_array_equal(held_out, last)
    # The chosen epoch's weights predict, not the last one's: validation trials held out say so.
    monkeypatch.undo()
    parts[4] = parts[2]
    validation, held_out, _ = fit(parts, steps=36)
    np.testing.assert_array_equal(validation, held_out)


def test_a_network_that_diverges_is_an_error():
    with pytest.raises(ValueError) as caught:
        fit(make_trials(), learning_rate=1e30)
    assert str(caught.value) == (
        "resnet1d diverged: the validation NLL is not finite after any of 6 epochs; "
        "lower decode.resnet1d.learning_rate (1e+30)"
    )


def test_an_epoch_before_divergence_counts(monkeypatch):
    def train(network, *args, epochs, **settings):
        for epoch in range(1, epochs + 1):
            if epoch == 2:
                nn.init.constant_(network.fc.weight, torch.nan)
            yield epoch

    monkeypatch.setattr(training, "_train", train)
    validation, held_out, epoch = fit(make_trials())
    assert epoch == 1 and np.isfinite(validation).all() and np.isfinite(held_out).all()


@pytest.mark.parametrize(
    ("each", "batch", "sizes"), [(3, 8, [5, 4]), (3, 4, [3, 3, 3]), (1, 2, [3])]
)
def test_no_batch_has_one_trial(monkeypatch, each, batch, sizes):
    seen = []

    def spy(network, optimizer, signal, targets, **settings):
        seen.append(len(signal))
        return step(network, optimizer, signal, targets, **settings)

    step = training.train_step
    monkeypatch.setattr(training, "train_step", spy)
    # One voxel: batch normalisation sees one value a trial, and refuses a batch of one.
    fit(make_trials(each=each, voxels=1), batch=batch, steps=2 * len(sizes))
    assert seen == sizes * 2


def test_every_step_trains_by_the_schedule(monkeypatch):
    seen = []

    def spy(network, optimizer, signal, targets, **settings):
        (group,) = optimizer.param_groups
        assert network.training and group["weight_decay"] == 0.25
        seen.append((group["lr"], network.conv1.weight.detach().clone(), signal.clone()))
        return step(network, optimizer, signal, targets, **settings)

    step = training.train_step
    monkeypatch.setattr(training, "train_step", spy)
    for seed in (0, 1):
        fit(make_trials(), seed=seed, steps=15, weight_decay=0.25)
    (rates, weights, signals), other = zip(*seen[:15], strict=True), seen[15]
    # 15 steps: from 1/25 of the peak up to it in a fifth of the way, then down (OneCycleLR).
    assert rates[0] == pytest.approx(0.01 / 25) and max(rates) == pytest.approx(0.01, rel=0.02)
    assert int(np.argmax(rates)) in (2, 3) and rates[-1] < 0.001
    # A seed gives both the weights to start from and the order of the trials.
    assert not torch.equal(weights[0], other[1])
    assert not torch.equal(signals[0], other[2])
    assert not torch.equal(signals[0], signals[3])  # nor is the second epoch the first again


def test_one_trial_cannot_be_fitted():
    parts = make_trials()
    parts[0], parts[1] = parts[0][:1], parts[1][:1]
    with pytest.raises(ValueError) as caught:
        fit(parts)
    assert str(caught.value) == "resnet1d has 1 trial to fit on; it needs 2 at least"


def test_mixed_trials_carry_both_targets():
    # Without noise, a trial whose voxels say its class in one-hot is its own target.
    one_hot = torch.eye(5).repeat(4, 1)
    generator = torch.Generator().manual_seed(0)
    signal, targets = training._mixed(1e6 * one_hot[:, None, None], one_hot, generator)
    torch.testing.assert_close(signal[:, 0, 0] / 1e6, targets, atol=1e-5, rtol=0)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(20))
    assert 2 < int((targets > 0).sum(dim=1).float().sum()) - 20 <= 20  # most are of two classes
    # Every trial is in once as the first and once as the second: 4 of each class, twice, halved.
    assert targets.sum(dim=0).mean() == pytest.approx(4)
    noise = training._mixed(torch.zeros(50, 1, 1, 400), one_hot[:1].repeat(50, 1), generator)[0]
    assert float(noise.std()) == pytest.approx(training.NOISE, rel=0.02)


def test_voxels_come_best_first_whatever_their_order():
    rng = np.random.default_rng(0)
    category = np.repeat([0, 1], 10)
    data = rng.standard_normal((20, 6))
    data[:, [4, 1]] += category[:, None] * [4.0, 2.0]
    data[:, 3] = 7  # constant over all trials
    data[:, 5] = -data[:, 0]  # as good as voxel 0 to the bit
    order = resnet1d._best_first(data, category, np.arange(20), 99, by="f-score")
    assert order[:2].tolist() == [4, 1] and sorted(order) == [0, 1, 2, 4, 5]
    assert resnet1d._best_first(data, category, np.arange(20), 2, by="f-score").tolist() == [4, 1]
    for seed in range(5):
        columns = np.random.default_rng(seed).permutation(6)
        found = resnet1d._best_first(data[:, columns], category, np.arange(20), 99, by="f-score")
        assert columns[found].tolist() == order.tolist()
    blank = np.zeros((20, 3))
    assert len(resnet1d._best_first(blank, category, np.arange(20), 99, by="f-score")) == 1


def test_each_fold_has_a_network_of_its_own(monkeypatch):
    """Who is fitted on, validates and is held out; how they are scaled; with which seed."""
    voxels = training_trials(make_voxels(images=5, shows=2, voxels=12))
    plan = plan_for(voxels, by="image")
    calls, rng = [], np.random.default_rng(0)

    def spy(*arrays, **settings):
        logits = [rng.standard_normal((len(part), settings["n_classes"])) for part in arrays[2::2]]
        calls.append((arrays, settings, logits))
        return *logits, 3

    monkeypatch.setattr(training, "fit_predict", spy)
    labels = decode(voxels, normalise="fold", n_voxels=5)
    assert labels.meta["epoch"] == [3] * 5
    assert len({settings["seed"] for _, settings, _ in calls}) == 5
    number = np.unique(voxels.category, return_inverse=True)[1]
    pairs = trial_pairs(voxels, plan)
    for fold, ((side, held_out), (arrays, _, logits)) in enumerate(zip(pairs, calls, strict=True)):
        ((rows, validation),) = one_inner_pair(voxels, plan, side)
        for given, trials in zip(arrays[1::2], (rows, validation), strict=True):
            np.testing.assert_array_equal(given, number[trials])
        raw = voxels.data[rows].astype(np.float64)
        score = voxel_scores(voxels.data, number, [(rows, [])], by="f-score")[0]
        columns = np.argsort(-score)[:5]
        scaled = (voxels.data[:, columns] - raw[:, columns].mean(0)) / raw[:, columns].std(0)
        for given, trials in zip(arrays[::2], (rows, validation, held_out), strict=True):
            assert given.dtype == np.float32
            np.testing.assert_allclose(given, scaled[trials], rtol=1e-4, atol=1e-5)
        # The temperature comes from the validation images, each the mean of its two trials.
        images, log_probs = average_trials(logits[0], voxels.image_id[validation])
        truth = [number[voxels.image_id == image][0] for image in images]
        temperature = fit_temperature(log_probs, np.array(truth))
        assert labels.meta["temperatures"][fold] == temperature
        images, log_probs = average_trials(logits[1], voxels.image_id[held_out])
        expected = log_softmax(log_probs / temperature, axis=1)
        np.testing.assert_allclose(labels.take(images).log_probs, expected, rtol=1e-5)


def test_soft_labels_say_how_they_were_made():
    voxels = make_voxels(images=4, voxels=12, signal=1.5)
    labels = decode(voxels)
    assert labels.meta["device"] == "cpu" and labels.meta["precision"] == "float32"
    assert len(labels.meta["epoch"]) == len(labels.meta["temperatures"]) == 4
    assert all(1 <= epoch <= SETTINGS["steps"] for epoch in labels.meta["epoch"])
    assert not np.array_equal(labels.log_probs, decode(voxels, seed=1).log_probs)


def test_permuted_voxels_give_the_same_bits():
    voxels = make_voxels(images=4, voxels=12)
    columns = np.random.default_rng(0).permutation(12)
    permuted = replace(voxels, data=np.ascontiguousarray(voxels.data[:, columns]))
    np.testing.assert_array_equal(decode(voxels).log_probs, decode(permuted).log_probs)


def test_folds_that_leave_none_to_validate_on():
    voxels = training_trials(make_voxels(images=2, shows=2, voxels=12))
    with pytest.raises(ValueError) as caught:
        decode_resnet1d(voxels, plan_for(voxels, by="image"), seed=0, **DECODED)
    assert str(caught.value) == (
        "resnet1d has no fold to choose its epoch by (category 'c0' has one image to fit and "
        "predict; folds by image need 2); choose other folds (decode.folds.by)"
    )
