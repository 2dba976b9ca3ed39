"""The drawing of seven teachers' targets shows each teacher of the shipped family, as given."""

import numpy as np
import pytest
import yaml

from targets_drawing import ROOT, SAYS, targets_figure


def test_it_has_the_shipped_family():
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    assert list(SAYS) == [*params["compare"]["family"], "brain"]


def test_a_panels_bars_are_its_teachers_row():
    names = {"c2": "apple", "c0": "book", "c1": "cat"}
    classes = ["c0", "c1", "c2"]
    rows = {name: np.roll([0.7, 0.2, 0.1], number) for number, name in enumerate(SAYS)}
    figure = targets_figure(
        np.zeros((4, 4, 3), np.uint8), "c1", classes, rows, title="t", names=names, temperature=2
    )
    *panels, picture = figure.axes
    assert picture.get_title() == "cat"
    for panel, row in zip(panels, rows.values(), strict=True):
        # By name: apple, book, cat.
        assert [bar.get_width() for bar in panel.patches] == row[[2, 0, 1]].tolist()
        colours = [bar.get_facecolor() for bar in panel.patches]
        assert colours[0] == colours[1] != colours[2]


@pytest.mark.parametrize("name", ["comparison", "decoding", "guesses", "ladder", "targets"])
def test_a_pages_figure_is_small(name):
    assert 10_000 < (ROOT / "docs" / f"{name}.png").stat().st_size < 300_000
