"""Each teacher by its own definition (DESIGN, rule 5)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from scipy.stats import entropy

from brain_teacher.decoding.log_probs import soften
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.distillation import teachers
from brain_teacher.distillation.drawing import draw_targets
from brain_teacher.distillation.lessons import Lesson, NotApplicable
from brain_teacher.distillation.targets import Live
from brain_teacher.distillation.teachers import TEACHERS
from brain_teacher.seeds import named_rng


def draw(seed, n=12, n_classes=4, scale=2.0):
    rng = named_rng("teachers", seed)
    truth = np.arange(n) % n_classes
    return log_softmax(rng.normal(0, scale, (n, n_classes)), axis=1), truth


def teach(name, log_probs, truth, temperature=2.0, rng=None, **more):
    lesson = Lesson(np.asarray(log_probs), truth, temperature=temperature, rng=rng, **more)
    return TEACHERS[name].teach(lesson)


def test_the_controls_are_those_of_the_design():
    assert list(TEACHERS) == [
        "none", "weighted", "smooth", "smooth-matched", "permuted-classes", "semantic",
        "brain-class", "brain-confidence", "permuted-images", "permuted-all",
        "matched-spectrum", "centre-map", "own-map", "permuted-trials", "resnet34-live",
        "resnet34-table", "resnet34-degraded", "brain",
    ]  # fmt: skip


def test_smooth_is_even_and_softening_leaves_it_even():
    log_probs, truth = draw(0)
    for temperature in (1.0, 7.0):
        probs = teach("smooth", log_probs, truth, temperature)
        np.testing.assert_array_equal(probs, np.full((12, 4), 0.25))
        np.testing.assert_allclose(np.exp(soften(np.log(probs), temperature=5)), probs, rtol=1e-12)


def test_brain_is_the_softened_soft_labels_by_hand():
    # p ** (1/2), by hand: sqrt 0.81 : sqrt 0.09 : sqrt 0.09 : sqrt 0.01 = 9 : 3 : 3 : 1.
    probs = teach("brain", np.log([[0.81, 0.09, 0.09, 0.01]]), np.array([2]))
    np.testing.assert_allclose(probs, np.array([[9, 3, 3, 1]]) / 16, rtol=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_the_class_mean_of_counts_has_their_prior_and_no_other_class(temperature):
    # 20 images of one of 150 classes, 10 votes each, in two of them one vote astray; a prior of one
    # vote. Worked by hand at T = 1: 99% of 10 / 11, and 1 / 11 spread evenly.
    shares = np.full((20, 150), 1e-38)
    shares[:, 0] = 1.0
    shares[:2, :2] = 0.9, 0.1
    log_probs, prior = np.log(shares / shares.sum(axis=1, keepdims=True)), np.full((20, 1), 1 / 11)
    mean = teach("brain-class", log_probs, np.zeros(20, int), temperature, prior=prior)[0]
    assert mean[:2] == pytest.approx([0.9006, 0.0097], abs=0.004)


def entropies_agree(log_probs, truth, temperature):
    probs = teach("smooth-matched", log_probs, truth, temperature)
    q = np.exp(log_softmax(log_probs / temperature, axis=1))
    np.testing.assert_allclose(entropy(probs, axis=1), entropy(q, axis=1), atol=1e-6)
    rows, n_classes = np.arange(len(truth)), log_probs.shape[1]
    e = 1 - probs[rows, truth]
    assert (e >= 0).all() and (e <= 1 - 1 / n_classes + 1e-9).all()
    assert (probs[rows, truth] >= probs.max(axis=1) - 1e-12).all()
    rest = probs.copy()
    rest[rows, truth] = rest[rows, (truth + 1) % n_classes]
    np.testing.assert_allclose(rest, (e / (n_classes - 1))[:, None] * np.ones(n_classes), atol=1e-9)
    return e


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_classes=st.integers(2, 40),
    scale=st.floats(0, 60),
    temperature=st.floats(0.3, 20),
)
def test_smooth_matched_is_as_unsure_as_the_brain(seed, n_classes, scale, temperature):
    log_probs, truth = draw(seed, n=n_classes + 1, n_classes=n_classes, scale=scale)
    entropies_agree(log_probs, truth, temperature)


@pytest.mark.parametrize("n_classes", [2, 3, 16, 150])
@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.0, 3.7])
def test_smooth_matched_of_an_even_row_is_even(n_classes, temperature):
    log_probs = np.full((3, n_classes), -np.log(n_classes))
    e = entropies_agree(log_probs, np.array([0, 1, n_classes - 1]), temperature)
    # The entropy is flat at its top: e is known to the root of the rounding only.
    np.testing.assert_allclose(e, 1 - 1 / n_classes, atol=1e-6)


@pytest.mark.parametrize("sure", [1e-4, 1e-9, 1e-15, 1e-300])
def test_smooth_matched_of_a_sure_row_is_sure_of_the_true_class(sure):
    log_probs = np.log([[1 - 2 * sure, sure, sure], [sure, sure, 1 - 2 * sure]])
    e = entropies_agree(log_probs, np.array([0, 1]), 1.0)
    # Three classes with the same two small masses: e is their sum, as well as 1 - e can hold it.
    np.testing.assert_allclose(e, 2 * sure, rtol=1e-6, atol=1e-16)


def test_smooth_matched_of_an_exactly_one_hot_row_is_one_hot():
    log_probs = np.array([[0.0, -np.inf, -np.inf], [-np.inf, 0.0, -np.inf]])
    probs = teach("smooth-matched", log_probs, np.array([0, 2]))
    np.testing.assert_array_equal(probs, [[1, 0, 0], [0, 0, 1]])


def test_smooth_matched_by_hand():
    # Two classes: the brain's 0.3 and 0.7 have the entropy of 0.7 on the true class, whichever.
    probs = teach("smooth-matched", np.log([[0.3, 0.7], [0.3, 0.7]]), np.array([0, 1]), 1.0)
    np.testing.assert_allclose(probs, [[0.7, 0.3], [0.3, 0.7]], rtol=1e-9)


def marked(n_each=5, n_classes=3):
    """Soft labels whose rows all differ, and the rows' classes, mixed."""
    truth = named_rng("marked").permutation(np.repeat(np.arange(n_classes), n_each))
    return draw(1, n=len(truth), n_classes=n_classes)[0], truth


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_permuted_images_exchanges_the_rows_of_a_class_and_none_keeps_its_own(seed):
    log_probs, truth = marked()
    brain = teach("brain", log_probs, truth)
    permuted = teach("permuted-images", log_probs, truth, rng=named_rng(seed))
    assert (permuted != brain).any(axis=1).all()
    for column in range(3):
        rows = truth == column
        first, second = (sorted(map(tuple, table[rows])) for table in (brain, permuted))
        assert first == second


