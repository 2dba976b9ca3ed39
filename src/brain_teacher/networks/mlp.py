"""Residual perceptrons, many at once: their layers lie stacked, one product serves them all."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from brain_teacher.seeds import named_seed


class Perceptrons(nn.Module):
    """Residual perceptrons ([1]_, "ResNet") side by side; none of them hears another.

    ``h = kept * x W``, then `layers` times ``h += kept * gelu(norm(h) W)``, then ``norm(h) W``;
    each product with its bias, and `norm` (over the units) without weights of its own. The last
    weights are 0 at the start: what was drawn says nothing of trials that are unlike those
    fitted on.

    Parameters
    ----------
    seeds, sizes : list of int
        Of each network: what gives its weights, and how many voxels it reads. What stands in the
        columns behind these, up to the largest size, must be 0.
    n_classes, hidden, layers : int
        Outputs; units of a layer; residual layers.

    References
    ----------
    .. [1] Gorishniy, Rubachev, Khrulkov & Babenko (2021), arXiv:2106.11959, section 3.2.
    """

    def __init__(self, seeds, sizes, *, n_classes, hidden, layers):
        super().__init__()
        shapes = list(pairwise([max(sizes), *[hidden] * (layers + 1), n_classes]))
        number = len(seeds)
        self.weights = nn.ParameterList(torch.zeros(number, *shape) for shape in shapes)
        self.biases = nn.ParameterList(torch.zeros(number, 1, outputs) for _, outputs in shapes)
        with torch.no_grad():
            for each, (seed, size) in enumerate(zip(seeds, sizes, strict=True)):
                generator = torch.Generator().manual_seed(named_seed("weights", seed))
                own = [(size, hidden), *shapes[1:-1]]
                for weights, (inputs, outputs) in zip(self.weights[:-1], own, strict=True):
                    drawn = torch.randn(inputs, outputs, generator=generator)
                    weights[each, :inputs] = drawn / inputs**0.5

    def forward(self, voxels, kept=None):
        """Float32 logits (networks, n, n_classes) of voxels (networks, n, size).

        `kept`, (networks, layers + 1, n, hidden), multiplies what the layers give: dropout's.
        """
        first, *others = [1] * (len(self.weights) - 1) if kept is None else kept.unbind(1)
        hidden = first * self._product(0, voxels)
        for number, each in enumerate(others, start=1):
            hidden = hidden + each * F.gelu(self._product(number, _normed(hidden)))
        # In float32 under autocast, too: with bfloat16's 8 bits, near classes would tie.
        with torch.autocast(voxels.device.type, enabled=False):
            return self._product(-1, _normed(hidden.float()))

    def _product(self, number, inputs):
        return torch.baddbmm(self.biases[number], inputs, self.weights[number])


def _normed(hidden):
    return F.layer_norm(hidden, hidden.shape[-1:])
