"""Between-subject reliability of image-specific soft labels, on tables of known truth."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from brain_teacher import decode_logistic, plan_for
from brain_teacher.analysis.reliability import between_subjects
from brain_teacher.dataset.trials import Voxels
from brain_teacher.decoding.out_of_fold import training_trials
from brain_teacher.decoding.soft_labels import SoftLabels


def make_tables(shared, *, subjects=3, classes=6, each=20, seed=0, sure=0.0, folds=1):
    """Subjects of whose image-specific part `shared` is the share of variance that all have.

    All rows of a fold are shifted alike, in every subject.
    """
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(classes), each)
    n = len(truth)
    image_id = np.array([f"i{number:03d}" for number in range(n)])
    class_id = np.array([f"c{number}" for number in range(classes)])
    common = rng.standard_normal((n, classes))
    fold = np.random.default_rng(seed).integers(folds, size=n)
    shift = 0.1 * np.random.default_rng(seed).standard_normal((folds, classes))[fold] * (folds > 1)
    tables = []
    for _ in range(subjects):
        own = rng.standard_normal((n, classes))
        # Small, so that probabilities are nearly linear in what is drawn.
        part = 0.05 * (np.sqrt(shared) * common + np.sqrt(1 - shared) * own)
        log_probs = log_softmax(shift + part + sure * np.eye(classes)[truth], axis=1)
        tables.append(SoftLabels(log_probs, image_id, class_id, fold))
    return tables, lambda ids: class_id[truth[[int(i[1:]) for i in ids]]]


def measure(tables, categories_of, seed=1, **more):
    return between_subjects(tables, categories_of, rng=np.random.default_rng(seed), **more)


@pytest.mark.parametrize(("sure", "folds"), [(0.0, 1), (1.0, 1), (0.0, 5)])
@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
def test_the_known_reliability_is_found(shared, sure, folds):
    found = measure(*make_tables(shared, each=60, sure=sure, folds=folds))
    assert found.mean == pytest.approx(shared, abs=0.04)
    assert found.low - 0.01 <= shared <= found.high + 0.01
    assert (found.p <= 0.001) == (shared > 0)
    assert (found.subjects, found.images) == (3, 360)


def test_it_is_the_mean_of_numpys_correlations():
    tables, categories_of = make_tables(0.3, folds=4)
    category, fold = categories_of(tables[0].image_id), tables[0].fold
    # Without the intercept both sets of columns span one direction too many: least squares of norm.
    columns = np.column_stack([category[:, None] == np.unique(category), fold[:, None] == range(4)])
    probs = [np.exp(table.log_probs) for table in tables]
    parts = [(p - columns @ np.linalg.lstsq(1.0 * columns, p)[0]).ravel() for p in probs]
    by_hand = np.mean([np.corrcoef(a, b)[0, 1] for a, b in combinations(parts, 2)])
    assert measure(tables, categories_of).mean == pytest.approx(by_hand, abs=1e-12)


def test_what_is_of_the_class_alone_counts_for_nothing():
    tables, categories_of = make_tables(0.0, sure=3.0, subjects=2)
    raw = np.corrcoef(*(np.exp(table.log_probs).ravel() for table in tables))[0, 1]
    assert raw > 0.98 and abs(measure(tables, categories_of).mean) < 0.15


def test_rows_and_columns_are_joined_by_id():
    tables, categories_of = make_tables(0.5)
    rng = np.random.default_rng(4)
    shuffled = [
        table._part(rng.permutation(len(table.image_id)), rng.permutation(len(table.class_id)))
        for table in tables
    ]
    assert measure(shuffled, categories_of) == measure(tables, categories_of)


def test_images_that_not_all_saw_are_left_out():
    tables, categories_of = make_tables(0.5)
    fewer = [tables[0].take(tables[0].image_id[5:]), *tables[1:]]
    cut = [table.take(table.image_id[5:]) for table in tables]
    assert measure(fewer, categories_of) == measure(cut, categories_of)


def test_rows_exchanged_within_the_class_are_at_chance():
    tables, categories_of = make_tables(0.8, subjects=2)
    category = categories_of(tables[1].image_id)
    rng, source = np.random.default_rng(2), np.arange(len(category))
    for name in np.unique(category):
        source[category == name] = rng.permutation(source[category == name])
    first, second = tables
    moved = SoftLabels(second.log_probs[source], second.image_id, second.class_id, second.fold)
    found = measure([first, moved], categories_of)
    assert abs(found.mean) < 0.15 and found.p > 0.01


def test_p_is_even_where_there_is_nothing():
    tables = [make_tables(0.0, each=4, classes=4, seed=seed, folds=4) for seed in range(100)]
    p = np.array([measure(*each, permutations=39).p for each in tables])
    # Of 100 at 5%, binomial: more than 13 in 0.1%; the mean of 100 even ones has an SD of 0.029.
    assert (p <= 0.05).sum() <= 13 and 0.41 < p.mean() < 0.59


def test_the_jackknife_is_what_leaving_each_image_out_gives():
    tables, categories_of = make_tables(0.5, each=3, classes=4, folds=3)
    found, images = measure(tables, categories_of, permutations=1), tables[0].image_id
    r = {
        i: measure([t.take(images[images != i]) for t in tables], categories_of).mean
        for i in images
    }
    by_class = [np.array([r[i] for i in images[k : k + 3]]) for k in range(0, 12, 3)]
    squares = sum(((each - each.mean()) ** 2).sum() for each in by_class)
    assert found.high - found.mean == pytest.approx(1.96 * np.sqrt(squares), rel=1e-6)


def test_the_interval_covers():
    covered = 0
    for seed in range(200):
        found = measure(*make_tables(0.5, each=8, classes=8, seed=seed), permutations=1)
        covered += found.low <= 0.5 <= found.high
    assert 178 <= covered < 200  # 95% of 200, binomial: outside in 0.1%


def test_a_subject_who_knows_classes_alone_agrees_with_nobody():
    tables, categories_of = make_tables(1.0, subjects=2)
    flat = np.full_like(tables[1].log_probs, -np.log(6))
    tables[1] = SoftLabels(flat, tables[1].image_id, tables[1].class_id, tables[1].fold)
    found = measure(tables, categories_of)
    assert (found.mean, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_noise_that_was_decoded_over_the_same_folds_agrees_with_nobody():
    # A run shows one category far more often than the others, so that what is left out of a fold
    # shifts the priors of both subjects alike: 0.78 where the mean of the fold stays in.
    number = np.repeat(np.arange(4), 12)
    category, image_id = np.char.add("c", number.astype(str)), np.arange(48).astype("U2")
    found = []
    for draw in range(40):
        odds = 0.1 + 0.6 * np.eye(4)
        rng = np.random.default_rng(draw)
        run = np.concatenate([[*range(4), *rng.choice(4, 8, p=row)] for row in odds])
        tables = []
        for _ in range(2):
            data = rng.standard_normal((48, 40)).astype(np.float32)
            noise = training_trials(Voxels(data, image_id, category, run.astype(np.int32)))
            how = {"normalise": "fold", "select": "f-score", "n_voxels": 40, "calibrate": True}
            tables.append(decode_logistic(noise, plan_for(noise, by="run"), C=[0.01], **how))
        found.append(measure(tables, lambda ids: category[ids.astype(int)], permutations=99))
    r, p = (np.array([getattr(each, key) for each in found]) for key in ("mean", "p"))
    assert abs(r.mean()) < 3 * r.std(ddof=1) / len(r) ** 0.5
    # Of 40 at 5%, binomial: more than 7 in 0.3%; the mean of 40 even ones has an SD of 0.046.
    assert (p <= 0.05).sum() <= 7 and 0.36 < p.mean() < 0.64


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_the_folds_it_is_a_correlation_or_a_reason(data):
    images = data.draw(st.integers(4, 12))
    draw = st.lists(st.integers(0, 3), min_size=images, max_size=images)
    category, *folds = (np.array(data.draw(draw)) for _ in range(3))
    tables = make_tables(0.5, classes=4, each=3, subjects=2)[0]
    ids = tables[0].image_id[:images]
    tables = [replace(t.take(ids), fold=f) for t, f in zip(tables, folds, strict=True)]
    try:
        found = measure(tables, lambda names: category[[int(i[1:]) for i in names]], permutations=9)
    except ValueError as reason:
        assert str(reason).startswith(("no two images that all", "the folds are of single images"))
        return
    assert -1 - 1e-9 <= found.mean <= 1 + 1e-9 and 0 < found.p <= 1
    assert np.isfinite([found.low, found.high]).all() and found.low <= found.high


def test_what_cannot_be_measured_is_said():
    tables, categories_of = make_tables(0.5)
    single = [replace(table, fold=np.arange(120)) for table in tables]
    message = "the folds are of single images, so that nothing is left of these"
    with pytest.raises(ValueError, match=f"^{message}$"):
        measure(single, categories_of)
    with pytest.raises(ValueError, match="^there is no second subject$"):
        measure(tables[:1], categories_of)
    alone = [table.take(table.image_id[::20]) for table in tables]
    with pytest.raises(ValueError, match="^no two images that all subjects saw are of one class$"):
        measure(alone, categories_of)
    apart = [tables[0].take(tables[0].image_id[:60]), tables[1].take(tables[1].image_id[60:])]
    with pytest.raises(ValueError, match="^no two images that all subjects saw are of one class$"):
        measure(apart, categories_of)
    other = SoftLabels(
        tables[0].log_probs, tables[0].image_id, np.array(list("abcdef")), tables[0].fold
    )
    with pytest.raises(ValueError, match="^the subjects' soft labels have different classes$"):
        measure([other, tables[1]], categories_of)
