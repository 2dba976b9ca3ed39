"""The 1-D ResNet18's network, against one written with Conv1d; devices and precisions."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from brain_teacher.decoding.resnet1d_network import (
    choose_device,
    choose_precision,
    predict,
    resnet18_1d,
)


@pytest.fixture(autouse=True)
def drawn_anew():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


class Conv1dBlock(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = nn.Conv1d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm1d(out)
        self.conv2 = nn.Conv1d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm1d(out)
        self.downsample = nn.Sequential()
        if stride > 1:
            self.downsample.append(nn.Conv1d(channels, out, 1, stride, bias=False))
            self.downsample.append(nn.BatchNorm1d(out))

    def forward(self, x):
        inner = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (inner + self.downsample(x)).relu()


def conv1d_twin(network, n_classes, width):
    """ResNet18 of He et al. (2016, table 1) in one dimension, with the network's weights."""
    twin = nn.Sequential()
    twin.add_module("conv1", nn.Conv1d(1, width, 7, 2, 3, bias=False))
    twin.add_module("bn1", nn.BatchNorm1d(width))
    twin.add_module("relu", nn.ReLU())
    twin.add_module("maxpool", nn.MaxPool1d(3, 2, 1))
    channels = width
    for n in range(4):
        out = width * 2**n
        blocks = Conv1dBlock(channels, out, 2 if n else 1), Conv1dBlock(out, out, 1)
        twin.add_module(f"layer{n + 1}", nn.Sequential(*blocks))
        channels = out
    twin.add_module("avgpool", nn.AdaptiveAvgPool1d(1))
    twin.add_module("flat", nn.Flatten())
    twin.add_module("fc", nn.Linear(channels, n_classes))
    weights = network.state_dict().items()
    twin.load_state_dict({k: v.squeeze(2) if v.ndim == 4 else v for k, v in weights})
    return twin


@pytest.mark.parametrize("voxels", [1, 2, 5, 33, 300])
def test_any_number_of_voxels(voxels):
    network = resnet18_1d(7, width=3)
    for mode in (network.train(), network.eval()):
        assert mode(torch.randn(2, 1, 1, voxels)).shape == (2, 7)


@pytest.mark.parametrize("voxels", [5, 101])
@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_the_one_written_with_conv1d(voxels, training):
    network = resnet18_1d(5, width=6)
    twin = conv1d_twin(network, 5, 6)
    network.train(training)
    twin.train(training)
    signal = torch.randn(32, 1, voxels)
    ours, theirs = network(signal[:, :, None]), twin(signal)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    for output in (ours, theirs):
        F.cross_entropy(output, torch.arange(32) % 5).backward()
    for name, parameter in twin.named_parameters():
        gradient = network.get_parameter(name).grad.reshape(parameter.shape)
        # By norm: batch normalisation's gradients are small differences of large numbers.
        error = (gradient - parameter.grad).norm() / parameter.grad.norm()
        assert float(error) < 1e-3, name


def test_the_full_width_is_resnet18s_own():
    # torchvision's resnet18 has 11,689,512 parameters; 2/3 of the 3x3 kernels, 6/7 of the 7x7
    # kernel and 2 of 3 input channels are gone, and 150 classes stand for 1,000.
    from torchvision.models import resnet18

    def size(name, shape):
        if "conv" in name:
            return shape[0] * (1 if name == "conv1.weight" else shape[1]) * shape[-1]
        return int(np.prod(shape))

    expected = sum(size(k, v.shape) for k, v in resnet18(num_classes=150).named_parameters())
    network = resnet18_1d(150)
    assert sum(p.numel() for p in network.parameters()) == expected
    assert network.layer4[1].conv2.weight.is_contiguous(memory_format=torch.channels_last)


def test_weights_are_drawn_as_he_et_al_draw_them():
    network = resnet18_1d(5, width=64)
    for weight in (network.conv1.weight, network.layer3[0].conv1.weight):
        # He et al. (2015), eq. 14: the standard deviation is sqrt(2 / (kernel size x channels)).
        expected = np.sqrt(2 / (weight.shape[-1] * weight.shape[0]))
        assert float(weight.detach().std()) == pytest.approx(expected, rel=0.1)


def test_logits_are_float32_in_bfloat16_too():
    network = resnet18_1d(5, width=8)
    signal = torch.randn(40, 1, 1, 30)
    full = predict(network, signal, precision="float32")
    half = predict(network, signal, precision="bfloat16")
    assert half.dtype == torch.float32
    assert 0 < float((full - half).abs().max()) < 0.05
    # Rounded to bfloat16, logits near each other would be the same.
    assert not torch.equal(half, half.bfloat16().float())


def test_evaluation_does_not_depend_on_the_trials_beside():
    network = resnet18_1d(5, width=8)
    signal = torch.randn(600, 1, 1, 30)  # more than one batch of evaluation
    together = predict(network, signal, precision="float32")
    for trial in (0, 511, 512, 599):
        alone = predict(network, signal[trial : trial + 1], precision="float32")
        torch.testing.assert_close(together[trial : trial + 1], alone, atol=1e-6, rtol=1e-5)


def test_devices_and_precisions(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    with pytest.raises(ValueError) as caught:
        choose_device("cuda")
    assert str(caught.value) == (
        "device is cuda, but torch finds no CUDA device here; use cpu or auto"
    )
    for wanted in ("float32", "bfloat16"):
        assert choose_precision(wanted, "cpu") == wanted
    for able, expected in (
        ({"avx512_bf16": True}, "bfloat16"),
        ({"amx_bf16": True, "avx512_bf16": False}, "bfloat16"),
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, "float32"),
        ({"sve": True}, "float32"),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able)
        assert choose_precision("auto", "cpu") == expected
