"""ResNets of one shape trained side by side as one network: what a GPU is busy with.

A small network's step is a few hundred kernels, each of which takes a GPU less time than Python
takes to ask for it. Here every layer computes all networks at once, on their own weights and their
own trials, and a step can be recorded and replayed (`Replayed`). Nothing passes from one network to
another: each learns what it learns alone, up to rounding.

Signals have the shape (n_networks, channels, height, width, n_trials). With the trials last, a
convolution is one matrix product a network, and batch normalisation reads its channel in one piece.
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from brain_teacher.networks.training import scheduled


def stack(networks):
    """One network of several of the same shape: torchvision's ResNets, narrow ones, 1-D ones.

    Parameters
    ----------
    networks : sequence of torch.nn.Module
        Of convolutions without groups, batch normalisations, max-poolings, a mean over all places
        and a linear readout; else of what works element by element.

    Returns
    -------
    torch.nn.Module
        Takes (n_networks, channels, height, width, n_trials), gives logits (n_networks, n_trials,
        n_classes), float32. Its state has the networks' names; each tensor is theirs, stacked.

    Raises
    ------
    ValueError
        If there is a layer that it does not know.
    """
    first = copy.deepcopy(networks[0])
    for module in list(first.modules()):
        for name, child in module.named_children():
            if (layer := _known(child)) is not None:
                setattr(module, name, layer(child, len(networks)))
            elif not list(child.children()) and not isinstance(child, ELEMENTWISE):
                raise ValueError(f"a {type(child).__name__} cannot be stacked ({name})")
    states = [network.state_dict() for network in networks]
    first.load_state_dict({name: torch.stack([s[name] for s in states]) for name in states[0]})
    return first


def one_cycle_rates(learning_rate, steps):
    """The learning rate of each step, as the package's `OneCycleLR` gives them in turn."""
    settings = {"learning_rate": learning_rate, "weight_decay": 0.0}
    optimizer, schedule = scheduled(nn.Linear(1, 1), total=steps, **settings)
    rates = []
    for _ in range(steps):
        rates += schedule.get_last_lr()
        optimizer.step()
        schedule.step()
    return torch.tensor(rates)


class Replayed:
    """A function of tensors on a GPU, recorded once for each shape and replayed: a CUDA graph.

    The first call with a shape runs as usual, the second is recorded. What the function reads and
    writes besides its arguments must stay where it is in memory. On the CPU, every call is a call.

    Parameters
    ----------
    function : callable
        Of tensors; gives None.
    device : str
    """

    def __init__(self, function, device):
        self._function, self._graphs = function, {}
        self._on_gpu = torch.device(device).type == "cuda"

    def __call__(self, *tensors):
        shapes = tuple(tensor.shape for tensor in tensors)
        if not self._on_gpu:
            self._function(*tensors)
        elif shapes not in self._graphs:
            self._graphs[shapes] = None
            self._call_aside(tensors)
        else:
            graph, held = self._graphs[shapes] or self._record(shapes, tensors)
            for mine, given in zip(held, tensors, strict=True):
                mine.copy_(given)
            graph.replay()

    def _call_aside(self, tensors):
        # On a stream of its own: what is recorded must not have met the default one.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._function(*tensors)
        torch.cuda.current_stream().wait_stream(stream)

    def _record(self, shapes, tensors):
        held = [tensor.clone() for tensor in tensors]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._function(*held)
        self._graphs[shapes] = graph, held
        return graph, held


class _Convolution(nn.Module):
    def __init__(self, conv, count):
        super().__init__()
        if conv.groups != 1 or conv.dilation != (1, 1) or conv.bias is not None:
            raise ValueError("a convolution with groups, dilation or a bias cannot be stacked")
        self._stride, self._padding = conv.stride, conv.padding
        self.weight = nn.Parameter(torch.empty(count, *conv.weight.shape))

    def forward(self, signal):
        kind = signal.device.type
        weight = self.weight
        if torch.is_autocast_enabled(kind):
            weight = weight.to(torch.get_autocast_dtype(kind))
        return _Convolve.apply(signal.to(weight.dtype), weight, self._stride, self._padding)


