"""The 1-D ResNet18's training step and evaluation, against the same network written with Conv1d.

`WORK` maps a name to a function of ``quick`` that gives two callables, ours and the peer's, which
return arrays to compare. Both sides have the same weights. Where the CPU has bfloat16 (see
`choose_precision`) ours computes in it: losses and logits are then equal to about 1e-2, else 1e-4.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from brain_teacher.networks.devices import choose_precision
from brain_teacher.networks.resnet1d import predict, resnet18_1d
from brain_teacher.networks.resnet1d_training import train_step

CLASSES = 150


class Block1d(nn.Module):
    """ResNet's basic block, with names as torchvision's."""

    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = nn.Conv1d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm1d(out)
        self.conv2 = nn.Conv1d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm1d(out)
        self.downsample = nn.Identity()
        if stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv1d(channels, out, 1, stride, bias=False), nn.BatchNorm1d(out)
            )

    def forward(self, x):
        inner = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(inner)) + self.downsample(x))


class ResNet1d(nn.Module):
    """Ours as one writes it with Conv1d: (n, 1, n_voxels) to (n, n_classes)."""

    def __init__(self, n_classes, n_voxels, width):
        super().__init__()
        self.conv1 = nn.Conv1d(1, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm1d(width)
        sizes = [width, width, 2 * width, 4 * width, 8 * width]
        for n in range(1, 5):
            first = Block1d(sizes[n - 1], sizes[n], 1 if n == 1 else 2)
            self.add_module(f"layer{n}", nn.Sequential(first, Block1d(sizes[n], sizes[n], 1)))
        self.fc = nn.Linear(8 * width * -(-n_voxels // 16), n_classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return self.fc(x.flatten(1))

    def copy_weights(self, network):
        """Take the weights of a network whose convolutions are (1, k)."""
        weights = network.state_dict().items()
        self.load_state_dict({k: v.squeeze(2) if v.ndim == 4 else v for k, v in weights})


def make(quick, *, trials):
    """Both networks with the same weights, voxels and categories, all drawn from fixed seeds."""
    voxels, width = (200, 16) if quick else (1000, 64)
    torch.manual_seed(0)
    network = resnet18_1d(CLASSES, voxels, width=width)
    plain = ResNet1d(CLASSES, voxels, width)
    plain.copy_weights(network)
    rng = np.random.default_rng(0)
    category = torch.from_numpy(rng.permutation(np.arange(trials) % CLASSES))
    signal = torch.from_numpy(rng.standard_normal((trials, 1, voxels)).astype(np.float32))
    return network, plain, signal, category


def step(quick):
    """One training step of 64 trials; gives the loss."""
    network, plain, signal, category = make(quick, trials=64)
    precision = choose_precision("auto", "cpu")
    targets = F.one_hot(category, CLASSES).float()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    plain_optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-3)

    def ours():
        flat = signal[:, :, None]
        return train_step(network, optimizer, flat, targets, precision=precision).numpy()

    def peer():
        loss = F.cross_entropy(plain(signal), category)
        plain_optimizer.zero_grad()
        loss.backward()
        plain_optimizer.step()
        return loss.detach().numpy()

    return ours, peer


def evaluation(quick):
    """The logits of a fold's 150 held-out trials; the peer takes one trial at a time."""
    network, plain, signal, category = make(quick, trials=150)
    precision = choose_precision("auto", "cpu")
    # A few steps, so that the logits differ and batch normalisation has seen data.
    optimizer, targets = torch.optim.AdamW(network.parameters()), F.one_hot(category, CLASSES)
    for _ in range(5):
        train_step(network, optimizer, signal[:, :, None], targets.float(), precision="float32")
    plain.copy_weights(network)
    plain.eval()

    def ours():
        return predict(network, signal[:, :, None], precision=precision).numpy()

    @torch.inference_mode()
    def peer():
        return torch.cat([plain(trial[None]) for trial in signal]).numpy()

    return ours, peer


WORK = {"resnet1d-step": step, "resnet1d-eval": evaluation}
