"""Laws of the paired difference, whatever the right and wrong answers are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from brain_teacher.analysis.statistics import Scores, paired_difference

layouts = hnp.arrays(
    np.int8,
    st.tuples(st.integers(2, 5), st.integers(2, 7)),
    elements=st.integers(0, 1),
)


def numbers(difference):
    return np.array(
        [
            difference.mean,
            difference.low,
            difference.high,
            difference.low90,
            difference.high90,
            difference.p,
            difference.se,
            difference.df,
        ]
    )


@st.composite
def pairs(draw):
    correct = draw(layouts)
    other = draw(hnp.arrays(np.int8, correct.shape, elements=st.integers(0, 1)))
    seeds = draw(
        st.lists(st.integers(0, 99), min_size=len(correct), max_size=len(correct), unique=True)
    )
    return Scores(seeds, correct), Scores(seeds, other)


@given(pairs(), st.randoms(use_true_random=False))
def test_order_of_seeds_and_images_is_nothing(pair, random):
    a, b = pair
    images = list(range(a.correct.shape[1]))
    random.shuffle(images)

    def shuffled(scores):
        rows = list(range(len(scores.seeds)))
        random.shuffle(rows)
        return Scores([scores.seeds[row] for row in rows], scores.correct[rows][:, images])

    np.testing.assert_allclose(
        numbers(paired_difference(shuffled(a), shuffled(b))),
        numbers(paired_difference(a, b)),
        rtol=1e-7,
        atol=1e-12,
    )


@given(pairs())
def test_swapping_flips(pair):
    a, b = pair
    one, other = paired_difference(a, b), paired_difference(b, a)
    assert other.mean == pytest.approx(-one.mean, abs=1e-12)
    assert (other.low, other.high) == pytest.approx((-one.high, -one.low), abs=1e-9)
    assert (other.low90, other.high90) == pytest.approx((-one.high90, -one.low90), abs=1e-9)
    assert (other.p, other.se, other.df) == pytest.approx((one.p, one.se, one.df))


@given(pairs(), st.integers(-3, 3))
def test_same_constant_on_both_sides_is_nothing(pair, constant):
    a, b = pair
    moved = [Scores(scores.seeds, scores.correct + constant) for scores in pair]
    np.testing.assert_allclose(numbers(paired_difference(*moved)), numbers(paired_difference(a, b)))


@given(pairs(), st.integers(1, 3))
def test_constant_on_one_side_moves_the_interval(pair, constant):
    a, b = pair
    before = paired_difference(a, b)
    after = paired_difference(Scores(a.seeds, a.correct + constant), b)
    np.testing.assert_allclose(
        numbers(after)[:5], numbers(before)[:5] + constant, rtol=1e-9, atol=1e-9
    )
    assert after.se == pytest.approx(before.se)


@given(pairs())
def test_interval_and_p_agree(pair):
    result = paired_difference(*pair)
    if not result.constant and abs(result.p - 0.05) > 1e-9 and abs(result.p - 0.1) > 1e-9:
        assert (result.p < 0.05) == (result.low > 0 or result.high < 0)
        assert (result.p < 0.1) == (result.low90 > 0 or result.high90 < 0)
