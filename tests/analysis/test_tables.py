"""The table of teachers, raw and as people read it."""

import numpy as np
import pytest

from brain_teacher.analysis.statistics import Difference, Scores
from brain_teacher.analysis.tables import as_markdown, as_text, teacher_table

NOTE = (
    "95%: two-way interval over seeds and test images, in points, not corrected. "
    "p (Holm): corrected within the family.\n"
)
SCORES = {
    "smooth": Scores((0, 1), [[1, 1, 0, 0], [1, 1, 1, 0]]),
    "brain": Scores((0, 1), [[1, 1, 1, 1], [1, 1, 1, 0]]),
    "none": Scores((0,), [[1, 0, 0, 0]]),
    "other": Scores((0,), [[0, 0, 0, 0]]),
}


def difference(mean, low, high, p, p_corrected):
    return Difference(mean, low, high, low, high, p, p_corrected, 0.1, 1.0, 2, 4)


# Not in the order of SCORES: the family's order is that of the differences.
DIFFERENCES = {
    "none": difference(0.625, 0.51, 0.74, 0.0004, 0.0008),
    "smooth": difference(-0.0001, -0.2549, 0.25, 0.04651, 0.04651),
}


def table():
    return teacher_table(SCORES, DIFFERENCES, teacher="brain")


def test_rows_and_raw_numbers():
    result = table()
    assert list(result.columns) == [
        "teacher",
        "seeds",
        "accuracy (%)",
        "SD of seeds (points)",
        "brain minus this (points)",
        "95% low",
        "95% high",
        "p",
        "p (Holm)",
    ]
    assert result["teacher"].tolist() == ["none", "smooth", "brain"]
    assert result["seeds"].tolist() == [1, 2, 2]
    # By hand: accuracies .25; .5 and .75; 1 and .75. SD of two is their distance / sqrt 2.
    nothing = np.nan
    sd = 25 / 2**0.5
    np.testing.assert_allclose(
        result.iloc[:, 2:].to_numpy(dtype=float),
        [
            [25.0, nothing, 62.5, 51.0, 74.0, 0.0004, 0.0008],
            [62.5, sd, -0.01, -25.49, 25.0, 0.04651, 0.04651],
            [87.5, sd, nothing, nothing, nothing, nothing, nothing],
        ],
    )


def test_csv_keeps_raw_numbers():
    last = table().to_csv(index=False).splitlines()
    assert last[2].startswith("smooth,2,62.5,17.67766952966")
    assert last[3].endswith(",,,,,")


def test_markdown():
    assert as_markdown(table(), "Simulated brains") == (
        "Simulated brains\n"
        "\n"
        "| teacher   |   seeds |   accuracy (%) |   SD of seeds (points) |"
        "   brain minus this (points) |   95% low |   95% high |      p |   p (Holm) |\n"
        "|:----------|--------:|---------------:|-----------------------:|"
        "----------------------------:|----------:|-----------:|-------:|-----------:|\n"
        "| none      |       1 |           25.0 |                        |"
        "                       +62.5 |     +51.0 |      +74.0 | <0.001 |     <0.001 |\n"
        "| smooth    |       2 |           62.5 |                   17.7 |"
        "                        +0.0 |     -25.5 |      +25.0 |  0.047 |      0.047 |\n"
        "| brain     |       2 |           87.5 |                   17.7 |"
        "                             |           |            |        |            |\n"
        "\n" + NOTE
    )


def test_text():
    lines = as_text(table(), "Simulated brains").splitlines()
    assert lines[:2] == ["Simulated brains", ""]
    assert " ".join(lines[-2:]) == NOTE.rstrip()
    rows = [line.split() for line in lines[7:-3]]
    assert rows == [
        ["none", "1", "25.0", "+62.5", "+51.0", "+74.0", "<0.001", "<0.001"],
        ["smooth", "2", "62.5", "17.7", "+0.0", "-25.5", "+25.0", "0.047", "0.047"],
        ["brain", "2", "87.5", "17.7"],
    ]
    # Aligned: the points of a column stand under each other.
    assert len({line.index(".") for line in lines[7:-3]}) == 1


def test_text_fits_a_terminal():
    long = {"permuted-images": DIFFERENCES["none"]}
    scores = {"permuted-images": SCORES["none"], "brain": SCORES["brain"]}
    text = as_text(teacher_table(scores, long, teacher="brain"), "Simulated brains")
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("p", "shown"), [(0, "<0.001"), (0.00099, "<0.001"), (0.001, "0.001"), (1, "1.000")]
)
def test_p_values_are_rounded(p, shown):
    differences = {"none": difference(0.1, 0.0, 0.2, p, 1)}
    text = as_text(teacher_table(SCORES, differences, teacher="brain"), "Simulated")
    row = next(line for line in text.splitlines() if line.startswith("none"))
    assert row.split()[-2:] == [shown, "1.000"]


def test_scores_are_needed():
    with pytest.raises(ValueError, match="^no scores of semantic, brain-VC$"):
        teacher_table(SCORES, {"semantic": DIFFERENCES["none"]}, teacher="brain-VC")
