"""Quality: values by hand and from scikit-learn and SciPy, laws, chance levels, intervals."""

import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from scipy.stats import binomtest, entropy, spearmanr, ttest_1samp
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss, top_k_accuracy_score

from brain_teacher.decoding.quality import class_similarity, exact_interval, quality, reliability
from brain_teacher.decoding.soft_labels import SoftLabels

MEASURES = ("top1", "top5", "pairwise", "nll", "bits", "ece", "superclass_rho")


def make_labels(*, classes=8, images=6, signal=1.0, superclass=0.0, seed=0, kind=2):
    """Soft labels of noise with a bump on the right class and on those of its superclass."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(classes), images)
    group = np.arange(classes) // kind
    means = signal * np.eye(classes) + superclass * (group[:, None] == group)
    logits = means[truth] + rng.standard_normal((len(truth), classes))
    names = np.array([f"c{number:03d}" for number in range(classes)])
    labels = SoftLabels(
        log_probs=log_softmax(logits, axis=1).astype(np.float32),
        image_id=np.array([f"i{number:04d}" for number in range(len(truth))]),
        class_id=names,
        fold=np.zeros(len(truth), np.int16),
    )
    return labels, names[truth], {name: f"s{g}" for name, g in zip(names, group, strict=True)}


def shuffled(labels, category, rng):
    """The same table with rows and columns in another order."""
    rows, columns = rng.permutation(len(labels.image_id)), rng.permutation(len(labels.class_id))
    table = SoftLabels(
        labels.log_probs[np.ix_(rows, columns)],
        labels.image_id[rows],
        labels.class_id[columns],
        labels.fold[rows],
    )
    return table, category[rows]


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        # ../shared/data/README.md: Haxby slice, Miyawaki's images and letters, Cichy's EVC.
        (81, 96, 0.755, 0.910),
        (85, 119, 0.624, 0.793),
        (65, 79, 0.721, 0.900),
        (19, 92, 0.129, 0.304),
        # By hand: none of n has the upper end 1 - (0.05 / 2) ** (1 / n).
        (0, 10, 0.0, 0.308),
        (10, 10, 0.692, 1.0),
    ],
)
def test_known_intervals(hits, n, low, high):
    assert exact_interval(hits, n) == pytest.approx((low, high), abs=0.0005)


@pytest.mark.parametrize("hits", [0, 1, 30, 99, 100])
def test_the_interval_is_scipys(hits):
    expected = binomtest(hits, 100).proportion_ci(0.95, method="exact")
    assert exact_interval(hits, 100) == pytest.approx(tuple(expected), abs=1e-9)


def test_quality_by_hand():
    probs = np.array([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]])
    labels = SoftLabels(
        log_probs=np.log(probs).astype(np.float32),
        image_id=np.array(["p", "q", "r", "s"]),
        class_id=np.array(["z", "x", "y"]),  # not sorted: columns have names
        fold=np.zeros(4, np.int16),
    )
    found = quality(labels, np.array(["z", "x", "y", "z"]))
    measures = ("balanced", "pairwise", "nll", "bits")
    spread = [f"{m}{end}" for m in measures for end in ("", "_low", "_high")]
    ece = ["ece", "ece_low", "ece_high", "ece_chance", "ece_p"]
    chances = ["chance", *(f"{measure}_chance" for measure in measures)]
    top1 = ["top1", "top1_low", "top1_high", "agreement", "top1_p"]
    assert set(found) == {"images", *top1, *spread, *ece, *chances}
    assert found["top1"] == 0.5 and found["images"] == 4
    # Who always says z is right of p and s.
    assert found["chance"] == 0.5
    # Guesses z, z, y, y of images z, x, y, z: (2 * 2 + 2 * 1) / 16 would be right by chance.
    assert found["agreement"] == 0.375
    assert found["top1_p"] == pytest.approx(1 - 0.625**4 - 4 * 0.375 * 0.625**3)
    # z: one of two; x: none; y: all.
    assert found["balanced"] == pytest.approx(0.5)
    assert found["balanced_chance"] == pytest.approx(1 / 3)
    interval = ttest_1samp([0.5, 0, 1], 0).confidence_interval(0.95)
    ends = max(0, interval.low), min(1, interval.high)
    assert (found["balanced_low"], found["balanced_high"]) == pytest.approx(ends)
    # R: binom.test(2, 4)$conf.int, 0.0676 to 0.9324.
    assert (found["top1_low"], found["top1_high"]) == pytest.approx((0.0676, 0.9324), abs=1e-4)
    expected = -np.log([0.7, 0.25, 0.8, 0.3]).mean()
    assert found["nll"] == pytest.approx(expected, rel=1e-6)
    # p: both others below; q: a tie and one above; r: both below; s: a tie and one above.
    assert found["pairwise"] == pytest.approx((1 + 0.25 + 1 + 0.25) / 4)
    # By the prior: of z both others are below, of x and y there is a tie and one above.
    assert found["pairwise_chance"] == (1 + 0.25 + 0.25 + 1) / 4
    # z has half of the images: the prior is 1/2, 1/4, 1/4, which is 1.5 bits.
    assert found["nll_chance"] == pytest.approx(1.5 * np.log(2))
    assert found["bits"] == pytest.approx(1.5 - expected / np.log(2), rel=1e-6)
    assert found["bits_chance"] == 0
    # Four bins of one image each: 0.7 right, 0.5 wrong, 0.8 right, 0.4 wrong.
    assert found["ece"] == pytest.approx((0.3 + 0.5 + 0.2 + 0.4) / 4)
    assert all(type(value) in (int, float) for value in found.values())  # JSON takes these


def test_against_scikit_learn():
    labels, category, superclass = make_labels()
    found = quality(labels, category, superclass=superclass)
    probs, names = np.exp(labels.log_probs.astype(float)), labels.class_id
    for k in (1, 5):
        expected = top_k_accuracy_score(category, probs, k=k, labels=names)
        hits = round(expected * len(category))
        assert found[f"top{k}"] == pytest.approx(expected)
        ends = found[f"top{k}_low"], found[f"top{k}_high"]
        assert ends == exact_interval(hits, len(category))
    probs /= probs.sum(axis=1, keepdims=True)
    assert found["nll"] == pytest.approx(log_loss(category, probs, labels=names), rel=1e-5)
    assert found["top5_chance"] == 5 / 8
    assert found["nll_chance"] == pytest.approx(entropy(np.full(8, 1 / 8)))
    similar = class_similarity(labels, category)
    pairs = np.triu_indices(8, 1)
    group = np.array([superclass[name] for name in names])
    same = group[pairs[0]] == group[pairs[1]]
    expected = spearmanr(similar[pairs], same).statistic
    assert found["superclass_rho"] == pytest.approx(expected)


def test_intervals_of_means_are_t_intervals_over_classes():
    # With equally many images in each class; SciPy's t-test gives the interval.
    labels, category, _ = make_labels(classes=10)
    found = quality(labels, category)
    own = labels.log_probs.astype(float)[np.arange(60), labels.truth(category)]
    interval = ttest_1samp(-own.reshape(10, 6).mean(axis=1), 0).confidence_interval(0.95)
    assert (found["nll_low"], found["nll_high"]) == pytest.approx(interval)
    below = (labels.log_probs < labels.log_probs.max(axis=1, where=own[:, None] ==
             labels.log_probs, initial=-np.inf, keepdims=True)).sum(axis=1) / 9  # fmt: skip
    interval = ttest_1samp(below.reshape(10, 6).mean(axis=1), 0).confidence_interval(0.95)
    assert (found["pairwise_low"], found["pairwise_high"]) == pytest.approx(interval)
    # 1 bit is ln 2 nats, and the prior is the same for every image.
    assert found["bits_high"] == pytest.approx((np.log(10) - found["nll_low"]) / np.log(2))


def test_five_classes_have_no_top5():
    labels, category, _ = make_labels(classes=5)
    assert "top5" not in quality(labels, category)


def test_a_uniform_table_is_at_chance_everywhere():
    labels, category, superclass = make_labels(classes=8, images=4)
    uniform = SoftLabels(
        np.full((32, 8), -np.log(8), np.float32), labels.image_id, labels.class_id, labels.fold
    )
    found = quality(uniform, category, superclass=superclass)
    assert found["top1"] == found["chance"] == 1 / 8
    assert found["top5"] == found["top5_chance"]
    assert found["pairwise"] == 0.5
    assert found["nll"] == pytest.approx(found["nll_chance"])
    assert found["bits"] == pytest.approx(0, abs=1e-6)
    assert found["ece"] == pytest.approx(0, abs=1e-7)
    # Every pair of classes is equally similar: there is no rank correlation.
    assert "superclass_rho" not in found


@settings(max_examples=25, deadline=None)
@given(
    classes=st.integers(2, 9),
    images=st.integers(1, 4),
    signal=st.floats(0, 4),
    seed=st.integers(0, 2**31),
)
def test_laws(classes, images, signal, seed):
    labels, category, superclass = make_labels(
        classes=classes, images=images, signal=signal, seed=seed
    )
    found = quality(labels, category, superclass=superclass)
    json.dumps(found, allow_nan=False)
    for measure in MEASURES:
        if f"{measure}_low" in found:
            low, high = found[f"{measure}_low"], found[f"{measure}_high"]
            assert low <= found[measure] + 1e-12 and found[measure] <= high + 1e-12, measure
    assert found["top1"] <= found.get("top5", 1)
    assert found["bits"] == pytest.approx(
        (found["nll_chance"] - found["nll"]) / np.log(2), abs=1e-9
    )
    # Shuffled rows and columns: the same bits, not only nearly the same.
    other = quality(*shuffled(labels, category, np.random.default_rng(seed)), superclass=superclass)
    assert other == found
    # The ECE is what the reliability curve lies off the diagonal.
    rows = reliability(labels, category)
    assert sum(row["images"] for row in rows) == len(category)
    gap = sum(row["images"] * abs(row["accuracy"] - row["confidence"]) for row in rows)
    assert found["ece"] == pytest.approx(gap / len(category))


def test_similarity_follows_the_names_of_shuffled_columns():
    labels, category, _ = make_labels(superclass=1.0)
    other, shuffled_category = shuffled(labels, category, np.random.default_rng(1))
    place = np.argsort(other.class_id)
    assert np.array_equal(
        class_similarity(other, shuffled_category)[np.ix_(place, place)],
        class_similarity(labels, category),
        equal_nan=True,
    )


def test_meta_changes_nothing_and_another_seed_only_what_is_drawn():
    labels, category, superclass = make_labels(superclass=0.5)
    found = quality(labels, category, superclass=superclass)
    renamed = SoftLabels(
        labels.log_probs, labels.image_id, labels.class_id, labels.fold, {"subject": "X"}
    )
    assert quality(renamed, category, superclass=superclass) == found
    other = quality(labels, category, superclass=superclass, seed=1)
    drawn = {f"{name}_{end}" for name in ("ece", "superclass_rho") for end in ("low", "high", "p")}
    assert {name for name in found if found[name] != other[name]} <= drawn | {"ece_chance"}
    assert other["ece_chance"] != found["ece_chance"]


def test_reliability_against_scikit_learn():
    labels, category, _ = make_labels(classes=8, images=40, signal=2)
    probs = np.exp(labels.log_probs.astype(float))
    hit = probs.argmax(axis=1) == labels.truth(category)
    accuracy, confidence = calibration_curve(hit, probs.max(axis=1), n_bins=10)
    rows = reliability(labels, category)
    assert [row["accuracy"] for row in rows] == pytest.approx(accuracy)
    assert [row["confidence"] for row in rows] == pytest.approx(confidence)
    for row in rows:
        hits = round(row["accuracy"] * row["images"])
        assert (row["low"], row["high"]) == exact_interval(hits, row["images"])
        assert all(type(value) in (int, float) for value in row.values())
    assert len(reliability(labels, category, bins=1)) == 1


def test_bins_by_hand():
    # 12 classes: 0.09 and 0.15 are in the first and in the second tenth.
    probs = np.full((3, 12), [[0.91 / 11], [0.85 / 11], [0.81 / 11]])
    probs[np.arange(3), [0, 1, 2]] = 0.09, 0.15, 0.19
    ids = np.array([f"c{number:02d}" for number in range(12)])
    labels = SoftLabels(np.log(probs), np.array(["p", "q", "r"]), ids, np.zeros(3))
    first, second = reliability(labels, ["c00", "c01", "c05"])
    assert (first["accuracy"], first["images"]) == (1, 1)
    assert (second["accuracy"], second["images"]) == (0.5, 2)
    assert second["confidence"] == pytest.approx(0.17)


def test_similarity_by_hand():
    log_probs = np.log([[0.6, 0.3, 0.1], [0.25, 0.5, 0.25], [0.2, 0.2, 0.6], [0.4, 0.4, 0.2]])
    labels = SoftLabels(
        log_probs, np.array(["p", "q", "r", "s"]), np.array(["x", "y", "z"]), np.zeros(4)
    )
    found = class_similarity(labels, ["x", "y", "z", "z"])
    # x's images: y over the mean of y and z is half of ln 3. y's: x and z are equal. z's two: too.
    half = np.log(3) / 2 / 2
    expected = [[np.nan, half, -half], [half, np.nan, 0], [-half, 0, np.nan]]
    assert found == pytest.approx(np.array(expected), nan_ok=True, abs=1e-12)
    without_z = class_similarity(labels.take(["p", "q"]), ["x", "y"])
    assert np.isnan(without_z[2]).all() and np.isnan(without_z[:, 2]).all()
    assert without_z[0, 1] == pytest.approx(half)


def test_similarity_does_not_say_how_good_the_decoder_is():
    labels, category, _ = make_labels(superclass=0.5)
    logits = labels.log_probs.astype(float)
    logits[np.arange(48), labels.truth(category)] += 2
    better = SoftLabels(log_softmax(logits, 1), labels.image_id, labels.class_id, labels.fold)
    assert class_similarity(better, category) == pytest.approx(
        class_similarity(labels, category), nan_ok=True
    )


@pytest.mark.parametrize(
    "superclass",
    [
        None,
        {},
        {f"c{n:03d}": "s" for n in range(7)},  # one class lacks
        {f"c{n:03d}": "s" for n in range(8)},  # one superclass
        {f"c{n:03d}": f"s{n}" for n in range(8)},  # none has two classes
    ],
)
def test_superclasses_that_say_nothing_are_left_out(superclass):
    labels, category, _ = make_labels()
    found = quality(labels, category, superclass=superclass)
    assert not [name for name in found if name.startswith("superclass")]


def test_superclasses_are_found_where_they_are():
    labels, category, superclass = make_labels(classes=16, kind=4, superclass=0.7)
    # Names of classes that this table has not: no harm.
    found = quality(labels, category, superclass=superclass | {"n9": "ring"})
    assert found["superclass_rho"] > 0.5 and found["superclass_rho_low"] > 0
    assert found["superclass_rho_p"] == 1 / 1000
    assert found["superclass_rho_chance"] == 0


def test_what_cannot_be_had_is_absent():
    labels, category, superclass = make_labels(classes=8, images=1)
    found = quality(labels, category, superclass=superclass)
    # One image a class says nothing about other images of it.
    assert "superclass_rho" in found and "superclass_rho_low" not in found
    one_class = labels.take(labels.image_id[:1])
    found = quality(one_class, category[:1], superclass=superclass)
    assert "nll" in found and "nll_low" not in found and "superclass_rho" not in found
    assert found["bits_chance"] == found["nll_chance"] == 0
    sure = SoftLabels(
        np.array([[0, -np.inf], [0, -np.inf]]), np.array(["p", "q"]), np.array(["x", "y"]),
        np.zeros(2),
    )  # fmt: skip
    found = quality(sure, ["x", "y"], superclass={"x": "s", "y": "t"})
    assert found["top1"] == 0.5 and "nll" not in found and "bits" not in found
    single = SoftLabels(np.zeros((2, 1)), np.array(["p", "q"]), np.array(["x"]), np.zeros(2))
    found = quality(single, ["x", "x"])
    assert found["top1"] == found["chance"] == 1 and "pairwise" not in found
    assert np.isnan(class_similarity(single, ["x", "x"])).all()


def test_a_category_without_a_column_is_named():
    labels = SoftLabels(np.log([[0.5, 0.5]]), np.array(["p"]), np.array(["x", "y"]), np.zeros(1))
    with pytest.raises(ValueError, match="^has no column for category 'z'$"):
        quality(labels, np.array(["z"]))


def test_a_category_is_needed_for_each_image():
    labels, category, _ = make_labels()
    with pytest.raises(ValueError, match="^category has 47 entries for 48 images$"):
        quality(labels, category[:-1])


def calibrated(seed, sharpness, labels):
    """The table with labels drawn from its own probabilities, made `sharpness` times as sure."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal(labels.log_probs.shape)
    probs = np.exp(log_softmax(logits, axis=1))
    drawn = (probs.cumsum(axis=1) < rng.random((len(probs), 1))).sum(axis=1)
    table = SoftLabels(
        log_softmax(sharpness * logits, axis=1), labels.image_id, labels.class_id, labels.fold
    )
    return table, labels.class_id[np.minimum(drawn, probs.shape[1] - 1)]


