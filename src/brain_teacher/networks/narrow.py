"""torchvision's ResNet of any width: for pictures and for signals."""

from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

FULL_WIDTH = 64


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
        return super()._make_layer(
            block, planes * self._width // FULL_WIDTH, blocks, stride, dilate
        )
