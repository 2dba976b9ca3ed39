"""Shares of verdicts and means by choice, by hand."""

import pandas as pd
import pytest

from brain_teacher.analysis.specifications import by_choice, verdict_shares

TABLE = pd.DataFrame(
    {
        "roi": ["HVC", "V1", "HVC", "V1"],
        "temperature": [1.0, 1.0, 2.0, 0.5],
        "mean": [0.10, 0.01, 0.06, -0.02],
        "verdict": ["taught", "cannot tell", "taught", "harmed"],
    }
)


def test_shares_are_of_all_specifications():
    found = verdict_shares(TABLE)
    assert found["verdict"].iloc[0] == "taught" and found["specifications"].tolist() == [2, 1, 1]
    assert found["share"].tolist() == [0.5, 0.25, 0.25]


def test_a_choice_has_the_mean_of_those_that_made_it():
    found = by_choice(TABLE, ("roi", "temperature")).set_index(["factor", "choice"])
    assert found.loc[("roi", "HVC"), "mean"] == pytest.approx(0.08)
    assert tuple(found.loc[("temperature", "1"), ["least", "most"]]) == (0.01, 0.10)
    assert found.loc[("temperature", "0.5"), "specifications"] == 1
