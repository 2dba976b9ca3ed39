"""``Targets``: probabilities only, joined by id."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from brain_teacher.distillation.targets import Targets
from brain_teacher.seeds import named_rng

IMAGES = np.array(["i1", "i2", "i3"])
CLASSES = np.array(["a", "b"])
PROBS = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]], dtype=np.float32)


def message(probs, image_id=IMAGES, class_id=CLASSES):
    with pytest.raises(ValueError) as caught:
        Targets(np.asarray(probs), image_id, class_id)
    return str(caught.value)


def test_logits_are_refused():
    logits = np.array([[0.5, 0.5], [2.0, 1.5], [0.2, 0.8]])
    assert message(logits) == (
        "row 1 (image 'i2') is no probability distribution (it sums to 3.5); targets are "
        "probabilities, not logits"
    )


def test_log_probabilities_are_refused():
    assert message(np.log(PROBS)) == (
        "row 0 (image 'i1') is no probability distribution (it sums to -2.408); targets are "
        "probabilities, not logits"
    )


def test_logits_that_sum_to_one_are_refused():
    assert message([[0.9, 0.1], [0.5, 0.5], [-1.0, 2.0]]) == (
        "row 2 (image 'i3') is no probability distribution (it sums to 1); targets are "
        "probabilities, not logits"
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(value):
    probs = PROBS.copy()
    probs[1, 0] = value
    assert message(probs) == (
        f"row 1 (image 'i2') is no probability distribution (it sums to {value:.4g}); targets are "
        "probabilities, not logits"
    )


@pytest.mark.parametrize(("off", "fits"), [(0.9e-4, True), (1.2e-4, False)])
def test_rows_may_miss_one_by_rounding_only(off, fits):
    probs = PROBS.astype(np.float64)
    probs[0, 0] += off
    if fits:
        Targets(probs, IMAGES, CLASSES)
    else:
        assert message(probs).startswith("row 0 (image 'i1') is no probability distribution")


def test_ids_must_fit_the_shape():
    assert message(PROBS, IMAGES[:2]) == "probs has shape (3, 2), its ids say (2, 2)"
    assert message(PROBS, class_id=np.array(["a"])) == "probs has shape (3, 2), its ids say (3, 1)"


def test_joined_by_image_and_class_in_the_order_asked_for():
    joined = Targets(PROBS, IMAGES, CLASSES).join(["i3", "i1"], ["b", "a"])
    np.testing.assert_array_equal(joined, np.float32([[0.8, 0.2], [0.1, 0.9]]))
    assert joined.dtype == np.float32


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 8), n_classes=st.integers(2, 5))
def test_the_order_of_rows_and_columns_does_not_matter(seed, n, n_classes):
    rng = named_rng(seed)
    probs = softmax(rng.normal(size=(n, n_classes)), axis=1)
    images = np.array([f"i{k}" for k in range(n)])
    classes = np.array([f"c{k}" for k in range(n_classes)])
    rows, columns = rng.permutation(n), rng.permutation(n_classes)
    shuffled = Targets(probs[np.ix_(rows, columns)], images[rows], classes[columns])
    np.testing.assert_array_equal(shuffled.join(images, classes), probs)


@pytest.mark.parametrize(
    ("images", "classes", "lost"),
    [
        (["i1", "i9", "i8"], ["a", "b"], "'i9'"),
        (["i1"], ["a", "c"], "'c'"),
        (["i1"], ["a"], "'a class'"),
        (np.array(["i9"]), CLASSES, "'i9'"),
    ],
)
def test_a_missing_image_or_class_is_named(images, classes, lost):
    with pytest.raises(ValueError) as caught:
        Targets(PROBS, IMAGES, CLASSES).join(images, classes)
    assert str(caught.value) == f"the teacher has no target for {lost}"
