"""A student's agreement with a brain about single images, on answers of known truth."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_softmax

from brain_teacher.analysis.agreement import agreement
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.distillation.students import Answers

CLASSES, IMAGES = 6, 240
TRUTH = np.arange(IMAGES) % CLASSES
CLASS_ID = np.array([f"c{number}" for number in range(CLASSES)])
IMAGE_ID = np.array([f"i{number:03d}" for number in range(IMAGES)])
PICTURE, BRAIN = np.random.default_rng(0).standard_normal((2, IMAGES, CLASSES))


def table(part, seed=1, sure=2.0):
    own = np.random.default_rng(seed).standard_normal((IMAGES, CLASSES))
    log_probs = log_softmax(part + own + sure * np.eye(CLASSES)[TRUTH], axis=1)
    return SoftLabels(log_probs, IMAGE_ID, CLASS_ID, np.zeros(IMAGES, dtype=int))


def students(part, *, seeds=range(4), scale=1.0, sure=3.0, noise=1.0):
    found = {}
    for seed in seeds:
        own = noise * np.random.default_rng([9, seed]).standard_normal((IMAGES, CLASSES))
        log_probs = log_softmax(scale * (part + own + sure * np.eye(CLASSES)[TRUTH]), axis=1)
        answers = ({"test": each} for each in (log_probs, IMAGE_ID, CLASS_ID[TRUTH]))
        meta = {"teacher": "t", "seed": seed, "diverged": False}
        found[seed] = Answers(meta, CLASS_ID, *answers)
    return found


def test_the_known_correlation_is_found():
    # Brain and its student share BRAIN + PICTURE (variance 2 of 3); others PICTURE alone.
    found = agreement(students(BRAIN + PICTURE), students(PICTURE), [table(BRAIN + PICTURE)])
    assert found.teacher[0] == pytest.approx(2 / 3, abs=0.04)
    assert found.control[0] == pytest.approx(1 / np.sqrt(6), abs=0.05)
    assert found.difference[0] == pytest.approx(found.teacher[0] - found.control[0])
    assert (found.seeds, found.images) == (4, IMAGES)
    assert found.difference[1] > 0


def test_equal_rows_agree_wholly_and_class_means_do_not_count():
    same = students(BRAIN, noise=0.0)
    exact = SoftLabels(same[0].log_probs["test"], IMAGE_ID, CLASS_ID, np.zeros(IMAGES, dtype=int))
    assert agreement(same, same, [exact]).teacher == pytest.approx((1, 1, 1))
    apart = agreement(students(0 * BRAIN), students(0 * BRAIN), [table(0 * BRAIN)])
    assert abs(apart.teacher[0]) < 0.1 and apart.difference[0] == 0


def test_what_is_of_the_fold_alone_counts_for_nothing():
    # Of both the fold left out as many images of each class: whoever was fitted without them.
    fold = np.random.default_rng(8).integers(4, size=IMAGES)
    shift = 2 * np.random.default_rng(9).standard_normal((4, CLASSES))[fold]
    brain = replace(table(shift), fold=fold)
    taught, control = students(shift), students(0 * BRAIN)
    assert agreement(taught, control, [table(shift)]).teacher[0] > 0.6
    found = agreement(taught, control, [brain])
    assert abs(found.teacher[0]) < 0.06 and abs(found.difference[0]) < 0.06


def test_no_temperature_changes_it():
    brain, control = table(BRAIN), students(PICTURE)
    one, other = (agreement(students(BRAIN, scale=s), control, [brain]) for s in (1.0, 0.1))
    assert one.teacher == pytest.approx(other.teacher, abs=1e-9)


def test_rows_and_columns_are_joined_by_id():
    rng = np.random.default_rng(3)
    brain, taught, control = table(BRAIN), students(BRAIN), students(PICTURE)
    shuffled = brain._part(rng.permutation(IMAGES), rng.permutation(CLASSES))
    one = agreement(taught, control, [brain])
    assert agreement(taught, control, [shuffled]).teacher == pytest.approx(one.teacher)
    # Each row under the next id of its class: TRUTH repeats.
    moved = replace(brain, log_probs=np.roll(brain.log_probs, CLASSES, axis=0))
    assert abs(agreement(taught, control, [moved]).teacher[0]) < one.teacher[0] / 4


def test_the_interval_is_students_t_over_seeds():
    taught, control, brain = students(BRAIN), students(PICTURE), table(BRAIN)
    pairs = [{seed: each[seed] for seed in (0, 1)} for each in (taught, control)]
    both = agreement(*pairs, [brain]).teacher
    # Two seeds: the mean of two, and t(1 df) = 12.706 times half their distance.
    ends = [
        agreement({0: a, 1: a}, {0: a, 1: a}, [brain]).teacher[0] for a in (taught[0], taught[1])
    ]
    assert both[0] == pytest.approx(np.mean(ends))
    assert both[2] - both[0] == pytest.approx(12.7062 * abs(np.subtract(*ends)) / 2, rel=1e-4)


def test_other_subjects_are_averaged():
    taught, control = students(BRAIN + PICTURE), students(PICTURE)
    others = [table(PICTURE, seed) for seed in (5, 6)]
    single = [agreement(taught, control, [each]).difference[0] for each in others]
    assert agreement(taught, control, others).difference[0] == pytest.approx(np.mean(single))


def test_a_diverged_student_is_left_out_with_its_pair():
    taught, control = students(BRAIN), students(PICTURE)
    lost = Answers({"teacher": "t", "seed": 0, "diverged": True}, CLASS_ID, {}, {}, {})
    found = agreement(taught, control | {0: lost}, [table(BRAIN)])
    assert found.seeds == 3
    with pytest.raises(ValueError, match="^two common seeds are needed, and there are 1$"):
        agreement({k: taught[k] for k in (0, 1)}, control | {0: lost}, [table(BRAIN)])


def test_an_image_that_the_brain_lacks_is_an_error():
    short = table(BRAIN).take(IMAGE_ID[1:])
    with pytest.raises(ValueError, match="has no row for image 'i000'"):
        agreement(students(BRAIN), students(PICTURE), [short])
