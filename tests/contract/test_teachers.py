"""What every teacher of ``TEACHERS`` owes: one suite over all of them."""

import inspect

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from brain_teacher.chain.students.inputs import WITHOUT_BRAIN
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.distillation.drawing import draw_targets
from brain_teacher.distillation.lessons import Lesson, NotApplicable
from brain_teacher.distillation.targets import Live, Relations, Targets, Weights
from brain_teacher.distillation.teachers import TEACHERS
from brain_teacher.seeds import named_rng

# Of likeness alone, or of maps, and of which loss.
NO_ANSWERS = {
    "matched-spectrum": "relational", "centre-map": "attention", "own-map": "attention",
}  # fmt: skip
N_CLASSES, EACH = 4, 3
N = N_CLASSES * EACH
CLASSES = np.array([f"c{k}" for k in range(N_CLASSES)])
TRUTH = np.repeat(np.arange(N_CLASSES), EACH)


@pytest.fixture(params=TEACHERS)
def name(request):
    return request.param


def draw_log_probs(seed=0, scale=2.0):
    rng = named_rng("contract", seed)
    return log_softmax(rng.normal(0, scale, (N, N_CLASSES)) + 2 * np.eye(N_CLASSES)[TRUTH], axis=1)


# As certain tables and words would be. The rival is better than most brains drawn here.
RIVAL = log_softmax(
    named_rng("rival").normal(0, 0.5, (N, N_CLASSES)) + 6 * np.eye(N_CLASSES)[TRUTH], axis=1
)
ALIKE = np.kron(np.eye(2), np.ones((2, 2)))


def lesson(name, log_probs, truth=TRUTH, *, temperature=2.0, seed=0):
    rng = named_rng("teacher", name, seed)
    others = {"permuted-trials": RIVAL[::-1], "resnet34-table": RIVAL}
    return Lesson(log_probs, truth, temperature, rng, similarity=ALIKE, tables=others)


def teach(name, log_probs, **settings):
    """The teacher's probabilities, or None: of hard labels, of a network, of one that skips."""
    try:
        answer = TEACHERS[name].teach(lesson(name, log_probs, **settings))
    except NotApplicable:
        return None
    return None if isinstance(answer, Live) or np.ndim(answer) == 1 else answer


def draw_all(name, table, category, **settings):
    """`draw_targets` with everything that a teacher may need."""
    images, zeros = np.array([f"image{k:02d}" for k in range(N)]), np.zeros(N)
    others = {"permuted-trials": RIVAL[::-1], "resnet34-table": RIVAL}
    tables = {
        key: SoftLabels(value.astype(np.float32), images, CLASSES, zeros)
        for key, value in others.items()
    }
    similarity = pd.DataFrame(ALIKE, index=CLASSES, columns=CLASSES)
    try:
        targets = draw_targets(
            name, table, category, temperature=2.0, similarity=similarity, tables=tables, **settings
        )
    except NotApplicable:
        return None
    return None if isinstance(targets, (Live, Weights)) else targets


def soft_labels(log_probs, order=None):
    order = np.arange(N) if order is None else order
    images = np.array([f"image{k:02d}" for k in range(N)])
    return SoftLabels(log_probs[order].astype(np.float32), images[order], CLASSES, np.zeros(N))


@pytest.mark.parametrize("teacher", TEACHERS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), scale=st.floats(0, 30), temperature=st.floats(0.2, 20))
def test_rows_are_probability_distributions_or_there_are_none(teacher, seed, scale, temperature):
    probs = teach(teacher, draw_log_probs(seed, scale), temperature=temperature)
    if probs is not None:
        assert probs.shape == (N, N_CLASSES)
        assert (probs >= 0).all()
        np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-9)


def test_only_none_has_no_targets(name):
    if name in NO_ANSWERS:
        with pytest.raises(NotApplicable, match=f"distill.loss: {NO_ANSWERS[name]}"):
            TEACHERS[name].teach(lesson(name, draw_log_probs()))
        return
    answer = TEACHERS[name].teach(lesson(name, draw_log_probs()))
    assert (answer is None) == (name == "none")


