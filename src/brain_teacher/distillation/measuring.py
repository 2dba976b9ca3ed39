"""What is measured of a trained student beside its answers: how it bears worse pictures."""

import numpy as np
import torch

from brain_teacher.distillation.attack import EPSILONS, withstands
from brain_teacher.distillation.corruptions import STRENGTHS, corrupt
from brain_teacher.distillation.engine import predict
from brain_teacher.distillation.pictures import Pictures

ATTACK = "attack"
WORSE = STRENGTHS | {ATTACK: EPSILONS}
# Pictures at a time, which bounds the memory.
_PART = 512


def bears(network, images, labels, image_id):
    """Whether a student still names images rightly that are made worse.

    Parameters
    ----------
    network : torch.nn.Module
    images : ndarray of shape (n_images, size, size, 3), uint8
        May be a mapped file.
    labels : ndarray of int, shape (n_images,)
    image_id : sequence of str

    Returns
    -------
    dict of str to ndarray of bool, shape (n_strengths, n_images)
        By the kinds of `WORSE`, each at its strengths.
    """
    network.eval()
    device = next(network.parameters()).device
    found = {kind: np.empty((len(each), len(images)), dtype=bool) for kind, each in WORSE.items()}
    for start in range(0, len(images), _PART):
        rows = slice(start, start + _PART)
        part, truth, ids = np.asarray(images[rows]), labels[rows], image_id[rows]
        standing = np.arange(len(part))
        for kind, strengths in WORSE.items():
            for number, strength in enumerate(strengths):
                if kind == ATTACK:
                    # What a small change overturned lies in the larger boxes, too.
                    some = (part[standing], truth[standing], ids[standing])
                    standing = standing[withstands(network, *some, epsilon=strength)]
                    right = np.isin(np.arange(len(part)), standing)
                else:
                    worse = Pictures(corrupt(part, ids, kind, strength), device=str(device))
                    with torch.inference_mode():
                        named = predict(network, worse, "float32").argmax(1).cpu().numpy()
                    right = named == truth
                found[kind][number, rows] = right
    return found