def test_permuted_images_draws_all_derangements_alike():
    # Three images have two derangements: 200 draws, standard error 7.
    log_probs = draw(2, n=3, n_classes=3)[0]
    truth = np.zeros(3, dtype=int)
    brain = teach("brain", log_probs, truth)
    rng = named_rng("derangements")
    first = [
        np.array_equal(teach("permuted-images", log_probs, truth, rng=rng)[0], brain[1])
        for _ in range(200)
    ]
    assert 70 < sum(first) < 130


def test_permuted_images_draws_anew_for_each_seed():
    log_probs, truth = marked()
    images = np.array([f"i{k:02d}" for k in range(len(truth))])
    classes = np.array(["a", "b", "c"])
    table = SoftLabels(log_probs.astype(np.float32), images, classes, np.zeros(len(truth)))
    drawn = [
        draw_targets("permuted-images", table, classes[truth], temperature=2.0, seed=seed).probs
        for seed in range(5)
    ]
    for one in range(5):
        for other in range(one):
            assert not np.array_equal(drawn[one], drawn[other])


def test_permuted_images_needs_two_images_of_each_class():
    log_probs, _ = draw(3, n=5, n_classes=3)
    truth = np.array([0, 0, 1, 2, 2])
    with pytest.raises(ValueError) as caught:
        teach("permuted-images", log_probs, truth, rng=named_rng(0))
    assert str(caught.value) == (
        "permuted-images needs at least 2 images in each class; class number 2 of the "
        "sorted classes has one"
    )


