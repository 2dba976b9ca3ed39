"""ImageNet-1k's ids: the list against torchvision's names, and GOD's categories in it."""

import csv
import gzip
import re

import numpy as np
from torchvision.datasets.imagenette import Imagenette
from torchvision.models import ResNet18_Weights

from brain_teacher.sources.imagenet.pretraining import imagenet1k_synsets, seen_by_pretraining
from helpers.real_data import DATA, needs


def test_there_are_a_thousand_in_order():
    synsets = imagenet1k_synsets()
    assert len(synsets) == len(set(synsets)) == 1000
    assert list(synsets) == sorted(synsets)
    assert all(re.fullmatch(r"n\d{8}", synset) for synset in synsets)


def test_they_stand_where_torchvisions_names_do():
    # torchvision has the ids of ten classes, for Imagenette, and the names of all thousand.
    names = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    known = Imagenette._WNID_TO_CLASS
    assert len(known) == 10
    for synset, words in known.items():
        assert names[imagenet1k_synsets().index(synset)] in words


def test_what_is_no_synset_was_not_seen():
    found = seen_by_pretraining(["n01443537", "face", "n01970164", "n1443537"])
    np.testing.assert_array_equal(found, [True, False, False, False])
    assert seen_by_pretraining([]).shape == (0,)


@needs("god_design")
def test_59_of_gods_150_training_categories_were_seen():
    with gzip.open(DATA / "god_design" / "perception_trials.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    of = {kind: {r["category"] for r in rows if r["data_type"] == kind} for kind in ("1", "2")}
    seen = {kind: int(seen_by_pretraining(sorted(names)).sum()) for kind, names in of.items()}
    assert (len(of["1"]), seen["1"], len(of["2"]), seen["2"]) == (150, 59, 50, 20)
