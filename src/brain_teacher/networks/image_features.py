"""Features of images in a torchvision classifier."""

import hashlib
from pathlib import Path

import numpy as np

from brain_teacher.dataset.image_features import ImageFeatures
from brain_teacher.files import regular

UNTRAINED = "untrained"  # what ``meta`` says of weights that are drawn


def network_features(images, image_id, *, network, weights, layer, batch=64, seed=0, grid=None):
    """Features of images in a layer of a torchvision classifier, averaged over space.

    Parameters
    ----------
    images : ndarray of shape (n_images, size, size, 3), uint8
        RGB, from `load_images`. They go in at this size; where the network refuses it (AlexNet
        below 63 pixels, a ViT at any size but its own), resized to what its weights were made for.
    image_id : ndarray of str, shape (n_images,)
    network : str
        A classifier of torchvision: ``resnet18``.
    weights : str, path-like or None
        The name of published weights (``IMAGENET1K_V1``; torchvision fetches them once), a file of
        one's own (``.safetensors``, or ``.pth`` and ``.pt`` with tensors alone), or ``""`` or None
        for a network that was never trained.
    layer : str
        A node of the network's graph, as torchvision names them: ``layer4``, ``avgpool``.
    batch : int
        Images at a time.
    seed : int
        Of the weights, where they are untrained.
    grid : int, optional
        In place of features, where the layer is active: the sum of squares over channels, averaged
        over grid x grid fields.

    Returns
    -------
    ImageFeatures
        Maps (n, channels, height, width) are averaged over height and width, tokens (n, tokens,
        channels) over tokens. ``meta`` says network, layer, pixels, and ``weights``: their name,
        or ``untrained``, or file name and SHA-256.

    Raises
    ------
    ValueError
        If network, layer or weights are unknown, cannot be fetched or do not fit.
    """
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise ValueError(
            f"images are {images.dtype} of shape {images.shape}, not uint8 (images, size, size, 3)"
        )
    import torch

    from brain_teacher.networks.classifiers import energy_map
    from brain_teacher.networks.torchvision import MEAN, SD

    extractor, said = _extractor(network, weights, layer, seed)

    def extract(part, pixels):
        x = torch.from_numpy(np.ascontiguousarray(part)).permute(0, 3, 1, 2) / 255
        if pixels != x.shape[2]:
            resize = torch.nn.functional.interpolate
            x = resize(x, (pixels, pixels), mode="bilinear", antialias=True)
        mean, deviation = (torch.tensor(v)[:, None, None] for v in (MEAN, SD))
        out = extractor((x - mean) / deviation)[layer]
        if grid is not None:
            if out.ndim != 4:
                raise ValueError(f"layer '{layer}' of {network} has no map")
            return energy_map(out, grid).numpy()
        # All but rows and channels is space; only maps have the channels before it.
        space = {4: (2, 3), 3: (1,)}.get(out.ndim, ())
        return (out.mean(space) if space else out.flatten(1)).numpy()

    with torch.inference_mode():
        pixels = _pixels(images, extract, network)
        parts = [extract(images[i : i + batch], pixels) for i in range(0, len(images), batch)]
    meta = {"source": "torchvision", "network": network, "layer": layer, "pixels": pixels} | said
    return ImageFeatures(np.concatenate(parts), np.asarray(image_id), meta=meta)


def _extractor(network, weights, layer, seed):
    """The network up to `layer`, and what to say of its weights."""
    from torchvision.models import feature_extraction

    from brain_teacher.networks.torchvision import WEIGHTS_FILES, build_classifier

    is_file = bool(weights) and Path(weights).suffix in WEIGHTS_FILES
    published = None if is_file or not weights else str(weights)
    model = build_classifier(network, weights=published, seed=seed).eval()
    nodes = feature_extraction.get_graph_node_names(model, suppress_diff_warning=True)[1]
    if not any(node == layer or node.startswith(f"{layer}.") for node in nodes):
        tops = ", ".join(dict.fromkeys(node.split(".")[0] for node in nodes[1:]))
        raise ValueError(f"{network} has no layer '{layer}' (it has {tops}, and their parts)")
    extractor = feature_extraction.create_feature_extractor(
        model, return_nodes=[layer], suppress_diff_warning=True
    )
    if published:
        return extractor, {"weights": published}
    if not weights:
        return extractor, {"weights": UNTRAINED, "seed": seed}
    _load(extractor, Path(weights))
    with regular(weights).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return extractor, {"weights": Path(weights).name, "sha256": digest}


def _load(extractor, path):
    """Put a file's weights into the part of a network that is used; its head may be another."""
    from brain_teacher.networks.torchvision import read_weights

    loaded = read_weights(path)
    own = extractor.state_dict()
    for name, tensor in own.items():
        # A counter, which no feature depends on and old files lack.
        if name.endswith("num_batches_tracked"):
            continue
        if name not in loaded:
            raise ValueError(f"{path} has no weights '{name}': it is of another network")
        if loaded[name].shape != tensor.shape:
            raise ValueError(
                f"{path}: '{name}' has shape {tuple(loaded[name].shape)}, this network's "
                f"{tuple(tensor.shape)}"
            )
    extractor.load_state_dict({name: loaded.get(name, own[name]) for name in own})


def _pixels(images, extract, network):
    """The side at which a network takes the images: their own, or that of its weights."""
    from torchvision.models import get_model_weights

    own = images.shape[1]
    try:
        extract(images[:1], own)
    except (RuntimeError, AssertionError):
        pixels = get_model_weights(network)["DEFAULT"].transforms().crop_size[0]
        extract(images[:1], pixels)
        return pixels
    return own
