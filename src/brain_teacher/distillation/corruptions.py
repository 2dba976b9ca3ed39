"""Pictures made worse, each kind at three strengths that were chosen before any result.

What is drawn is drawn for the picture's id: every student sees the same worse picture.
"""

import numpy as np

from brain_teacher.seeds import named_rng

# In a picture's own units: brightness from 0 to 1, sides of 1. Those of noise are near CIFAR-10-C's
# (Hendrycks & Dietterich 2019, arXiv:1903.12261).
STRENGTHS = {
    "noise": (0.04, 0.08, 0.16),  # SD of Gaussian noise
    "blur": (0.02, 0.04, 0.08),  # SD of a Gaussian filter, of the side
    "contrast": (0.5, 0.25, 0.125),  # what is left around the picture's mean
    "occlusion": (0.25, 0.4, 0.55),  # side of a grey square
}


def corrupt(images, image_id, kind, strength):
    """Pictures made worse.

    Parameters
    ----------
    images : ndarray of shape (n_images, size, size, 3), uint8
    image_id : sequence of str
    kind : str
        A key of `STRENGTHS`.
    strength : float
        In the unit of `STRENGTHS`.

    Returns
    -------
    ndarray of shape (n_images, size, size, 3), uint8
    """
    worse = _KINDS[kind](images.astype(np.float32), image_id, strength)
    return np.clip(np.rint(worse), 0, 255).astype(np.uint8)


def _noise(images, image_id, strength):
    drawn = [
        named_rng("noise", image).standard_normal(images.shape[1:], np.float32)
        for image in image_id
    ]
    return images + 255 * strength * np.array(drawn)


def _blur(images, image_id, strength):  # noqa: ARG001 - nothing is drawn
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(images, strength * images.shape[1], axes=(1, 2))


def _contrast(images, image_id, strength):  # noqa: ARG001 - nothing is drawn
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return mean + strength * (images - mean)


def _occlusion(images, image_id, strength):
    size = images.shape[1]
    side, hidden = round(strength * size), images.copy()
    for picture, image in zip(hidden, image_id, strict=True):
        top, left = named_rng("occlusion", image).integers(0, size - side + 1, 2)
        picture[top : top + side, left : left + side] = 127.5
    return hidden


_KINDS = {"noise": _noise, "blur": _blur, "contrast": _contrast, "occlusion": _occlusion}
