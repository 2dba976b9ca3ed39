"""How long students take here, from a few steps of training."""

import time
from dataclasses import replace

import numpy as np
import torch

from brain_teacher.distillation.engine import Training


def seconds_per_step(recipe, *, image_size, device):
    """Seconds of one training step of a `Recipe`: the mean over an epoch of three, after a first.

    `image_size` is the side of a picture in pixels.
    """
    if device == "cpu":
        torch.set_num_threads(1)  # as students are trained
    rng = np.random.default_rng(0)
    count = 3 * recipe.batch
    images = rng.integers(0, 256, (count, image_size, image_size, 3), dtype=np.uint8)
    recipe = replace(recipe, epochs=2, weights="none")
    training = Training(images, np.arange(count) % 2, None, 2, recipe, 0, device)
    epochs = training.epochs()
    next(epochs)
    start = time.perf_counter()
    next(epochs)
    return (time.perf_counter() - start) / 3


def faster_precision(recipe, *, image_size, device):
    """Which of float32 and bfloat16 trains faster here: a few steps of each, in turns."""
    best = {"float32": np.inf, "bfloat16": np.inf}
    for _ in range(4):
        for precision in best:
            each = replace(recipe, precision=precision)
            seconds = seconds_per_step(each, image_size=image_size, device=device)
            best[precision] = min(best[precision], seconds)
    return min(best, key=lambda precision: best[precision])
