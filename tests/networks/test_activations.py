"""Activations of layers, against torchvision's own extractor."""

import numpy as np
import pytest
import torch
from torchvision.models import feature_extraction, resnet18, squeezenet1_1

from brain_teacher.networks.activations import activations
from brain_teacher.networks.classifiers import build_network, normalise

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)


def expected(network, node):
    extractor = feature_extraction.create_feature_extractor(
        network.eval(), return_nodes={node: "found"}, suppress_diff_warning=True
    )
    with torch.no_grad():
        return extractor(normalise(torch.from_numpy(IMAGES).permute(0, 3, 1, 2).float()))["found"]


def test_a_resnets_stages_and_what_the_last_layer_sees():
    torch.manual_seed(0)
    network = resnet18(num_classes=4)
    found = activations(network, IMAGES)
    assert list(found) == ["layer1", "layer2", "layer3", "layer4", "penultimate"]
    for name, node in (("layer2", "layer2"), ("layer4", "layer4"), ("penultimate", "flatten")):
        wanted = expected(network, node).flatten(1).numpy()
        np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-5)
    assert not network.fc._forward_pre_hooks and not network.layer1._forward_hooks


def test_a_network_whose_last_layer_sees_maps():
    torch.manual_seed(0)
    network = squeezenet1_1(num_classes=3)
    found = activations(network, IMAGES)
    wanted = expected(network, "classifier.0").mean((2, 3)).numpy()
    assert list(found) == ["penultimate"]
    np.testing.assert_allclose(found["penultimate"], wanted, rtol=1e-4, atol=1e-5)


def test_each_image_has_its_row_whatever_stands_beside_it():
    network = build_network(n_classes=4, image_size=16, seed=1, width=8)
    images = np.random.default_rng(1).integers(0, 256, (300, 16, 16, 3), dtype=np.uint8)
    whole = activations(network, images, stages=False)["penultimate"]
    some = activations(network, images[[290, 3]], stages=False)["penultimate"]
    assert whole.shape == (300, 64)
    np.testing.assert_allclose(some, whole[[290, 3]], rtol=1e-4, atol=1e-5)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(some, whole[[3, 290]], rtol=1e-4, atol=1e-5)
