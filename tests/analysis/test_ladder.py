"""The ladder's rungs, and whether one carries most of the effect: by hand."""

import re

import numpy as np
import pytest

from brain_teacher.analysis.ladder import ladder, over_half
from brain_teacher.analysis.statistics import Scores, paired_difference

FAMILY = [
    "none", "permuted-images", "brain-class", "smooth-matched", "semantic", "brain-confidence"
]  # fmt: skip
SHARES = {
    "none": 0.0, "smooth-matched": 0.1, "semantic": 0.15, "brain-class": 0.4,
    "brain-confidence": 0.6, "permuted-images": 0.4, "brain": 1.0,
}  # fmt: skip


def make_scores(shares=SHARES, *, seeds=6, images=60, effect=0.5, noise=0.1):
    rng = np.random.default_rng(5)
    common = rng.normal(0, 0.3, (seeds, images))
    return {
        name: Scores(range(seeds), common + effect * share + rng.normal(0, noise, (seeds, images)))
        for name, share in shares.items()
    }


def test_each_rung_is_minus_the_one_below_it_whatever_the_familys_order():
    scores = make_scores()
    steps = ladder(scores, teacher="brain", family=FAMILY, knows="superclasses")
    assert [(step.lower, step.upper, step.what) for step in steps] == [
        ("none", "smooth-matched", "smoothing"),
        ("smooth-matched", "semantic", "class structure that superclasses know"),
        ("semantic", "brain-class", "class structure that superclasses do not know"),
        ("brain-class", "brain-confidence", "the image's own confidence"),
        ("brain-confidence", "brain", "the rest of the image"),
    ]
    for step in steps:
        expected = paired_difference(scores[step.upper], scores[step.lower])
        assert (step.difference.mean, step.difference.low) == (expected.mean, expected.low)
    total = paired_difference(scores["brain"], scores["none"])
    assert sum(step.difference.mean for step in steps) == pytest.approx(total.mean)


@pytest.mark.parametrize(
    ("family", "what"),
    [
        (["none"], ["the rest"]),
        (["none", "smooth", "permuted-images"], ["the rest"]),
        (["none", "smooth-matched"], ["smoothing", "the rest"]),
        (["none", "semantic"], ["class structure that words know", "the rest"]),
        (["none", "brain-class"], ["class structure", "the rest of the image"]),
        (["none", "brain-confidence"], ["the image's own confidence", "the rest of the image"]),
    ],
)
def test_only_rungs_of_the_family_are_there(family, what):
    steps = ladder(
        make_scores() | {"smooth": make_scores()["none"]},
        teacher="brain", family=family, knows="words",
    )  # fmt: skip
    assert [step.what for step in steps] == what


def test_over_half_is_the_control_minus_the_middle():
    scores = make_scores()
    halves = over_half(scores, teacher="brain", family=FAMILY)
    assert list(halves) == FAMILY[1:]
    for name, half in halves.items():
        by_hand = scores[name].correct - (scores["none"].correct + scores["brain"].correct) / 2
        assert half.mean == pytest.approx(by_hand.mean())
        assert half.mean == pytest.approx(0.5 * (SHARES[name] - 0.5), abs=0.03)
    assert halves["brain-confidence"].low > 0 and halves["brain-class"].high < 0


def test_the_middle_is_of_seeds_that_both_ends_have():
    scores = make_scores()
    for name, rows in (("none", [0, 1, 2, 4, 5]), ("brain", [5, 4, 3, 2, 1])):
        scores[name] = Scores(rows, scores[name].correct[rows])
    half = over_half(scores, teacher="brain", family=FAMILY)["brain-class"]
    rows = {"none": [1, 2, 3, 4], "brain": [4, 3, 1, 0], "brain-class": [1, 2, 4, 5]}
    part = {name: scores[name].correct[each] for name, each in rows.items()}
    by_hand = part["brain-class"] - (part["none"] + part["brain"]) / 2
    assert half.seeds == 4
    assert half.mean == pytest.approx(by_hand.mean())


def test_a_control_without_seeds_in_common_is_left_out():
    scores = make_scores()
    for name, seeds in (("smooth-matched", [0, 1, 2]), ("semantic", [3, 4, 5])):
        scores[name] = Scores(seeds, scores[name].correct[seeds])
    steps = ladder(scores, teacher="brain", family=FAMILY, knows="words")
    assert [(step.lower, step.upper) for step in steps] == [
        ("none", "smooth-matched"),
        ("smooth-matched", "brain-class"),
        ("brain-class", "brain-confidence"),
        ("brain-confidence", "brain"),
    ]
    assert steps[1].what == "class structure"
    scores["none"] = Scores([0, 1, 2], scores["none"].correct[:3])
    halves = over_half(scores, teacher="brain", family=FAMILY)
    assert "semantic" not in halves and halves["smooth-matched"].seeds == 3


def test_none_is_needed():
    message = "the family has no control 'none'; without it there is no verdict"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        over_half(make_scores(), teacher="brain", family=FAMILY[1:])
