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
features : Tensor of shape (batch, n_features), float32
    What the student's last layer takes in; only where the entry says so. `probs` are then rows of
    any kind, whose inner products say how alike the teacher finds two images. Or the map of one of
    its layers, where the entry says that; `probs` are then maps on the same grid.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from brain_teacher.settings import Block, Count, Number, Penalties

# Below this a target counts as never: log 0 would make the loss infinite.
FLOOR = 1e-6
LUMINANCE = "luminance"


@dataclass(frozen=True)
class Loss:
    """An entry of ``LOSSES``."""

    label: str  # what it is, for people
    of: Callable  # the function; imports torch when called
    settings: type[Block] | None = None  # its own, with their defaults: ``distill.<name>``
    soft: bool = True  # it looks at the teacher; else it is never given any `probs`
    # It reads how small a target is, however small: of a table with zeros it would learn the floor
    # that stands for them.
    logs: bool = False
    features: bool = False  # it compares images by what the last layer takes in
    maps: bool = False  # with `features`: by where a layer of its own is active instead


Weight = Annotated[Number, Field(ge=0)]


class Dkd(Block):
    """Settings of `dkd`."""

    beta: Weight = 8.0  # weight of what is said of the other classes


class Dist(Block):
    """Settings of `dist`."""

    inter: Weight = 1.0  # weight of an image's classes
    intra: Weight = 1.0  # weight of a class's images


class Standardised(Block):
    """Settings of `standardised`."""

    of: Literal["hinton", "soft-cross-entropy"] = "hinton"  # what takes the scores


class Relational(Block):
    """Settings of `relational`."""

    # What says how alike two images are: the teacher's soft labels, the voxels of the brain that
    # teaches, or a CSV file of similarities or distances with image ids on both sides.
    of: str = "soft-labels"
    by: Literal["cka", "correlation"] = "cka"


class Attention(Block):
    """Settings of `attention`."""

    layer: str = "layer2"  # of the student
    grid: Count = 4  # maps are averages over grid x grid fields of the picture
    # What the voxels are decoded to: the picture's luminance, or where a layer of this name is
    # active in `network`, which has these `weights`.
    of: str = LUMINANCE
    network: str = "resnet18"
    weights: str = "untrained"
    penalty: Penalties = Field([10.0, 100.0, 1000.0, 10_000.0, 100_000.0])


def hinton(logits, labels, probs, *, temperature, alpha):
    """Hinton's distillation: ``(1 - alpha) CE(y, s) + alpha T^2 KL(q_T || s_T)`` ([1]_, section 2).

    T^2 keeps the soft term's gradients of the same size whatever T is.

    References
    ----------
    .. [1] Hinton, Vinyals & Dean (2015), arXiv:1503.02531.

    In the methods
    --------------
    Students minimised (1 - alpha) CE(y, s) + alpha T² KL(q || s), Hinton's loss [@hinton2015],
    where y is the hard label, q the teacher's target and s the student's answer, both softened by
    T = {{ distill.temperature }}, and alpha = {{ distill.alpha }}; of teachers without targets,
    cross-entropy alone.
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

    In the methods
    --------------
    Students minimised (1 - alpha) CE(y, s) + alpha CE(q, s), cross-entropy with soft targets
    [@szegedy2016; @peterson2019], where y is the hard label, s the student's answer and q the
    teacher's target, softened by T = {{ distill.temperature }}, and alpha = {{ distill.alpha }}; of
    teachers without targets, cross-entropy alone.
    """
    import torch.nn.functional as F

    hard = F.cross_entropy(logits, labels)
    if probs is None:
        return hard
    return (1 - alpha) * hard + alpha * F.cross_entropy(logits, probs)


