"""torchvision's ResNet of any width: for pictures and for signals."""

import torch.nn.functional as F
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

FULL_WIDTH = 64
# With fewer input channels a 1x1 convolution is `Sliced`.
FEWEST = 16


class NarrowResNet(ResNet):
    """torchvision's ResNet with `width` channels in its first stage instead of 64.

    Whoever inherits gives it a first convolution, ``conv1``, and a readout, ``fc``.
    """

    def __init__(self, blocks, *, width, **settings):
        self._width = width
        super().__init__(BasicBlock, blocks, **settings)
        self.bn1 = nn.BatchNorm2d(width)

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
        if planes == FULL_WIDTH:
            self.inplanes = self._width
        planes = planes * self._width // FULL_WIDTH
        layer = super()._make_layer(block, planes, blocks, stride, dilate)
        for each in layer.modules():
            is_1x1 = isinstance(each, nn.Conv2d) and each.kernel_size == (1, 1)
            if is_1x1 and each.in_channels < FEWEST:
                each.__class__ = Sliced  # the weights are drawn already, in their order
        return layer


class Sliced(nn.Conv2d):
    """A 1x1 convolution that takes the pixels its stride leaves, and those alone.

    The same numbers. torch 2.15's own kernel writes outside its memory on the way back where there
    are fewer channels than a vector has floats (8 with AVX2, 16 with AVX512): it may end in a
    segmentation fault, or in nothing that anybody sees.
    """

    def forward(self, x):  # ty: ignore[lost-keyword-for-regular-parameter] - nobody names it
        """As a convolution's, to rounding."""
        down, right = self.stride
        return F.conv2d(x[..., ::down, ::right], self.weight, self.bias)
