"""Students of several folds become one row of scores over all images, or an error."""

import re
from dataclasses import replace

import numpy as np
import pytest

from brain_teacher.analysis.folds import join_folds
from brain_teacher.analysis.statistics import scores_of
from helpers.answers import make_answers


def of_folds(teachers=("brain", "none"), seeds=(0, 1), folds=(0, 1, 2)):
    return [
        make_answers(teacher, seed, fold=fold, images=8 + 2 * fold)
        for teacher in teachers
        for seed in seeds
        for fold in folds
    ]


def fails_with(message):
    return pytest.raises(ValueError, match=f"^{re.escape(message)}$")


def test_folds_become_one_over_all_images():
    students = of_folds()
    joined = join_folds(students[::-1])
    names = [(each.meta["teacher"], each.meta["seed"]) for each in joined]
    assert names == [("brain", 0), ("brain", 1), ("none", 0), ("none", 1)]
    for number, each in enumerate(joined):
        parts = students[3 * number : 3 * number + 3]
        assert "fold" not in each.meta and not each.diverged
        expected = {}
        for part in parts:
            expected |= part.correct("test")
        assert each.correct("test") == expected and len(expected) == 8 + 10 + 12
        assert set(each.log_probs) == {"test"}


def test_validation_images_are_joined_where_they_are_asked_for():
    (first, *_) = join_folds(of_folds(), split="validation")
    assert set(first.log_probs) == {"validation"} and len(first.image_id["validation"]) == 30


def test_scores_have_the_order_of_the_ids_whatever_fold_an_image_is_of():
    students = of_folds(teachers=("brain",))
    one = scores_of({each.meta["seed"]: each for each in join_folds(students)})
    # Exchange the names of two folds: the same students, in another order of rows.
    swapped = [
        replace(each, meta=each.meta | {"fold": {0: 2, 1: 1, 2: 0}[each.meta["fold"]]})
        for each in students
    ]
    two = scores_of({each.meta["seed"]: each for each in join_folds(swapped)})
    assert one.seeds == two.seeds == (0, 1)
    np.testing.assert_array_equal(one.correct, two.correct)
    assert 0 < one.correct.mean() < 1


def test_students_of_unseen_images_come_back_as_they_are():
    students = [make_answers("none", 1), make_answers("brain", 0)]
    assert join_folds(students) == [students[1], students[0]]


def test_a_diverged_fold_takes_its_seed_along():
    students = of_folds()
    students[1] = make_answers("brain", 0, fold=1, diverged=True)
    joined = join_folds(students)
    assert [each.diverged for each in joined] == [True, False, False, False]
    assert scores_of({0: joined[0], 1: joined[1]}).seeds == (1,)


def test_a_missing_fold_is_an_error():
    students = of_folds()
    with fails_with("none seed 1 has no student of fold 2"):
        join_folds(students[:-1])
    with fails_with("brain seed 0 has no student of fold 0"):
        join_folds([each for each in students if each.meta["fold"] != 0])
    told = [replace(each, meta=each.meta | {"folds": 4}) for each in students]
    with fails_with("brain seed 0 has no student of fold 3"):
        join_folds(told)


def test_what_stands_twice_is_an_error():
    students = of_folds()
    with fails_with("brain seed 0 fold 0 stands twice"):
        join_folds([*students, students[0]])
    with fails_with("brain seed 3 stands twice"):
        join_folds([make_answers("brain", 3), make_answers("brain", 3)])
    same = [students[0], replace(students[0], meta=students[0].meta | {"fold": 1})]
    with fails_with("brain seed 0: test image 'tf0-000' is of two folds"):
        join_folds(same)


def test_mixed_designs_are_an_error():
    with fails_with("some students were tested on folds, others on unseen images"):
        join_folds([make_answers("brain", 0, fold=0), make_answers("none", 0)])
    other = make_answers("brain", 0, fold=1, classes=5)
    with fails_with("brain seed 0: the folds' students know different classes"):
        join_folds([make_answers("brain", 0, fold=0), other])
