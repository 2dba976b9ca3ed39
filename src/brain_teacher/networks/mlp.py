"""Residual perceptrons, many at once: their layers lie stacked, one product serves them all."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from brain_teacher.seeds import named_seed


class Perceptrons(nn.Module):
    """Residual perceptrons side by side; none of them hears another.

    ``h = kept * gelu(x W)``, then `layers` times ``h += kept * gelu(norm(h) W)``, then
    ``norm(h) W``; each product with its bias, and `norm` without weights of its own.

    Parameters
    ----------
    seeds, sizes : list of int
        Of each network: what gives its weights, and how many voxels it reads. What stands in the
        columns behind these, up to the largest size, must be 0.
    n_classes, hidden, layers : int
        Outputs; units of a layer; residual layers.
    """

    def __init__(self, seeds, sizes, *, n_classes, hidden, layers):
        super().__init__()
        widths = [max(sizes), *[hidden] * (layers + 1), n_classes]
        number, shapes = len(seeds), list(pairwise(widths))
        self.weights = nn.ParameterList(torch.zeros(number, *shape) for shape in shapes)
        self.biases = nn.ParameterList(torch.zeros(number, 1, width) for width in widths[1:])
        with torch.no_grad():
            for each, (seed, size) in enumerate(zip(seeds, sizes, strict=True)):
                generator = torch.Generator().manual_seed(named_seed("weights", seed))
                own = [(size, widths[1]), *shapes[1:]]
                for weights, (inputs, outputs) in zip(self.weights, own, strict=True):
                    drawn = torch.randn(inputs, outputs, generator=generator)
                    weights[each, :inputs] = drawn / inputs**0.5

    def forward(self, voxels, kept=None):
        """Float32 logits (networks, n, n_classes) of voxels (networks, n, size).

        `kept`, (networks, layers + 1, n, hidden), multiplies what the layers give: dropout's.
        """
        hidden = self._layer(0, voxels, kept)
        for number in range(1, len(self.weights) - 1):
            hidden = hidden + self._layer(number, _normed(hidden), kept)
        # In float32 under autocast, too: with bfloat16's 8 bits, near classes would tie.
        with torch.autocast(voxels.device.type, enabled=False):
            return torch.baddbmm(self.biases[-1], _normed(hidden.float()), self.weights[-1])

    def _layer(self, number, inputs, kept):
        outputs = F.gelu(torch.baddbmm(self.biases[number], inputs, self.weights[number]))
        return outputs if kept is None else outputs * kept[:, number]


def _normed(hidden):
    return F.layer_norm(hidden, hidden.shape[-1:])
