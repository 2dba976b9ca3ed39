"""The students' networks: torchvision's classifiers, ResNets also narrow or for small images."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.fx import config

from brain_teacher.files import regular
from brain_teacher.networks.narrow import FULL_WIDTH, NarrowResNet
from brain_teacher.networks.torchvision import (
    MEAN,
    SD,
    WEIGHTS_FILES,
    build_classifier,
    check_name,
    read_weights,
)

# An exported network would carry the traces of its making: every line, with the paths of its maker.
config.do_not_emit_stack_traces = True  # ty: ignore[invalid-assignment]

# Narrower networks were not tried: see `Sliced` for what a kernel may do.
LEAST_WIDTH = 8
# Of these the width and the stem can be chosen: blocks a stage.
RESNETS = {"resnet18": [2, 2, 2, 2], "resnet34": [3, 4, 6, 3]}
# Up to this side, torchvision's stem (stride 4 in all) would leave too few pixels.
LARGEST_SMALL_IMAGE = 64


class _ResNet(NarrowResNet):
    """A ResNet for pictures, of torchvision's stem or one for small images."""

    def __init__(self, *, blocks, n_classes, width, small_stem):
        super().__init__(blocks, width=width, num_classes=n_classes)
        if small_stem:
            self.conv1 = nn.Conv2d(3, width, 3, stride=1, padding=1, bias=False)
            self.maxpool = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.fc = nn.Linear(8 * width, n_classes)


def check_network(network, *, width, stem, weights):
    """Raise ``ValueError`` unless torchvision has such a classifier, and it can be had so."""
    check_name(network)
    if width < LEAST_WIDTH:
        raise ValueError(f"width must be {LEAST_WIDTH} or more")
    if network not in RESNETS and (width != FULL_WIDTH or stem != "auto"):
        raise ValueError(
            f"width and stem can be chosen for {' and '.join(RESNETS)} only: for {network} give "
            f"width: {FULL_WIDTH} and stem: auto"
        )
    if weights != "none" and (width != FULL_WIDTH or stem == "small"):
        raise ValueError(
            f"weights fit torchvision's own network: give width: {FULL_WIDTH} and stem: large"
        )


def build_network(
    *,
    n_classes,
    image_size,
    seed,
    network="resnet18",
    width=FULL_WIDTH,
    stem="auto",
    weights="none",
):
    """A classifier with weights drawn from `seed` alone, or begun from pretrained ones.

    Parameters
    ----------
    n_classes : int
    image_size : int
        Side in pixels.
    seed : int
    network : str
        A classifier's name in ``torchvision.models``.
    width : int
        Channels of a ResNet's first stage, 8 at least. 64 is torchvision's; 16 is a quarter-width
        ResNet18 (0.70 M parameters).
    stem : {"auto", "small", "large"}
        Of a ResNet: a 3x3 convolution without stride or max-pooling, or torchvision's; ``auto``
        takes the small one up to 64 pixels.
    weights : str
        ``none``, the name of published ones (``DEFAULT``, ``IMAGENET1K_V1``), or a file. All must
        fit but the last layer, which is drawn anew unless it has as many classes.

    Returns
    -------
    torch.nn.Module
        On the CPU, float32, channels_last.

    Raises
    ------
    ValueError
        If there is no such network, or its weights do not fit.

    In the methods
    --------------
    A student was torchvision's {{ distill.network }}{% if distill.network.startswith("resnet") %}
    [@he2016]{% endif %} with {{ distill.width }} channels in its first stage (64 is the usual
    number), stem {{ distill.stem }}, {% if distill.weights == "none" %}begun from random weights{%
    else %}begun from the weights {{ distill.weights }}{% endif %}; it looked at pictures of {{
    distill.image_size }} × {{ distill.image_size }} pixels.
    """
    check_network(network, width=width, stem=stem, weights=weights)
    # fork_rng: the caller's random state is left as it was.
    # Only the CPU's: on a GPU machine, touching the others' would open each of them.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if network in RESNETS:
            small = stem == "small" or (stem == "auto" and image_size <= LARGEST_SMALL_IMAGE)
            own = {"width": width, "small_stem": small and weights == "none"}
            model = _ResNet(blocks=RESNETS[network], n_classes=n_classes, **own)
        else:
            model = build_classifier(
                network, weights=None, seed=seed, num_classes=n_classes, **_plain(network)
            )
        if weights != "none":
            _begin_from(model, _state(network, weights), weights)
    return model.to(memory_format=torch.channels_last)


def rebuild_network(settings, *, n_classes, image_size):
    """The network of a student's settings, to be filled with the weights that it learnt.

    As `build_network` gives it for `settings`: ``network``, ``width``, ``stem``, and ``weights``,
    which it began from; but nothing is read or fetched.
    """
    chosen = {key: settings[key] for key in ("network", "width", "stem")}
    if settings["weights"] != "none" and settings["network"] in RESNETS:
        chosen["stem"] = "large"  # the only one that pretrained weights fit
    return build_network(n_classes=n_classes, image_size=image_size, seed=0, **chosen)


