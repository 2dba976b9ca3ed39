"""Which classes a network with published weights may have seen before: those of ImageNet-1k."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

import numpy as np


@cache
def imagenet1k_synsets() -> tuple[str, ...]:
    """The WordNet ids of ImageNet-1k's classes, in the order of torchvision's networks.

    They are 1,000, ascending. torchvision has their names alone; ``imagenet1k_synsets.txt`` says
    where the ids come from.
    """
    text = (files("brain_teacher.sources.imagenet") / "imagenet1k_synsets.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))


def seen_by_pretraining(category_ids: Iterable[str]) -> np.ndarray:
    """Whether each category is a class of ImageNet-1k; one whose id is no synset was not seen.

    Examples
    --------
    >>> seen_by_pretraining(["n01443537", "n01970164"])  # goldfish; coconut crab
    array([ True, False])
    """
    return np.isin(np.asarray(category_ids, dtype=str), imagenet1k_synsets())
