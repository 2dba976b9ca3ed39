"""The figure of subjects' agreement shows what the table holds."""

import pandas as pd
import pytest

from brain_teacher.report.agreement_figure import agreement_figure, draw_agreement
from brain_teacher.report.layout import new_figure

TABLE = pd.DataFrame(
    {
        "decoder": ["logistic", "logistic", "ridge"],
        "roi": ["V1", "HVC", "HVC"],
        "mean": [0.05, 0.5, 0.4],
        "low": [-0.01, 0.4, 0.35],
        "high": [0.11, 0.6, 0.45],
        "p": [0.1, 0.001, 0.001],
        "subjects": 3,
        "images": 128,
    }
)


def test_every_mean_stands_at_its_roi_with_its_interval():
    ax = draw_agreement(TABLE, new_figure(5, 4).subplots())
    logistic, ridge = ax.containers
    points = logistic.lines[0].get_xydata()
    assert points[:, 1].tolist() == [0.05, 0.5] and points[:, 0].round().tolist() == [0, 1]
    assert ridge.lines[0].get_xydata()[:, 0].round().tolist() == [1]
    (bars,) = ridge.lines[2]
    assert bars.get_segments()[0][:, 1] == pytest.approx([0.35, 0.45])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["V1", "HVC"]
    assert len({line.get_marker() for line in (logistic.lines[0], ridge.lines[0])}) == 2


def test_the_figure_says_what_it_is_of():
    figure, points = agreement_figure(TABLE, dataset="toy", simulated=True)
    title = " ".join(figure.get_suptitle().split())
    assert title == (
        "toy (simulated): do 3 subjects agree about single images? Out of fold, 128 images"
    )
    assert "95% intervals over images" in " ".join(figure.get_supxlabel().split())
    assert points["dataset"].eq("toy").all() and points["mean"].tolist() == [0.05, 0.5, 0.4]
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["logistic", "ridge"]
