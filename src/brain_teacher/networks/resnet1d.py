"""torchvision's ResNet18 for signals: one axis, one channel, any length, any width."""

import torch
from torch import nn

from brain_teacher.networks.devices import autocast
from brain_teacher.networks.narrow import FULL_WIDTH, NarrowResNet

EVALUATION_BATCH = 512
# Of all layers together.
STRIDE = 16


def resnet18_1d(n_classes, n_voxels, *, width=FULL_WIDTH):
    """ResNet18 as torchvision has it, every k x k window made 1 x k, read out place by place.

    ResNet18 averages over all places before its readout. What is left does not know where along
    the signal it was found: which voxels said it, here. So every place keeps weights of its own,
    and the stem pools none away: neighbours along the signal are not alike.

    Written with 2-D convolutions: PyTorch has channels_last and bfloat16 kernels for these, not for
    ``Conv1d`` (benchmarks/resnet1d_work.py measures what that gains).

    Parameters
    ----------
    n_classes : int
    n_voxels : int
        The signal's length, of which the last stage has a 16th.
    width : int
        Channels of the first stage; 64 is ResNet18's own.

    Returns
    -------
    torch.nn.Module
        Takes (n, 1, 1, n_voxels), gives float32 logits (n, n_classes). On the CPU, float32,
        channels_last, weights drawn from torch's global generator.
    """
    return _ResNet18(n_classes, n_voxels, width).to(memory_format=torch.channels_last)


@torch.inference_mode()
def predict(network, signal, *, precision):
    """Float32 logits of a network in evaluation mode; `signal` is (n, 1, 1, n_voxels)."""
    network.eval()
    with autocast(signal.device, precision):
        return torch.cat([network(part) for part in signal.split(EVALUATION_BATCH)])


class _ResNet18(NarrowResNet):
    def __init__(self, n_classes, n_voxels, width):
        # Shapes alone: torchvision draws the weights of k x k windows, which takes it 50 ms.
        with torch.device("meta"):
            super().__init__([2, 2, 2, 2], width=width)
            self.conv1 = nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False)
            self.maxpool = self.avgpool = nn.Identity()
            self.fc = _Readout(8 * width * -(-n_voxels // STRIDE), n_classes)
            for module in list(self.modules()):
                for name, child in module.named_children():
                    if isinstance(child, nn.Conv2d):
                        setattr(module, name, _flat(child))
        self.to_empty(device="cpu")
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d | nn.Linear):
                module.reset_parameters()


class _Readout(nn.Linear):
    """Logits in float32 under autocast, too: with bfloat16's 8 bits, near classes would tie."""

    def forward(self, input):
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float())


def _flat(conv):
    """The convolution with a 1 x k window in place of k x k."""
    size, stride, padding = conv.kernel_size[0], conv.stride[0], conv.padding[0]
    channels, window = (conv.in_channels, conv.out_channels), (1, size)
    return type(conv)(*channels, window, stride=(1, stride), padding=(0, padding), bias=False)
