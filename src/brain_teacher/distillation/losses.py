"""``LOSSES``: what a student minimises."""

import torch
import torch.nn.functional as F

# Below this a target counts as never: log 0 would make the loss infinite.
FLOOR = 1e-6


def distillation_loss(logits, labels, probs, *, temperature, alpha):
    """Hinton's distillation: ``(1 - alpha) CE(y, s) + alpha T^2 KL(q_T || s_T)`` ([1]_, section 2).

    Parameters
    ----------
    logits : Tensor of shape (batch, n_classes), float32
        The student's raw output; ``s_T = softmax(logits / T)``.
    labels : Tensor of int64, shape (batch,)
        The hard labels y.
    probs : Tensor of shape (batch, n_classes), float32, or None
        The teacher's targets q_T: probabilities, already softened. None: cross-entropy alone.
    temperature : float
        T > 0. T^2 keeps the soft term's gradients of the same size whatever T is.
    alpha : float
        Weight of the soft term, 0 to 1.

    Returns
    -------
    Tensor, scalar

    References
    ----------
    .. [1] Hinton, Vinyals & Dean (2015), arXiv:1503.02531.
    """
    hard = F.cross_entropy(logits, labels)
    if probs is None:
        return hard
    log_targets = probs.clamp_min(FLOOR).log()
    log_student = torch.log_softmax(logits / temperature, dim=1)
    soft = F.kl_div(log_student, log_targets, reduction="batchmean", log_target=True)
    return (1 - alpha) * hard + alpha * temperature**2 * soft


LOSSES = {"hinton": distillation_loss}
