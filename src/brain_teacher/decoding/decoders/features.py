"""The GOD paper's way: from voxels to image features, and from these to categories."""

from typing import Literal

from brain_teacher.decoding.decoders.decoder import Decoder
from brain_teacher.settings import Block, Penalties

# 8 outer and 56 inner folds of GOD's 1,200 images, 1,000 features and 5 penalties are 380 MB.
MOST_BYTES = 2**28


class FeatureSource(Block):
    """Where image features are from."""

    source: Literal["network", "file"] = "network"
    network: str = "resnet18"
    weights: str = "untrained"
    layer: str = "layer3"


class Features(FeatureSource):
    """Ridge regression to image features, then similarity to each category's mean features."""

    penalty: Penalties = [10.0, 100.0, 1000.0, 10_000.0, 100_000.0]


def decode_features(voxels, plan, *, normalise, select, n_voxels, calibrate, penalty, features):
    """Ridge regression from voxels to image features, then similarity to each category ([1]_).

    Each feature is predicted by a ridge regression. A category's logit is `SCALE` times the
    correlation, over features, between the prediction and the category's mean features
    (`correlation_logits`). The paper has sparse regression and voxels chosen for each feature; here
    one choice of voxels, made by category, serves all features.

    Parameters
    ----------
    voxels, plan, normalise, select, n_voxels, calibrate
        As for every decoder.
    penalty : list of float
        As scikit-learn's ``alpha``; chosen inside the fold.
    features : ImageFeatures
        Of all images of `voxels`, in any order.

    Returns
    -------
    SoftLabels
        ``meta`` has the penalty of each fold, and under ``features`` where they are from.

    Raises
    ------
    ValueError
        If an image has no features, or fewer than 2 features differ between a fold's images.

    References
    ----------
    .. [1] Horikawa & Kamitani (2017), Nat. Commun. 8:15037.

    In the methods
    --------------
    Categories were decoded by way of image features, after Horikawa and Kamitani [@horikawa2017]:
    ridge regression predicted the features of {% if own.source == "network" %}the layer {{
    own.layer }} of {{ own.network }} ({{ own.weights }} weights){% else %}the layer {{ own.layer
    }} of the data set's file (network {{ own.network }}, weights {{ own.weights }}){% endif %},
    with a penalty chosen inside the fold among {{ own.penalty }}, and a category's logit was the
    correlation of the prediction with its mean features.
    """
    import numpy as np

    from brain_teacher.decoding.feature_similarity import correlation_logits
    from brain_teacher.decoding.out_of_fold import Scheme, image_classes, out_of_fold
    from brain_teacher.decoding.solvers import ridge

    images, image_of, class_of = image_classes(voxels)
    values = features.of_images(images).astype(np.float64)

    def solve(data, _, pairs, *, chosen, standardise):
        logits = []
        for part in _parts(pairs, 8 * len(penalty) * values.shape[1]):
            # Raw features, one set for all folds: with an intercept, ridge to z-scored features
            # is the z-score of ridge to raw ones.
            own = {"chosen": chosen and chosen[part], "standardise": standardise}
            predicted = ridge.solve_folds(
                data, values[image_of], pairs[part], penalties=penalty, **own
            )
            for (fit, _), rows in zip(pairs[part], predicted, strict=True):
                seen = np.unique(image_of[fit])
                logits.append(correlation_logits(rows, values[seen], class_of[seen]))
        return logits

    scheme = Scheme(normalise, select, n_voxels, calibrate)
    labels = out_of_fold(voxels, plan, solve, scheme, options={"penalty": penalty})
    labels.meta["features"] = dict(features.meta)
    return labels


def identify_features(voxels, plan, **settings):
    """See `brain_teacher.decoding.identification.identify`."""
    from brain_teacher.decoding.identification import identify

    return identify(voxels, plan, **settings)


def _parts(pairs, bytes_per_trial):
    """Slices of a list of folds, so that the predictions of each fit into `MOST_BYTES`."""
    start, size = 0, 0
    for number, (_, held_out) in enumerate(pairs):
        more = len(held_out) * bytes_per_trial
        if number > start and size + more > MOST_BYTES:
            yield slice(start, number)
            start, size = number, 0
        size += more
    yield slice(start, len(pairs))


DECODER = Decoder(
    "ridge regression to image features, as Horikawa & Kamitani (2017)",
    decode_features,
    Features,
    needs={"features": FeatureSource},
    identify=identify_features,
)
