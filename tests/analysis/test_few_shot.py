"""New categories by a few pictures, against scikit-learn's own classifiers."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from brain_teacher.analysis.few_shot import _pairs, few_shot


def features(spread=1.0, images=15, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    category = np.repeat([f"c{k}" for k in range(classes)], images)
    centres = rng.standard_normal((classes, 32))
    rows = spread * np.repeat(centres, images, axis=0) + rng.standard_normal((len(category), 32))
    return rows, category, np.array([f"i{n:03d}" for n in range(len(category))])


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # NearestCentroid, of one image
@pytest.mark.parametrize("shots", [1, 2, 5])
def test_both_ways_name_as_scikit_learns_do(shots):
    rows, category, ids = features(spread=0.6)
    found = few_shot(rows, category, ids, shots=shots, draws=20)
    number = np.unique(category, return_inverse=True)[1]
    right = {"mean": np.zeros(len(ids)), "probe": np.zeros(len(ids))}
    times = np.zeros(len(ids))
    for few, others in _pairs(number, shots, 20):
        assert np.bincount(number[few]).tolist() == [shots] * 4
        models = {
            "mean": NearestCentroid(),
            # The same objective: the sum of losses and half the squared weights, C = 1.
            "probe": LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000),
        }
        for name, model in models.items():
            named = model.fit(rows[few], category[few]).predict(rows[others])
            right[name][others] += named == category[others]
        times[others] += 1
    for name, counts in right.items():
        np.testing.assert_allclose(found[name], counts / times, atol=1e-12)
        assert 0.3 < found[name].mean() < 0.99


def test_order_does_not_matter():
    rows, category, ids = features()
    order = np.random.default_rng(2).permutation(len(ids))
    one = few_shot(rows, category, ids, shots=2)
    two = few_shot(rows[order], category[order], ids[order], shots=2)
    for name, values in one.items():
        assert np.array_equal(values, two[name])


def test_features_without_a_category_in_them_are_at_chance():
    rows, category, ids = features(spread=0, images=60)
    for values in few_shot(rows, category, ids, shots=5).values():
        assert values.mean() == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize(
    ("classes", "images", "words"),
    [(1, 9, "there is one category"), (3, 5, "category 'c0' has 5 images; 5 of them teach")],
)
def test_what_cannot_be_told_apart_is_refused(classes, images, words):
    with pytest.raises(ValueError, match=words):
        few_shot(*features(classes=classes, images=images), shots=5)
