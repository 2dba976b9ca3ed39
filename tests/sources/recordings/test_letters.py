"""Printed letters: as high as asked for, in the middle, and all different."""

import re

import matplotlib
import numpy as np
import pytest
from PIL import Image

from brain_teacher.dataset.images import find_unseen, read_unseen_splits, split_unseen
from brain_teacher.sources.formats.writing import write_rows
from brain_teacher.sources.recordings.letters import (
    FONTS,
    HEIGHTS,
    LETTERS,
    SIDE,
    draw_letter,
    write_letters,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("letters")
    rows = write_letters(folder / "images" / "unseen")
    write_rows(folder / "unseen.csv", ("image_id", "category", "split"), rows)
    return folder


def test_students_are_judged_on_18_fonts_that_did_not_choose(folder):
    table = split_unseen(
        find_unseen(folder),
        LETTERS,
        splits=read_unseen_splits(folder),
        validation_share=0.25,
    )
    count = table.groupby(["category", "split"]).size()
    assert (count.xs("test", level="split") == 18 * 3).all()
    assert (count.xs("validation", level="split") == 4 * 3).all()
    assert len(count) == 2 * len(LETTERS)
    assert not set(FONTS["validation"]) & set(FONTS["test"])


def test_the_ink_is_as_high_as_the_patterns_and_in_the_middle(folder):
    for path in (folder / "images" / "unseen").rglob("*.png"):
        font, letter, height = path.stem.split("_")
        assert path.parent.name == letter and font in FONTS["test"] + FONTS["validation"]
        with Image.open(path) as image:
            assert image.size == (SIDE, SIDE) and image.mode == "L"
            left, top, right, bottom = image.getbbox()
            pixels = np.asarray(image)
        # Thin strokes at the edge may round to nothing.
        assert int(height) - 1 <= bottom - top <= int(height), path
        assert abs(top + bottom - SIDE) <= 1 and abs(left + right - SIDE) <= 2, path
        assert pixels.max() > 100 and pixels[0].max() == 0, path


def test_no_two_pictures_are_the_same(folder):
    pictures = {path.stem: path for path in (folder / "images" / "unseen").rglob("*.png")}
    assert len(pictures) == (4 + 18) * len(LETTERS) * len(HEIGHTS)
    content = set()
    for path in pictures.values():
        with Image.open(path) as image:
            content.add(image.tobytes())
    assert len(content) == len(pictures)


def test_letters_are_upright():
    # Without serifs: n is closed at the top and u at the bottom; e is open below, on the right.
    n, u, e = (np.asarray(draw_letter("DejaVuSans", letter, 16), float) for letter in "nue")
    assert n[:12].sum() > n[12:].sum()
    assert u[:12].sum() < u[12:].sum()
    assert e[12:, :12].sum() > e[12:, 12:].sum()


def test_a_font_that_matplotlib_has_not_is_named():
    message = (
        f"matplotlib {matplotlib.__version__} has no font Fraktur; install the one of "
        "requirements.txt"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        draw_letter("Fraktur", "e", 16)
