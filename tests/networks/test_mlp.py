"""Residual perceptrons of many fits at once, against each of them alone and against nn.Linear."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import logsumexp

from brain_teacher.networks import mlp_training
from brain_teacher.networks.mlp import Perceptrons
from brain_teacher.networks.mlp_training import fit_predict_together
from brain_teacher.seeds import named_seed

SETTINGS = {
    "n_classes": 3,
    "starts": 1,
    "steps": [5, 10],
    "batch": 8,
    "hidden": 16,
    "layers": 2,
    "dropout": 0.5,
    "noise": 1.0,
    "learning_rate": 0.01,
    "weight_decay": 0.1,
    "device": "cpu",
    "precision": "float32",
}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_fit(*, each=6, asked=9, voxels=20, signal=1.5, seed=0):
    """Voxels and classes of trials to fit on, voxels held out; and the classes of these."""
    rng = np.random.default_rng(seed)
    means = signal * rng.standard_normal((3, voxels))
    category, truth = np.repeat(np.arange(3), each), np.arange(asked) % 3
    parts = [means[c] + rng.standard_normal((len(c), voxels)) for c in (category, truth)]
    fit, held_out = (part.astype(np.float32) for part in parts)
    return (fit, category, held_out), truth


# In trials, held-out trials and voxels, these differ.
FITS = [
    make_fit(each=each, asked=asked, voxels=voxels, seed=seed)[0]
    for seed, (each, asked, voxels) in enumerate([(6, 9, 20), (9, 4, 31), (2, 12, 7), (6, 9, 20)])
]
SEEDS = [11, 12, 13, 14]


def predict(fits=FITS, *, seeds=SEEDS, **changes):
    return fit_predict_together(fits, seeds=seeds, **(SETTINGS | changes))


def test_alone_and_beside_others_a_network_is_the_same():
    together = predict()
    for fit, seed, found in zip(FITS, SEEDS, together, strict=True):
        (alone,) = predict([fit], seeds=[seed])
        assert found.shape == (2, len(fit[2]), 3) and found.dtype == np.float32
        np.testing.assert_allclose(found, alone, atol=1e-4, rtol=0)
        np.testing.assert_allclose(logsumexp(found, axis=-1), 0, atol=1e-5)


def test_what_others_are_fitted_on_changes_nothing():
    expected = predict()
    others = [(1e3 + fit[::-1], category[::-1].copy(), held) for fit, category, held in FITS[1:]]
    found = predict([FITS[0], *others])
    np.testing.assert_array_equal(found[0], expected[0])
    assert not np.allclose(found[1], expected[1], atol=1e-3)


def test_the_same_seed_gives_the_same_bits():
    before = torch.random.get_rng_state()
    first = predict()
    torch.manual_seed(99)
    for one, two in zip(first, predict(), strict=True):
        np.testing.assert_array_equal(one, two)
    torch.random.set_rng_state(before)
    predict()
    assert torch.equal(torch.random.get_rng_state(), before)  # the caller's state is left alone


def test_another_seed_gives_another_network():
    first, second = predict([FITS[0], FITS[0]], seeds=[1, 2])
    assert not np.allclose(first, second, atol=1e-3)


def test_earlier_answers_do_not_depend_on_being_asked_again():
    for early, both in zip(predict(steps=[10]), predict(), strict=True):
        np.testing.assert_array_equal(early[0], both[1])


def test_held_out_trials_have_no_influence():
    fit, category, held_out = FITS[0]
    (expected,) = predict([FITS[0]], seeds=[1])
    (found,) = predict([(fit, category, np.concatenate([held_out[::-1], 100 + fit]))], seeds=[1])
    np.testing.assert_allclose(found[:, : len(held_out)], expected[:, ::-1], atol=1e-5)


def test_the_unit_of_the_voxels_does_not_matter():
    fit, category, held_out = FITS[0]
    (expected,) = predict([FITS[0]], seeds=[1])
    (found,) = predict([(fit * 1e-3, category, held_out * 1e-3)], seeds=[1])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_several_starts_are_averaged_each_with_a_seed_of_its_own(monkeypatch):
    found = predict(starts=3)
    seeds = [named_seed("start", seed, start) for seed in SEEDS for start in range(3)]

    def as_given(name, seed, *rest):
        return seed if name == "start" else named_seed(name, seed, *rest)

    monkeypatch.setattr(mlp_training, "named_seed", as_given)
    single = predict([fit for fit in FITS for _ in range(3)], seeds=seeds)
    for number, rows in enumerate(found):
        three = np.stack(single[3 * number : 3 * number + 3])
        assert np.abs(three[0] - three[1]).max() > 0.01
        np.testing.assert_allclose(rows, three.mean(axis=0), atol=1e-5)


def test_signal_is_found_and_noise_is_not():
    hits = []
    for signal in (1.5, 0.0):
        fit, truth = make_fit(each=20, asked=30, signal=signal)
        (found,) = predict([fit], seeds=[0], steps=[100], hidden=32)
        hits.append(int((found[0].argmax(axis=1) == truth).sum()))
    # Chance is 10 of 30: 22 or more have p < 0.0001, 18 or more p < 0.01.
    assert hits[0] >= 22 and hits[1] < 18, hits


def test_a_network_that_diverges_is_an_error():
    with pytest.raises(ValueError) as caught:
        predict(learning_rate=1e30)
    assert str(caught.value) == (
        "mlp diverged: its answers are not finite; lower decode.mlp.learning_rate (1e+30)"
    )


def test_the_networks_are_those_written_with_linear_layers():
    sizes, rng = [7, 12, 12], np.random.default_rng(0)
    networks = Perceptrons([1, 2, 3], sizes, n_classes=5, hidden=10, layers=2)
    with torch.no_grad():
        for number, drawn in enumerate([*networks.biases, networks.weights[-1]]):
            drawn.normal_(generator=torch.Generator().manual_seed(number))
    voxels = torch.tensor(rng.standard_normal((3, 6, 12)), dtype=torch.float32)
    voxels[0, :, 7:] = 0
    kept = torch.tensor(rng.random((3, 3, 6, 10)), dtype=torch.float32)
    for given in (None, kept):
        logits = networks(voxels, given)
        for each in range(3):
            linear = [
                (lambda x, w=w[each].T, b=b[each, 0]: F.linear(x, w, b))
                for w, b in zip(networks.weights, networks.biases, strict=True)
            ]
            mask = torch.ones(3, 6, 10) if given is None else given[each]
            h = mask[0] * linear[0](voxels[each])
            for number in (1, 2):
                h = h + mask[number] * F.gelu(linear[number](F.layer_norm(h, (10,))))
            expected = linear[3](F.layer_norm(h, (10,)))
            torch.testing.assert_close(logits[each], expected, atol=1e-5, rtol=1e-4)


def test_weights_are_as_large_as_their_own_inputs_ask_for():
    networks = Perceptrons([1, 2], [100, 400], n_classes=5, hidden=300, layers=1)
    small, large = networks.weights[0].detach()
    assert float(small[:100].std()) == pytest.approx(1 / 10, rel=0.05)
    assert float(large.std()) == pytest.approx(1 / 20, rel=0.05)
    assert not small[100:].any()  # columns that it does not have
    assert not networks.weights[-1].any()  # it begins by knowing nothing


def test_every_trial_comes_before_one_comes_again():
    first, second, weight = mlp_training._order(3, count=10, steps=6, batch=4)
    assert first.shape == second.shape == (6, 4) and weight.shape == (6, 4, 1)
    for each in (first, second):
        rounds = each.flatten()[:20].view(2, 10)
        assert torch.equal(rounds.sort(dim=1).values, torch.arange(10).repeat(2, 1))
    assert 0 <= float(weight.min()) < 0.3 and 0.7 < float(weight.max()) < 1


def test_mixed_trials_carry_both_targets():
    # A trial whose voxels say its class in one-hot is its own target.
    classes = [np.arange(4).repeat(3), np.arange(4).repeat(2)]
    fits = [(np.eye(4, dtype=np.float32)[each], each, None) for each in classes]
    settings = {"n_classes": 4, "sizes": [4, 4], "steps": 3, "batch": 12, "device": "cpu"}
    for voxels, targets in mlp_training._mixed(fits, [1, 2], **settings):
        assert voxels.shape == (2, 12, 4)
        torch.testing.assert_close(voxels, targets)
        torch.testing.assert_close(targets.sum(dim=-1), torch.ones(2, 12))
        assert (targets > 0).sum(dim=-1).float().mean() > 1.3  # most are of two classes


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_noise_and_dropout_are_as_large_as_said(dropout):
    shape = {"layers": 2, "hidden": 50, "steps": 2, "batch": 40, "device": "cpu"}
    first, second = (
        (normal.clone(), kept)
        for normal, kept in mlp_training._noise([1, 2], sizes=[30, 60], dropout=dropout, **shape)
    )
    normal, kept = first
    assert not torch.equal(normal, second[0])
    assert not normal[0, :, 30:].any() and normal[1].all()
    assert float(normal[1].std()) == pytest.approx(1, abs=0.05)
    assert kept.shape == (2, 2, 40, 50)
    assert float((kept == 0).float().mean()) == pytest.approx(dropout, abs=0.03)
    torch.testing.assert_close(kept.unique().max(), torch.tensor(1 / (1 - dropout)))


def test_logits_are_float32_in_bfloat16_too():
    full, half = predict(), predict(precision="bfloat16")
    for one, two in zip(full, half, strict=True):
        assert two.dtype == np.float32
        assert 0 < np.abs(one - two).max() < 0.2