def test_a_derangement_of_two_exchanges_them():
    for seed in range(10):
        np.testing.assert_array_equal(teachers._derangement(2, named_rng(seed)), [1, 0])


def test_brain_class_is_a_power_of_the_class_mean_as_unsure_as_the_brain():
    log_probs = np.log([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.9, 0.06, 0.04]])
    truth = np.array([0, 2, 0])
    # The mean of rows 0 and 2 at T = 1.
    mean = np.array([0.7, 0.18, 0.12])
    for temperature in (1.0, 2.0):
        probs = teach("brain-class", log_probs, truth, temperature)
        q = teach("brain", log_probs, truth, temperature)
        np.testing.assert_array_equal(probs[0], probs[2])
        exponents = np.diff(np.log(probs[0])) / np.diff(np.log(mean))
        np.testing.assert_allclose(exponents, exponents[0], rtol=1e-6)
        assert entropy(probs[0]) == pytest.approx(entropy(q[[0, 2]], axis=1).mean(), abs=1e-6)
        # Of a class of one image it is the brain's.
        np.testing.assert_allclose(probs[1], q[1], rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0, 3), temperature=st.floats(0.5, 20))
def test_brain_class_is_no_softer_than_the_brain(seed, scale, temperature):
    # Softened by T alone it was: the mean of rows that differ is less sure than they are. (Of rows
    # that are sure of different classes it must be: no power tells equal entries apart.)
    log_probs, truth = draw(seed, n=24, n_classes=6, scale=scale)
    probs = teach("brain-class", log_probs, truth, temperature)
    q = teach("brain", log_probs, truth, temperature)
    for column in range(6):
        mine = truth == column
        wanted = entropy(q[mine], axis=1).mean()
        assert entropy(probs[mine][0]) == pytest.approx(wanted, abs=1e-5)


def test_brain_class_of_exactly_one_hot_rows_is_one_hot():
    log_probs = np.array([[0.0, -np.inf, -np.inf], [-np.inf, 0.0, -np.inf]])
    probs = teach("brain-class", log_probs, np.array([0, 1]))
    np.testing.assert_array_equal(probs, [[1, 0, 0], [0, 1, 0]])


def test_brain_confidence_by_hand():
    log_probs = np.log([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.9, 0.06, 0.04]])
    # Of class 0 the others have 0.18 and 0.12 on average: 3 to 2.
    expected = [[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.9, 0.06, 0.04]]
    probs = teach("brain-confidence", log_probs, np.array([0, 2, 0]), 1.0)
    np.testing.assert_allclose(probs, expected, rtol=1e-12)
    log_probs = np.log([[0.5, 0.5, 1e-9], [0.1, 0.1, 0.8], [0.7, 1e-9, 0.3]])
    probs = teach("brain-confidence", log_probs, np.array([0, 2, 0]), 1.0)
    # 0.5 and 0.3 of the others' mass: 5 to 3.
    expected = [[0.5, 5 / 16, 3 / 16], [0.1, 0.1, 0.8], [0.7, 3 / 16, 9 / 80]]
    np.testing.assert_allclose(probs, expected, rtol=1e-7)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0, 40), temperature=st.floats(0.3, 20))
