"""How good soft labels are: each measure beside its chance level, with a 95% interval."""

import numpy as np
from scipy.special import betaincinv, stdtrit
from scipy.stats import norm, rankdata

from brain_teacher.dataset.ids import rows_of
from brain_teacher.decoding.chance import (
    agreement_by_chance,
    p_by_chance,
    pairwise_by_chance,
    top_by_chance,
)
from brain_teacher.seeds import named_rng

# Of the top-1 confidence. Guo et al. use 15 for thousands of images; we have a few hundred.
BINS = 10

# Draws of labels, resamples, exchanges. An SD from 400 resamples is right to 3.5%.
_DRAWS, _RESAMPLES, _PERMUTATIONS = 500, 400, 999
# How far class means go towards the resampled ones. All the way (1), their noise doubles and the
# correlation's SD falls to 0.71 of the true one where there is no structure (interval covers 83%);
# a quarter covers 94 to 96%, a tenth feels the steps of the ranks.
_STEP = 0.25
# Resamples are made in parts, each of about so many numbers: 16 MB.
_PART = 2_000_000


def quality(soft_labels, category, *, superclass=None, seed=0):
    """Measure out-of-fold soft labels.

    Each measure ``m`` comes with ``m_low`` and ``m_high``, its 95% interval, and ``m_chance``, what
    a decoder shows that knows nothing but how frequent each class is among these images: a table
    of that prior in every row (of ``top1`` that is ``chance``; of ``ece``, a decoder that is
    perfectly calibrated). With equally many images in each class these are 1 / classes, 5 / classes
    and 0.5.

    - ``top1``, ``top5`` (of more than 5 classes): share of images whose category is the first, or
      among the first five. Equal probabilities rank in the order of the class ids. Exact
      intervals ([1]_); they treat images as independent. The hits of cross-validation are not
      quite: their decoders share trials, so that these intervals are somewhat narrow.
    - ``agreement``: what of ``top1`` were right by chance, if the first guesses were these and did
      not depend on what was shown (`agreement_by_chance`); ``top1_p`` is the exact one-sided p.
    - ``balanced``, where classes have unequally many images: the mean over classes of the share
      that is right of each. Who always names the largest has ``balanced_chance``, 1 / classes.
    - ``pairwise``: pairwise identification, the share of the other classes that have a smaller
      probability than the right one, ties half; mean over images.
    - ``nll``, in nats. Chance is the NLL of the class prior: the frequencies among these images.
    - ``bits``: information above the class prior, ``(prior entropy - nll) / ln 2``. Negative where
      the prior itself would be the better guess.
    - ``ece``: expected calibration error ([2]_, eq. 3) over 10 equally wide bins of the top-1
      confidence, a fraction. It is never 0 for few images: ``ece_chance`` is its mean over labels
      drawn from the predicted probabilities, and ``ece_p`` the share of these draws that reach it
      (the consistency resampling of [3]_). The interval is +-1.96 SD of a bootstrap over images
      (covers 93 to 99% at 128 images or more). It is for the ECE of so many images, which is what
      ``ece_chance`` may be held against.
    - ``superclass_rho``: Spearman's correlation, over pairs of classes, of `class_similarity` with
      "same superclass". ``superclass_rho_p`` is one-sided, by exchange of the classes' names
      ([4]_), over which the mean is 0 exactly. The interval is +-1.96 SD of a rescaled bootstrap
      over images within each class ([5]_), n - 1 of its n images: it is for other images of
      these classes, not for other classes.

    The intervals of ``balanced``, ``pairwise``, ``nll`` and ``bits`` are t-intervals over classes:
    images of one class share that class's weights in the decoder and are right or wrong together,
    so that images as independent would promise too much. They are for other classes as well as
    other images.
    Where all classes have equally many images it is the t-interval over the classes' means; else
    the cluster-robust one of the mean over images.

    Parameters
    ----------
    soft_labels : SoftLabels
    category : sequence of str, length n_images
        Of each row.
    superclass : dict of str to str, optional
        Class id -> superclass. Used where it has every class, with at least two superclasses, one
        of them with two classes or more.
    seed : int
        Of resampling; the same for any order of rows and columns.

    Returns
    -------
    dict of str to float
        The above, ``chance`` and ``images``. What cannot be had is absent: an interval over one
        class, say, or the NLL of a right class with probability 0.

    Raises
    ------
    ValueError
        If a category has no column, or there is not one for each row.

    References
    ----------
    .. [1] Clopper & Pearson (1934), Biometrika 26.
    .. [2] Guo, Pleiss, Sun & Weinberger (2017), arXiv:1706.04599.
    .. [3] Broecker & Smith (2007), Weather and Forecasting 22.
    .. [4] Mantel (1967), Cancer Research 27.
    .. [5] Rao & Wu (1988), Journal of the American Statistical Association 83.

    In the methods
    --------------
    Decoders are described by top-1 accuracy with exact binomial intervals [@clopper1934]; chance
    follows from how frequent each category is.
    """
    log_probs, truth, _ = _in_order(soft_labels, category)
    images, classes = log_probs.shape
    own = log_probs[np.arange(images), truth]
    above = (log_probs > own[:, None]).sum(axis=1)
    equal = log_probs == own[:, None]
    rank = above + (equal & (np.arange(classes) < truth[:, None])).sum(axis=1)
    counts = np.bincount(truth, minlength=classes)
    found = _share("top1", rank < 1) | {"chance": top_by_chance(counts)}
    guessed = log_probs.argmax(axis=1)
    found |= {
        "agreement": agreement_by_chance(guessed, truth),
        "top1_p": p_by_chance(guessed, truth),
    }
    if np.ptp(counts):
        found |= _balanced(rank < 1, truth)
    if classes > 5:
        found |= _share("top5", rank < 5) | {"top5_chance": top_by_chance(counts, 5)}
    if classes > 1:
        below, by_chance = classes - above - (equal.sum(axis=1) + 1) / 2, pairwise_by_chance(counts)
        found |= _mean("pairwise", below / (classes - 1), truth, chance=by_chance, ends=(0, 1))
    prior = np.log(counts[truth] / images)
    found |= _mean("nll", -own, truth, chance=-prior.mean())
    found |= _mean("bits", (own - prior) / np.log(2), truth, chance=0.0)
    found |= _calibration(_confidence(log_probs), rank < 1, named_rng(seed, "quality", "ece"))
    found["images"] = images
    found = {name: value for name, value in found.items() if np.isfinite(value)}
    return found | superclass_quality(soft_labels, category, superclass or {}, seed=seed)


