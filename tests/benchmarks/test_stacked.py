"""Networks side by side as one: each learns what it learns alone."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import stacked_decoder
from brain_teacher.distillation.engine import train_student
from brain_teacher.networks.classifiers import build_network
from brain_teacher.networks.resnet1d import resnet18_1d
from brain_teacher.networks.resnet1d_training import fit_predict
from stacked import Replayed, stack
from stacked_decoder import fit_predict_together
from stacked_students import train_together
from student_work import recipe

SETTINGS = {"n_classes": 3, "width": 4, "steps": 12, "batch": 8, "learning_rate": 0.001}
SETTINGS |= {"weight_decay": 0.01, "device": "cpu", "precision": "float32"}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def students(**settings):
    settings = {"n_classes": 5, "image_size": 24, "width": 8} | settings
    return [build_network(seed=seed, **settings) for seed in range(2)]


NETWORKS = {
    "1-D": (lambda: [resnet18_1d(5, 77, width=8) for _ in range(3)], (1, 1, 77)),
    "small stem": (students, (3, 24, 24)),
    "torchvision's stem": (lambda: students(stem="large"), (3, 37, 33)),
    "resnet34": (lambda: students(network="resnet34"), (3, 20, 20)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_learns_what_it_learns_alone(name):
    make, shape = NETWORKS[name]
    # The 1-D network's mean is float32's.
    dtype, rounding = (torch.float32, 1e-3) if name == "1-D" else (torch.float64, 1e-7)
    networks = [network.to(dtype) for network in make()]
    together = stack(networks).to(dtype)
    optimizers = [torch.optim.AdamW(each.parameters(), lr=1e-3) for each in networks]
    optimizer = torch.optim.AdamW(together.parameters(), lr=1e-3)
    signals = torch.randn(len(networks), 6, *shape, dtype=dtype)
    for _ in range(3):
        truth = torch.randint(0, 5, signals.shape[:2])
        for network, own, signal, each in zip(networks, optimizers, signals, truth, strict=True):
            own.zero_grad()
            F.cross_entropy(network(signal), each).backward()
            own.step()
        optimizer.zero_grad()
        logits = together(signals.permute(0, 2, 3, 4, 1))
        (F.cross_entropy(logits.flatten(0, 1), truth.flatten()) * len(networks)).backward()
        optimizer.step()
    states = [network.state_dict() for network in networks]
    for key, value in together.state_dict().items():
        expected = torch.stack([state[key] for state in states])
        torch.testing.assert_close(value, expected, atol=rounding, rtol=rounding)
    assert not torch.equal(states[0]["conv1.weight"], states[1]["conv1.weight"])
    together.eval()
    found = together(signals.permute(0, 2, 3, 4, 1))
    for network, signal, logits in zip(networks, signals, found, strict=True):
        torch.testing.assert_close(logits, network.eval()(signal), atol=rounding, rtol=rounding)


def test_the_networks_given_are_left_alone():
    networks = students()
    before = [{k: v.clone() for k, v in each.state_dict().items()} for each in networks]
    stack(networks).train()(torch.randn(2, 3, 24, 24, 4))
    for network, state in zip(networks, before, strict=True):
        assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
        assert type(network.conv1) is nn.Conv2d


@pytest.mark.parametrize("layer", [nn.Conv2d(4, 4, 3, groups=2, bias=False), nn.GELU()])
def test_a_layer_that_it_does_not_know_is_an_error(layer):
    with pytest.raises(ValueError, match="cannot be stacked"):
        stack([nn.Sequential(layer)])


def test_on_the_cpu_a_replayed_function_is_called():
    called = []
    replayed = Replayed(called.append, "cpu")
    for number in range(3):
        replayed(torch.tensor(number))
    assert [int(each) for each in called] == [0, 1, 2]


def make_fold(seed, *, each=8, voxels=20, held_out=12):
    rng = np.random.default_rng(seed)
    means = 1.5 * rng.standard_normal((3, voxels))
    parts = []
    for count in (3 * each, 12, held_out):
        category = rng.permutation(np.arange(count) % 3)
        data = means[category] + rng.standard_normal((count, voxels))
        parts += [data.astype(np.float32), category]
    return tuple(parts[:5])


def test_folds_together_are_as_each_alone():
    # Of three shapes: fewer voxels, fewer trials.
    folds = [make_fold(0), make_fold(1, voxels=15), make_fold(2), make_fold(3, each=5, held_out=9)]
    together = fit_predict_together(folds, seeds=[3, 4, 5, 6], **SETTINGS)
    for fold, seed, found in zip(folds, [3, 4, 5, 6], together, strict=True):
        validation, held_out, epoch = fit_predict(*fold, seed=seed, **SETTINGS)
        np.testing.assert_allclose(found[0], validation, atol=1e-4)
        np.testing.assert_allclose(found[1], held_out, atol=1e-4)
        assert found[2] == epoch and len(held_out) == len(fold[4])
    assert not np.allclose(together[0][1], together[2][1], atol=0.01)


def test_folds_that_do_not_fit_the_memory_are_halved(monkeypatch):
    fit, sizes = stacked_decoder._fit_stacked, []

    def small_card(folds, seeds, **settings):
        sizes.append(len(folds))
        if len(folds) > 2:
            raise torch.OutOfMemoryError
        return fit(folds, seeds, **settings)

    folds, seeds = [make_fold(seed) for seed in range(5)], list(range(5))
    expected = fit_predict_together(folds, seeds=seeds, **SETTINGS | {"steps": 3})
    monkeypatch.setattr(stacked_decoder, "_fit_stacked", small_card)
    found = fit_predict_together(folds, seeds=seeds, **SETTINGS | {"steps": 3})
    assert sorted(sizes) == [1, 2, 2, 3, 5]
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one[1], two[1], atol=1e-5)
    monkeypatch.setattr(stacked_decoder, "_fit_stacked", lambda *a, **s: (_ for _ in ()).throw(
        torch.OutOfMemoryError
    ))  # fmt: skip
    with pytest.raises(torch.OutOfMemoryError):
        fit_predict_together(folds, seeds=seeds, **SETTINGS)


def test_what_ends_a_fold_alone_ends_it_together():
    folds = [make_fold(0), make_fold(1)]
    with pytest.raises(ValueError, match="resnet1d diverged: .* after any of 4 epochs"):
        fit_predict_together(folds, seeds=[0, 1], **SETTINGS | {"learning_rate": 1e30})
    single = (folds[0][0][:1], folds[0][1][:1], *folds[0][2:])
    with pytest.raises(ValueError, match="has 1 trial to fit on"):
        fit_predict_together([single], seeds=[0], **SETTINGS)


def test_students_together_are_as_each_alone():
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (count, 12, 12, 3), dtype=np.uint8) for count in (24, 9, 9)]
    training, *others = [(each, np.arange(len(each)) % 3) for each in pictures]
    evaluation = dict(zip(("validation", "test"), others, strict=True))
    probs = rng.dirichlet(np.ones(3), 24).astype(np.float32)
    settings = {"width": 8, "epochs": 2, "batch": 8, "shift": 1, "learning_rate": 1e-3}
    settings |= {"temperature": 2.0, "alpha": 0.8}
    common = {"evaluation": evaluation, "n_classes": 3, "device": "cpu"}
    common |= {"recipe": recipe(12, "float32", **settings)}
    targets, seeds = [None, None, probs, probs[::-1].copy()], [0, 1, 0, 1]
    answers, nll = train_together(*training, targets, seeds=seeds, **common)
    for number, (each, seed) in enumerate(zip(targets, seeds, strict=True)):
        alone = train_student(*training, each, seed=seed, **common)
        for split, log_probs in alone.log_probs.items():
            np.testing.assert_allclose(answers[split][number], log_probs, atol=1e-4)
        np.testing.assert_allclose(nll[:, number], alone.curves["validation_nll"], atol=1e-4)