def test_the_soft_labels_stay_as_they_are(name):
    log_probs, truth = draw_log_probs(), TRUTH.copy()
    before = log_probs.copy()
    log_probs.flags.writeable = truth.flags.writeable = False
    teach(name, log_probs, truth=truth)
    np.testing.assert_array_equal(log_probs, before)


def test_the_same_name_and_seed_give_the_same_targets(name):
    table, category = soft_labels(draw_log_probs()), CLASSES[TRUTH]
    first, again, other = (draw_all(name, table, category, seed=seed) for seed in (3, 3, 4))
    if first is None:
        assert first is again is other is None
        return
    np.testing.assert_array_equal(first.probs, again.probs)
    draws = name in ("permuted-images", "permuted-all", "permuted-classes", "resnet34-degraded")
    assert np.array_equal(first.probs, other.probs) != draws


def test_the_global_random_state_does_not_matter(name):
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(1)  # noqa: NPY002
        first = teach(name, draw_log_probs())
        np.random.seed(2)  # noqa: NPY002
        second = teach(name, draw_log_probs())
    finally:
        np.random.set_state(state)  # noqa: NPY002
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("teacher", TEACHERS)
@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(N)), seed=st.integers(0, 20))
def test_the_order_of_the_rows_does_not_matter(teacher, order, seed):
    order, log_probs, category = np.array(order), draw_log_probs(), CLASSES[TRUTH]
    one = draw_all(teacher, soft_labels(log_probs), category, seed=seed)
    table = soft_labels(log_probs, order)
    two = draw_all(teacher, table, category[order], seed=seed)
    if one is None:
        assert two is None
        return
    images = soft_labels(log_probs).image_id
    np.testing.assert_array_equal(one.join(images, CLASSES), two.join(images, CLASSES))


def test_targets_are_float32_with_the_ids_of_the_soft_labels(name):
    table = soft_labels(draw_log_probs())
    targets = draw_all(name, table, CLASSES[TRUTH], seed=0)
    if targets is None:
        return
    assert isinstance(targets, Targets) and targets.probs.dtype == np.float32
    np.testing.assert_array_equal(targets.image_id, table.image_id)
    np.testing.assert_array_equal(targets.class_id, table.class_id)


def test_a_higher_temperature_makes_no_row_surer(name):
    log_probs = draw_log_probs()
    cold, warm, hot = (teach(name, log_probs, temperature=t) for t in (0.5, 2.0, 50.0))
    if cold is None:
        return
    tops = [probs.max(axis=1) for probs in (cold, warm, hot)]
    if name == "smooth":
        np.testing.assert_array_equal(*tops[:2])
        return
    if name == "resnet34-degraded":  # even rows stay even
        tops = [top[np.ptp(cold, axis=1) > 1e-9] for top in tops]
    # The mean of a class may put its mass on another class, where it was low before.
    if name in ("semantic", "brain-confidence"):
        tops = [top.mean(keepdims=True) for top in tops]
    assert (tops[0] > tops[1]).all() and (tops[1] > tops[2]).all()
    # p ** (1/50) of rows like these is nearly even.
    np.testing.assert_allclose(hot, 1 / N_CLASSES, atol=0.1)


def test_probabilities_in_place_of_log_probabilities_are_refused(name):
    # A softmax of a softmax would pass unseen: rows of probabilities are no log-probabilities.
    if name in NO_ANSWERS:
        return
    ignores = ("none", "smooth", "permuted-trials", "resnet34-live", "resnet34-table")
    probs = np.exp(draw_log_probs())
    if name in ignores:
        np.testing.assert_equal(teach(name, probs), teach(name, draw_log_probs()))
        return
    with pytest.raises(ValueError) as caught:
        TEACHERS[name].teach(lesson(name, probs))
    assert str(caught.value).endswith(
        "not 1: log_probs must be natural-log probabilities, not logits or probabilities"
    )


