"""Categories as they are named here and there."""

import numpy as np
import pandas as pd
import pytest

from brain_teacher.dataset.description import Description
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.files import write_npz
from brain_teacher.sources.checks.classes import check_classes
from brain_teacher.sources.checks.findings import Findings

SHOWN = pd.Series(
    np.repeat(["cat", "dog", "owl"], 4), index=[f"p{k}" for k in range(12)], name="category"
)


def table(classes=("cat", "dog", "owl"), *, guess=SHOWN):
    """Soft labels of all pictures, whose first guess is given."""
    hit = np.array([[name == each for name in classes] for each in guess])
    probs = np.where(hit, 0.8, 0.2 / (len(classes) - 1))
    probs /= probs.sum(axis=1, keepdims=True)
    ids = np.array(SHOWN.index, dtype=str)
    return SoftLabels(
        np.log(probs).astype(np.float32),
        ids,
        np.array(classes),
        np.zeros(12, int),
        {"kind": "people", "format": 1},
    )


def said(folder, *tables, **description):
    (folder / "soft_labels").mkdir()
    for k, each in enumerate(tables):
        write_npz(folder / "soft_labels" / f"people_x_{k}.npz", **each.arrays())
    found = Findings()
    described = Description(
        name="a", simulated=False, subjects={"S1": "a.h5"}, roi=["V1"], **description
    )
    check_classes(found, folder, described, SHOWN, [*SHOWN, "imagined"])
    assert not found.problems
    return [text.removeprefix(f"{folder}/") for text in found.cautions]


def test_what_agrees_is_nothing(tmp_path):
    names = {name: name.upper() for name in ("cat", "dog", "owl", "imagined")}
    assert said(tmp_path, table(), categories=names, superclasses=names) == []


def test_names_that_no_trial_shows(tmp_path):
    assert said(tmp_path, categories={"cat": "a cat", "dgo": "a dog"}) == [
        "dataset.yaml: categories has 'dgo', which no trial shows; did you mean 'dog'?"
    ]


def test_superclasses_of_some_only(tmp_path):
    assert said(tmp_path, superclasses={"cat": "animal", "owl": "animal"}) == [
        "dataset.yaml: superclasses lacks 'dog', so that no teacher or control takes any superclass"
    ]


def test_a_category_that_a_table_calls_otherwise(tmp_path):
    assert said(tmp_path, table(("cat", "dogs", "owl"), guess=SHOWN.replace("dog", "dogs"))) == [
        "soft_labels/people_x_0.npz: has no class 'dog'; did you mean 'dogs'?",
        "soft_labels/people_x_0.npz: has classes 'dogs', which no training image shows",
        "soft_labels/people_x_0.npz: calls most pictures of 1 categories by another class "
        "('dog' 'dogs'): was a category renamed, or are two exchanged?",
    ]


def test_two_categories_that_were_exchanged(tmp_path):
    exchanged = SHOWN.replace({"cat": "dog", "dog": "cat"})
    assert said(tmp_path, table(), table(guess=exchanged)) == [
        "soft_labels/people_x_1.npz: calls most pictures of 2 categories by another class "
        "('cat' 'dog', 'dog' 'cat'): was a category renamed, or are two exchanged?"
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_table_that_knows_little_is_nothing(tmp_path, seed):
    rng = np.random.default_rng(seed)
    guess = SHOWN.copy()
    guess[:] = np.concatenate([rng.permutation(["cat", "dog", "owl", own]) for own in guess[::4]])
    assert said(tmp_path, table(guess=guess)) == []
