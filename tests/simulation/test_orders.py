"""Orders of the training pictures: shuffled runs, and rounds."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_teacher.decoding.rounds import find_rounds
from brain_teacher.seeds import named_rng
from brain_teacher.simulation.orders import rounds_of_runs, shuffled_runs


@pytest.mark.parametrize(
    ("n", "lengths"), [(4, [4]), (47, [47]), (60, [30, 30]), (90, [30, 30, 30]), (128, [32] * 4)]
)
def test_shuffled_runs_are_equal_and_hold_each_picture_once(n, lengths):
    runs = shuffled_runs(n, rng=named_rng(1))
    assert [len(run) for run in runs] == lengths
    np.testing.assert_array_equal(np.sort(np.concatenate(runs)), np.arange(n))


@settings(max_examples=30, deadline=None)
@given(n_categories=st.integers(6, 16), n_rounds=st.integers(2, 10), seed=st.integers(0, 1000))
def test_two_runs_at_a_time_hold_every_category_and_are_found_as_a_round(
    n_categories, n_rounds, seed
):
    category = np.random.default_rng(seed).permutation(np.repeat(range(n_categories), n_rounds))
    runs = rounds_of_runs(category, rng=named_rng(seed))
    assert len(runs) == 2 * n_rounds
    np.testing.assert_array_equal(np.sort(np.concatenate(runs)), np.arange(len(category)))
    for first, second in zip(runs[::2], runs[1::2], strict=True):
        shown = np.sort(category[np.concatenate([first, second])])
        np.testing.assert_array_equal(shown, np.arange(n_categories))
        assert 0 <= len(first) - len(second) <= 1
    number = np.repeat(np.arange(1, len(runs) + 1), [len(run) for run in runs])
    found = find_rounds(number, category[np.concatenate(runs)])
    np.testing.assert_array_equal(found, (number + 1) // 2)


def test_all_divisions_are_found_and_no_more():
    # 5 categories in parts of 3 and 2: 10 ways; 4 in halves: 3 ways.
    for n_categories, ways in ((5, 10), (4, 3), (3, 3), (2, 1)):
        category = np.repeat(np.arange(n_categories), ways)
        runs = rounds_of_runs(category, rng=named_rng(1))
        larger = {frozenset(category[run].tolist()) for run in runs[::2]}
        assert len(larger) == ways
        message = (
            f"{n_categories} categories can be divided between two runs in {ways} ways, but there "
            f"are {ways + 1} rounds; give more categories, or fewer pictures of each"
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            rounds_of_runs(np.repeat(np.arange(n_categories), ways + 1), rng=named_rng(1))