def dkd(logits, labels, probs, *, temperature, alpha, beta):
    """Decoupled: ``(1 - alpha) CE(y, s) + alpha T^2 (TCKD + beta NCKD)`` ([1]_, eq. 7).

    TCKD is the divergence of how likely the true class is, against all others; NCKD that of the
    others among themselves. With ``beta = 1 - q_T(y)`` for each image it is `hinton`.

    References
    ----------
    .. [1] Zhao et al. (2022), arXiv:2203.08679.

    In the methods
    --------------
    Students minimised decoupled distillation [@zhao2022],
    (1 - alpha) CE + alpha T² (TCKD + beta NCKD), with T = {{ distill.temperature }},
    alpha = {{ distill.alpha }} and beta = {{ distill.dkd.beta }}; of teachers without targets,
    cross-entropy alone.
    """
    import torch
    import torch.nn.functional as F

    hard = F.cross_entropy(logits, labels)
    if probs is None:
        return hard
    is_true = F.one_hot(labels, logits.shape[1]).bool()
    parts = []
    for log_probs in (_log(probs), torch.log_softmax(logits / temperature, dim=1)):
        true = log_probs[is_true]
        others = log_probs[~is_true].unflatten(0, (len(labels), -1))
        rest = torch.logsumexp(others, dim=1)
        parts.append((torch.stack([true, rest], dim=1), others - rest[:, None]))
    tckd, nckd = (
        F.kl_div(student, teacher, reduction="batchmean", log_target=True)
        for teacher, student in zip(*parts, strict=True)
    )
    return (1 - alpha) * hard + alpha * temperature**2 * (tckd + beta * nckd)


def dist(logits, labels, probs, *, temperature, alpha, inter, intra):
    """Correlation in place of divergence: ``(1 - alpha) CE(y, s) + alpha T^2 (...)`` ([1]_, eq. 9).

    In brackets: `inter` times the mean of 1 - r over images, r correlating an image's
    probabilities; plus `intra` times the mean over classes, r correlating a class's probabilities
    over the batch. A teacher that is right but too even is not punished for it. Where one of the
    two does not vary there is nothing to correlate, and r is 0.

    References
    ----------
    .. [1] Huang et al. (2022), arXiv:2205.10536.

    In the methods
    --------------
    Students minimised a correlational loss [@huang2022], cross-entropy with weight 1 - alpha and,
    with weight alpha T², one minus the correlation with the target over an image's classes (weight
    {{ distill.dist.inter }}) and over a class's images (weight {{ distill.dist.intra }}), with
    T = {{ distill.temperature }} and alpha = {{ distill.alpha }}; of teachers without targets,
    cross-entropy alone.
    """
    import torch
    import torch.nn.functional as F

    hard = F.cross_entropy(logits, labels)
    if probs is None:
        return hard
    student = torch.softmax(logits / temperature, dim=1)
    soft = 0
    for weight, dim in ((inter, 1), (intra, 0)):
        one, two = (p - p.mean(dim=dim, keepdim=True) for p in (student, probs))
        soft = soft + weight * (1 - F.cosine_similarity(one, two, dim=dim)).mean()
    return (1 - alpha) * hard + alpha * temperature**2 * soft


def standardised(logits, labels, probs, *, temperature, alpha, of):
    """Another loss on z-scores of the logits: a teacher's scale is not taught ([1]_, eq. 9).

    The teacher's scores are those of its log-probabilities, which differ from its logits by a
    constant. T softens both. The hard labels' term is of the logits as they are.

    References
    ----------
    .. [1] Sun et al. (2024), arXiv:2403.01427.

    In the methods
    --------------
    Students minimised the loss {{ distill.standardised.of }} on z-scores of the logits [@sun2024],
    with T = {{ distill.temperature }} and alpha = {{ distill.alpha }}; of teachers without targets,
    cross-entropy alone.
    """
    import torch
    import torch.nn.functional as F

    hard = F.cross_entropy(logits, labels)
    if probs is None:
        return hard
    targets = torch.softmax(_scores(_log(probs)) / temperature, dim=1)
    settings = {"temperature": temperature, "alpha": 1.0}
    soft = LOSSES[of].of(_scores(logits), labels, targets, **settings)
    return (1 - alpha) * hard + alpha * soft