class _Convolve(torch.autograd.Function):
    """The convolution as a matrix product a network: with few channels, cuDNN's groups are slow."""

    @staticmethod
    def forward(ctx, signal, weight, stride, padding):
        ctx.shape, ctx.stride, ctx.padding = signal.shape, stride, padding
        columns, places = _windows(
            _padded(signal, [(p, p) for p in padding]), weight.shape[3:], stride
        )
        ctx.save_for_backward(columns, weight)
        answer = torch.bmm(weight.flatten(2), columns)
        return answer.view(*answer.shape[:2], *places, signal.shape[-1])

    @staticmethod
    def backward(ctx, grad):
        columns, weight = ctx.saved_tensors
        grad = grad.contiguous()
        of_weight = torch.bmm(grad.flatten(2), columns.transpose(1, 2)).view_as(weight)
        if not ctx.needs_input_grad[0]:
            return None, of_weight, None, None
        # The way back is a convolution, too: of the gradient, its places as far apart as they
        # were, with the turned window. Its sums are the matrix product's, in float32.
        size = weight.shape[3:]
        spread, pads = grad, []
        if ctx.stride != (1, 1):
            places = [1 + s * (n - 1) for s, n in zip(ctx.stride, grad.shape[2:4], strict=True)]
            spread = grad.new_zeros(*grad.shape[:2], *places, grad.shape[-1])
            spread[:, :, :: ctx.stride[0], :: ctx.stride[1]] = grad
        for wanted, there, k, p in zip(
            ctx.shape[2:4], spread.shape[2:4], size, ctx.padding, strict=True
        ):
            before = k - 1 - p
            pads.append((before, wanted + k - 1 - there - before))
        columns, places = _windows(_padded(spread, pads), size, (1, 1))
        turned = weight.flip(3, 4).transpose(1, 2).flatten(2)
        return torch.bmm(turned, columns).view(ctx.shape), of_weight, None, None


def _padded(signal, pads):
    (top, bottom), (left, right) = pads
    if not any((top, bottom, left, right)):
        return signal
    return F.pad(signal, (0, 0, left, right, top, bottom))


def _windows(signal, size, stride):
    """Each place's window as a column: (n_networks, channels * size, places * n_trials)."""
    signal = signal.contiguous()
    count, channels, *sides, trials = signal.shape
    places = [1 + (n - k) // s for n, k, s in zip(sides, size, stride, strict=True)]
    steps = signal.stride()
    windows = signal.as_strided(
        (count, channels, *size, *places, trials),
        (*steps[:4], *(step * s for step, s in zip(steps[2:4], stride, strict=True)), 1),
    )
    return windows.reshape(count, channels * math.prod(size), math.prod(places) * trials), places


class _BatchNorm(nn.Module):
    def __init__(self, norm, count):
        super().__init__()
        self._momentum, self._eps = norm.momentum, norm.eps
        shape = (count, norm.num_features)
        self.weight, self.bias = (nn.Parameter(torch.empty(shape)) for _ in range(2))
        self.register_buffer("running_mean", torch.empty(shape))
        self.register_buffer("running_var", torch.empty(shape))
        self.register_buffer("num_batches_tracked", torch.zeros(count, dtype=torch.long))

    def forward(self, signal):
        if self.training:
            self.num_batches_tracked += 1
        return F.batch_norm(
            # Each network's channel is one of many channels of one long trial.
            signal.reshape(1, signal.shape[0] * signal.shape[1], -1),
            self.running_mean.view(-1),
            self.running_var.view(-1),
            self.weight.view(-1),
            self.bias.view(-1),
            self.training,
            self._momentum,
            self._eps,
        ).view(signal.shape)


class _MaxPool(nn.Module):
    def __init__(self, pool, count):
        super().__init__()
        self._each = [
            part if isinstance(part, tuple) else (part, part)
            for part in (pool.kernel_size, pool.stride, pool.padding)
        ]

    def forward(self, signal):
        # Rows, then columns: pooling both at once would take 3-D pooling, whose gradients on a GPU
        # do not repeat. A signal of one row keeps it.
        _, channels, rows, _, trials = signal.shape
        kernel, stride, padding = self._each
        if rows > 1:
            signal = _pool(signal.flatten(3), kernel[0], stride[0], padding[0])
            signal = signal.unflatten(3, (-1, trials))
            rows = signal.shape[2]
        signal = _pool(signal.flatten(1, 2), kernel[1], stride[1], padding[1])
        return signal.unflatten(1, (channels, rows))


def _pool(signal, kernel, stride, padding):
    return F.max_pool2d(signal, (kernel, 1), (stride, 1), (padding, 0))


class _Mean(nn.Module):
    def __init__(self, pool, count):
        super().__init__()

    def forward(self, features):
        return features.mean(dim=(2, 3), dtype=torch.promote_types(features.dtype, torch.float32))


class _Readout(nn.Module):
    def __init__(self, linear, count):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, *linear.weight.shape))
        self.bias = nn.Parameter(torch.empty(count, *linear.bias.shape))

    def forward(self, features):
        # torchvision's ResNet has flattened all but the first axis.
        features = features.unflatten(1, (self.weight.shape[-1], -1))
        with torch.autocast(features.device.type, enabled=False):
            features = features.to(self.weight.dtype)
            logits = torch.baddbmm(self.bias[..., None], self.weight, features)
        return logits.transpose(1, 2)


ELEMENTWISE = (nn.ReLU, nn.Identity)
_BY_KIND = {
    nn.Conv2d: _Convolution,
    nn.BatchNorm2d: _BatchNorm,
    nn.MaxPool2d: _MaxPool,
    nn.AdaptiveAvgPool2d: _Mean,
    nn.Linear: _Readout,
}


def _known(module):
    return next((layer for kind, layer in _BY_KIND.items() if isinstance(module, kind)), None)
