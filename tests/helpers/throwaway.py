"""One more entry for each table, as somebody would add it: a function and a line.

Also a plugin of pytest (``-p helpers.throwaway``): the suites that run over a table then run over
these, too.
"""

import math

import numpy as np
from scipy.stats import entropy

from brain_teacher.analysis.outcomes import OUTCOMES, Outcome, nll
from brain_teacher.decoding.decoders.decoder import Decoder
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.decoding.out_of_fold import Scheme, out_of_fold
from brain_teacher.decoding.voxel_scaling import scaled_sides
from brain_teacher.distillation.losses import LOSSES, Loss
from brain_teacher.distillation.teachers import TEACHERS, Teacher
from brain_teacher.settings import Block, Penalties, Positive


class Nearest(Block):
    """Nearest mean."""

    sharpness: Penalties = [0.03, 0.3]


def decode_nearest(voxels, plan, *, normalise, select, n_voxels, calibrate, sharpness):
    """The nearer a category's mean, the likelier."""

    def solve(data, category, pairs, *, chosen, standardise):
        logits = []
        for number, pair in enumerate(pairs):
            how = {"standardise": standardise, "columns": chosen and chosen[number]}
            fitted, held_out = scaled_sides(data, pair, **how)
            own = category[pair[0]]
            mean = np.array([fitted[own == c].mean(axis=0) for c in np.unique(own)])
            distance = ((held_out[:, None].astype(float) - mean) ** 2).sum(axis=2)
            logits.append(-np.multiply.outer(sharpness, distance))
        return logits

    scheme = Scheme(normalise, select, n_voxels, calibrate)
    return out_of_fold(voxels, plan, solve, scheme, options={"sharpness": sharpness})


class Weighted(Block):
    """How much the teacher counts."""

    weight: Positive = 2.0


def weighted_kl(logits, labels, probs, *, temperature, alpha, weight):
    """Cross-entropy, and the teacher's divergence times a weight."""
    import torch
    import torch.nn.functional as F

    hard = F.cross_entropy(logits, labels)
    if probs is None:
        return hard
    soft = F.kl_div(torch.log_softmax(logits, dim=1), probs, reduction="batchmean")
    return (1 - alpha) * hard + alpha * weight * soft


def bits(answers, split):
    """How surprising the right class is."""
    return nll(answers, split) / math.log(2)


def guessed_bits(counts):
    """Of who knows how frequent each class is."""
    return entropy(counts, base=2)


def halved(lesson):
    """Half the brain's, half even."""
    q = lesson.softened()
    return (q + 1 / q.shape[1]) / 2


ENTRIES = (
    (DECODERS, "nearest", Decoder("nearest mean", decode_nearest, Nearest)),
    (LOSSES, "weighted-kl", Loss("weighted divergence", weighted_kl, Weighted)),
    (
        OUTCOMES,
        "bits",
        Outcome(
            "surprise", bits, "bits", guessed_bits, "bits of surprise", 2, more_is_better=False
        ),
    ),
    (TEACHERS, "halved", Teacher("half the brain's, half even", halved)),
)


def pytest_configure(config):
    for table, name, entry in ENTRIES:
        table[name] = entry
