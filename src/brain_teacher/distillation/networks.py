"""The student's network: torchvision's ResNet18, at any width, with a stem for small images."""

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

FULL_WIDTH = 64
# Up to this side, torchvision's stem (stride 4 in all) would leave too few pixels.
LARGEST_SMALL_IMAGE = 64


class _ResNet18(ResNet):
    """torchvision's ResNet18 with `width` channels in its first stage instead of 64."""

    def __init__(self, *, n_classes, width, small_images):
        self._width = width
        super().__init__(BasicBlock, [2, 2, 2, 2], num_classes=n_classes)
        if small_images:
            self.conv1 = nn.Conv2d(3, width, 3, stride=1, padding=1, bias=False)
            self.maxpool = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.bn1 = nn.BatchNorm2d(width)
        self.fc = nn.Linear(8 * width, n_classes)

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
        if planes == FULL_WIDTH:
            self.inplanes = self._width
        return super()._make_layer(
            block, planes * self._width // FULL_WIDTH, blocks, stride, dilate
        )


def build_network(*, n_classes, width, image_size, seed):
    """A ResNet18 with weights drawn from `seed` alone.

    Parameters
    ----------
    n_classes : int
    width : int
        Channels of the first stage. 64 is torchvision's ResNet18; 16 is a quarter-width ResNet18
        (0.70 M parameters).
    image_size : int
        Side in pixels; up to 64 the stem is a 3x3 convolution without stride or max-pooling.
    seed : int

    Returns
    -------
    torch.nn.Module
        On the CPU, float32, channels_last.
    """
    # fork_rng: the caller's random state is left as it was.
    # Only the CPU's: on a GPU machine, touching the others' would open each of them.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = _ResNet18(
            n_classes=n_classes, width=width, small_images=image_size <= LARGEST_SMALL_IMAGE
        )
    return network.to(memory_format=torch.channels_last)


class Classifier(nn.Module):
    """A student for other people: pixels in, log-probabilities out.

    ``forward`` takes float32 pixels from 0 to 255, shape (n, 3, size, size).
    """

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, pixels):
        return torch.log_softmax(self.network(normalise(pixels)), dim=1)


def normalise(pixels):
    """Pixels from 0 to 255 to about -2 to 2."""
    return (pixels / 255 - 0.5) / 0.25
