"""Quality: intervals against published and known ones, and what the dictionary holds."""

import numpy as np
import pytest
from scipy.stats import beta

from brain_teacher.decoding.quality import exact_interval, quality
from brain_teacher.decoding.soft_labels import SoftLabels


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


def test_the_interval_is_that_of_the_beta_distribution():
    # Clopper & Pearson by way of the beta distribution.
    expected = beta.ppf(0.025, 30, 71), beta.ppf(0.975, 31, 70)
    assert exact_interval(30, 100) == pytest.approx(expected)


def test_quality_by_hand():
    probs = np.array([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]])
    labels = SoftLabels(
        log_probs=np.log(probs).astype(np.float32),
        image_id=np.array(["p", "q", "r", "s"]),
        class_id=np.array(["z", "x", "y"]),  # not sorted: columns have names
        fold=np.zeros(4, np.int16),
    )
    found = quality(labels, np.array(["z", "x", "y", "z"]))
    assert list(found) == ["top1", "top1_low", "top1_high", "chance", "nll", "images"]
    assert found["top1"] == 0.5 and found["images"] == 4
    assert found["chance"] == pytest.approx(1 / 3)
    # R: binom.test(2, 4)$conf.int, 0.0676 to 0.9324.
    assert (found["top1_low"], found["top1_high"]) == pytest.approx((0.0676, 0.9324), abs=1e-4)
    expected = -np.log([0.7, 0.25, 0.8, 0.3]).mean()
    assert found["nll"] == pytest.approx(expected, rel=1e-6)
    assert all(type(value) in (int, float) for value in found.values())  # JSON takes these


def test_a_category_without_a_column_is_named():
    labels = SoftLabels(np.log([[0.5, 0.5]]), np.array(["p"]), np.array(["x", "y"]), np.zeros(1))
    with pytest.raises(ValueError, match="^has no column for category 'z'$"):
        quality(labels, np.array(["z"]))