def read_network(path, settings, *, n_classes, image_size):
    """`rebuild_network` with the weights of a ``.safetensors`` file.

    ``ValueError`` if the file cannot be read, or holds another network.
    """
    network = rebuild_network(settings, n_classes=n_classes, image_size=image_size)
    try:
        network.load_state_dict(load_file(regular(path)))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ValueError(f"cannot be read ({error})") from error
    return network


def _state(network, weights):
    """Pretrained weights by name: a file's, or those that torchvision publishes."""
    if Path(weights).suffix in WEIGHTS_FILES:
        return read_weights(weights)
    return build_classifier(network, weights=weights, seed=0, **_plain(network)).state_dict()


def _plain(network):
    """GoogLeNet and Inception would give auxiliary logits beside the answer."""
    return {"aux_logits": False} if network in ("googlenet", "inception_v3") else {}


def _begin_from(model, state, weights):
    """Take what fits; only the last layer may not."""
    own = model.state_dict()
    state = {name: value for name, value in state.items() if not name.startswith("aux")}
    last = last_layer(model)
    wrong = [
        name
        for name in own.keys() | state.keys()
        if name.rpartition(".")[0] != last
        and (name not in own or name not in state or own[name].shape != state[name].shape)
        # Of networks from before torch 0.4.
        and not name.endswith("num_batches_tracked")
    ]
    if wrong:
        raise ValueError(
            f"weights {weights} do not fit: {_compared(min(wrong), own, state)} ({len(wrong)} do "
            f"not, of {len(own)})"
        )
    fits = {n: v for n, v in state.items() if n in own and own[n].shape == v.shape}
    model.load_state_dict(fits, strict=False)


def _compared(name, own, state):
    """How a layer's weights differ: in shape, or in who has them, and what the file has instead."""
    if name in own and name in state:
        return f"{name} is {tuple(state[name].shape)}, and {tuple(own[name].shape)} is needed"
    if name in own:
        return f"there is no {name}, but {', '.join([*state][:2])}, ..."
    return f"{name} belongs to another network"


def last_layer(network):
    """The name of a classifier's last layer."""
    return [name for name, _ in network.named_parameters()][-1].rpartition(".")[0]


def pooled(taken):
    """What a last layer took in, (batch, n_features): of a convolution, means over the places."""
    return taken if taken.ndim == 2 else taken.flatten(2).mean(dim=2)


def watched(network):
    """A function that gives what a classifier's last layer took in on the latest pass (`pooled`).

    Of one pass alone: whoever never asks keeps no former graph alive.
    """
    seen = []

    def look(_, taken):
        seen[:] = [pooled(taken[0])]

    network.get_submodule(last_layer(network)).register_forward_pre_hook(look)
    return seen.pop


def watched_map(network, layer, *, grid):
    """A function that gives where a layer was active on the latest pass.

    A Tensor of shape (batch, grid * grid): the sum of squares over channels, averaged over
    grid x grid fields. ``ValueError`` if there is no such layer; in passing, if it has no places.
    """
    parts, seen = dict(network.named_modules()), []
    if not layer or layer not in parts:
        tops = ", ".join(name for name, _ in network.named_children())
        raise ValueError(f"there is no layer '{layer}' (there are {tops}, and their parts)")

    def look(_, __, made):
        if not isinstance(made, torch.Tensor) or made.ndim != 4:
            raise ValueError(f"layer '{layer}' has no map: it says nothing place by place")
        seen[:] = [energy_map(made.float(), grid)]

    parts[layer].register_forward_hook(look)
    return seen.pop


def check_map(layer, *, image_size, **built):
    """Raise ``ValueError`` unless a student that is `built` so has a map in such a layer."""
    network = build_network(n_classes=2, image_size=image_size, seed=0, **built).eval()
    watched_map(network, layer, grid=1)
    with torch.inference_mode():
        network(torch.zeros(1, 3, image_size, image_size))


def energy_map(made, grid):
    """Sum of squares over channels of (batch, channels, height, width), on grid x grid fields."""
    energy = made.square().sum(dim=1, keepdim=True)
    return nn.functional.adaptive_avg_pool2d(energy, grid).flatten(1)


class Classifier(nn.Module):
    """A student for other people: pixels in, log-probabilities out.

    ``forward`` takes float32 pixels from 0 to 255, shape (n, 3, size, size).
    """

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, pixels):
        """Log-probabilities (n, n_classes)."""
        return torch.log_softmax(self.network(normalise(pixels)), dim=1)

    def contiguous(self):
        """Ready to be given away: in evaluation mode, in the usual layout of memory."""
        return self.eval().to(memory_format=torch.contiguous_format)


def normalise(pixels):
    """Pixels from 0 to 255, shape (n, 3, size, size), to z-scores by ImageNet's mean and SD."""
    mean = pixels.new_tensor(MEAN)[:, None, None]
    sd = pixels.new_tensor(SD)[:, None, None]
    return (pixels / 255 - mean) / sd