def relational(logits, labels, probs, *, temperature, alpha, features, of, by):  # noqa: ARG001 (T and of make the rows)
    """Likeness of images, not answers: ``(1 - alpha) CE(y, s) + alpha (1 - likeness)``.

    The likeness of what the last layer takes in and the teacher's rows, over the batch's images:
    linear centred kernel alignment ([1]_, eq. 3), or the correlation, over all pairs of images, of
    how well their patterns correlate ([2]_, [3]_). 1 at most; 0 where one of the two does not vary.

    References
    ----------
    .. [1] Kornblith et al. (2019), arXiv:1905.00414.
    .. [2] Kriegeskorte, Mur & Bandettini (2008), Front. Syst. Neurosci. 2:4.
    .. [3] McClure & Kriegeskorte (2016), Front. Comput. Neurosci. 10:131.

    In the methods
    --------------
    Students minimised (1 - alpha) CE(y, s) + alpha (1 - likeness), with alpha =
    {{ distill.alpha }}: beside cross-entropy, how alike pictures are to the student's last layer
    was drawn to how alike they are by {% if distill.relational.of == "soft-labels" %}the teacher's
    soft labels, softened by T = {{ distill.temperature }}{% elif distill.relational.of == "voxels"
    %}the voxels that taught{% else %}the table {{ distill.relational.of }}{% endif %}; likeness is
    {% if distill.relational.by == "cka" %}linear centred kernel alignment [@kornblith2019]{% else
    %}the correlation over pairs of pictures [@kriegeskorte2008; @mcclure2016]{% endif %}.
    """
    import torch.nn.functional as F

    hard = F.cross_entropy(logits, labels)
    if probs is None:
        return hard
    return (1 - alpha) * hard + alpha * (1 - LIKENESS[by](features, probs))


def _cka(one, two):
    """Linear centred kernel alignment of rows of two kinds."""
    import torch.nn.functional as F

    centred = (rows - rows.mean(dim=0) for rows in (one, two))
    return F.cosine_similarity(*((rows @ rows.T).flatten() for rows in centred), dim=0)


def _correlation(one, two):
    """Correlation over pairs of rows of their correlations, of two kinds."""
    import torch
    import torch.nn.functional as F

    pairs = torch.triu_indices(len(one), len(one), offset=1, device=one.device)
    alike = []
    for rows in (one, two):
        patterns = F.normalize(rows - rows.mean(dim=1, keepdim=True), dim=1)
        values = (patterns @ patterns.T)[*pairs]
        alike.append(values - values.mean())
    return F.cosine_similarity(*alike, dim=0)


LIKENESS = {"cka": _cka, "correlation": _correlation}


def attention(logits, labels, probs, *, temperature, alpha, features, **made):  # noqa: ARG001 (T and these made the maps)
    """Where to look, not answers: ``(1 - alpha) CE(y, s) + alpha / 2 |m - q|^2``.

    m is the map of a layer of the student, the sum of squares over its channels, q the teacher's,
    each brought to length 1. Their distance is [1]_'s (eq. 2, p = 2), squared: half of that is 1
    less the cosine, and has a gradient where both are the same. Mean over images.

    References
    ----------
    .. [1] Zagoruyko & Komodakis (2017), arXiv:1612.03928.

    In the methods
    --------------
    Students minimised attention transfer [@zagoruyko2017], (1 - alpha) CE(y, s) +
    alpha / 2 |m - q|², with alpha = {{ distill.alpha }}: beside cross-entropy, the map m of the
    layer {{ distill.attention.layer }}, the sum of squares over channels on
    {{ distill.attention.grid }} × {{ distill.attention.grid }} fields, was drawn to the teacher's
    map q, both of length 1. The brain's maps were decoded by ridge regression, out of fold, with a
    penalty chosen inside the fold among {{ distill.attention.penalty }}, to {% if
    distill.attention.of == "luminance" %}the picture's luminance{% else %}the map of the layer
    {{ distill.attention.of }} of {{ distill.attention.network }} ({{ distill.attention.weights }}
    weights){% endif %}.
    """
    import torch.nn.functional as F

    hard = F.cross_entropy(logits, labels)
    if probs is None:
        return hard
    student, teacher = (F.normalize(maps, dim=1) for maps in (features, probs))
    return (1 - alpha) * hard + alpha / 2 * (student - teacher).square().sum(dim=1).mean()


def _log(probs):
    """Natural log of probabilities; 0 is the smallest that float32 holds whole."""
    import torch

    return probs.clamp_min(torch.finfo(torch.float32).tiny).log()


def _scores(values):
    """Each row's z-scores; of an even row, zeros."""
    centred = values - values.mean(dim=1, keepdim=True)
    return centred / centred.std(dim=1, keepdim=True, correction=0).clamp_min(1e-6)


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
    "dkd": Loss("decoupled: the true class, and the others among themselves", dkd, Dkd, logs=True),
    "dist": Loss("correlation over classes, and over the batch's images", dist, Dist),
    "standardised": Loss(
        "another loss, on z-scores of the logits", standardised, Standardised, logs=True
    ),
    "relational": Loss(
        "how alike images are to the last layer", relational, Relational, features=True
    ),
    "attention": Loss("where a layer is active", attention, Attention, features=True, maps=True),
}