def test_brain_confidence_keeps_each_images_own_mass_and_the_classes_mean(seed, scale, temperature):
    log_probs, truth = draw(seed, n=24, n_classes=6, scale=scale)
    probs = teach("brain-confidence", log_probs, truth, temperature)
    q, rows = teach("brain", log_probs, truth, temperature), np.arange(24)
    np.testing.assert_array_equal(probs[rows, truth], q[rows, truth])
    for column in range(6):
        mine = truth == column
        np.testing.assert_allclose(probs[mine].mean(axis=0), q[mine].mean(axis=0), atol=1e-12)


def test_brain_confidence_of_exactly_one_hot_rows_is_one_hot():
    log_probs = np.array([[0.0, -np.inf, -np.inf], [-np.inf, 0.0, -np.inf]])
    probs = teach("brain-confidence", log_probs, np.array([0, 1]))
    np.testing.assert_array_equal(probs, [[1, 0, 0], [0, 1, 0]])


def test_weighted_counts_an_image_by_the_brains_confidence_in_it_by_hand():
    log_probs = np.log([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.8, 0.06, 0.14]])
    # T is of no consequence.
    for temperature in (1.0, 7.0):
        weights = teach("weighted", log_probs, np.array([0, 2, 2]), temperature)
        own = np.array([0.5, 0.8, 0.14])
        np.testing.assert_allclose(weights, own / own.mean(), rtol=1e-12)


def test_a_table_of_ones_own_teaches_as_the_brain_would_with_it():
    log_probs, truth = draw(0)
    images, classes = np.array([f"i{k:02d}" for k in range(12)]), np.array(list("abcd"))
    brain = SoftLabels(log_probs.astype(np.float32), images, classes, np.zeros(12))
    rest = draw(1, n=20)[0].astype(np.float32)
    more = np.array([f"i{k:02d}" for k in range(20)])
    meta, votes = {"kind": "people", "prior": 2.0}, np.arange(1.0, 21)
    people = SoftLabels(rest, more, classes, np.zeros(20), meta, votes)
    given = {"temperature": 3.0, "seed": 0}
    order = named_rng("own").permutation(12)
    found = draw_targets(
        "table-people", brain.take(images[order]), classes[truth][order],
        tables={"table-people": people}, **given,
    )  # fmt: skip
    expected = draw_targets("brain", people.take(images), classes[truth], **given)
    np.testing.assert_array_equal(found.join(images, classes), expected.join(images, classes))
    with pytest.raises(ValueError, match="the table 'table-people' has other classes"):
        other = SoftLabels(rest, more, np.array(list("abcx")), np.zeros(20))
        draw_targets("table-people", brain, classes[truth], tables={"table-people": other}, **given)


def test_a_prior_has_its_share_of_every_target_whatever_the_temperature():
    # One choice of each image, and a prior of one: half of each row is even.
    log_probs = np.log(np.maximum(np.eye(4)[[0, 1, 1]], np.finfo(np.float32).tiny))
    images, classes = np.array(["a", "b", "c"]), np.array(list("wxyz"))
    meta = {"kind": "people", "prior": 1.0}
    table = SoftLabels(log_probs.astype(np.float32), images, classes, np.zeros(3), meta, np.ones(3))
    for temperature in (1.0, 2.0, 4.0):
        found = draw_targets("brain", table, ["w", "x", "x"], temperature=temperature, seed=0)
        expected = 0.125 + 0.5 * np.eye(4)[[0, 1, 1]]
        np.testing.assert_allclose(found.probs, expected, atol=1e-6)


def test_a_category_without_a_column_is_refused():
    table = SoftLabels(
        np.log([[0.4, 0.6]]).astype(np.float32), np.array(["i"]), np.array(["a", "b"]), np.zeros(1)
    )
    with pytest.raises(ValueError) as caught:
        draw_targets("brain", table, ["c"], temperature=1.0, seed=0)
    assert str(caught.value) == "has no column for category 'c'"