def superclass_quality(soft_labels, category, superclass, *, seed=0):
    """What `quality` says by superclass; parameters are those of it."""
    log_probs, truth, class_id = _in_order(soft_labels, category)
    if any(name not in superclass for name in class_id):
        return {}
    group = np.unique([superclass[name] for name in class_id], return_inverse=True)[1]
    found = _superclasses(log_probs, truth, group, named_rng(seed, "quality", "superclass"))
    return {name: value for name, value in found.items() if np.isfinite(value)}


def exact_interval(hits, n):
    """Exact 95% interval of a proportion (Clopper & Pearson 1934).

    Examples
    --------
    >>> [round(end, 3) for end in exact_interval(81, 96)]
    [0.755, 0.91]
    """
    # By way of the beta distribution: scipy's binomtest searches for it, 4 ms each.
    low = betaincinv(hits, n - hits + 1, 0.025) if hits else 0.0
    high = betaincinv(hits + 1, n - hits, 0.975) if hits < n else 1.0
    return float(low), float(high)


def reliability(soft_labels, category, bins=BINS):
    """The reliability curve: how often the first guess is right, by its probability.

    Parameters
    ----------
    soft_labels : SoftLabels
    category : sequence of str, length n_images
        Of each row.
    bins : int
        Equally wide bins from 0 to 1; each holds its upper end.

    Returns
    -------
    list of dict
        One for each bin that is not empty: ``confidence`` (mean in the bin), ``accuracy`` with its
        exact 95% interval ``low``, ``high``, and ``images``.
    """
    log_probs, truth, _ = _in_order(soft_labels, category)
    confidence, hit = _confidence(log_probs), log_probs.argmax(axis=1) == truth
    bin_of = _bin_of(confidence, bins)
    rows = []
    for number in np.unique(bin_of):
        inside = bin_of == number
        hits, n = int(hit[inside].sum()), int(inside.sum())
        low, high = exact_interval(hits, n)
        row = {"confidence": float(confidence[inside].mean()), "accuracy": hits / n}
        rows.append(row | {"low": low, "high": high, "images": n})
    return rows


