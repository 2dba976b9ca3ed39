"""``LOSSES``: what a student minimises. Reading the table does not load torch.

Every loss is a function ``(logits, labels, probs, *, temperature, alpha, ...) -> scalar``; what
else it takes are settings of its own:

logits : Tensor of shape (batch, n_classes), float32
    The student's raw output; ``s_T = softmax(logits / T)``.
labels : Tensor of int64, shape (batch,)
    The hard labels y.
probs : Tensor of shape (batch, n_classes), float32, or None
    The teacher's targets q_T: probabilities, already softened. None: cross-entropy alone.
temperature : float
    T > 0.
alpha : float
    Weight of the soft term, 0 to 1.
"""

from collections.abc import Callable
from dataclasses import dataclass

from brain_teacher.settings import Block

# Below this a target counts as never: log 0 would make the loss infinite.
FLOOR = 1e-6


@dataclass(frozen=True)
class Loss:
    """An entry of ``LOSSES``."""

    label: str  # what it is, for people
    of: Callable  # the function; imports torch when called
    settings: type[Block] | None = None  # its own, with their defaults: ``distill.<name>``
    soft: bool = True  # it looks at the teacher; else it is never given any `probs`


def hinton(logits, labels, probs, *, temperature, alpha):
    """Hinton's distillation: ``(1 - alpha) CE(y, s) + alpha T^2 KL(q_T || s_T)`` ([1]_, section 2).

    T^2 keeps the soft term's gradients of the same size whatever T is.

    References
    ----------
    .. [1] Hinton, Vinyals & Dean (2015), arXiv:1503.02531.
    """
    import torch
    import torch.nn.functional as F

    hard = F.cross_entropy(logits, labels)
    if probs is None:
        return hard
    log_targets = probs.clamp_min(FLOOR).log()
    log_student = torch.log_softmax(logits / temperature, dim=1)
    soft = F.kl_div(log_student, log_targets, reduction="batchmean", log_target=True)
    return (1 - alpha) * hard + alpha * temperature**2 * soft


def soft_cross_entropy(logits, labels, probs, *, temperature, alpha):  # noqa: ARG001 (all get T)
    """Cross-entropy with soft targets: ``(1 - alpha) CE(y, s) + alpha CE(q_T, s)`` ([1]_, [2]_).

    Only the targets are softened, the student is not: T is how far its answers shall be blurred.
    Uniform targets make it label smoothing ([1]_, section 7); people's choices were taught like
    this ([2]_).

    References
    ----------
    .. [1] Szegedy et al. (2016), arXiv:1512.00567.
    .. [2] Peterson et al. (2019), arXiv:1908.07086.
    """
    import torch.nn.functional as F

    hard = F.cross_entropy(logits, labels)
    if probs is None:
        return hard
    return (1 - alpha) * hard + alpha * F.cross_entropy(logits, probs)


def weighted_cross_entropy(logits, labels, weights):
    """Cross-entropy with the hard labels, each image counted by a weight of its own.

    The mean over the batch of weight times cross-entropy: over an epoch, weights that are 1 on
    average leave the loss's scale as it is.
    """
    import torch.nn.functional as F

    return (weights * F.cross_entropy(logits, labels, reduction="none")).mean()


LOSSES = {
    "hinton": Loss("Hinton's: KL divergence of softened answers, times T^2", hinton),
    "soft-cross-entropy": Loss("cross-entropy with softened targets", soft_cross_entropy),
}
