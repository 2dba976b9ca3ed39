"""The table of teachers, raw and as people read it."""

from dataclasses import replace

import numpy as np
import pytest

from brain_teacher.analysis.differences import Difference
from brain_teacher.analysis.sign_flips import SignFlip
from brain_teacher.analysis.statistics import Scores
from brain_teacher.report.tables import as_markdown, as_short, as_text, teacher_table

NOTE = (
    "Accuracy in %; SD and differences in points. 95%: two-way interval over seeds and test "
    "images, not corrected. p (Holm): of that interval's test, corrected within the family. "
    "Sign-flip: exact, over seeds, on these test images. p (equiv.): that the difference is as "
    "large as the margin of 4 points.\n"
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
    "none": replace(
        difference(0.625, 0.51, 0.74, 0.0004, 0.0008), low_classes=0.4, high_classes=0.85, classes=3
    ),
    "smooth": difference(-0.0001, -0.2549, 0.25, 0.04651, 0.04651),
}


FLIPS = {"none": SignFlip(0.25, 0.5, 2), "smooth": SignFlip(1.0, 1.0, 2)}
EQUIVALENCE = {"none": 0.9996, "smooth": np.nan}


def table(**options):
    return teacher_table(
        SCORES, DIFFERENCES, teacher="brain", flips=FLIPS, equivalence=EQUIVALENCE, **options
    )


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
        "95% low, classes random",
        "95% high, classes random",
        "p",
        "p (Holm)",
        "sign-flip p",
        "sign-flip p (Holm)",
        "p (equivalence)",
    ]
    assert result["teacher"].tolist() == ["none", "smooth", "brain"]
    assert result["seeds"].tolist() == [1, 2, 2]
    # By hand: accuracies .25; .5 and .75; 1 and .75. SD of two are their distance / sqrt 2.
    nothing = np.nan
    sd = 25 / 2**0.5
    np.testing.assert_allclose(
        result.iloc[:, 2:].to_numpy(dtype=float),
        [
            [25.0, nothing, 62.5, 51.0, 74.0, 40.0, 85.0, 0.0004, 0.0008, 0.25, 0.5, 0.9996],
            [62.5, sd, -0.01, -25.49, 25.0, nothing, nothing, 0.04651, 0.04651, 1, 1, nothing],
            [87.5, sd, *[nothing] * 10],
        ],
    )


def test_csv_keeps_raw_numbers():
    last = table().to_csv(index=False).splitlines()
    assert last[2].startswith("smooth,2,62.5,17.67766952966")
    assert last[3].endswith(",,,,,,,,")


def test_recipes_stand_beside_where_they_differ():
    result = table(recipes={"smooth": (2.0, 0.8), "brain": (4.5, 0.5)})
    assert list(result.columns)[-2:] == ["T", "alpha"]
    np.testing.assert_array_equal(result["T"], [np.nan, 2.0, 4.5])
    np.testing.assert_array_equal(result["alpha"], [np.nan, 0.8, 0.5])
    rows = [line.split() for line in as_text(result, "Simulated", margin=0.04).splitlines()]
    assert [row[-2:] for row in rows if row[:1] in (["smooth"], ["brain"])] == [
        ["2", "0.8"],
        ["4.5", "0.5"],
    ]


def test_markdown():
    assert as_markdown(table(), "Simulated brains", margin=0.04) == (
        "Simulated brains\n"
        "\n"
        "| teacher   |   seeds |   accuracy (%) |   SD of seeds (points) |"
        "   brain minus this (points) |   95% low |   95% high |   p (Holm) |"
        "   sign-flip p (Holm) |   p (equivalence) |\n"
        "|:----------|--------:|---------------:|-----------------------:|"
        "----------------------------:|----------:|-----------:|-----------:|"
        "---------------------:|------------------:|\n"
        "| none      |       1 |           25.0 |                        |"
        "                       +62.5 |     +51.0 |      +74.0 |     <0.001 |"
        "                0.500 |             1.000 |\n"
        "| smooth    |       2 |           62.5 |                   17.7 |"
        "                        +0.0 |     -25.5 |      +25.0 |      0.047 |"
        "                1.000 |                   |\n"
        "| brain     |       2 |           87.5 |                   17.7 |"
        "                             |           |            |            |"
        "                      |                   |\n"
        "\n" + NOTE
    )


