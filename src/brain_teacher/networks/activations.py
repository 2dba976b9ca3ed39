"""What a student's layers make of pictures."""

from contextlib import ExitStack

import torch

from brain_teacher.networks.classifiers import last_layer, normalise, pooled

PENULTIMATE = "penultimate"
_BATCH = 256


@torch.inference_mode()
def activations(network, images, *, stages=True):
    """Activations of a classifier's layers, a row an image.

    Parameters
    ----------
    network : torch.nn.Module
        A classifier of torchvision, or one like it; used in evaluation mode.
    images : ndarray of shape (n_images, size, size, 3), uint8
    stages : bool
        Also of a ResNet's stages, ``layer1`` to ``layer4``, whole maps.

    Returns
    -------
    dict of str to ndarray of shape (n_images, n_units), float32
        ``penultimate``, what the last layer sees, maps averaged over space; before it the stages.
    """
    network.eval()
    device = next(network.parameters()).device
    names = [name for name, _ in network.named_children() if stages and name.startswith("layer")]
    parts = {name: [] for name in [*names, PENULTIMATE]}

    def seen(_, given):
        parts[PENULTIMATE].append(pooled(given[0].float()).cpu())

    def kept(name):
        return lambda _, __, made: parts[name].append(made.float().flatten(1).cpu())

    with ExitStack() as hooks:
        last = network.get_submodule(last_layer(network))
        hooks.callback(last.register_forward_pre_hook(seen).remove)
        for name in names:
            hooks.callback(network.get_submodule(name).register_forward_hook(kept(name)).remove)
        for start in range(0, len(images), _BATCH):
            part = torch.from_numpy(images[start : start + _BATCH]).to(device)
            network(normalise(part.permute(0, 3, 1, 2).float()))
    return {name: torch.cat(values).numpy() for name, values in parts.items()}
