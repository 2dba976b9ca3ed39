"""The 1-D ResNet18's network, against one written with Conv1d; devices and precisions."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from brain_teacher.networks.resnet1d import predict, resnet18_1d
from resnet1d_work import ResNet1d  # the benchmark's peer: He et al. (2016, table 1), by hand


@pytest.fixture(autouse=True)
def drawn_anew():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("voxels", [1, 2, 5, 33, 300])
def test_any_number_of_voxels(voxels):
    network = resnet18_1d(7, voxels, width=3)
    for mode in (network.train(), network.eval()):
        assert mode(torch.randn(2, 1, 1, voxels)).shape == (2, 7)


@pytest.mark.parametrize("voxels", [5, 101])
@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_the_one_written_with_conv1d(voxels, training):
    network = resnet18_1d(5, voxels, width=6)
    twin = ResNet1d(5, voxels, 6)
    twin.copy_weights(network)
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
    network = resnet18_1d(150, 16)
    assert sum(p.numel() for p in network.parameters()) == expected
    assert network.layer4[1].conv2.weight.is_contiguous(memory_format=torch.channels_last)


def test_weights_are_drawn_as_he_et_al_draw_them():
    network = resnet18_1d(5, 64, width=64)
    for weight in (network.conv1.weight, network.layer3[0].conv1.weight):
        # He et al. (2015), eq. 14: the standard deviation is sqrt(2 / (kernel size x channels)).
        expected = np.sqrt(2 / (weight.shape[-1] * weight.shape[0]))
        assert float(weight.detach().std()) == pytest.approx(expected, rel=0.1)


def test_logits_are_float32_in_bfloat16_too():
    network = resnet18_1d(5, 30, width=8)
    signal = torch.randn(40, 1, 1, 30)
    full = predict(network, signal, precision="float32")
    half = predict(network, signal, precision="bfloat16")
    assert half.dtype == torch.float32
    assert 0 < float((full - half).abs().max()) < 0.05
    # Rounded to bfloat16, logits near each other would be the same.
    assert not torch.equal(half, half.bfloat16().float())


def test_evaluation_does_not_depend_on_the_trials_beside():
    network = resnet18_1d(5, 30, width=8)
    signal = torch.randn(600, 1, 1, 30)  # more than one batch of evaluation
    together = predict(network, signal, precision="float32")
    for trial in (0, 511, 512, 599):
        alone = predict(network, signal[trial : trial + 1], precision="float32")
        torch.testing.assert_close(together[trial : trial + 1], alone, atol=1e-6, rtol=1e-5)