def test_it_has_the_signature_of_all(name):
    teacher = TEACHERS[name]
    assert list(inspect.signature(teacher.teach).parameters) == ["lesson"]
    assert teacher.teach.__doc__ and teacher.label


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(N)), seed=st.integers(0, 20))
def test_weights_are_1_on_average_and_joined_by_id(order, seed):
    order, log_probs, category = np.array(order), draw_log_probs(seed), CLASSES[TRUTH]
    teacher, given = "weighted", {"temperature": 2.0, "seed": seed}
    one = draw_targets(teacher, soft_labels(log_probs), category, **given)
    two = draw_targets(teacher, soft_labels(log_probs, order), category[order], **given)
    assert isinstance(one, Weights) and one.values.dtype == np.float32
    assert (one.values >= 0).all() and one.values.mean() == pytest.approx(1, rel=1e-5)
    images = soft_labels(log_probs).image_id
    np.testing.assert_array_equal(one.join(images, CLASSES), two.join(images, CLASSES))


def test_whose_students_are_the_same_whatever_the_brain_said(name):
    if name in NO_ANSWERS:
        return
    # MLflow runs of all others have the soft labels among their inputs.
    drawn = [draw_log_probs(seed, scale) for seed, scale in ((0, 1.0), (1, 3.0))]
    one, two = (TEACHERS[name].teach(lesson(name, each)) for each in drawn)
    same = one is None or isinstance(one, Live) or np.allclose(one, two)
    assert same == (name in WITHOUT_BRAIN)


# Likeness in place of answers

GIVEN = Relations(
    named_rng("patterns").normal(size=(N, 7)).astype(np.float32),
    np.array([f"image{k:02d}" for k in range(N)])[::-1],
)
ROWS_OF_THEIR_OWN = {name for name, each in TEACHERS.items() if each.relates}


def alike(name, *, order=None, relations=None, seed=0):
    """How alike a teacher finds images, in the order of their ids; None where it does not say."""
    order = np.arange(N) if order is None else order
    table = soft_labels(draw_log_probs(), order)
    chosen = {"likeness": True, "relations": relations, "seed": seed}
    found = draw_all(name, table, CLASSES[TRUTH][order], **chosen)
    if found is None:
        return None
    assert isinstance(found, Relations) and found.rows.dtype == np.float32
    rows = found.join(soft_labels(draw_log_probs()).image_id, CLASSES)
    return rows @ rows.T


@pytest.mark.parametrize("relations", [None, GIVEN])
def test_likeness_does_not_depend_on_the_order_of_rows(name, relations):
    one = alike(name, relations=relations)
    two = alike(name, relations=relations, order=np.arange(N)[::-1])
    assert (one is None) == (two is None)
    if one is not None:
        np.testing.assert_allclose(one, two, atol=1e-5)


def test_likeness_by_something_else_is_taught_by_those_who_read_it(name):
    assert (alike(name, relations=GIVEN) is not None) == (name in ROWS_OF_THEIR_OWN)
    by_labels = alike(name)
    silent = ("none", "weighted", "resnet34-live", "centre-map", "own-map")
    assert (by_labels is None) == (name in silent)
    if by_labels is not None and name not in ROWS_OF_THEIR_OWN:
        # Square roots of probabilities: each image is 1 to itself.
        np.testing.assert_allclose(by_labels.diagonal(), 1, atol=1e-5)


