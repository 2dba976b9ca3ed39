"""Every loss against numpy and scipy, by hand, and at its limits."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from scipy.special import log_softmax, rel_entr, softmax
from scipy.stats import pearsonr, zscore

from brain_teacher.distillation.losses import (
    FLOOR,
    attention,
    dist,
    dkd,
    hinton,
    relational,
    standardised,
    weighted_cross_entropy,
)
from brain_teacher.seeds import named_rng


def draw(rng, n=6, n_classes=5):
    logits = rng.normal(0, 2, (n, n_classes))
    labels = rng.integers(0, n_classes, n)
    probs = softmax(rng.normal(0, 1.5, (n, n_classes)), axis=1)
    return logits, labels, probs


def loss(logits, labels, probs, **settings):
    # Through numpy: lists become float64.
    logits, labels = (torch.from_numpy(np.asarray(part)) for part in (logits, labels))
    probs = None if probs is None else torch.from_numpy(np.asarray(probs))
    return hinton(logits, labels, probs, **settings).item()


def by_scipy(logits, labels, probs, *, temperature, alpha):
    hard = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean()
    student = softmax(logits / temperature, axis=1)
    # Kullback-Leibler divergence, from the targets to the student.
    soft = rel_entr(probs, student).sum(axis=1).mean()
    return (1 - alpha) * hard + alpha * temperature**2 * soft


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 1000),
    temperature=st.floats(0.5, 10),
    alpha=st.floats(0, 1),
)
def test_it_is_what_scipy_computes(seed, temperature, alpha):
    values = draw(named_rng(seed))
    chosen = {"temperature": temperature, "alpha": alpha}
    assert loss(*values, **chosen) == pytest.approx(by_scipy(*values, **chosen), rel=1e-9)


def test_two_classes_by_hand():
    # The student says 3:1 at T = 1, so sqrt 3 : 1 at T = 2; the teacher says 1:1.
    # hard = ln(4/3); soft = -ln 2 - (ln s1 + ln s2) / 2, s1 = sqrt 3 / (1 + sqrt 3).
    total = 1 + np.sqrt(3)
    soft = -np.log(2) - (np.log(np.sqrt(3) / total) + np.log(1 / total)) / 2
    expected = 0.25 * np.log(4 / 3) + 0.75 * 4 * soft
    found = loss([[np.log(3), 0.0]], [0], [[0.5, 0.5]], temperature=2.0, alpha=0.75)
    assert found == pytest.approx(expected, rel=1e-12)


def test_alpha_0_is_the_cross_entropy():
    logits, labels, probs = draw(named_rng(1))
    expected = float(F.cross_entropy(torch.as_tensor(logits), torch.as_tensor(labels)))
    assert loss(logits, labels, probs, temperature=3.0, alpha=0.0) == expected


def test_alpha_1_at_t_1_with_the_hard_labels_as_targets_is_the_cross_entropy():
    logits, labels, _ = draw(named_rng(2))
    expected = float(F.cross_entropy(torch.as_tensor(logits), torch.as_tensor(labels)))
    found = loss(logits, labels, np.eye(5)[labels], temperature=1.0, alpha=1.0)
    # The floor adds 4 classes x 1e-6 x about 14 nats.
    assert found == pytest.approx(expected, abs=2e-4)


def test_no_targets_is_the_cross_entropy_whatever_alpha():
    logits, labels, _ = draw(named_rng(3))
    expected = float(F.cross_entropy(torch.as_tensor(logits), torch.as_tensor(labels)))
    assert loss(logits, labels, None, temperature=4.0, alpha=0.9) == expected


def test_labels_do_not_matter_at_alpha_1():
    logits, labels, probs = draw(named_rng(4))
    first, second = (
        loss(logits, other, probs, temperature=2.0, alpha=1.0)
        for other in (labels, (labels + 1) % 5)
    )
    assert first == second


def soft_gradient(student, teacher, temperature):
    logits = torch.tensor(student, requires_grad=True)
    probs = torch.as_tensor(softmax(teacher / temperature, axis=1))
    labels = torch.zeros(len(student), dtype=torch.int64)
    hinton(logits, labels, probs, temperature=temperature, alpha=1.0).backward()
    return logits.grad.numpy()


def test_gradients_at_high_temperature_are_those_of_matching_logits():
    # Hinton, Vinyals & Dean (2015), eq. 4 times T^2: (z - v) / N for zero-mean logits; the batch
    # mean divides by the batch.
    rng = named_rng(5)
    student, teacher = (rng.normal(0, 1, (4, 6)) for _ in range(2))
    student -= student.mean(axis=1, keepdims=True)
    teacher -= teacher.mean(axis=1, keepdims=True)
    for temperature in (50.0, 200.0):
        np.testing.assert_allclose(
            soft_gradient(student, teacher, temperature), (student - teacher) / (6 * 4), atol=3e-3
        )


def test_the_gradients_size_hardly_depends_on_the_temperature():
    rng = named_rng(6)
    student, teacher = (rng.normal(0, 1, (50, 10)) for _ in range(2))
    sizes = [np.linalg.norm(soft_gradient(student, teacher, t)) for t in (2.0, 4.0, 8.0, 16.0)]
    # Without T^2 the ends would differ by 8^2; measured with it: 1.2.
    assert max(sizes) / min(sizes) < 1.5


def test_a_target_of_zero_counts_as_the_floor():
    logits, labels, _ = draw(named_rng(7))
    probs = np.eye(5)[labels]
    found = loss(logits, labels, probs, temperature=2.0, alpha=1.0)
    expected = by_scipy(logits, labels, np.maximum(probs, FLOOR), temperature=2.0, alpha=1.0)
    assert np.isfinite(found) and found == pytest.approx(expected, rel=1e-9)
    assert FLOOR == 1e-6


def test_weighted_cross_entropy_is_what_numpy_computes():
    logits, labels, _ = draw(named_rng(8))
    weights = named_rng(9).uniform(0, 3, len(labels))
    each = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
    found = weighted_cross_entropy(*map(torch.from_numpy, (logits, labels, weights)))
    assert found.item() == pytest.approx(np.mean(weights * each), rel=1e-12)


# What follows is held against numpy and scipy, written from the papers' equations.


def by(function, logits, labels, probs, **settings):
    tensors = (torch.from_numpy(np.asarray(part)) for part in (logits, labels, probs))
    return function(*tensors, **settings).item()


def divergence(p, q):
    return rel_entr(p, q).sum(axis=1)


SETTINGS = st.fixed_dictionaries(
    {"temperature": st.floats(0.5, 10), "alpha": st.floats(0, 1)},
)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), chosen=SETTINGS, beta=st.floats(0, 10))
def test_dkd_is_its_two_divergences(seed, chosen, beta):
    logits, labels, probs = draw(named_rng(seed))
    hard = by_scipy(logits, labels, probs, temperature=1.0, alpha=0.0)
    student, rows = softmax(logits / chosen["temperature"], axis=1), np.arange(len(labels))
    binary = [np.stack([p[rows, labels], 1 - p[rows, labels]], axis=1) for p in (probs, student)]
    others = []
    for p in (probs, student):
        left = p.copy()
        left[rows, labels] = 0
        others.append(left / left.sum(axis=1, keepdims=True))
    soft = divergence(*binary) + beta * divergence(*others)
    expected = (1 - chosen["alpha"]) * hard
    expected += chosen["alpha"] * chosen["temperature"] ** 2 * soft.mean()
    assert by(dkd, logits, labels, probs, beta=beta, **chosen) == pytest.approx(expected, rel=1e-9)


def test_dkd_with_the_teachers_own_weight_is_hintons():
    # KL = TCKD + (1 - q(y)) NCKD: image by image, since the weight differs.
    logits, labels, probs = draw(named_rng(11))
    for row in range(len(labels)):
        one = [part[row : row + 1] for part in (logits, labels, probs)]
        beta = 1 - probs[row, labels[row]]
        chosen = {"temperature": 3.0, "alpha": 0.7}
        assert by(dkd, *one, beta=beta, **chosen) == pytest.approx(loss(*one, **chosen), rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), chosen=SETTINGS, weights=st.tuples(*[st.floats(0, 3)] * 2))
def test_dist_is_pearsons_correlation_over_classes_and_over_images(seed, chosen, weights):
    logits, labels, probs = draw(named_rng(seed))
    student = softmax(logits / chosen["temperature"], axis=1)
    inter, intra = (
        np.mean([1 - np.corrcoef(a, b)[0, 1] for a, b in zip(one, two, strict=True)])
        for one, two in ((student, probs), (student.T, probs.T))
    )
    hard = by_scipy(logits, labels, probs, temperature=1.0, alpha=0.0)
    soft = weights[0] * inter + weights[1] * intra
    expected = (1 - chosen["alpha"]) * hard + chosen["alpha"] * chosen["temperature"] ** 2 * soft
    found = by(dist, logits, labels, probs, inter=weights[0], intra=weights[1], **chosen)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_dist_learns_nothing_of_an_even_teacher_and_nothing_of_its_sharpness():
    logits, labels, probs = draw(named_rng(12))
    values = torch.tensor(logits, requires_grad=True)
    even = torch.full((len(labels), 5), 0.2, dtype=torch.float64)
    chosen = {"temperature": 2.0, "alpha": 1.0, "inter": 1.0, "intra": 1.0}
    dist(values, torch.from_numpy(labels), even, **chosen).backward()
    assert values.grad.abs().max() < 1e-9
    # Half way to even, a teacher correlates as before.
    chosen |= {"intra": 0.0}
    softer = 0.5 * probs + 0.1
    assert by(dist, logits, labels, softer, **chosen) == pytest.approx(
        by(dist, logits, labels, probs, **chosen), rel=1e-9
    )


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), chosen=SETTINGS)
def test_standardised_is_hintons_on_z_scores(seed, chosen):
    logits, labels, probs = draw(named_rng(seed))
    targets = softmax(zscore(np.log(probs), axis=1) / chosen["temperature"], axis=1)
    scores = zscore(logits, axis=1)
    hard = by_scipy(logits, labels, probs, temperature=1.0, alpha=0.0)
    soft = by_scipy(scores, labels, targets, temperature=chosen["temperature"], alpha=1.0)
    expected = (1 - chosen["alpha"]) * hard + chosen["alpha"] * soft
    found = by(standardised, logits, labels, probs, of="hinton", **chosen)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_standardised_does_not_teach_a_teachers_scale():
    logits, labels, _ = draw(named_rng(13))
    teacher = named_rng(14).normal(0, 1, (6, 5))
    chosen = {"temperature": 2.0, "alpha": 1.0, "of": "hinton"}
    sharp, soft = (softmax(scale * teacher, axis=1) for scale in (3.0, 0.3))
    found = [by(standardised, logits, labels, probs, **chosen) for probs in (sharp, soft)]
    assert found[0] == pytest.approx(found[1], rel=1e-9)
    other = chosen | {"of": "soft-cross-entropy"}
    assert by(standardised, logits, labels, sharp, **other) != pytest.approx(found[0], rel=1e-3)


# Likeness of images


def of_images(logits, labels, rows, features, **settings):
    parts = (torch.from_numpy(part) for part in (logits, labels, rows))
    features = torch.from_numpy(features)
    return relational(*parts, features=features, temperature=2.0, of="", **settings).item()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), alpha=st.floats(0, 1))
def test_relational_is_kornblith_and_kriegeskorte_by_other_formulas(seed, alpha):
    rng = named_rng(seed)
    logits, labels, _ = draw(rng)
    features, rows = rng.normal(size=(6, 9)), rng.normal(size=(6, 4))
    hard = -log_softmax(logits, axis=1)[np.arange(6), labels].mean()
    one, two = (part - part.mean(axis=0) for part in (features, rows))
    # Kornblith et al., eq. 3 as it stands: by features, not by images.
    norms = [np.linalg.norm(part.T @ part) for part in (one, two)]
    cka = np.linalg.norm(two.T @ one) ** 2 / np.prod(norms)
    rdms = [1 - pdist(part, "correlation") for part in (features, rows)]
    for by, likeness in (("cka", cka), ("correlation", pearsonr(*rdms).statistic)):
        expected = (1 - alpha) * hard + alpha * (1 - likeness)
        found = of_images(logits, labels, rows, features, alpha=alpha, by=by)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("by", ["cka", "correlation"])
def test_relational_is_0_where_images_are_alike_in_the_same_way(by):
    rng = named_rng("turned")
    logits, labels, _ = draw(rng)
    rows = rng.normal(size=(6, 5))
    turn, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    # A rotation keeps inner products; a correlation of patterns, which it does not keep, their
    # scale and offset.
    same = rows @ turn if by == "cka" else 3 * rows + 2
    assert of_images(logits, labels, rows, same, alpha=1.0, by=by) == pytest.approx(0, abs=1e-9)
    other = of_images(logits, labels, rows, rng.normal(size=(6, 5)), alpha=1.0, by=by)
    assert other > 0.1


# Maps of a layer


def of_maps(logits, labels, maps, teacher, **settings):
    parts = (torch.from_numpy(part) for part in (logits, labels, teacher))
    return attention(*parts, features=torch.from_numpy(maps), temperature=2.0, **settings).item()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 1000), alpha=st.floats(0, 1), scale=st.floats(0.01, 100))
def test_attention_is_zagoruyko_and_komodakis_by_the_cosine(seed, alpha, scale):
    rng = named_rng(seed)
    logits, labels, _ = draw(rng)
    maps, teacher = rng.uniform(0, 3, (6, 9)), rng.normal(size=(6, 9))
    hard = -log_softmax(logits, axis=1)[np.arange(6), labels].mean()
    norms = [np.linalg.norm(part, axis=1) for part in (maps, teacher)]
    cosine = (maps * teacher).sum(axis=1) / np.prod(norms, axis=0)
    expected = (1 - alpha) * hard + alpha * (1 - cosine).mean()
    # How active a layer is in all is nothing that is taught.
    assert of_maps(logits, labels, scale * maps, teacher, alpha=alpha) == pytest.approx(expected)
    assert of_maps(logits, labels, maps, 5 * maps, alpha=1.0) == pytest.approx(0, abs=1e-12)
