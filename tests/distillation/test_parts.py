"""``PARTS``: each keeps what it says and nothing else, whatever the order of the rows."""

import numpy as np
import pytest
from scipy.special import log_softmax

from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.distillation.drawing import draw_targets
from brain_teacher.distillation.lessons import NotApplicable
from brain_teacher.distillation.parts import PARTS, draw_part
from brain_teacher.distillation.teachers import TEACHERS

N, CLASSES = 24, np.array(["a", "b", "c", "d", "e", "f"])
TRUTH = np.arange(N) % len(CLASSES)
CATEGORY = CLASSES[TRUTH]
ROWS = np.arange(N)


def table(scale=1.5, order=ROWS, truth=1.0):
    rng = np.random.default_rng(5)
    logits = scale * rng.standard_normal((N, len(CLASSES))) + truth * np.eye(len(CLASSES))[TRUTH]
    ids = np.array([f"i{number:02d}" for number in ROWS])
    log_probs = log_softmax(logits, axis=1).astype(np.float32)[order]
    return SoftLabels(log_probs, ids[order], CLASSES, np.zeros(N, dtype=int))


def part(name, labels=None, temperature=2.0):
    return draw_part(name, labels or table(), CATEGORY, temperature=temperature).probs


def brain(temperature=2.0):
    return draw_targets("brain", table(), CATEGORY, temperature=temperature, seed=0).probs


def class_means(values):
    return np.array([values[CATEGORY[row] == CATEGORY].mean(axis=0) for row in ROWS])


def off_target(probs):
    others = np.array([np.delete(row, column) for row, column in zip(probs, TRUTH, strict=True)])
    return others / others.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", PARTS)
def test_the_order_of_the_rows_does_not_matter(name):
    order = np.random.default_rng(1).permutation(N)
    shuffled = draw_part(name, table(order=order), CATEGORY[order], temperature=2.0)
    ids = table().image_id
    np.testing.assert_array_equal(shuffled.join(ids, CLASSES), part(name))


@pytest.mark.parametrize("name", PARTS)
def test_every_reference_is_there_and_labels_say_what_it_is(name):
    each = PARTS[name]
    assert each.against in PARTS or each.against in TEACHERS
    assert each.label and bool(each.adds) == (each.dose is None)
    # A name that is a teacher's, too, is that teacher.
    if name in TEACHERS:
        assert each.keep is TEACHERS[name].teach


@pytest.mark.parametrize("name", ["even", "confidence"])
def test_the_rest_is_even(name):
    np.testing.assert_allclose(off_target(part(name)), 1 / (len(CLASSES) - 1), rtol=1e-5)


def test_confidence_is_the_images_or_the_classs():
    own = brain()[ROWS, TRUTH]
    for name in ("confidence", "brain-confidence"):
        np.testing.assert_allclose(part(name)[ROWS, TRUTH], own, rtol=1e-5)
    for name in ("even", "class-profile", "image-profile"):
        np.testing.assert_allclose(part(name)[ROWS, TRUTH], class_means(own), rtol=1e-5)


def test_profiles_are_the_images_or_the_classs():
    np.testing.assert_allclose(off_target(part("image-profile")), off_target(brain()), rtol=1e-4)
    np.testing.assert_allclose(part("class-profile"), class_means(brain()), rtol=1e-5)
    own, beside = off_target(part("class-profile")), off_target(part("brain-confidence"))
    np.testing.assert_allclose(own, beside, rtol=1e-4)


def test_an_image_that_gives_the_others_nothing_has_the_classs_profile():
    labels = table()
    log_probs = labels.log_probs.copy()
    log_probs[0] = np.where(np.arange(len(CLASSES)) == TRUTH[0], 0.0, -np.inf)
    labels = SoftLabels(log_probs, labels.image_id, CLASSES, labels.fold)
    q = np.exp(log_probs / 2)
    q /= q.sum(axis=1, keepdims=True)
    found = off_target(part("image-profile", labels))
    np.testing.assert_allclose(found[0], off_target(class_means(q))[0], rtol=1e-4)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_top_stays_and_the_rest_is_even(k):
    q, found = brain(), part(f"top-{k}")
    for row, kept in zip(q, found, strict=True):
        first = np.argsort(-row)
        np.testing.assert_allclose(kept[first[:k]], row[first[:k]], rtol=1e-5)
        np.testing.assert_allclose(kept[first[k:]], row[first[k:]].mean(), rtol=1e-5)


def test_the_images_of_a_kind_keep_their_rows():
    q, means = brain(), class_means(brain())
    most, named = table().log_probs.max(axis=1), table().log_probs.argmax(axis=1) == TRUTH
    half = np.array([(most[TRUTH[row] == TRUTH] > most[row]).sum() < 2 for row in ROWS])
    kinds = {"right": named, "wrong": ~named, "sure": half, "unsure": ~half}
    for name, chosen in kinds.items():
        assert 0 < chosen.sum() < N
        np.testing.assert_allclose(part(name), np.where(chosen[:, None], q, means), rtol=1e-5)


def test_the_dose_curve_runs_from_the_brain_to_its_class_means():
    q, means = brain(), class_means(brain())
    doses = {each.dose: name for name, each in PARTS.items() if each.dose is not None}
    assert sorted(doses) == [0.25, 0.5, 0.75]
    for t, name in doses.items():
        np.testing.assert_allclose(part(name), (1 - t) * q + t * means, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "labels", "reason"),
    [
        ("wrong", table(truth=30.0), "no image is of that kind: there is nothing to part"),
        ("right", table(truth=30.0), "every image is of that kind: there is nothing to part"),
    ],
)
def test_a_part_that_keeps_all_or_nothing_is_none(name, labels, reason):
    with pytest.raises(NotApplicable) as caught:
        part(name, labels)
    assert str(caught.value) == reason


def test_of_few_classes_the_top_is_the_row():
    labels = SoftLabels(
        np.log(np.full((2, 3), 1 / 3, dtype=np.float32)),
        np.array(["i0", "i1"]), CLASSES[:3], np.zeros(2, dtype=int),
    )  # fmt: skip
    with pytest.raises(NotApplicable) as caught:
        draw_part("top-2", labels, CLASSES[:2], temperature=2.0)
    assert str(caught.value) == "of 3 classes the top 2 are the whole row"
