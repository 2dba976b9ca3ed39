"""What is reported of methods that do not differ: by hand, and where the answer is known."""

import numpy as np
import pytest
from scipy import stats

from identical_methods import (
    as_large,
    best_cells,
    best_epoch,
    gains,
    identical_methods_table,
)


def rng():
    return np.random.default_rng(3)


def test_the_best_epoch_is_chosen_by_what_is_reported():
    right = np.zeros((2, 3, 4), dtype=bool)
    right[0, 1, :3] = right[0, 2, :1] = right[1, 0, :2] = True
    assert best_epoch(right).tolist() == [0.75, 0.5]


def test_gains_are_all_ordered_pairs():
    found = gains(np.array([0.5, 0.25, 1.0]))
    assert sorted(found) == [-0.75, -0.5, -0.25, 0.25, 0.5, 0.75]


def test_three_of_150_images_are_two_points():
    assert as_large(np.array([103 / 150 - 100 / 150, 2 / 150, -0.5, 0.5])) == 0.5


def test_the_best_of_many_cells_is_that_of_normal_order_statistics():
    scores = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    found = best_cells(scores, cells=28, draws=4000, rng=rng())
    # The mean of the largest of 28 standard normals is 2.01 (Harter 1961), of the baseline 0.
    assert found.mean() == pytest.approx(2.01, abs=0.06)
    assert found.std() == pytest.approx(np.hypot(1, 0.46), abs=0.06)


def test_a_student_is_in_one_cell_or_the_baseline():
    scores = np.arange(5.0)
    found = best_cells(scores, cells=4, draws=500, rng=rng())
    # All are dealt: the best is 4 unless 4 is the baseline, whose best rival is 3.
    assert set(found) == {4.0, 3.0, 2.0, 1.0, -1.0}
    with pytest.raises(ValueError, match="5 cells and a baseline take more than 5 students"):
        best_cells(scores, cells=5, draws=1, rng=rng())


def test_choosing_by_the_test_images_is_seen_in_the_table():
    right = rng().random((40, 30, 150)) < 0.4
    last = np.concatenate([right[:, -1], rng().random((40, 810)) < 0.4], axis=1)
    table = identical_methods_table((right, last), few=150, rng=rng())
    cells = [[c.strip() for c in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    chosen, few, many = ([float(c.strip("%")) for c in row[1:]] for row in cells)
    # The best of 30 looks at 150 images lies about 2.04 standard errors (4 points) too high.
    assert chosen[0] == pytest.approx(40 + 2.04 * 4, abs=1) and few[0] == pytest.approx(40, abs=1)
    # Differences between students: sqrt(2) standard errors.
    assert few[1] == pytest.approx(5.66, abs=0.7) and many[1] == pytest.approx(2.24, abs=0.4)
    assert few[3] > 99 and many[2] < few[2]
