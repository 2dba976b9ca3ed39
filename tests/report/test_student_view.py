"""The sheet of pictures as students see them."""

import io

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from brain_teacher.report.student_view import student_view_figure


def pictures(*sizes):
    rng = np.random.default_rng(0)
    return {
        f"${{\\frac{{1$ {number}": tuple(
            rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in (shape, (24, 24))
        )
        for number, shape in enumerate(sizes)
    }


def test_each_picture_is_drawn_beside_what_is_seen_of_it():
    given = pictures((60, 100), (80, 40), (24, 24), (50, 50), (30, 90))
    figure = student_view_figure(given, title="a (simulated)")
    drawn = [ax.images[0].get_array() for ax in figure.axes if ax.images]
    for (whole, seen), left, right in zip(given.values(), drawn[::2], drawn[1::2], strict=True):
        assert np.array_equal(left, whole) and np.array_equal(right, seen)
    frames = [patch for ax in figure.axes for patch in ax.patches if isinstance(patch, Rectangle)]
    # Pixels begin at -0.5: of 100 columns the middle 60 are 20 to 79.
    assert [(*frame.get_xy(), frame.get_width()) for frame in frames[:2]] == [
        (19.5, -0.5, 60),
        (-0.5, 19.5, 40),
    ]
    figure.savefig(io.BytesIO())  # ids are no formulas
    assert "24 x 24 pixels" in " ".join(text.get_text() for text in figure.texts).replace("\n", " ")


def test_there_must_be_pictures():
    with pytest.raises(ValueError, match=r"^no pictures to draw$"):
        student_view_figure({}, title="a")
