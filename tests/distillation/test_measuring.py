"""What students bear, of a linear network by numpy alone."""

import numpy as np
import torch
from torch import nn

from brain_teacher.distillation.attack import withstands
from brain_teacher.distillation.corruptions import STRENGTHS, corrupt
from brain_teacher.distillation.measuring import ATTACK, WORSE, bears
from brain_teacher.networks.classifiers import MEAN, SD


def test_every_kind_and_strength_is_measured_on_every_image():
    torch.manual_seed(5)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 3))
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (600, 8, 8, 3), dtype=np.uint8)  # more than are read at a time
    ids = np.array([f"i{n}" for n in range(600)])
    weights, bias = (p.detach().numpy().astype(float) for p in network[1].parameters())

    def named(pictures):
        pixels = (pictures / 255.0 - np.array(MEAN)) / np.array(SD)
        flat = pixels.transpose(0, 3, 1, 2).reshape(len(pictures), -1)
        return (flat @ weights.T + bias).argmax(axis=1)

    labels = np.where(rng.random(600) < 0.8, named(images), 0)
    found = bears(network, images, labels, ids)
    assert found.keys() == WORSE.keys()
    for kind, strengths in STRENGTHS.items():
        for right, strength in zip(found[kind], strengths, strict=True):
            wanted = named(corrupt(images, ids, kind, strength)) == labels
            assert (right == wanted).mean() > 0.99  # but for ties of rounding
    standing = found[ATTACK].mean(axis=1)
    assert (named(images) == labels).mean() > standing[0] > standing[1] > standing[2] > 0
    for right, epsilon in zip(found[ATTACK], WORSE[ATTACK], strict=True):
        assert (right == withstands(network, images, labels, ids, epsilon=epsilon)).mean() > 0.99
