"""``KNOWS``: what simulated brains know of the pictures that they look at.

Voxels are mixed from what a picture looks like and from what it shows; an entry says what the brain
has of either. One function and one line add one. Imports nothing heavy: the command line reads the
table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Named:
    """What the labels of some pictures name; each array has the shape (n_pictures,).

    What is imagined is no picture of its category: it has names of its own.
    """

    category: np.ndarray  # int
    superclass: np.ndarray  # int
    weight: np.ndarray  # of the category in what the picture shows, 0 to 1
    other: np.ndarray  # number of another picture of the category; its own, where there is none


@dataclass(frozen=True)
class Knowledge:
    """What a brain has of a picture; `known` takes an array with a row a picture, and `Named`."""

    known: Callable[[np.ndarray, Any], np.ndarray]
    what: str


def each_picture(values, named):  # noqa: ARG001 (as every entry)
    """All there is."""
    return values


def another_picture(values, named):
    """All there is of another picture: as right about the category, and wrong about the picture.

    All brains take the same one for it.
    """
    return values[named.other]


def category_mean(values, named):
    """What the category is, and what it is mixed up with."""
    from brain_teacher.simulation.pictures import category_means

    return category_means(values, named.category)


def superclass_mean(values, named):
    """What the superclass is."""
    from brain_teacher.simulation.pictures import category_means

    return category_means(values, named.superclass)


def label_alone(values, named):  # noqa: ARG001
    """Which category the label names, each as unlike the others as any."""
    import numpy as np

    categories, number = np.unique(named.category, return_inverse=True)
    return np.eye(len(categories))[number]


def label_in_superclass(values, named):
    """Which category the label names, more like those of its superclass than unlike them."""
    import numpy as np

    superclasses, number = np.unique(named.superclass, return_inverse=True)
    # Two labels of a superclass have a cosine of 0.69: 1.5 ** 2 of 1 + 1.5 ** 2.
    return np.hstack([label_alone(values, named), 1.5 * np.eye(len(superclasses))[number]])


def label_and_weight(values, named):
    """The label alone, as strongly as the picture shows it: how sure, and not of what else."""
    return label_alone(values, named) * named.weight[:, None]


KNOWS = {
    "images": Knowledge(each_picture, "each picture"),
    "others": Knowledge(another_picture, "another of its category in its place"),
    "classes": Knowledge(category_mean, "its category and what that is like"),
    "superclass": Knowledge(superclass_mean, "its superclass"),
    "confidence": Knowledge(label_and_weight, "its label as strongly as it is there"),
    "labels": Knowledge(label_alone, "its label, like no other"),
    "kin": Knowledge(label_in_superclass, "its label, like those of its superclass"),
}
