"""The residual perceptrons of all folds of a cell trained at once, against one after another.

`WORK` maps a name to a function of ``quick`` that gives two callables, ours and the peer's, which
return arrays to compare. Both draw alike: what they answer differs by rounding.
"""

import numpy as np

from brain_teacher.decoding.decoders.mlp import Mlp
from brain_teacher.networks.mlp_training import fit_predict_together

CLASSES, FOLDS, VOXELS = 150, 8, 1000


def make_fits(quick):
    """Made-up trials of GOD's size, a round of them held out in each fold."""
    classes, voxels = (10, 50) if quick else (CLASSES, VOXELS)
    rng = np.random.default_rng(0)
    category = np.tile(np.arange(classes), FOLDS)
    data = rng.standard_normal((classes, voxels))[category]
    data = (data + rng.standard_normal(data.shape)).astype(np.float32)
    fold = np.arange(len(data)) // classes
    return [(data[fold != k], category[fold != k], data[fold == k]) for k in range(FOLDS)], classes


def folds(quick):
    fits, classes = make_fits(quick)
    settings = Mlp(steps=[2] if quick else [10]).model_dump(exclude={"seed"})
    settings |= {"n_classes": classes, "device": "cpu"}

    def ours():
        return np.stack(fit_predict_together(fits, seeds=range(FOLDS), **settings))

    def peer():
        return np.concatenate(
            [fit_predict_together([fit], seeds=[k], **settings) for k, fit in enumerate(fits)]
        )

    return ours, peer


WORK = {"mlp-folds": folds}
