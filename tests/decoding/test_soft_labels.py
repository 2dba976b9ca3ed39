"""Soft labels: what they refuse, how they soften and combine, and their files."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax

from brain_teacher.decoding.combining import combine
from brain_teacher.decoding.log_probs import mean_nll, soften
from brain_teacher.decoding.soft_labels import SoftLabels, read_soft_labels

NOT_LOG_PROBS = "not 1: log_probs must be natural-log probabilities, not logits or probabilities"


@pytest.fixture
def labels():
    return SoftLabels(
        log_probs=np.log([[0.8, 0.2], [0.3, 0.7], [0.5, 0.5]]).astype(np.float32),
        image_id=np.array(["a1", "b1", "a2"]),
        class_id=np.array(["a", "b"]),
        fold=np.array([0, 0, 1], dtype=np.int16),
        meta={"format": 1, "subject": "S1", "roi": "V1", "decoder": "logistic"},
    )


def refuses(message, function, *arguments, **settings):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(*arguments, **settings)


def random_log_probs(n, n_classes, *, seed=0, scale=1.5):
    rng = np.random.default_rng(seed)
    return log_softmax(scale * rng.standard_normal((n, n_classes)), axis=1)


# Restricted


@given(st.integers(3, 8), st.integers(2, 3), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_restricted_rows_are_conditional_probabilities_by_id(n_classes, n_kept, seed):
    rng = np.random.default_rng(seed)
    classes = np.array([f"c{k}" for k in rng.permutation(n_classes)])
    images = np.array([f"i{k}" for k in rng.permutation(2 * n_classes)])
    category = np.array([f"c{int(image[1:]) % n_classes}" for image in images])
    log_probs = random_log_probs(len(images), n_classes, seed=seed).astype(np.float32)
    table = SoftLabels(log_probs, images, classes, np.arange(len(images)), {"kind": "brain"})
    kept = classes[:n_kept].tolist()
    part = table.restricted(kept, category)
    assert set(part.class_id) == set(kept) and part.categories == f"{n_kept} of {n_classes}"
    assert set(part.image_id) == set(images[np.isin(category, kept)])
    probs = dict(zip(images, np.exp(log_probs), strict=True))
    for image, row, fold in zip(part.image_id, np.exp(part.log_probs), part.fold, strict=True):
        whole = probs[image][[list(classes).index(name) for name in part.class_id]]
        np.testing.assert_allclose(row, whole / whole.sum(), rtol=1e-4)
        assert images[fold] == image
    # Once more changes nothing, and the number recorded stays.
    again = part.restricted(kept, category[np.isin(category, kept)])
    assert again.categories == part.categories
    np.testing.assert_allclose(again.log_probs, part.log_probs, atol=1e-6)


def test_of_votes_those_for_the_classes_that_are_left_count():
    with np.errstate(divide="ignore"):
        log_probs = np.log([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]]).astype(np.float32)
    ids = np.array(["a1", "a2"]), np.array(["a", "b", "c"])
    meta = {"kind": "people", "prior": 1.0}
    table = SoftLabels(log_probs, *ids, np.zeros(2, int), meta, np.array([10.0, 10.0]))
    part = table.take(["a1"]).restricted(["a", "b"], np.array(["a"]))
    np.testing.assert_allclose(part.votes, 8, rtol=1e-5)
    np.testing.assert_allclose(np.exp(part.log_probs), [[0.625, 0.375]], rtol=1e-5)
    refuses(
        "the row of image 'a2' gives nothing to the 2 categories that have pictures; take it out "
        "of the table",
        table.restricted,
        ["a", "b"],
        np.array(["a", "a"]),
    )


# Made


def test_logits_and_probabilities_are_refused(labels):
    logits = np.array([[0.0, -1], [2, 1], [1, 0]])
    refuses(
        f"row 0 (image 'a1') sums to 1.36788, {NOT_LOG_PROBS}",
        lambda: replace(labels, log_probs=logits),
    )
    refuses(
        f"row 0 (image 'a1') sums to 3.44694, {NOT_LOG_PROBS}",  # e ** 0.8 + e ** 0.2
        lambda: replace(labels, log_probs=np.exp(labels.log_probs)),
    )


def test_the_wrong_row_is_named(labels):
    log_probs = labels.log_probs.copy()
    log_probs[1] += 0.1
    refuses(
        f"row 1 (image 'b1') sums to 1.10517, {NOT_LOG_PROBS}",
        lambda: replace(labels, log_probs=log_probs),
    )


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (1e5, "inf")])
def test_what_is_no_number_is_refused(labels, value, shown):
    log_probs = labels.log_probs.copy()
    log_probs[2, 0] = value
    refuses(
        f"row 2 (image 'a2') sums to {shown}, {NOT_LOG_PROBS}",
        lambda: replace(labels, log_probs=log_probs),
    )


@pytest.mark.parametrize(("excess", "kept"), [(0.9e-4, True), (-0.9e-4, True), (1.2e-4, False)])
def test_rows_sum_to_1_within_1e_4(labels, excess, kept):
    log_probs = labels.log_probs.astype(np.float64) + np.log1p(excess)
    if kept:
        replace(labels, log_probs=log_probs)
    else:
        with pytest.raises(ValueError, match=r"^row 0 \(image 'a1'\) sums to [\d.]+, not 1: "):
            replace(labels, log_probs=log_probs)


def test_a_probability_of_zero_is_a_probability(labels):
    certain = np.array([[0, -np.inf], [-np.inf, 0], [0, -np.inf]])
    assert replace(labels, log_probs=certain).log_probs is certain


def test_ids_must_be_unique(labels):
    image_id = np.array(["a1", "b1", "a1"])
    refuses("image_id 'a1' stands twice", lambda: replace(labels, image_id=image_id))
    refuses("class_id 'a' stands twice", lambda: replace(labels, class_id=np.array(["a", "a"])))


def test_shapes_must_fit(labels):
    refuses(
        "log_probs has shape (3, 2), its ids say (2, 2)",
        lambda: replace(labels, image_id=labels.image_id[:2]),
    )
    refuses(
        "log_probs has shape (6,), its ids say (3, 2)",
        lambda: replace(labels, log_probs=labels.log_probs.ravel()),
    )
    refuses("fold has 2 entries for 3 images", lambda: replace(labels, fold=np.zeros(2, np.int16)))


# Joined


def test_take_joins_by_id(labels):
    taken = labels.take(np.array(["a2", "a1"]))
    assert taken.image_id.tolist() == ["a2", "a1"] and taken.fold.tolist() == [1, 0]
    np.testing.assert_array_equal(taken.log_probs, labels.log_probs[[2, 0]])
    assert taken.meta == labels.meta and taken.class_id.tolist() == ["a", "b"]


def test_a_row_that_is_not_there_is_named(labels):
    message = "has no row for image 'b2' (2 are missing)"
    for kind in (list, np.array):
        refuses(message, labels.take, kind(["a1", "b2", "b3"]))


def test_truth_is_the_column_of_the_category(labels):
    mirrored = replace(labels, log_probs=labels.log_probs[:, ::-1], class_id=np.array(["b", "a"]))
    assert labels.truth(["a", "b", "a"]).tolist() == [0, 1, 0]
    assert mirrored.truth(np.array(["a", "b", "a"])).tolist() == [1, 0, 1]
    for kind in (list, np.array):
        refuses("has no column for category 'c'", labels.truth, kind(["a", "c", "d"]))


# Softened


def test_softening_by_hand():
    # STYLE.md, section 5: sqrt 0.8 : sqrt 0.2 = 2 : 1.
    softened = np.exp(soften(np.log([[0.8, 0.2], [0.2, 0.8]]), temperature=2))
    np.testing.assert_allclose(softened, [[2 / 3, 1 / 3], [1 / 3, 2 / 3]])
    # T = 1 / 2: 0.64 : 0.04.
    sharpened = np.exp(soften(np.log([[0.8, 0.2]]), temperature=0.5))
    np.testing.assert_allclose(sharpened, [[16 / 17, 1 / 17]])


some_logits = arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(2, 6)),
    elements=st.floats(-30, 30),
)


@settings(max_examples=60, deadline=None)
@given(some_logits, st.floats(0.05, 20))
def test_softening_keeps_the_order_and_the_sum(logits, temperature):
    log_probs = log_softmax(logits, axis=1)
    softened = soften(log_probs, temperature=temperature)
    np.testing.assert_allclose(np.exp(softened).sum(axis=1), 1)
    best = log_probs.max(axis=1, keepdims=True) == log_probs
    assert (softened[best] >= softened.max(axis=1).repeat(best.sum(axis=1)) - 1e-12).all()
    ranks = np.argsort(log_probs, axis=1, kind="stable")
    assert (np.diff(np.take_along_axis(softened, ranks, axis=1), axis=1) >= -1e-12).all()


@settings(max_examples=60, deadline=None)
@given(some_logits, st.floats(0.1, 10), st.floats(0.1, 10))
def test_softening_twice_is_softening_once(logits, first, second):
    log_probs = log_softmax(logits, axis=1)
    np.testing.assert_allclose(soften(log_probs, temperature=1), log_probs, atol=1e-12)
    twice = soften(soften(log_probs, temperature=first), temperature=second)
    np.testing.assert_allclose(twice, soften(log_probs, temperature=first * second), atol=1e-9)


def test_a_high_temperature_is_nearly_uniform():
    softened = soften(random_log_probs(4, 5), temperature=1e9)
    np.testing.assert_allclose(np.exp(softened), 0.2, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softening_keeps_the_dtype(dtype):
    assert soften(random_log_probs(2, 3).astype(dtype), temperature=2).dtype == dtype


@pytest.mark.parametrize("temperature", [0, -1, float("nan")])
def test_a_temperature_must_be_above_0(temperature):
    message = f"temperature is {temperature}, not above 0"
    refuses(message, soften, np.log([[0.8, 0.2]]), temperature=temperature)


def test_logits_are_not_softened():
    message = f"row 1 (image '1') sums to 1.36788, {NOT_LOG_PROBS}"
    refuses(message, soften, np.array([[0.0, -np.inf], [0, -1]]), temperature=2)


# Combined


def table_of(probs, image_id, *, classes="ab", subject="S1", calibrated=False, **meta):
    meta |= {"subject": subject, "roi": "V1", "decoder": "logistic", "calibrated": calibrated}
    return SoftLabels(
        log_probs=np.log(probs).astype(np.float32),
        image_id=np.array(image_id),
        class_id=np.array(list(classes)),
        fold=np.zeros(len(image_id), np.int16),
        meta=meta,
    )


def first_letter(image_ids):
    return np.array([image[0] for image in image_ids])


def three_tables(*, calibrated=True):
    """Three subjects, 4 classes of 6 images; the second saw one more, the third two fewer."""
    images = [f"{c}{n}" for c in "abcd" for n in range(6)]
    tables = []
    for number, own in enumerate((images, [*images, "d9"], images[2:])):
        probs = np.exp(random_log_probs(len(own), 4, seed=number))
        truth = np.array(["abcd".index(image[0]) for image in own])
        probs[np.arange(len(own)), truth] += 0.3
        probs /= probs.sum(axis=1, keepdims=True)
        subject = f"S{number + 1}"
        tables.append(table_of(probs, own, classes="abcd", subject=subject, calibrated=calibrated))
    return tables


def test_two_subjects_by_hand():
    # Priors among the shared images: a 2 / 5, b 3 / 5.
    # a1: 0.8 * 0.6 / 0.4 = 1.2 to 0.2 * 0.4 / 0.6 = 0.1333, so 0.9 to 0.1.
    # b1: 0.5 * 0.4 / 0.4 = 0.5 to 0.5 * 0.6 / 0.6 = 0.5: what one says is the prior of the other.
    images = ["a1", "a2", "b1", "b2", "b3"]
    one = [[0.8, 0.2], [0.5, 0.5], [0.5, 0.5], [0.1, 0.9], [0.4, 0.6]]
    two = [[0.6, 0.4], [0.5, 0.5], [0.4, 0.6], [0.4, 0.6], [0.4, 0.6]]
    both = combine(
        [table_of(one, images, subject="S1"), table_of(two, images, subject="S2")], first_letter
    )
    expected = [[0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [0.1, 0.9], [0.4, 0.6]]
    np.testing.assert_allclose(np.exp(both.log_probs), expected, rtol=1e-6)
    assert both.log_probs.dtype == np.float32
    assert both.image_id.tolist() == images and both.class_id.tolist() == ["a", "b"]
    nll = -np.log([0.9, 0.6, 0.5, 0.9, 0.6]).mean()
    assert both.meta == {
        "format": 1,
        "kind": "brain",
        "combined": ["S1_V1_logistic", "S2_V1_logistic"],
        "images_left_out": 0,
        "simulated": False,
        "calibrated": False,
        "temperatures": [],
        "temperatures_at_bound": 0,
        "nll_before": pytest.approx(nll, rel=1e-6),
        "nll": pytest.approx(nll, rel=1e-6),
    }


def test_one_table_is_only_sorted(labels):
    alone = combine([labels], first_letter)
    assert alone.image_id.tolist() == sorted(labels.image_id)
    assert alone.meta == labels.meta
    np.testing.assert_array_equal(alone.take(labels.image_id).log_probs, labels.log_probs)


def test_only_images_that_all_saw_are_combined():
    one, two, three = three_tables()
    result = combine([one, two, three], first_letter)
    shared = set(one.image_id) & set(two.image_id) & set(three.image_id)
    assert result.image_id.tolist() == sorted(shared)
    # 2 + 3 + 0 rows: a0 and a1 of the first two subjects, d9 of the second.
    assert result.meta["images_left_out"] == 5


def test_priors_are_those_of_the_images_that_all_saw():
    # The second table's priors alone would be 3 : 2.
    one = table_of([[0.8, 0.2]] * 4, ["a1", "a2", "b1", "b2"])
    two = table_of([[0.5, 0.5]] * 5, ["a1", "a2", "a3", "b1", "b2"])
    result = combine([one, two], first_letter)
    np.testing.assert_allclose(np.exp(result.log_probs), [[0.8, 0.2]] * 4, rtol=1e-6)


def test_three_subjects_divide_by_the_prior_twice():
    images = ["a1", "a2", "b1", "b2", "b3", "b4"]
    table = table_of([[0.5, 0.5]] * 6, images)
    result = combine([table] * 3, first_letter)
    # 1 / (1/3)^2 to 1 / (2/3)^2 = 4 to 1.
    np.testing.assert_allclose(np.exp(result.log_probs), [[0.8, 0.2]] * 6, rtol=1e-6)


def test_the_temperature_of_a_fold_is_fitted_on_the_other_folds():
    tables = three_tables()
    raw = combine(three_tables(calibrated=False), first_letter)
    result = combine(tables, first_letter)
    truth = result.truth(first_letter(result.image_id))
    assert sorted(set(result.fold.tolist())) == [0, 1, 2, 3]  # class a has 4 images left
    assert len(result.meta["temperatures"]) == 4 and len(set(result.meta["temperatures"])) == 4
    grid = np.geomspace(0.05, 20, 4001)
    log_probs = raw.log_probs.astype(np.float64)
    for fold, temperature in enumerate(result.meta["temperatures"]):
        rest = result.fold != fold
        losses = [mean_nll(log_softmax(log_probs[rest] / t, axis=1), truth[rest]) for t in grid]
        assert temperature == pytest.approx(grid[np.argmin(losses)], rel=0.003)
        expected = log_softmax(log_probs[~rest] / temperature, axis=1)
        np.testing.assert_allclose(result.log_probs[~rest], expected, atol=1e-5)


def test_the_nll_is_said_before_and_after_the_temperature():
    result = combine(three_tables(), first_letter)
    truth = result.truth(first_letter(result.image_id))
    rows = np.arange(len(truth))
    assert result.meta["nll"] == pytest.approx(-result.log_probs[rows, truth].mean(), rel=1e-5)
    raw = combine(three_tables(calibrated=False), first_letter)
    assert result.meta["nll_before"] == pytest.approx(-raw.log_probs[rows, truth].mean(), rel=1e-5)
    assert result.meta["nll_before"] == raw.meta["nll"]
    assert result.meta["nll"] != result.meta["nll_before"]


def test_tables_that_are_not_calibrated_get_no_temperature():
    result = combine(three_tables(calibrated=False), first_letter)
    assert result.meta["temperatures"] == [] and not result.meta["calibrated"]
    assert result.meta["nll"] == result.meta["nll_before"]


def test_temperatures_at_a_bound_are_counted():
    images = ["a1", "a2", "b1", "b2"]
    right = table_of([[0.9, 0.1]] * 2 + [[0.1, 0.9]] * 2, images, calibrated=True)
    result = combine([right, right], first_letter)
    assert result.meta["temperatures_at_bound"] == 2


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_rows_and_columns_does_not_matter(random, calibrated):
    tables = three_tables(calibrated=calibrated)
    mixed = []
    for table in tables:
        rows, columns = list(range(len(table.image_id))), list(range(4))
        random.shuffle(rows)
        random.shuffle(columns)
        mixed.append(
            SoftLabels(
                table.log_probs[rows][:, columns],
                table.image_id[rows],
                table.class_id[columns],
                table.fold[rows],
                table.meta,
            )
        )
    expected, found = combine(tables, first_letter), combine(mixed, first_letter)
    for name, array in expected.arrays().items():
        np.testing.assert_array_equal(found.arrays()[name], array)


@pytest.mark.parametrize("order", [[1, 0, 2], [2, 1, 0], [1, 2, 0]])
def test_the_order_of_tables_does_not_matter(order):
    tables = three_tables()
    expected, found = (
        combine(given, first_letter) for given in (tables, [tables[i] for i in order])
    )
    for name in ("image_id", "class_id", "fold"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    # Sums of three floats depend on their order in the last bit.
    np.testing.assert_allclose(found.log_probs, expected.log_probs, rtol=1e-5)
    assert found.meta["images_left_out"] == expected.meta["images_left_out"]


def test_simulated_once_is_simulated():
    images, probs = ["a1", "a2", "b1", "b2"], [[0.5, 0.5]] * 4
    real = table_of(probs, images, simulated=False)
    simulated = table_of(probs, images, subject="S2", simulated=True)
    assert combine([real, simulated], first_letter).meta["simulated"] is True
    assert combine([real, real], first_letter).meta["simulated"] is False


def test_tables_are_left_alone():
    tables = three_tables()
    before = [{name: array.copy() for name, array in t.arrays().items()} for t in tables]
    combine(tables, first_letter)
    for table, copies in zip(tables, before, strict=True):
        for name, array in table.arrays().items():
            np.testing.assert_array_equal(array, copies[name])


def votes_of(counts, images, *, prior=1.0, **meta):
    """One voter's table: choices of classes a, b and c."""
    counts = np.asarray(counts, dtype=float)
    probs = np.maximum(counts / counts.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    meta = {"kind": "people", "calibrated": False, "prior": prior} | meta
    table = table_of(probs, images, classes="abc", **meta)
    return replace(table, votes=counts.sum(axis=1))


def test_people_are_averaged_and_their_votes_added():
    images = ["a1", "b1"]
    voters = [votes_of([row, [0, 1, 0]], images, subject=f"P{k}")
              for k, row in enumerate(([1, 0, 0], [1, 0, 0], [0, 1, 0]))]  # fmt: skip
    both = combine(voters, first_letter)
    # As a product of experts, two of three would be as good as all.
    np.testing.assert_allclose(np.exp(both.log_probs), [[2 / 3, 1 / 3, 0], [0, 1, 0]], atol=1e-6)
    assert both.votes.tolist() == [3, 3] and both.kind == "people"
    # By hand: three votes and one of the prior, a third of it for each class.
    expected = np.array([[7, 4, 1], [1, 10, 1]]) / 12
    np.testing.assert_allclose(both.softened(1.0), expected, atol=1e-6)
    nll = -np.log([7 / 12, 10 / 12]).mean()
    assert both.meta == {
        "format": 1,
        "kind": "people",
        "combined": [f"P{k}_V1_logistic" for k in range(3)],
        "images_left_out": 0,
        "simulated": False,
        "calibrated": False,
        "prior": 1.0,
        "nll": pytest.approx(nll, rel=1e-6),
    }


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_softening_leaves_the_prior_its_share(temperature):
    table = votes_of([[8, 2, 0]], ["a1"], prior=2.0)
    # By hand: a prior of 2 in 12, a third of it for each class; 4^(1/T) to 1 the rest.
    odds = 4 ** (1 / temperature)
    expected = np.array([odds, 1, 0]) / (odds + 1) * 10 / 12 + 2 / 36
    np.testing.assert_allclose(table.softened(temperature), [expected], rtol=1e-6)


def test_nobodys_class_is_not_blown_up_by_softening():
    # 150 classes, ten votes: one in eleven is the prior's. A floor of 1e-6 had 13% at T = 2.
    counts = np.zeros((1, 150))
    counts[0, 0] = 10
    probs = np.maximum(counts / 10, np.finfo(np.float32).tiny)
    ids = np.array(["i"]), np.array([f"{k:03d}" for k in range(150)]), np.zeros(1)
    meta = {"kind": "people", "prior": 1.0}
    table = SoftLabels(np.log(probs).astype(np.float32), *ids, meta, np.array([10.0]))
    for temperature in (1.0, 2.0, 4.0):
        unnamed = table.softened(temperature)[0, 1:].sum()
        assert unnamed == pytest.approx(149 / 150 / 11, rel=1e-5)


def test_votes_follow_their_rows(tmp_path):
    table = votes_of([[1, 0, 0], [0, 2, 0], [0, 0, 3]], ["b", "c", "a"])
    assert table.sorted().votes.tolist() == [3, 1, 2]
    assert table.take(["c", "b"]).votes.tolist() == [2, 1]
    np.savez(tmp_path / "t.npz", **replace(table, meta=table.meta | {"format": 1}).arrays())
    again = read_soft_labels(tmp_path / "t.npz")
    assert again.votes.tolist() == [1, 2, 3] and again.kind == "people"


def test_a_kind_that_there_is_not_is_refused(labels):
    meta = labels.meta | {"kind": "dogs"}
    refuses("meta.kind is 'dogs', none of brain, people, words, model",
            lambda: replace(labels, meta=meta))  # fmt: skip


def test_old_tables_are_brains_unless_they_were_imported(labels, tmp_path):
    np.savez(tmp_path / "old.npz", **labels.arrays())
    assert read_soft_labels(tmp_path / "old.npz").kind == "brain"
    imported = replace(labels, meta=labels.meta | {"imported": {"file": "choices.csv"}})
    np.savez(tmp_path / "imported.npz", **imported.arrays())
    refuses(
        "was imported before tables said what is behind them: import it again, with --kind "
        "brain, people, words, model",
        read_soft_labels,
        tmp_path / "imported.npz",
    )


def test_kinds_and_priors_that_differ_are_not_combined():
    one = votes_of([[1, 0, 0]], ["a1"], subject="P1")
    refuses(
        "P2_V1_logistic and P1_V1_logistic have different priors: import them with the same "
        "--prior",
        combine,
        [one, votes_of([[1, 0, 0]], ["a1"], subject="P2", prior=2.0)],
        first_letter,
    )
    refuses(
        "P2_V1_logistic and P1_V1_logistic cannot be combined: behind them are words and people",
        combine,
        [one, votes_of([[1, 0, 0]], ["a1"], subject="P2", kind="words")],
        first_letter,
    )


def test_tables_that_do_not_fit_are_refused():
    images = ["a1", "a2", "b1", "b2"]
    probs = [[0.5, 0.5]] * 4
    one = table_of(probs, images, subject="S1")
    refuses(
        "S2_V1_logistic and S1_V1_logistic have different classes",
        combine,
        [one, table_of(probs, images, subject="S2", classes="ac")],
        first_letter,
    )
    refuses(
        "only one of S2_V1_logistic and S1_V1_logistic is calibrated",
        combine,
        [one, table_of(probs, images, subject="S2", calibrated=True)],
        first_letter,
    )
    refuses(
        "no image was seen by all of the subjects",
        combine,
        [one, table_of(probs, ["a3", "a4", "b3", "b4"], subject="S2")],
        first_letter,
    )
    refuses(
        "no image of class 'b' was seen by all",
        combine,
        [one, table_of(probs, ["a1", "a2", "b3", "b4"], subject="S2")],
        first_letter,
    )


def test_a_category_without_a_column_is_refused():
    images = ["a1", "a2", "b1", "b2", "z1"]
    table = table_of([[0.5, 0.5]] * 5, images)
    refuses("S1_V1_logistic has no column for category 'z'", combine, [table, table], first_letter)


# Kept in files


def test_a_file_survives_the_round_trip(labels, tmp_path):
    np.savez(tmp_path / "a.npz", **labels.arrays())
    again = read_soft_labels(tmp_path / "a.npz")
    assert again.meta == labels.meta
    for name in ("log_probs", "image_id", "class_id", "fold"):
        np.testing.assert_array_equal(getattr(again, name), getattr(labels, name))
        assert getattr(again, name).dtype == getattr(labels, name).dtype


@pytest.mark.parametrize("missing", ["log_probs", "image_id", "class_id", "fold", "meta"])
def test_a_missing_array_is_named(labels, tmp_path, missing):
    arrays = {name: array for name, array in labels.arrays().items() if name != missing}
    np.savez(tmp_path / "a.npz", **arrays)
    message = f"holds no array '{missing}': it is not a soft-label file"
    refuses(message, read_soft_labels, tmp_path / "a.npz")


@pytest.mark.parametrize("meta", [{"format": 2}, {}])
def test_another_format_is_refused(labels, tmp_path, meta):
    arrays = labels.arrays() | {"meta": np.array(json.dumps(meta))}
    np.savez(tmp_path / "a.npz", **arrays)
    message = f"has format {meta.get('format')}; this version reads 1"
    refuses(message, read_soft_labels, tmp_path / "a.npz")


def test_pickles_stay_shut(labels, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    arrays = labels.arrays() | {"image_id": np.array([Bomb()] * 3, dtype=object)}
    np.savez(tmp_path / "a.npz", **arrays)
    reason = "an array of object is not read; give real numbers or text"
    message = f"is broken, or not a soft-label file ({reason}); fetch it again"
    refuses(message, read_soft_labels, tmp_path / "a.npz")


def test_a_file_is_checked_like_any_soft_labels(labels, tmp_path):
    np.savez(tmp_path / "a.npz", **labels.arrays() | {"log_probs": np.zeros((3, 2))})
    message = f"row 0 (image 'a1') sums to 2, {NOT_LOG_PROBS}"
    refuses(message, read_soft_labels, tmp_path / "a.npz")


def test_a_truncated_file_is_one_line(labels, tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, **labels.arrays())
    path.write_bytes(path.read_bytes()[:-100])
    refuses(
        "is broken, or not a soft-label file (File is not a zip file); fetch it again",
        read_soft_labels,
        path,
    )
