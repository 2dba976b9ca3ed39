"""An attack by projected gradient descent: how little a picture must change to be named wrongly."""

import numpy as np
import torch
import torch.nn.functional as F

from brain_teacher.networks.classifiers import normalise
from brain_teacher.seeds import named_rng

# Of brightness, 0 to 1; chosen before any result.
EPSILONS = (0.5 / 255, 1 / 255, 2 / 255)
# On the sample 40 steps name no image more wrongly than 5, in a fifth of the time.
STEPS = 5
BATCH = 256


def withstands(network, images, labels, image_id, *, epsilon, steps=STEPS):
    """Which images are named rightly whatever projected gradient descent finds within `epsilon`.

    PGD in the L-infinity norm ([1]_): from a start drawn for the image, `steps` steps of
    ``2.5 epsilon / steps`` along the sign of the cross-entropy's gradient, each brought back into
    the box around the image and into 0 to 1. An image that was named wrongly once, at the start or
    on the way, does not withstand.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode; logits from normalised pixels.
    images : ndarray of shape (n_images, size, size, 3), uint8
    labels : ndarray of int, shape (n_images,)
    image_id : sequence of str
    epsilon : float
        Largest change of a pixel, of brightness from 0 to 1.
    steps : int

    Returns
    -------
    ndarray of bool, shape (n_images,)

    References
    ----------
    .. [1] Madry et al. (2018), arXiv:1706.06083.
    """
    device = next(network.parameters()).device
    asked = [parameter.requires_grad for parameter in network.parameters()]
    network.requires_grad_(False)
    stands = np.empty(len(images), dtype=bool)
    for start in range(0, len(images), BATCH):
        rows = slice(start, start + BATCH)
        clean = torch.from_numpy(images[rows]).to(device).permute(0, 3, 1, 2).float()
        drawn = [
            named_rng("attack", image).uniform(-1, 1, clean.shape[1:]) for image in image_id[rows]
        ]
        begin = torch.tensor(np.array(drawn), dtype=torch.float32, device=device)
        truth = torch.from_numpy(np.asarray(labels)[rows]).to(device)
        stands[rows] = _stands(network, clean, begin, truth, 255 * epsilon, steps).cpu().numpy()
    for parameter, before in zip(network.parameters(), asked, strict=True):
        parameter.requires_grad_(before)
    return stands


def _stands(network, clean, begin, truth, epsilon, steps):
    """Of one batch, in pixels from 0 to 255; what was named wrongly is attacked no more."""
    stands = _logits(network, clean).argmax(1) == truth
    left = stands.nonzero()[:, 0]
    moved = (clean[left] + epsilon * begin[left]).clamp(0, 255)
    for step in range(steps + 1):
        if not len(left):
            break
        moved.requires_grad_(step < steps)
        logits = _logits(network, moved)
        right = logits.argmax(1) == truth[left]
        stands[left[~right]] = False
        if step == steps:
            break
        gradient = torch.autograd.grad(F.cross_entropy(logits, truth[left]), moved)[0][right]
        left, moved = left[right], moved.detach()[right]
        moved = moved + 2.5 * epsilon / steps * gradient.sign()
        moved = torch.clamp(moved, clean[left] - epsilon, clean[left] + epsilon).clamp(0, 255)
    return stands


def _logits(network, pixels):
    return network(normalise(pixels)).float()