def test_targets_cannot_be_softened_as_if_they_were_log_probabilities():
    probs = teach("brain", *draw(4))
    with pytest.raises(ValueError) as caught:
        soften(probs, temperature=2.0)
    assert str(caught.value).endswith(
        "not 1: log_probs must be natural-log probabilities, not logits or probabilities"
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_permuted_classes_moves_every_other_class_and_leaves_the_true_one(seed):
    log_probs, truth = marked(n_classes=5)
    q = teach("brain", log_probs, truth)
    permuted = teach("permuted-classes", log_probs, truth, rng=named_rng(seed))
    rows = np.arange(len(truth))
    np.testing.assert_array_equal(permuted[rows, truth], q[rows, truth])
    np.testing.assert_array_equal(np.sort(permuted, axis=1), np.sort(q, axis=1))
    for column in range(5):
        own = truth == column
        others = np.delete(np.arange(5), column)
        # One derangement a class: what class a had goes to the same class b in every row.
        moved = [np.flatnonzero((permuted[own] == q[own][:, [a]]).all(axis=0)) for a in others]
        assert all(len(to) == 1 for to in moved)
        to = [int(each[0]) for each in moved]
        assert sorted(to) == others.tolist() and all(to != others)


def test_permuted_classes_needs_three_classes():
    log_probs, truth = draw(0, n_classes=2)
    with pytest.raises(ValueError, match="needs at least 3 classes; there are 2"):
        teach("permuted-classes", log_probs, truth, rng=named_rng(0))


SUPERCLASS = np.array([0, 0, 1, 1, 1, 2])
SIMILAR = (SUPERCLASS[:, None] == SUPERCLASS).astype(float)


def test_semantic_keeps_the_confidence_and_the_entropy_of_each_class():
    rng = named_rng("semantic")
    truth = np.repeat(np.arange(6), 4)
    logits = rng.normal(0, 1, (24, 6)) + 2.5 * np.eye(6)[truth] + 0.8 * SIMILAR[truth]
    log_probs = log_softmax(logits, axis=1)
    probs = teach("semantic", log_probs, truth, 1.5, similarity=SIMILAR)
    q = teach("brain", log_probs, truth, 1.5)
    reached = 0
    for column in range(6):
        rows = truth == column
        assert (probs[rows] == probs[rows][0]).all()
        row, own = probs[rows][0], q[rows, column].mean()
        assert row[column] == pytest.approx(own, abs=1e-12)
        alike = row[(SIMILAR[column] == 1) & (np.arange(6) != column)]
        unlike = row[SIMILAR[column] == 0]
        assert np.ptp(unlike) < 1e-12 and (len(alike) < 2 or np.ptp(alike) < 1e-12)
        if len(alike):
            assert alike[0] >= unlike[0] - 1e-12
        # Where the entropy is out of reach, the nearest there is: even, or all on the similar.
        wanted = entropy(q[rows], axis=1).mean()
        highest = entropy(np.append(np.full(5, (1 - own) / 5), own))
        reached += abs(entropy(row) - wanted) < 1e-6
        assert abs(entropy(row) - min(wanted, highest)) < 1e-6 or len(alike) == 0
    assert reached >= 3


def test_semantic_by_hand():
    # Two of three other classes alike; the mass 0.4 shall lie 0.18, 0.18, 0.04 on them.
    row = np.array([0.6, 0.18, 0.18, 0.04])
    similarity = np.array([[9, 3, 3, 1], [3, 9, 3, 1], [3, 3, 9, 1], [1, 1, 1, 9.0]])
    # The brain's own row has the same entropy, but knows nothing of what words know.
    log_probs = np.log(row[[[0, 3, 1, 2]]])
    found = teach("semantic", log_probs, np.array([0]), 1.0, similarity=similarity)
    np.testing.assert_allclose(found, [row], atol=1e-7)


@pytest.mark.parametrize(("n_classes", "scale"), [(3, 0.0), (4, 60.0), (6, 4.0)])
def test_semantic_at_the_ends_of_entropy_stays_a_distribution(n_classes, scale):
    log_probs, truth = draw(5, n=3 * n_classes, n_classes=n_classes, scale=scale)
    for similarity in (np.eye(n_classes), np.ones((n_classes, n_classes))):
        probs = teach("semantic", log_probs, truth, 1.0, similarity=similarity)
        np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-9)


