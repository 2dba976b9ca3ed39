"""Rounds: runs that together show every category once, found from the runs' categories alone."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_teacher.decoding import rounds
from brain_teacher.decoding.rounds import find_rounds
from helpers.recordings import make_voxels


def find(shows):
    """Rounds by run, of runs that show the letters of a word."""
    run = np.concatenate([np.full(len(word), number) for number, word in shows.items()])
    found = find_rounds(run, np.array([letter for word in shows.values() for letter in word]))
    by_run = {number: set(found[run == number].tolist()) for number in shows}
    assert all(len(numbers) == 1 for numbers in by_run.values())
    return {number: numbers.pop() for number, numbers in by_run.items()}


def refuses(message, shows):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        find(shows)


def test_rounds_by_hand_are_numbered_by_their_smallest_run():
    # Not in the order of the runs: 1 needs 7, and 2 needs 4 and 9.
    shows = {7: "cdef", 2: "ab", 1: "ab", 4: "ce", 9: "df"}
    with pytest.raises(ValueError, match="more than one way"):
        find(shows)  # runs 1 and 2 show the same
    shows |= {1: "abc", 7: "def"}
    assert find(shows) == {1: 1, 7: 1, 2: 2, 4: 2, 9: 2}


def test_runs_that_show_every_category_are_rounds_by_themselves():
    # Haxby's design: 12 runs of 8 categories.
    assert find(dict.fromkeys(range(12), "abcdefgh")) == {run: run + 1 for run in range(12)}
    voxels = make_voxels(shows=2)
    found = find_rounds(voxels.run, voxels.category)
    np.testing.assert_array_equal(found, voxels.run)


def test_a_category_that_a_run_repeats_counts_once():
    assert find({1: "aab", 2: "cccc", 3: "abc"}) == {1: 1, 2: 1, 3: 2}


def test_more_runs_than_python_may_nest():
    shows = {}
    for number in range(1200):
        # Pairs that fit in one way only: the letters of a number's bits, and the others.
        bits = {letter for bit, letter in enumerate("abcdefghijk") if number >> bit & 1}
        shows[2 * number] = sorted(bits | {"x"})
        shows[2 * number + 1] = sorted(set("abcdefghijk") - bits | {"y"})
    found = find(shows)
    assert all(found[2 * number] == found[2 * number + 1] == number + 1 for number in range(1200))


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_drawn_rounds_are_found_again_whatever_the_runs_are_called(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    n_rounds, parts, size = 5, data.draw(st.integers(1, 4)), 6
    labels = np.array([f"c{c}" for c in range(parts * size)])
    names = rng.choice(1000, size=n_rounds * parts, replace=False)
    run, category, truth = [], [], []
    for number in range(n_rounds):
        # Equal sets in two rounds would leave a choice: refused, and another test.
        shares = np.split(rng.permutation(labels), parts)
        for name, share in zip(names[number * parts : (number + 1) * parts], shares, strict=True):
            run += [name] * size
            category += share.tolist()
            truth += [number] * size
    run, category, truth = map(np.array, (run, category, truth))
    order = rng.permutation(len(run))
    try:
        found = find_rounds(run[order], category[order])
    except ValueError as error:
        assert "in more than one way" in str(error)
        return
    same = found[:, None] == found
    np.testing.assert_array_equal(same, truth[order][:, None] == truth[order])
    smallest = [run[order][found == number].min() for number in range(1, n_rounds + 1)]
    assert smallest == sorted(smallest)


# Refusals


def test_categories_in_different_numbers_of_runs_are_named():
    refuses(
        "the runs make no rounds: category 'c' is shown in 1 of them, category 'a' in 2; choose "
        "decode.folds.by: image or run",
        {1: "ab", 2: "ab", 3: "c"},
    )


def test_a_run_that_fits_nowhere_is_named():
    # Each category is in two runs, but no two of these runs are disjoint.
    refuses(
        "the runs make no rounds: no other runs show just the categories that run 1 lacks; choose "
        "decode.folds.by: image or run",
        {1: "ab", 2: "bc", 3: "ca"},
    )
    refuses(
        "the runs make no rounds: no other runs show just the categories that run 4 lacks; choose "
        "decode.folds.by: image or run",
        {2: "abcdef", 3: "abcdef", 4: "ab", 5: "bc", 6: "ca", 7: "def", 8: "def"},
    )


def test_runs_that_all_fit_but_not_at_once_say_so():
    # Petersen's graph, runs as edges: every edge lies in a perfect matching, but the graph is not
    # the sum of three (Petersen 1898).
    outer, inner = "abcde", "vwxyz"
    edges = [outer[k] + outer[(k + 1) % 5] for k in range(5)]
    edges += [outer[k] + inner[k] for k in range(5)]
    edges += [inner[k] + inner[(k + 2) % 5] for k in range(5)]
    refuses(
        "the runs make no rounds: every run has others that it could go with, but not all of them "
        "at once; choose decode.folds.by: image or run",
        dict(enumerate(edges, start=1)),
    )


def test_runs_that_could_be_exchanged_are_named():
    refuses(
        "the runs make rounds in more than one way: run 1 goes with run 2, or with run 4; choose "
        "decode.folds.by: image or run",
        {1: "ab", 2: "cd", 3: "ab", 4: "cd"},
    )
    refuses(
        "the runs make rounds in more than one way: run 1 goes with runs 2, 3, or with run 5; "
        "choose decode.folds.by: image or run",
        {1: "ab", 2: "c", 3: "d", 4: "ab", 5: "cd"},
    )


def test_a_search_that_does_not_end_is_given_up(monkeypatch):
    monkeypatch.setattr(rounds, "MOST_STEPS", 3)
    assert find({1: "ab", 2: "cd", 3: "abcd"}) == {1: 1, 2: 1, 3: 2}
    refuses(
        "how the 4 runs make rounds was not found within 3 steps; choose decode.folds.by: image "
        "or run",
        {1: "ab", 2: "cd", 3: "ac", 4: "bd"},
    )