def test_short():
    text = as_short(table(), "Simulated brains", verdict="Verdict: cannot tell.")
    assert text == (
        "Simulated brains\n"
        "\n"
        "| teacher   |   accuracy (%) |     brain minus this |   p (Holm) |\n"
        "|:----------|---------------:|---------------------:|-----------:|\n"
        "| none      |           25.0 | +62.5 [+51.0, +74.0] |     <0.001 |\n"
        "| smooth    |           62.5 |  +0.0 [-25.5, +25.0] |      0.047 |\n"
        "| brain     |           87.5 |                      |            |\n"
        "\n"
        "Differences in points; in brackets two-way 95% intervals over seeds and test images, not "
        "corrected. p: corrected within the family.\n"
        "\n"
        "Verdict: cannot tell.\n"
    )


def test_short_fits_a_narrow_terminal():
    # The longest name of a teacher, and the widest numbers.
    differences = {"resnet34-degraded": DIFFERENCES["none"]}
    made = {"flips": {}, "equivalence": {}, "teacher": "people"}
    scores = {"resnet34-degraded": SCORES["none"], "people": SCORES["brain"]}
    text = as_short(teacher_table(scores, differences, **made), "", verdict="")
    assert max(len(line) for line in text.splitlines() if "|" in line) <= 80


def test_text():
    lines = as_text(table(), "Simulated brains", margin=0.04).splitlines()
    rule = next(number for number, line in enumerate(lines) if line.startswith("---"))
    assert lines[:2] == ["Simulated brains", ""]
    headers = [" ".join(line.split()) for line in lines[2:rule]]
    assert headers == [
        "teacher seeds accuracy SD of brain 95% 95% p sign- p",
        "seeds minus low high (Holm) flip p (equiv.)",
        "this (Holm)",
    ]
    rows = [line.split() for line in lines[rule + 1 : rule + 4]]
    assert rows == [
        ["none", "1", "25.0", "+62.5", "+51.0", "+74.0", "<0.001", "0.500", "1.000"],
        ["smooth", "2", "62.5", "17.7", "+0.0", "-25.5", "+25.0", "0.047", "1.000"],
        ["brain", "2", "87.5", "17.7"],
    ]
    # Aligned: the points of a column stand under each other.
    assert len({line.index(".") for line in lines[rule + 1 : rule + 4]}) == 1
    assert " ".join(lines[rule + 5 :]) == NOTE.rstrip()


def test_text_fits_a_terminal():
    long = {"permuted-classes": DIFFERENCES["none"]}
    scores = {"permuted-classes": SCORES["none"], "brain": SCORES["brain"]}
    result = teacher_table(
        scores,
        long,
        teacher="brain",
        flips={"permuted-classes": FLIPS["none"]},
        equivalence={"permuted-classes": 0.5},
        recipes={"permuted-classes": (2.5, 0.85), "brain": (2, 0.8)},
    )
    text = as_text(result, "Simulated brains", margin=0.04)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("p", "shown"), [(0, "<0.001"), (0.00099, "<0.001"), (0.001, "0.001"), (1, "1.000")]
)
def test_p_values_are_rounded(p, shown):
    differences = {"none": difference(0.1, 0.0, 0.2, 1, p)}
    result = teacher_table(
        SCORES,
        differences,
        teacher="brain",
        flips={"none": SignFlip(1, p, 2)},
        equivalence={"none": 1.0},
    )
    text = as_text(result, "Simulated", margin=0.04)
    row = next(line for line in text.splitlines() if line.startswith("none"))
    assert row.split()[-3:] == [shown, shown, "1.000"]


def test_scores_are_needed():
    with pytest.raises(ValueError, match="^no scores of semantic, brain-VC$"):
        teacher_table(
            SCORES, {"semantic": DIFFERENCES["none"]}, teacher="brain-VC", flips={}, equivalence={}
        )
