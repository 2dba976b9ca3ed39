"""Folds over images: which images a decoder is fitted on, and which it then predicts."""

import hashlib
from collections import Counter
from dataclasses import dataclass

import numpy as np

MOST_FOLDS = 8


@dataclass(frozen=True)
class FoldPlan:
    """Image ids to fit on and to predict, per fold.

    Raises ``ValueError`` if an image is on both sides of a fold, predicted twice, or never.
    """

    fit: tuple[np.ndarray, ...]  # of str: one array of image ids a fold, as in `predict`
    predict: tuple[np.ndarray, ...]
    by: str  # ``image``, ``round``, ``run`` or ``group``
    group: str | None = None  # the column of ``stimuli.csv``, where `by` is ``group``
    count: int | str = "auto"  # of folds asked for, where `by` is ``image``

    def __post_init__(self):
        if len(self.fit) != len(self.predict) or len(self.fit) < 2:
            raise ValueError("a fold plan needs at least 2 folds, each with a side to fit on")
        times = Counter(image for images in self.predict for image in images)
        for fold, (fit, predict) in enumerate(zip(self.fit, self.predict, strict=True)):
            if len(both := np.intersect1d(fit, predict)):
                raise ValueError(f"image '{both[0]}' is on both sides of fold {fold}")
            if len(unknown := np.setdiff1d(fit, list(times))):
                raise ValueError(f"image '{unknown[0]}' of fold {fold} is never predicted")
        if twice := [image for image, count in times.items() if count > 1]:
            raise ValueError(f"image '{twice[0]}' is predicted in more than one fold")

    def __str__(self):
        sides = zip(self.fit, self.predict, strict=True)
        counts = ", ".join(f"{len(fit)} + {len(predict)}" for fit, predict in sides)
        return f"{len(self.fit)} folds by {self.by} (images to fit on + to predict: {counts})"


@dataclass(frozen=True)
class NestedPlan:
    """Folds over the training images of a student that is tested on shown images."""

    test: int  # as `validation`, an outer fold whose images no decoder of `plan` has seen
    validation: int
    plan: FoldPlan  # over the images of the other folds


def plan_folds(image_id, category, *, by="image", unit=None, count="auto", group=None):
    """Make a fold plan over the images of some trials.

    Parameters
    ----------
    image_id, category : ndarray of str, shape (n_trials,)
    by : {"image", "round", "run", "group"}
        ``image``: each category's images, in the order of a hash, are dealt round-robin from an
        offset hashed from the category's name. Else one fold for each value of `unit`.
    unit : ndarray of shape (n_trials,), optional
        The round, run or group of each trial.
    count : int or {"auto", "most"}
        How many folds by image. ``most``: as many as the smallest category has images, so that
        each fold leaves one image of each category out (where all have equally many); ``auto``:
        the same, but 8 at most.
    group : str, optional
        The name of the group column, kept in the plan.

    Raises
    ------
    ValueError
        If a category has fewer than 2 images or fewer than `count` (by image), or an image lies in
        two units, so that it would be on both sides.

    Examples
    --------
    >>> print(plan_folds(np.array(["a1", "a2", "b1", "b2"]), np.array(["a", "a", "b", "b"])))
    2 folds by image (images to fit on + to predict: 2 + 2, 2 + 2)
    """
    categories = dict(zip(map(str, image_id), map(str, category), strict=True))
    fold_of = _deal(categories, count) if by == "image" else _one_each(image_id, unit, by)
    images = np.array(sorted(fold_of))
    folds = np.array([fold_of[image] for image in images])
    values = np.unique(folds)
    if len(values) < 2:
        raise ValueError(f"folds by {by} need at least 2; every image has {by} {folds[0]}")
    fit = tuple(images[folds != value] for value in values)
    predict = tuple(images[folds == value] for value in values)
    return FoldPlan(fit, predict, by, group=group, count=count)


def nest(plan):
    """The plans of soft labels for students tested on shown images, one per outer fold.

    A student tested on fold f and validated on the next fold v trains on the images of the others:
    their soft labels come from decoders that saw neither them nor f nor v. ``ValueError`` if `plan`
    has fewer than 4 folds: besides f and v, 2 must be left.
    """
    number = len(plan.predict)
    if number < 4:
        raise ValueError(
            f"nested soft labels need 4 folds (test, validation, and 2 to fit and predict); there "
            f"are {number}"
        )
    nested = []
    for test in range(number):
        validation = (test + 1) % number
        rest = [plan.predict[fold] for fold in range(number) if fold not in (test, validation)]
        fit = tuple(
            np.sort(np.concatenate([images for other, images in enumerate(rest) if other != fold]))
            for fold in range(len(rest))
        )
        inner = FoldPlan(fit, tuple(rest), plan.by, group=plan.group, count=plan.count)
        nested.append(NestedPlan(test, validation, inner))
    return nested


def _one_each(image_id, values, name):
    """Image -> its one value; an image with two would stand on both sides of a fold."""
    one = {}
    for image, value in sorted(
        {*zip(map(str, image_id), np.asarray(values).tolist(), strict=True)}
    ):
        if image in one:
            raise ValueError(
                f"image {image!r} has {name} {one[image]} and {name} {value}: folds would put it "
                "on both sides; choose decode.folds.by: image"
            )
        one[image] = value
    return one


def _deal(categories, count):
    members = {}
    for image in sorted(categories, key=_hash):
        members.setdefault(categories[image], []).append(image)
    smallest = min(members, key=lambda name: (len(members[name]), name))
    most = len(members[smallest])
    if most < 2:
        said = f"category {smallest!r} has one image to fit and predict"
        raise ValueError(f"{said}; folds by image need 2")
    if count in ("auto", "most"):
        count = most if count == "most" else min(MOST_FOLDS, most)
    elif count > most:
        raise ValueError(
            f"{count} folds by image cannot be made: category {smallest!r} has {most} images; "
            "lower decode.folds.count, or choose auto"
        )
    return {
        image: (_hash(name) + place) % count
        for name, images in members.items()
        for place, image in enumerate(images)
    }


def _hash(text):
    return int.from_bytes(hashlib.sha256(str(text).encode()).digest()[:8], "big")
