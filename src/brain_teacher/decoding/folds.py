"""Folds over images: which images a decoder is fitted on, and which it then predicts."""

import hashlib
from collections import Counter
from dataclasses import dataclass

import numpy as np

MOST_FOLDS = 8


@dataclass(frozen=True)
class FoldPlan:
    """Image ids to fit on and to predict, per fold.

    Attributes
    ----------
    fit, predict : tuple of ndarray of str
        One array of image ids a fold.
    by : str
        ``image``, ``run`` or ``group``.

    Raises
    ------
    ValueError
        If an image is on both sides of a fold, predicted twice, or never.
    """

    fit: tuple
    predict: tuple
    by: str

    def __post_init__(self):
        if len(self.fit) != len(self.predict) or len(self.fit) < 2:
            raise ValueError("a fold plan needs at least 2 folds, each with a side to fit on")
        times = Counter(image for images in self.predict for image in images)
        for fold, (fit, predict) in enumerate(zip(self.fit, self.predict, strict=True)):
            both = np.intersect1d(fit, predict)
            if len(both):
                raise ValueError(f"image '{both[0]}' is on both sides of fold {fold}")
            unknown = np.setdiff1d(fit, list(times))
            if len(unknown):
                raise ValueError(f"image '{unknown[0]}' of fold {fold} is never predicted")
        twice = [image for image, count in times.items() if count > 1]
        if twice:
            raise ValueError(f"image '{twice[0]}' is predicted in more than one fold")

    def __str__(self):
        sides = (f"{len(f)} + {len(p)}" for f, p in zip(self.fit, self.predict, strict=True))
        counts = ", ".join(sides)
        return f"{len(self.fit)} folds by {self.by} (images to fit on + to predict: {counts})"


def plan_folds(image_id, category, *, by="image", unit=None):
    """Make a fold plan over the images of some trials.

    Parameters
    ----------
    image_id, category : ndarray of str, shape (n_trials,)
    by : {"image", "run", "group"}
        ``image``: F = min(8, the smallest category's count) folds; each category's images, in the
        order of a hash, are dealt round-robin from an offset hashed from the category's name.
        ``run``, ``group``: one fold for each value of `unit`.
    unit : ndarray of shape (n_trials,), optional
        The run or group of each trial.

    Raises
    ------
    ValueError
        If a category has fewer than 2 images (by image), or an image lies in two runs or groups,
        so that it would be on both sides.

    Examples
    --------
    >>> print(plan_folds(np.array(["a1", "a2", "b1", "b2"]), np.array(["a", "a", "b", "b"])))
    2 folds by image (images to fit on + to predict: 2 + 2, 2 + 2)
    """
    categories = dict(zip(map(str, image_id), map(str, category), strict=True))
    fold_of = _deal(categories) if by == "image" else _one_each(image_id, unit, by)
    images = np.array(sorted(fold_of))
    folds = np.array([fold_of[image] for image in images])
    if len(np.unique(folds)) < 2:
        raise ValueError(f"folds by {by} need at least 2; every image has {by} {folds[0]}")
    values = np.unique(folds)
    return FoldPlan(
        fit=tuple(images[folds != value] for value in values),
        predict=tuple(images[folds == value] for value in values),
        by=by,
    )


def _one_each(image_id, values, name):
    """Image -> its one value; an image with two would stand on both sides of a fold."""
    pairs = sorted(set(zip(map(str, image_id), np.asarray(values).tolist(), strict=True)))
    one = {}
    for image, value in pairs:
        if image in one:
            raise ValueError(
                f"image {image!r} has {name} {one[image]} and {name} {value}: folds would put it "
                "on both sides; choose decode.folds.by: image"
            )
        one[image] = value
    return one


def _deal(categories):
    members = {}
    for image in sorted(categories, key=_hash):
        members.setdefault(categories[image], []).append(image)
    smallest = min(members, key=lambda name: (len(members[name]), name))
    count = min(MOST_FOLDS, len(members[smallest]))
    if count < 2:
        raise ValueError(
            f"category {smallest!r} has one image to fit and predict; folds by image need 2"
        )
    return {
        image: (_hash(name) + place) % count
        for name, images in members.items()
        for place, image in enumerate(images)
    }


def _hash(text):
    return int.from_bytes(hashlib.sha256(str(text).encode()).digest()[:8], "big")
