"""Decoders on a GPU: as on the CPU, alone and many in one batch, to the bit again."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from brain_teacher.networks import resnet1d_training
from brain_teacher.networks.devices import autocast, choose_device, choose_precision
from brain_teacher.networks.resnet1d import predict, resnet18_1d
from brain_teacher.networks.resnet1d_training import fit_predict
from helpers.gpu_here import DEVICE, needs_gpu, only_a_gpu
from helpers.recordings import count_hits, make_voxels, p_of_chance
from stacked import stack
from stacked_decoder import fit_predict_together

pytestmark = [pytest.mark.gpu, needs_gpu]

SETTINGS = {"n_classes": 3, "width": 8, "steps": 12, "batch": 8, "learning_rate": 0.001}
SETTINGS |= {"weight_decay": 0.01, "precision": "float32"}


def make_fold(seed, voxels=40):
    rng = np.random.default_rng(seed)
    means = 1.5 * rng.standard_normal((3, voxels))
    parts = []
    for count in (24, 12, 12):
        category = rng.permutation(np.arange(count) % 3)
        data = means[category] + rng.standard_normal((count, voxels))
        parts += [data.astype(np.float32), category]
    return tuple(parts[:5])


FOLDS = [make_fold(seed) for seed in range(3)]


@pytest.fixture
def cpu_draws(monkeypatch):
    """Draw what a fold draws on the CPU, wherever it is trained; a GPU's generator is another."""
    mixed = resnet1d_training._mixed
    held = {}

    def from_cpu(signal, targets, generator):
        own = held.setdefault(id(generator), (generator, torch.Generator()))[1]
        if own.initial_seed() != generator.initial_seed():
            own.manual_seed(generator.initial_seed())
        return tuple(part.to(signal.device) for part in mixed(signal.cpu(), targets.cpu(), own))

    monkeypatch.setattr(resnet1d_training, "_mixed", from_cpu)


def test_a_network_answers_as_on_the_cpu():
    torch.manual_seed(0)
    network = resnet18_1d(5, 300, width=16)
    signal = torch.randn(20, 1, 1, 300)
    expected = predict(network, signal, precision="float32")
    on_card = network.to(DEVICE)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        found = predict(on_card, signal.to(DEVICE), precision="float32").cpu()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    found = predict(on_card, signal.to(DEVICE), precision="bfloat16").cpu()
    assert found.dtype == torch.float32
    assert 0 < float((found - expected).norm() / expected.norm()) < 0.03


def test_losses_and_gradients_of_stacked_networks_are_those_of_the_cpu():
    torch.manual_seed(0)
    networks = [resnet18_1d(5, 300, width=16) for _ in range(3)]
    signal, truth = torch.randn(3, 1, 1, 300, 16), torch.randint(0, 5, (3, 16))
    losses, gradients = [], []
    for device, precision in (("cpu", "float32"), (DEVICE, "float32"), (DEVICE, "bfloat16")):
        network = stack(networks).to(device)
        with autocast(device, precision):
            logits = network(signal.to(device))
        loss = F.cross_entropy(logits.flatten(0, 1), truth.flatten().to(device))
        loss.backward()
        losses.append(float(loss.detach()))
        gradients.append([p.grad.cpu() for p in network.parameters()])
    for expected, found in zip(*gradients[:2], strict=True):
        assert float((found - expected).norm() / expected.norm()) < 1e-3
    # In bfloat16 a new network's gradients differ by a third, on the CPU too: ReLUs flip.
    assert losses[1:] == [pytest.approx(losses[0], rel=rel) for rel in (1e-5, 0.03)]


@pytest.mark.parametrize("seed", range(3))
def test_a_fold_is_fitted_as_on_the_cpu(cpu_draws, seed):
    fold = FOLDS[seed]
    expected = fit_predict(*fold, seed=seed, device="cpu", **SETTINGS)
    found = fit_predict(*fold, seed=seed, device=DEVICE, **SETTINGS)
    for one, two in zip(found[:2], expected[:2], strict=True):
        np.testing.assert_allclose(one, two, atol=2e-3)
    assert found[2] == expected[2]


def test_folds_in_one_batch_are_as_each_alone():
    together = fit_predict_together(FOLDS, seeds=[0, 1, 2], device=DEVICE, **SETTINGS)
    for seed, (fold, found) in enumerate(zip(FOLDS, together, strict=True)):
        alone = fit_predict(*fold, seed=seed, device=DEVICE, **SETTINGS)
        for one, two in zip(found[:2], alone[:2], strict=True):
            np.testing.assert_allclose(one, two, atol=2e-3)
        assert found[2] == alone[2]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_seed_gives_the_same_bits(precision):
    settings = SETTINGS | {"device": DEVICE, "precision": precision, "width": 16, "steps": 18}
    for fit in (
        lambda: fit_predict_together(FOLDS, seeds=[0, 1, 2], **settings),
        lambda: [fit_predict(*FOLDS[0], seed=0, **settings)],
    ):
        for one, two in zip(fit(), fit(), strict=True):
            np.testing.assert_array_equal(one[0], two[0])
            np.testing.assert_array_equal(one[1], two[1])


# In place of the defaults, which are for larger recordings.
OWN = {"resnet1d": {"steps": 60, "batch": 16, "learning_rate": 0.01}}


@pytest.mark.parametrize("name", [name for name, each in DECODERS.items() if each.torch])
def test_a_decoder_finds_the_signal_says_where_and_repeats(name):
    voxels = training_trials(make_voxels(images=4, shows=4, voxels=40, signal=2.0))
    decoder, plan = DECODERS[name], plan_for(voxels)
    settings = decoder.settings(**OWN.get(name, {})).model_dump() | {"device": DEVICE}
    common = {"normalise": "run", "select": "f-score", "n_voxels": 30, "calibrate": True}
    first, again = (decoder.decode(voxels, plan, **common, **settings) for _ in range(2))
    assert first.meta["device"] == DEVICE
    assert first.meta["precision"] == choose_precision(settings["precision"], DEVICE)
    assert p_of_chance(count_hits(first, voxels), 16, 4) < 0.01
    np.testing.assert_array_equal(first.log_probs, again.log_probs)


@only_a_gpu
def test_a_gpu_is_chosen_where_there_is_one():
    assert choose_device("auto") == choose_device("cuda") == "cuda"