def test_a_calibrated_decoder_has_the_ece_of_chance():
    labels, _, _ = make_labels(images=16)
    draws = [quality(*calibrated(seed, 1.0, labels)) for seed in range(100)]
    ece, chance, p = (np.array([d[name] for d in draws]) for name in ("ece", "ece_chance", "ece_p"))
    # The standard error of the mean difference is 0.0023 here.
    assert (ece - chance).mean() == pytest.approx(0, abs=0.009)
    # Uniform p: the share below 0.1 has an SD of 0.03, the mean one of 0.029.
    assert np.mean(p <= 0.1) <= 0.2 and p.mean() == pytest.approx(0.5, abs=0.1)
    sure = [quality(*calibrated(seed, 3.0, labels)) for seed in range(10)]
    assert all(d["ece_p"] == 1 / 501 and d["ece_low"] > d["ece_chance"] for d in sure)


def test_noise_has_no_superclasses_and_its_intervals_cover():
    draws = []
    for seed in range(200):
        labels, category, superclass = make_labels(signal=0, images=4, kind=4, seed=seed)
        draws.append(quality(labels, category, superclass=superclass))
    column = {name: np.array([d[name] for d in draws]) for name in draws[0]}
    p = column["superclass_rho_p"]
    # Few ways to exchange 8 names: p is a multiple of about 1/35, uniform from there.
    assert p.mean() == pytest.approx(0.5, abs=0.08) and np.mean(p <= 0.1) <= 0.17
    # 200 intervals of 95%: SD 1.5%. Here chance is the truth.
    for name in ("top1", "top5", "pairwise", "superclass_rho"):
        chance = column["chance" if name == "top1" else f"{name}_chance"]
        covered = np.mean((column[f"{name}_low"] <= chance) & (chance <= column[f"{name}_high"]))
        assert covered >= 0.90, name
        assert column[name].mean() == pytest.approx(chance[0], abs=0.02)


def test_intervals_of_a_wrongly_calibrated_decoder_cover():
    # 128 images, as the sample has; at 32 the bootstrap of the ECE covers 87% here.
    draws = [quality(*make_labels(signal=0, images=16, seed=seed)[:2]) for seed in range(200)]
    column = {name: np.array([d[name] for d in draws]) for name in draws[0]}
    for name in ("nll", "bits", "ece"):
        truth = column[name].mean()
        covered = np.mean((column[f"{name}_low"] <= truth) & (truth <= column[f"{name}_high"]))
        assert covered >= 0.90, name
    assert np.mean(column["ece_p"] <= 0.05) > 0.95


@pytest.mark.alone
def test_it_is_quick():
    labels, category, superclass = make_labels(classes=16, images=8, kind=4)
    times = []
    for _ in range(5):
        start = time.process_time()
        quality(labels, category, superclass=superclass)
        times.append(time.process_time() - start)
    # 50 cells are to take no more than a second; 10 ms measured.
    assert min(times) < 0.1
