"""The effect by class, by hand; and intervals with classes random as well."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import stdtrit

from brain_teacher.analysis.class_effects import class_effects
from brain_teacher.analysis.statistics import Scores, paired_difference, scores_of
from brain_teacher.analysis.two_way import by_class, two_way_error
from helpers.answers import make_answers

CATEGORY = np.array(["a", "b", "c", "a", "b", "c", "a"])


def pair(seeds=(0, 1, 2)):
    rng = np.random.default_rng(3)
    values = rng.normal(0.2, 1, (len(seeds), 7))
    return Scores(seeds, values, CATEGORY), Scores(seeds, np.zeros_like(values), CATEGORY)


def test_each_class_is_compared_by_its_own_images():
    a, b = pair()
    table = class_effects(a, b)
    assert sorted(table["class"]) == ["a", "b", "c"]
    assert (np.diff(table["mean"]) <= 0).all()
    for _, row in table.iterrows():
        mine = row["class"] == CATEGORY
        found = paired_difference(*(Scores(s.seeds, s.correct[:, mine]) for s in (a, b)))
        assert row["images"] == mine.sum()
        told = row["mean"], row["low"], row["high"]
        assert told == pytest.approx((found.mean, found.low, found.high))


def test_one_image_has_an_effect_and_no_interval():
    a, b = (replace(each, category=np.array(list("aabbbbc"))) for each in pair())
    table = class_effects(a, b).set_index("class")
    assert table.loc["c", "mean"] == pytest.approx(a.correct[:, 6].mean())
    assert np.isnan(table.loc["c", "low"]) and not np.isnan(table.loc["a", "low"])


def test_two_seeds_are_needed():
    message = "two common seeds are needed for an effect by class, not 1"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        class_effects(*pair(seeds=(0,)))


def test_with_classes_random_classes_take_the_images_place():
    # Equal classes: the two-way interval of seeds x class means.
    rng = np.random.default_rng(1)
    values, category = rng.normal(0, 1, (5, 24)), np.arange(24) % 6
    means = np.stack([values[:, category == k].mean(axis=1) for k in range(6)], axis=1)
    np.testing.assert_allclose(by_class(values, category), means)
    se, df = two_way_error(means)
    zeros = Scores(range(5), np.zeros((5, 24)), category)
    found = paired_difference(Scores(range(5), values, category), zeros)
    half = stdtrit(df, 0.975) * se
    assert found.classes == 6
    assert (found.low_classes, found.high_classes) == pytest.approx(
        (values.mean() - half, values.mean() + half)
    )


def test_unequal_classes_keep_each_seeds_mean_over_images():
    a, _ = pair()
    values = by_class(a.correct, CATEGORY)
    np.testing.assert_allclose(values.mean(axis=1), a.correct.mean(axis=1))
    # By hand, of class a with 3 of 7 images in 3 classes: 3 / (7 / 3) of its distance.
    grand = a.correct.mean()
    by_hand = grand + 9 / 7 * (a.correct[:, CATEGORY == "a"].mean(axis=1) - grand)
    np.testing.assert_allclose(values[:, 0], by_hand)


def test_the_classes_of_answers_are_joined_on_ids():
    one = make_answers("brain", 0)
    order = np.random.default_rng(0).permutation(40)
    other = replace(
        one,
        **{
            key: {"test": getattr(one, key)["test"][order]}
            for key in ("log_probs", "image_id", "category")
        },
    )
    np.testing.assert_array_equal(scores_of({0: one}).category, scores_of({0: other}).category)
    assert scores_of({0: one}).category.tolist() == [f"c{k % 8}" for k in range(40)]


def test_other_classes_are_another_join():
    a, b = pair()
    message = "the images are of other categories; join the scores on image ids"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        paired_difference(a, replace(b, category=CATEGORY[::-1].copy()))
    with pytest.raises(ValueError, match="^6 categories for 7 images$"):
        replace(a, category=CATEGORY[1:])


def test_classes_alike_by_chance_say_nothing_of_how_classes_vary():
    ones = Scores((0, 1), [[1, 0, 1, 0], [1, 0, 1, 0]], np.array(list("aabb")))
    found = paired_difference(ones, replace(ones, correct=np.zeros((2, 4))))
    assert found.low < 0.5 < found.high
    assert np.isnan([found.low_classes, found.high_classes]).all()


def test_without_two_classes_there_is_no_such_interval():
    a, b = (Scores(each.seeds, each.correct) for each in pair())
    found = paired_difference(a, b)
    assert found.classes == 0 and np.isnan([found.low_classes, found.high_classes]).all()
    assert found.told()["low_classes"] is None and found.told()["low"] == found.low
