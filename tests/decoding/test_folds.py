"""Folds: laws that hold for any images, and plans that are refused."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_teacher.decoding.folds import FoldPlan, nest, plan_folds

counts_of_categories = st.lists(st.integers(2, 12), min_size=2, max_size=6)


def trials_of(counts, *, shows=1):
    """Image ids and categories, `counts[c]` images of category c, each shown `shows` times."""
    category = np.repeat([f"c{c}" for c in range(len(counts))], counts)
    number = np.concatenate([np.arange(count) for count in counts])
    image = np.array([f"{c}_{n}" for c, n in zip(category, number, strict=True)])
    return np.tile(image, shows), np.tile(category, shows)


def sides(plan):
    return [
        (set(fit.tolist()), set(predict.tolist()))
        for fit, predict in zip(plan.fit, plan.predict, strict=True)
    ]


def refuses(message, function, *arguments, **settings):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(*arguments, **settings)


@settings(max_examples=60, deadline=None)
@given(counts_of_categories, st.integers(1, 3))
def test_folds_are_disjoint_and_cover(counts, shows):
    image, category = trials_of(counts, shows=shows)
    plan = plan_folds(image, category)
    assert len(plan.predict) == min(8, *counts)
    everything = set(image.tolist())
    for fit, predict in sides(plan):
        assert fit | predict == everything
        assert not fit & predict
    times = Counter(name for images in plan.predict for name in images.tolist())
    assert times == dict.fromkeys(everything, 1)


@settings(max_examples=60, deadline=None)
@given(counts_of_categories)
def test_categories_are_dealt_evenly(counts):
    image, category = trials_of(counts)
    of = dict(zip(image, category, strict=True))
    for name, total in zip(np.unique(category), counts, strict=True):
        plan = plan_folds(image, category)
        share = [sum(of[i] == name for i in images) for images in plan.predict]
        assert max(share) - min(share) <= 1 and sum(share) == total


@settings(max_examples=60, deadline=None)
@given(counts_of_categories, st.data())
def test_the_order_of_trials_does_not_matter(counts, data):
    image, category = trials_of(counts, shows=2)
    order = np.array(data.draw(st.permutations(range(len(image)))))
    one, other = plan_folds(image, category), plan_folds(image[order], category[order])
    assert str(one) == str(other)
    for side in ("fit", "predict"):
        for a, b in zip(getattr(one, side), getattr(other, side), strict=True):
            np.testing.assert_array_equal(a, b)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 8), st.integers(2, 6))
def test_with_equal_counts_a_fold_has_one_image_of_each_category(count, categories):
    image, category = trials_of([count] * categories)
    of = dict(zip(image, category, strict=True))
    for images in plan_folds(image, category).predict:
        assert sorted(of[i] for i in images) == sorted(set(category.tolist()))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(4, 12), min_size=2, max_size=5))
def test_a_category_is_dealt_the_same_whatever_the_others(counts):
    # F is 4 both times.
    image, category = trials_of([4, *counts])
    own = category == "c0"
    alone = [fold & set(image[own]) for _, fold in sides(plan_folds(image, category))]
    assert alone == [fold for _, fold in sides(plan_folds(image[own], category[own]))]


def test_images_are_dealt_in_the_order_of_their_hashes():
    # `printf a1 | sha256sum`, ...: a2 2c3a, a3 f46d, a1 f55f; c3 7c1c, c2 9c0a, c1 d0f6.
    # Offsets: a ca978112ca1bbdca = 1 modulo 3 (bc), c 2e7d2c03a9507ae2 = 2.
    plan = plan_folds(np.array(["a1", "a2", "a3", "c1", "c2", "c3"]), np.array(list("aaaccc")))
    assert [predict for _, predict in sides(plan)] == [{"a1", "c2"}, {"a2", "c1"}, {"a3", "c3"}]


def test_ids_are_text():
    for images in plan_folds(*trials_of([2, 3])).fit:
        assert images.dtype.kind == "U"


def test_a_plan_can_be_printed():
    image, category = trials_of([2, 3], shows=2)
    assert re.fullmatch(
        r"2 folds by image \(images to fit on \+ to predict: (2 \+ 3, 3 \+ 2|3 \+ 2, 2 \+ 3)\)",
        str(plan_folds(image, category)),
    )
    unit = np.array([1, 1, 1, 2, 2] * 2)
    expected = "2 folds by run (images to fit on + to predict: 2 + 3, 3 + 2)"
    assert str(plan_folds(image, category, by="run", unit=unit)) == expected


def test_a_category_with_one_image_is_named():
    image, category = trials_of([3, 1, 2])
    message = "category 'c1' has one image to fit and predict; folds by image need 2"
    refuses(message, plan_folds, image, category)


@pytest.mark.parametrize("by", ["run", "group"])
def test_runs_and_groups_are_folds(by):
    image, category = trials_of([3, 3], shows=2)
    unit = np.array(["thin", "long", "normal"] * 4)
    plan = plan_folds(image, category, by=by, unit=unit)
    assert plan.by == by
    # In the order of their names.
    assert [predict for _, predict in sides(plan)] == [
        {"c0_1", "c1_1"},
        {"c0_2", "c1_2"},
        {"c0_0", "c1_0"},
    ]
    for fit, predict in sides(plan):
        assert fit | predict == set(image)


def test_a_run_may_have_any_number():
    image, category = trials_of([2, 2])
    plan = plan_folds(image, category, by="run", unit=np.array([7, 30, 7, 30], dtype=np.int32))
    assert [predict for _, predict in sides(plan)] == [{"c0_0", "c1_0"}, {"c0_1", "c1_1"}]


def test_an_image_in_two_runs_is_an_error():
    image, category = trials_of([2, 2], shows=2)
    refuses(
        "image 'c0_1' has run 3 and run 9: folds would put it on both sides; choose "
        "decode.folds.by: image",
        plan_folds,
        image,
        category,
        by="run",
        unit=np.array([3, 9, 3, 3, 3, 3, 3, 3]),
    )


def test_an_image_in_two_groups_is_an_error():
    image, category = trials_of([2, 2], shows=2)
    refuses(
        "image 'c1_0' has group long and group thin: folds would put it on both sides; choose "
        "decode.folds.by: image",
        plan_folds,
        image,
        category,
        by="group",
        unit=np.array(["thin"] * 6 + ["long", "thin"]),
    )


def test_a_single_run_is_an_error():
    message = "folds by run need at least 2; every image has run 3"
    refuses(message, plan_folds, *trials_of([2, 2]), by="run", unit=np.full(4, 3))


# Plans made by hand


def plan_of(fit, predict):
    return FoldPlan(
        fit=tuple(np.array(list(images)) for images in fit),
        predict=tuple(np.array(list(images)) for images in predict),
        by="image",
    )


def test_a_plan_may_leave_images_out_of_the_fitting_side():
    # Nested tables: neither the test fold nor the validation fold is fitted on.
    assert len(plan_of(["cd", "ab"], ["ab", "cdef"]).fit) == 2


def test_a_leak_is_refused():
    message = "image 'a' is on both sides of fold 0"
    refuses(message, plan_of, ["cda", "ab"], ["ab", "cd"])


def test_an_image_predicted_twice_is_refused():
    message = "image 'c' is predicted in more than one fold"
    refuses(message, plan_of, ["d", "ab"], ["abc", "cd"])
    refuses(message, plan_of, ["d", "ab"], ["ab", "ccd"])


def test_an_image_that_is_never_predicted_is_refused():
    message = "image 'e' of fold 1 is never predicted"
    refuses(message, plan_of, ["cd", "abe"], ["ab", "cd"])


@pytest.mark.parametrize(("fit", "predict"), [([], []), (["b"], ["a"]), (["b"], ["a", "b"])])
def test_one_fold_is_no_plan(fit, predict):
    message = "a fold plan needs at least 2 folds, each with a side to fit on"
    refuses(message, plan_of, fit, predict)


# How many folds


def eleven(extra=0):
    """Two categories of 11 images, the second of 11 + `extra`."""
    names = [f"a{n}" for n in range(11)] + [f"b{n}" for n in range(11 + extra)]
    return np.array(names), np.array([name[0] for name in names])


@pytest.mark.parametrize(("count", "expected"), [("auto", 8), ("most", 11), (2, 2), (11, 11)])
def test_so_many_folds_as_were_asked_for(count, expected):
    plan = plan_folds(*eleven(), count=count)
    assert len(plan.predict) == expected and plan.count == count


def test_most_leaves_one_image_of_each_category_out():
    for images in plan_folds(*eleven(), count="most").predict:
        assert sorted(image[0] for image in images) == ["a", "b"]


def test_more_folds_than_images_are_an_error():
    message = (
        "12 folds by image cannot be made: category 'a' has 11 images; lower "
        "decode.folds.count, or choose auto"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        plan_folds(*eleven(extra=3), count=12)


# Nested


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 9), st.integers(1, 5))
def test_nested_plans_leave_out_test_and_validation_and_predict_the_rest(images, categories):
    category = np.repeat([f"c{n}" for n in range(categories)], images)
    image_id = np.array([f"{c}_{row}" for row, c in enumerate(category)])
    outer = plan_folds(image_id, category, count="most")
    nested = nest(outer)
    assert [each.test for each in nested] == list(range(images))
    for each in nested:
        assert each.validation == (each.test + 1) % images
        kept_out = np.concatenate([outer.predict[each.test], outer.predict[each.validation]])
        inside = np.concatenate(each.plan.predict)
        assert sorted([*kept_out, *inside]) == sorted(image_id)
        for fit, predict in zip(each.plan.fit, each.plan.predict, strict=True):
            assert not np.intersect1d(fit, kept_out).size
            assert sorted([*fit, *predict]) == sorted(inside)
        assert (each.plan.by, each.plan.count) == (outer.by, outer.count)


def test_nested_plans_need_four_folds():
    message = (
        "nested soft labels need 4 folds (test, validation, and 2 to fit and predict); there are 3"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        nest(plan_folds(*eleven(), count=3))