def test_the_controls_of_likeness_keep_what_they_say():
    patterns = GIVEN.rows[::-1].astype(np.float64)
    brain = alike("brain", relations=GIVEN)
    np.testing.assert_allclose(brain, patterns @ patterns.T, rtol=1e-4, atol=1e-4)
    means = alike("brain-class", relations=GIVEN)
    np.testing.assert_allclose(
        means.reshape(N_CLASSES, EACH, N_CLASSES, EACH),
        brain.reshape(N_CLASSES, EACH, N_CLASSES, EACH).mean(axis=(1, 3), keepdims=True)
        * np.ones((1, EACH, 1, EACH)),
        rtol=1e-3, atol=1e-4,
    )  # fmt: skip
    exchanged = alike("permuted-images", relations=GIVEN)
    blocks = [m.reshape(N_CLASSES, EACH, N_CLASSES, EACH).sum((1, 3)) for m in (brain, exchanged)]
    np.testing.assert_allclose(*blocks, rtol=1e-4, atol=1e-4)
    assert not np.allclose(brain, exchanged)
    centre = np.eye(N) - 1 / N
    spectra = [
        np.linalg.eigvalsh(centre @ alike(name, relations=GIVEN) @ centre)
        for name in ("brain", "permuted-all", "permuted-images", "matched-spectrum")
    ]
    for other in spectra[1:]:
        np.testing.assert_allclose(other, spectra[0], atol=1e-3)
    one, two = (alike("matched-spectrum", relations=GIVEN, seed=seed) for seed in (0, 1))
    assert not np.allclose(one, two)
    words = alike("semantic", relations=GIVEN)
    np.testing.assert_allclose(words, ALIKE[np.ix_(TRUTH, TRUTH)], atol=1e-5)


# Maps in place of answers

SIDE = 3
MAPS = Relations(
    named_rng("maps").uniform(size=(N, SIDE**2)).astype(np.float32),
    GIVEN.image_id,
    own=named_rng("own maps").uniform(size=(N, SIDE**2)).astype(np.float32),
)


def mapped(name, *, order=None, seed=0):
    """The maps that a teacher gives, in the order of the images' ids; None where it gives none."""
    order = np.arange(N) if order is None else order
    table = soft_labels(draw_log_probs(), order)
    chosen = {"likeness": True, "relations": MAPS, "seed": seed}
    found = draw_all(name, table, CLASSES[TRUTH][order], **chosen)
    return found and found.join(soft_labels(draw_log_probs()).image_id, CLASSES)


def test_maps_are_taught_by_those_who_have_some_and_in_any_order(name):
    found = mapped(name)
    assert (found is not None) == TEACHERS[name].maps
    if found is not None:
        np.testing.assert_allclose(found, mapped(name, order=np.arange(N)[::-1]), atol=1e-6)


def test_the_controls_of_maps_keep_what_they_say():
    decoded, own = MAPS.rows[::-1], MAPS.own[::-1]
    np.testing.assert_array_equal(mapped("brain"), decoded)
    np.testing.assert_array_equal(mapped("own-map"), own)
    means = decoded.reshape(N_CLASSES, EACH, -1).mean(axis=1)
    np.testing.assert_allclose(mapped("brain-class"), means[TRUTH], rtol=1e-6)
    centre = mapped("centre-map").reshape(N, SIDE, SIDE)
    assert (centre == centre[0]).all() and centre[0].argmax() == SIDE**2 // 2
    np.testing.assert_array_equal(centre, centre[:, ::-1])
    np.testing.assert_array_equal(centre, centre.transpose(0, 2, 1))
    # A field further from the middle: a third of the side is 4/3 of an SD.
    assert centre[0, 0, 1] == pytest.approx(np.exp(-((4 / 3) ** 2) / 2), rel=1e-6)
    for name, groups in (("permuted-images", TRUTH), ("permuted-all", np.zeros(N, int))):
        for seed in (0, 1):
            maps = mapped(name, seed=seed)
            source = [int(np.flatnonzero((decoded == row).all(axis=1))[0]) for row in maps]
            assert sorted(source) == list(range(N)) and (source != np.arange(N)).all()
            np.testing.assert_array_equal(groups[source], groups)


def test_a_teacher_of_answers_says_why_it_has_no_map():
    table = soft_labels(draw_log_probs())
    chosen = {"temperature": 2.0, "seed": 0, "likeness": True, "relations": MAPS}
    for name in ("smooth-matched", "semantic", "matched-spectrum"):
        with pytest.raises(NotApplicable, match="it has no maps"):
            draw_targets(name, table, CLASSES[TRUTH], **chosen)
    with pytest.raises(NotApplicable, match="it has no maps"):
        draw_targets(
            "table-people", table, CLASSES[TRUTH], tables={"table-people": table}, **chosen
        )
