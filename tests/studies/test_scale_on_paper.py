"""What is said of GOD's whole study is computed from the rows that stand in the pages."""

import re
from pathlib import Path

import click
import pytest

import scale_on_paper

PAGE = (Path(scale_on_paper.ROOT) / "docs" / "cluster.md").read_text("utf-8")


def test_the_page_holds_what_the_rows_give():
    assert scale_on_paper.table() in PAGE


def test_a_card_and_a_core_by_hand():
    each = scale_on_paper.seconds()
    # 60 epochs of 1,200 pictures at 5,527 a second; 103.9 h of 2 cores for 48 students.
    assert each["card"] == pytest.approx(60 * 1200 / 5527)
    assert each["core"] == pytest.approx(103.9 * 3600 * 2 / 48)


def test_a_row_that_was_not_measured_is_named():
    with pytest.raises(click.ClickException, match=re.escape("docs/gpu.md has no row like")):
        scale_on_paper.row("gpu.md", "images a minute (.*)")
