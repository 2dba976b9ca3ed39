"""What is reported of methods that do not differ: by hand, and where the answer is known."""

import numpy as np
import pytest
from scipy import stats

from identical_methods import (
    best_cells,
    best_epoch_accuracy,
    differences,
    identical_methods_table,
    share_at_least,
)

NORMAL = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)


def rng():
    return np.random.default_rng(3)


def test_the_best_epoch_is_chosen_by_what_is_reported():
    right = np.zeros((2, 3, 4), dtype=bool)
    right[0, 1, :3] = right[0, 2, :1] = right[1, 0, :2] = True
    assert best_epoch_accuracy(right).tolist() == [0.75, 0.5]


@pytest.mark.parametrize("seeds", [1, 8])
def test_a_difference_of_means_shrinks_with_the_root_of_the_seeds(seeds):
    found = differences(NORMAL, seeds=seeds, draws=4000, rng=rng())
    assert found.mean() == pytest.approx(0, abs=0.08)
    assert found.std() == pytest.approx(np.sqrt(2 / seeds), rel=0.04)


def test_methods_share_no_student():
    found = differences(np.array([0.0, 1.0, 10.0, 11.0]), seeds=2, draws=200, rng=rng())
    assert set(found) == {-10.0, -1.0, 0.0, 1.0, 10.0}


def test_three_of_150_images_are_two_points():
    assert share_at_least(np.array([103 / 150 - 100 / 150, 2 / 150, -0.5, 0.5])) == 0.5


def test_the_best_of_many_cells_is_that_of_normal_order_statistics():
    found = best_cells(NORMAL, cells=28, draws=4000, rng=rng())
    # The mean of the largest of 28 standard normals is 2.01 (Harter 1961), of the baseline 0.
    assert found.mean() == pytest.approx(2.01, abs=0.06)
    assert found.std() == pytest.approx(np.hypot(1, 0.46), abs=0.06)


def test_a_student_is_in_one_cell_or_the_baseline():
    found = best_cells(np.arange(5.0), cells=4, draws=500, rng=rng())
    # All are dealt: the best is 4 unless 4 is the baseline, whose best rival is 3.
    assert set(found) == {4.0, 3.0, 2.0, 1.0, -1.0}
    with pytest.raises(ValueError, match="6 students are dealt, and there are 5"):
        best_cells(np.arange(5.0), cells=5, draws=1, rng=rng())


def test_choosing_by_the_test_images_is_seen_in_the_table():
    by_epoch = rng().random((40, 30, 150)) < 0.4
    last = np.concatenate([by_epoch[:, -1], rng().random((40, 810)) < 0.4], axis=1)
    table = identical_methods_table(by_epoch, last, rng=rng())
    cells = [[c.strip() for c in line.split("|")[2:-1]] for line in table.splitlines()[2:]]
    chosen, few, many, means = ([float(c.strip("%") or "nan") for c in row] for row in cells)
    # The best of 30 looks at 150 images lies about 2.04 standard errors (4 points) too high.
    assert chosen[0] == pytest.approx(40 + 2.04 * 4, abs=1) and few[0] == pytest.approx(40, abs=1)
    # Differences between students: sqrt(2) standard errors; between means of 8, half of one.
    assert few[1] == pytest.approx(5.66, abs=0.8) and many[1] == pytest.approx(2.24, abs=0.4)
    assert means[1] == pytest.approx(many[1] / np.sqrt(8), rel=0.1)
    assert few[3] > 85 and means[2] < many[2] < few[2]