def test_semantic_says_what_it_lacks():
    with pytest.raises(ValueError, match=r"dataset.yaml has no superclass .* distill.similarity"):
        teach("semantic", *draw(0))


@pytest.mark.parametrize("name", ["permuted-trials", "resnet34-table"])
def test_another_table_is_softened_like_the_brain(name):
    log_probs, truth = draw(0)
    other = draw(1)[0]
    np.testing.assert_array_equal(
        teach(name, log_probs, truth, tables={name: other}), teach("brain", other, truth)
    )
    with pytest.raises(ValueError, match=f"the table '{name}' is missing"):
        teach(name, log_probs, truth)


def test_another_table_is_joined_by_id():
    log_probs, truth = draw(0)
    images, classes = np.array([f"i{k:02d}" for k in range(12)]), np.array(list("abcd"))
    table = SoftLabels(log_probs.astype(np.float32), images, classes, np.zeros(12))
    other = draw(1, n=20)[0].astype(np.float32)
    more = np.array([f"i{k:02d}" for k in range(20)])
    order, columns = named_rng("order").permutation(20), np.array([2, 0, 3, 1])
    mixed = SoftLabels(other[np.ix_(order, columns)], more[order], classes[columns], np.zeros(20))
    found = draw_targets(
        "resnet34-table", table, classes[truth], temperature=1.0, seed=0,
        tables={"resnet34-table": mixed},
    )  # fmt: skip
    np.testing.assert_allclose(found.join(images, classes), np.exp(other[:12]), rtol=1e-5)


def test_the_live_teacher_is_named():
    assert teach("resnet34-live", *draw(0)) == Live("resnet34")


def peaked(truth, accuracy, n_classes, margin, name):
    """Rows that name the true class, or the next one, by a margin."""
    rng = named_rng(name)
    right = rng.permutation(len(truth)) < round(accuracy * len(truth))
    top = np.where(right, truth, (truth + 1) % n_classes)
    logits = margin * np.eye(n_classes)[top] + rng.uniform(0, 0.5, (len(truth), n_classes))
    return log_softmax(logits, axis=1)


def test_the_degraded_rival_is_as_weak_and_as_unsure_as_the_brain():
    truth = np.arange(400) % 10
    brain, rival = peaked(truth, 0.4, 10, 2.0, "b"), peaked(truth, 0.9, 10, 6.0, "r")
    drawn = [
        teach(
            "resnet34-degraded", brain, truth, 1.0, named_rng(k), tables={"resnet34-table": rival}
        )
        for k in range(2)
    ]
    assert not np.array_equal(*drawn)
    for probs in drawn:
        even = np.ptp(probs, axis=1) < 1e-12
        kept = probs[~even].argmax(axis=1) == truth[~even]
        # An even row is right once in ten.
        accuracy = (kept.sum() + even.sum() / 10) / 400
        assert accuracy == pytest.approx(0.4, abs=0.04)
        np.testing.assert_array_equal(probs[~even].argmax(axis=1), rival[~even].argmax(axis=1))
        wanted = entropy(np.exp(brain), axis=1).mean()
        assert entropy(probs, axis=1).mean() == pytest.approx(wanted, abs=1e-3)


def test_a_rival_no_better_than_the_brain_is_not_degraded():
    truth = np.arange(40) % 4
    brain = peaked(truth, 0.6, 4, 3.0, "b")
    with pytest.raises(NotApplicable, match=r"0.600, is not above the brain's, 0.600"):
        teach("resnet34-degraded", brain, truth, tables={"resnet34-table": brain})
