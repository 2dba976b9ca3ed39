"""The figures of many brains: what is drawn is what was given."""

import numpy as np
import pandas as pd
import pytest

from brain_teacher.analysis.two_way import interval_of_mean
from brain_teacher.report.student_figures import (
    cells_figure,
    curves_figure,
    effects_figure,
    quality_figure,
    quality_words,
)
from brain_teacher.seeds import named_rng

ROIS = ("V1", "LOC", "HVC")
BANDS = {"none": (0.4, 0.38, 0.42), "smooth": (0.45, 0.43, 0.47)}


def rows(subjects=("S1", "S2"), rois=ROIS, seeds=3):
    rng = named_rng("student figures")
    made = []
    for subject in subjects:
        for number, roi in enumerate(rois):
            accuracy = 0.4 + 0.1 * number + rng.normal(0, 0.01, seeds)
            mean = accuracy.mean()
            made.append(
                {"subject": subject, "roi": roi, "top1": 0.1 + 0.2 * number,
                 "accuracy": accuracy.tolist(), "low": mean - 0.02, "high": mean + 0.03,
                 "sure": roi == "HVC"}
            )  # fmt: skip
    return made


def lines(ax, gid):
    return [line for line in ax.lines if line.get_gid() == gid]


def test_every_cell_has_its_seeds_its_mean_and_its_interval():
    given = rows()
    figure = cells_figure(given, BANDS, chance=1 / 16, title="made up (simulated)")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["S1", "S2"]
    for ax, subject in zip(figure.axes, ("S1", "S2"), strict=True):
        mine = [row for row in given if row["subject"] == subject]
        means = [line.get_ydata()[0] for line in lines(ax, "mean")]
        np.testing.assert_allclose(means, [100 * np.mean(row["accuracy"]) for row in mine])
        ends = [tuple(line.get_ydata()) for line in lines(ax, "interval")]
        np.testing.assert_allclose(ends, [(100 * r["low"], 100 * r["high"]) for r in mine])
        hollow = [line.get_markerfacecolor() == "white" for line in lines(ax, "mean")]
        assert hollow == [True, True, False]
        points = [line for line in ax.lines if line.get_marker() == "."]
        np.testing.assert_allclose(points[1].get_ydata(), 100 * np.array(mine[1]["accuracy"]))
        bands = [p for p in ax.patches if str(p.get_gid()).startswith("band")]
        found = [(p.get_y(), p.get_y() + p.get_height()) for p in bands]
        np.testing.assert_allclose(found, [(38, 42), (43, 47)])
        assert lines(ax, "chance")[0].get_ydata()[0] == 6.25
    assert "made up (simulated)" in figure.get_suptitle()
    assert "Exploratory" in figure.get_supxlabel()


def test_effects_have_a_panel_a_control_and_a_point_a_cell():
    controls, subjects = ("none", "brain-class"), ("S1", "S1+S2")
    cells = [(w, roi, c) for w in subjects for roi in ROIS for c in controls]
    table = pd.DataFrame(cells, columns=["subject", "roi", "control"])
    table["mean"] = np.arange(len(table)) / 100
    table = table.assign(low=table["mean"] - 0.02, high=table["mean"] + 0.03)
    figure = effects_figure(table, title="made up (simulated)")
    assert [ax.get_ylabel() for ax in figure.axes] == ["minus none", "minus brain-class"]
    for ax, control in zip(figure.axes, controls, strict=True):
        for bars, subject in zip(ax.containers, subjects, strict=True):
            mine = table[(table["control"] == control) & (table["subject"] == subject)]
            np.testing.assert_allclose(bars.lines[0].get_ydata(), 100 * mine["mean"])
            (ends,) = (bar.get_segments() for bar in bars.lines[2])
            np.testing.assert_allclose(
                [segment[:, 1] for segment in ends], 100 * mine[["low", "high"]]
            )
        assert lines(ax, "zero")
    assert "Exploratory" in figure.get_supxlabel()


def test_four_subjects_take_two_rows_and_no_empty_panel():
    subjects = ("S1", "S2", "S3", "S4")
    figure = cells_figure(rows(subjects), BANDS, chance=0.1, title="t")
    assert [ax.get_title(loc="left") for ax in figure.axes] == list(subjects)


def test_a_missing_roi_leaves_its_place_empty():
    given = [row for row in rows() if (row["subject"], row["roi"]) != ("S2", "LOC")]
    second = cells_figure(given, BANDS, chance=0.1, title="t").axes[1]
    assert [line.get_xdata()[0] for line in lines(second, "mean")] == [0, 2]


def test_curves_are_means_over_seeds_and_the_brain_stands_out():
    rng = named_rng("curves")
    names = ("train_loss", "validation_accuracy", "validation_nll")
    curves = {t: {n: rng.random((4, 5)) for n in names} for t in ("none", "smooth", "brain")}
    figure = curves_figure(curves, teacher="brain", title="t")
    for ax, name in zip(figure.axes, names, strict=True):
        factor = 100 if name == "validation_accuracy" else 1
        for line, teacher in zip(ax.lines, curves, strict=True):
            assert line.get_label() == teacher
            expected = factor * curves[teacher][name].mean(axis=0)
            np.testing.assert_allclose(line.get_ydata(), expected)
            assert list(line.get_xdata()) == [1, 2, 3, 4, 5]
        assert ax.lines[2].get_linewidth() > ax.lines[0].get_linewidth()


def test_epochs_without_a_value_are_left_out_of_a_curve():
    values = np.array([[np.nan, 0.5, np.nan, 0.7], [np.nan, 0.3, np.nan, 0.9]])
    names = ("train_loss", "validation_accuracy", "validation_nll")
    figure = curves_figure({"brain": dict.fromkeys(names, values)}, teacher="brain", title="t")
    (line,) = figure.axes[2].lines
    assert list(line.get_xdata()) == [2, 4]
    np.testing.assert_allclose(line.get_ydata(), [0.4, 0.8])


def test_quality_shows_a_point_a_cell():
    given = rows()
    ax = quality_figure(given, baseline=0.4, source="decoder", title="t").axes[0]
    points = np.concatenate([line.get_xydata() for line in ax.lines if line.get_gid() is None])
    expected = [(100 * row["top1"], 100 * np.mean(row["accuracy"])) for row in given]
    np.testing.assert_allclose(sorted(map(tuple, points)), sorted(expected))
    assert lines(ax, "baseline")[0].get_ydata()[0] == 40


def test_the_correlation_is_said_over_all_and_within_subjects():
    given = rows(rois=("V1", "V2", "V3", "HVC"))
    for row in given:
        row["accuracy"] = [row["top1"] if row["subject"] == "S1" else 1 - row["top1"]]
    words = quality_words(given)
    assert "over 8 cells" in words and "S1 1.00, S2 -1.00" in words
    for row in given:
        row["accuracy"] = [0.5]
    assert "over 8 cells: not defined (all are equal)" in quality_words(given)
    assert quality_words(given[:3]) == "Too few cells for a correlation."


@pytest.mark.parametrize("seeds", [2, 8])
def test_the_interval_of_a_mean_covers_it_as_often_as_it_says(seeds):
    rng = named_rng("interval of a mean", seeds)
    covered = 0
    for _ in range(400):
        values = rng.normal(0, 0.3, (seeds, 1)) + rng.normal(0, 1, (1, 60))
        values = values + rng.normal(0, 1, (seeds, 60))
        low, high = interval_of_mean(values)
        covered += low < 0 < high
    # 95% of 400 is 380, its standard error 4.4; few seeds are covered more often.
    assert covered >= 366
