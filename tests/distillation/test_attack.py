"""Projected gradient descent, where the worst change is known in closed form."""

import numpy as np
import pytest
import torch
from torch import nn

from brain_teacher.distillation.attack import withstands
from brain_teacher.networks.classifiers import SD

SIZE, CLASSES = 6, 2


@pytest.fixture
def linear():
    torch.manual_seed(5)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, CLASSES)).eval()


def pictures(count=200, low=100, high=150):
    rng = np.random.default_rng(3)
    images = rng.integers(low, high, (count, SIZE, SIZE, 3), dtype=np.uint8)
    return images, rng.integers(0, CLASSES, count), np.array([f"i{n}" for n in range(count)])


def margins(network, images, labels, epsilon):
    """Of two classes and a linear network: what is left of the margin at the box's worst corner."""
    weights, bias = (p.detach().numpy().astype(float) for p in network[1].parameters())
    deviation = np.repeat(np.array(SD), SIZE * SIZE)
    mean = np.repeat(np.array([0.485, 0.456, 0.406]), SIZE * SIZE)
    flat = images.transpose(0, 3, 1, 2).reshape(len(images), -1) / 255.0
    logits = ((flat - mean) / deviation) @ weights.T + bias
    rows = np.arange(len(labels))
    slope = abs((weights[1] - weights[0]) / deviation).sum()
    return logits[rows, labels] - logits[rows, 1 - labels] - epsilon * slope


@pytest.mark.parametrize("epsilon", [1e-9, 0.001, 0.004, 0.02])
def test_the_attack_finds_the_worst_corner_of_a_linear_network(linear, epsilon):
    images, labels, ids = pictures()
    left = margins(linear, images, labels, epsilon)
    clear = abs(left) > 1e-4
    stands = withstands(linear, images, labels, ids, epsilon=epsilon)
    assert clear.sum() > 150
    assert np.array_equal(stands[clear], left[clear] > 0)
    if 0.001 <= epsilon <= 0.004:  # the case tells something
        assert 0.05 < stands.mean() < (margins(linear, images, labels, 0) > 0).mean() - 0.01


def test_no_pixel_leaves_brightness(linear):
    """At the edge of brightness, half of the box is not there."""
    images, labels, ids = pictures(low=0, high=1)
    seen = []
    linear.register_forward_pre_hook(lambda _, given: seen.append(given[0].min().item()))
    withstands(linear, images, labels, ids, epsilon=0.1)
    darkest = (0 - np.array([0.485, 0.456, 0.406])) / np.array(SD)
    assert min(seen) >= darkest.min() - 1e-5


def test_order_and_neighbours_do_not_matter_and_the_network_is_left_as_it_was(linear):
    images, labels, ids = pictures()
    before = [p.clone() for p in linear.parameters()]
    whole = withstands(linear, images, labels, ids, epsilon=0.003)
    order = np.random.default_rng(0).permutation(len(ids))[:70]
    some = withstands(linear, images[order], labels[order], ids[order], epsilon=0.003)
    assert np.array_equal(some, whole[order])
    for now, then in zip(linear.parameters(), before, strict=True):
        assert now.requires_grad and now.grad is None and torch.equal(now, then)
