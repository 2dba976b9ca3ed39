"""What a part adds: held against statsmodels' Holm and the paired difference itself."""

import numpy as np
import pytest

from brain_teacher.analysis.dissection import contributions, found
from brain_teacher.analysis.statistics import Scores, paired_difference

SEEDS, IMAGES = (0, 1, 2, 3), 400


def scores(**accuracy):
    """Students that name so large a share rightly, all of the same easy images first."""
    rng = np.random.default_rng(3)
    hard = rng.random(IMAGES)
    return {
        name.replace("_", "-"): Scores(
            SEEDS, [(hard + 0.05 * rng.standard_normal(IMAGES) < share) * 1 for _ in SEEDS]
        )
        for name, share in accuracy.items()
    }


AGAINST = {"even": "none", "image-profile": "even", "wrong": "even", "shrunk-0.5": None}


def draws():
    made = {"none": 0.5, "even": 0.5, "image_profile": 0.7, "wrong": 0.4, "brain": 0.72}
    return scores(**made) | {"shrunk-0.5": scores(a=0.6)["a"]}


def test_each_is_held_against_its_reference_and_only_these_are_tested():
    table = contributions(draws(), AGAINST).set_index("part")
    assert table.index.tolist() == list(AGAINST)
    one = paired_difference(draws()["image-profile"], draws()["even"])
    assert table.loc["image-profile", "mean"] == pytest.approx(one.mean)
    assert table.loc["image-profile", "low"] == pytest.approx(one.low)
    # Holm's by hand: three are tested, the smallest p counts three times.
    p = np.sort(table["p"].dropna())
    assert len(p) == 3
    by_hand = np.minimum(np.maximum.accumulate(p * [3, 2, 1]), 1)
    np.testing.assert_allclose(np.sort(table["p_corrected"].dropna()), by_hand)
    rest = paired_difference(draws()["brain"], draws()["shrunk-0.5"])
    assert table.loc["shrunk-0.5", "brain_high"] == pytest.approx(rest.high)
    assert np.isnan(table.loc["shrunk-0.5", "mean"])


def test_what_helps_and_what_harms_is_found_and_nothing_else():
    assert found(contributions(draws(), AGAINST)) == (["image-profile"], ["wrong"])
