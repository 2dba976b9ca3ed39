"""Rows as unsure as others: of a wanted entropy, in nats."""

import numpy as np
from scipy.optimize import elementwise
from scipy.special import entr

from brain_teacher.decoding.log_probs import soften

# 1 / s of `spread`: at 50 the rest lies on the most similar classes alone.
SHARPEST = 50.0
# Of `tempered`: beyond these a row is even, or all on its greatest entry but for ties.
TEMPERATURES = (1e-6, 1e6)


def even_rest(truth, n_classes, entropy):
    """Rows with 1 - e on the true class and e spread evenly over the others, by their entropy.

    `truth` is the column of each row's class, `entropy` what the row shall have, both (n_rows,).
    """
    highest = 1 - 1 / n_classes

    def excess(e, wanted):
        return entr(1 - e) + entr(e / (n_classes - 1)) * (n_classes - 1) - wanted

    # Rounding can put an even row a hair above the largest entropy there is.
    wanted = np.minimum(entropy, excess(highest, 0.0))
    low, high = np.zeros(len(wanted)), np.full(len(wanted), highest)
    e = elementwise.find_root(excess, (low, high), args=(wanted,)).x
    probs = np.repeat((e / (n_classes - 1))[:, None], n_classes, axis=1)
    probs[np.arange(len(truth)), truth] = 1 - e
    return probs


def spread(similarity, entropy, mass):
    """Weights in proportion to exp(similarity / s): times `mass` their terms sum to `entropy`."""
    ranged = (similarity - similarity.max()) / (np.ptp(similarity) or 1.0)

    def weights(sharpness):
        powers = np.exp(ranged * np.asarray(sharpness)[..., None])
        return powers / powers.sum(axis=-1, keepdims=True)

    def excess(sharpness):
        return entr(mass * weights(sharpness)).sum(axis=-1) - entropy

    ends = np.array([0.0, SHARPEST])
    even, sharp = excess(ends)
    if even <= 0 or even - sharp < 1e-12:
        return weights(0.0)
    if sharp >= 0:
        return weights(SHARPEST)
    return weights(float(elementwise.find_root(excess, tuple(ends)).x))


def tempered(log_probs, entropy):
    """Probabilities ``p ** (1 / t)``: one t for all rows brings their mean entropy to `entropy`.

    Or as near to it as can be. `log_probs` are (n_rows, n_classes), natural-log probabilities.
    """

    def powers(log_t):
        return np.exp(soften(log_probs, temperature=float(np.exp(log_t))))

    def excess(log_t):
        each = [entr(powers(value)).sum(axis=1).mean() for value in np.ravel(log_t)]
        return np.reshape(each, np.shape(log_t)) - entropy

    ends = np.log(TEMPERATURES)
    low, high = excess(ends)
    if low >= 0 or high <= 0:
        return powers(ends[0] if low >= 0 else ends[1])
    return powers(elementwise.find_root(excess, tuple(ends)).x)