def class_similarity(soft_labels, category):
    """How readily the decoder takes the images of one class for another class.

    With M[a, b] the mean log-probability of class b over the images of class a, and the mean of
    row a over all classes but a taken off, S[a, b] = (M[a, b] + M[b, a]) / 2. So +1 says that the
    one is e times as probable as the (geometric) average wrong class where the other is shown.
    The right class's own column is used nowhere: S does not say how good the decoder is.

    Parameters
    ----------
    soft_labels : SoftLabels
    category : sequence of str, length n_images
        Of each row.

    Returns
    -------
    ndarray of shape (n_classes, n_classes), float64
        In nats, symmetric, in the order of ``soft_labels.class_id``. NaN on the diagonal, and for a
        class without images.
    """
    log_probs, truth, class_id = _in_order(soft_labels, category)
    counts = np.bincount(truth, minlength=len(class_id))
    means = np.full((len(class_id), len(class_id)), np.nan)
    for number in np.flatnonzero(counts):
        means[number] = log_probs[truth == number].mean(axis=0)
    place = rows_of(soft_labels.class_id, class_id, lacks="there is no class '{}'")
    return _similarity(means)[np.ix_(place, place)]


def _in_order(soft_labels, category):
    """Log-probabilities, right columns and class ids, rows and columns in the order of ids."""
    if len(category) != len(soft_labels.image_id):
        images = len(soft_labels.image_id)
        raise ValueError(f"category has {len(category)} entries for {images} images")
    table = soft_labels.sorted()
    rows = rows_of(table.image_id, soft_labels.image_id, lacks="there is no image '{}'")
    category = np.asarray(category)[rows]
    return table.log_probs.astype(np.float64), table.truth(category), table.class_id


def _share(name, hit):
    low, high = exact_interval(hit.sum(), len(hit))
    return {name: float(hit.mean()), f"{name}_low": low, f"{name}_high": high}


def _balanced(hit, truth):
    present, counts = np.unique(truth, return_counts=True)
    right = np.bincount(truth, weights=hit)[present] / counts
    half = np.nan
    if len(present) > 1:
        half = stdtrit(len(present) - 1, 0.975) * right.std(ddof=1) / len(present) ** 0.5
    chance = {"balanced_chance": 1 / len(present)}
    return _around("balanced", right.mean(), half, (0, 1)) | chance


def _mean(name, values, truth, *, chance, ends=(-np.inf, np.inf)):
    """A mean over images with its interval over classes (the sandwich of clustered data)."""
    mean = values.mean()
    if not np.isfinite(mean):
        return {f"{name}_chance": float(chance)}
    excess = np.bincount(truth, weights=values - mean)[np.unique(truth)]
    classes, half = len(excess), np.nan
    if classes > 1:
        variance = classes / (classes - 1) * (excess**2).sum() / len(values) ** 2
        half = stdtrit(classes - 1, 0.975) * variance**0.5
    return _around(name, mean, half, ends) | {f"{name}_chance": float(chance)}


def _around(name, value, half, ends):
    low, high = np.clip([value - half, value + half], *ends)
    return {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}


def _confidence(log_probs):
    # float32 rows may sum to a little more than 1.
    return np.minimum(np.exp(log_probs.max(axis=1)), 1.0)


def _bin_of(confidence, bins):
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)


def _calibration(confidence, hit, rng):
    images = len(hit)
    member = (_bin_of(confidence, BINS)[:, None] == np.arange(BINS)).astype(float)

    def error(gaps):
        return np.abs(gaps @ member).sum(axis=-1) / images

    ece = error(hit - confidence)
    # A label drawn from the probabilities is the first guess as often as the confidence says.
    drawn = error((rng.random((_DRAWS, images)) < confidence) - confidence)
    picked = rng.integers(images, size=(_RESAMPLES, images))
    picked += images * np.arange(_RESAMPLES)[:, None]
    weight = np.bincount(picked.ravel(), minlength=picked.size).reshape(picked.shape)
    half = norm.ppf(0.975) * error(weight * (hit - confidence)).std(ddof=1)
    return _around("ece", ece, half, (0, 1)) | {
        "ece_chance": float(drawn.mean()),
        "ece_p": float((1 + (drawn >= ece - 1e-12).sum()) / (1 + _DRAWS)),
    }


def _similarity(means):
    """`class_similarity` of mean log-probabilities, shape (..., n_classes, n_classes)."""
    own = np.eye(means.shape[-1], dtype=bool)
    excess = np.where(own, np.nan, means)
    with np.errstate(invalid="ignore"):  # one class, or a probability of 0
        excess = excess - np.where(own, 0, means).sum(-1, keepdims=True) / (len(own) - 1 or np.nan)
        return (excess + excess.swapaxes(-1, -2)) / 2


def _superclasses(log_probs, truth, group, rng):
    present, truth, counts = np.unique(truth, return_inverse=True, return_counts=True)
    log_probs, group = log_probs[:, present], group[present]
    first, second = np.triu_indices(len(present), 1)
    same = group[first] == group[second]
    if not same.any() or same.all():
        return {}
    order = np.argsort(truth, kind="stable")
    log_probs, starts = log_probs[order], np.cumsum(counts) - counts
    means = np.add.reduceat(log_probs, starts) / counts[:, None]
    ranks = rankdata(_similarity(means)[first, second])
    if not np.isfinite(ranks).all() or np.ptp(ranks) == 0:
        return {}
    rho, half = _rho(ranks, same), np.nan
    if counts.max() > 1:
        resampled = []
        for part in _resampled_means(log_probs, starts, counts, rng):
            nearby = _similarity(means + _STEP * (part - means))[:, first, second]
            resampled.append(_rho(rankdata(nearby, axis=1), same))
        half = norm.ppf(0.975) * np.concatenate(resampled).std(ddof=1) / _STEP
    return _around("superclass_rho", rho, half, (-1, 1)) | {
        "superclass_rho_chance": 0.0,
        "superclass_rho_p": _mantel(ranks, same, first, second, len(present), rng),
    }


def _rho(ranks, same):
    """Pearson's correlation of ranks with a two-valued variable: Spearman's."""
    share = same.mean()
    gap = ranks[..., same].mean(axis=-1) - ranks[..., ~same].mean(axis=-1)
    return gap * (share * (1 - share)) ** 0.5 / ranks.std(axis=-1)


def _resampled_means(log_probs, starts, counts, rng):
    """Class means of resampled images, in parts; rows are in the order of their classes."""
    taken = np.maximum(counts - 1, 1)
    class_of = np.repeat(np.arange(len(counts)), taken)
    bounds = np.cumsum(taken) - taken
    size = max(1, _PART // (len(class_of) * log_probs.shape[1]))
    for done in range(0, _RESAMPLES, size):
        drawn = rng.random((min(size, _RESAMPLES - done), len(class_of)))
        rows = starts[class_of] + (drawn * counts[class_of]).astype(int)
        yield np.add.reduceat(log_probs[rows], bounds, axis=1) / taken[:, None]


def _mantel(ranks, same, first, second, classes, rng):
    square = np.zeros((classes, classes))
    square[first, second] = square[second, first] = ranks
    names = rng.permuted(np.tile(np.arange(classes), (_PERMUTATIONS, 1)), axis=1)
    means = [
        square[part[:, first[same]], part[:, second[same]]].mean(axis=1)
        for part in np.array_split(names, 10)  # 10: at most 13 MB for 150 classes
    ]
    # 1e-9: sums of the same ranks in another order.
    as_high = (np.concatenate(means) >= ranks[same].mean() - 1e-9).sum()
    return float((1 + as_high) / (1 + _PERMUTATIONS))
