"""The picture: what is drawn stands where the numbers are, and nothing is cut off."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure

from brain_teacher.analysis.statistics import Scores, compare_to_controls
from brain_teacher.report.comparison_figure import comparison_figure, draw_comparison, figure_points

FAMILY = ("none", "smooth", "smooth-matched", "permuted-images", "brain-class")
TITLE = "Simulated brains and pictures: does a brain's view of an image teach a student? ROI VC"


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(4)
    chances = dict(zip((*FAMILY, "brain"), (0.4, 0.45, 0.5, 0.3, 0.6, 0.6), strict=True))
    result = {
        name: Scores(range(6), rng.random((6, 200)) < chance, np.arange(200) % 16)
        for name, chance in chances.items()
    }
    none, rows = result["none"], [0, 1, 2, 4, 5]
    result["none"] = Scores(rows, none.correct[rows], none.category)
    return result


@pytest.fixture(scope="module")
def differences(scores):
    result = compare_to_controls(scores, teacher="brain", family=FAMILY)
    # So that the two kinds of p disagree once.
    result["smooth"] = replace(result["smooth"], p=0.02, p_corrected=0.08)
    return result


@pytest.fixture(scope="module")
def figure(scores, differences):
    return comparison_figure(
        scores, differences, teacher="brain", chance=1 / 16, margin=0.04, title=TITLE
    )


def lines(ax, gid):
    return [line for line in ax.lines if line.get_gid() == gid]


def test_points_lie_beside_the_picture(scores):
    points = figure_points({"none": scores["none"], "brain": scores["brain"]})
    assert list(points.columns) == ["teacher", "seed", "accuracy"]
    assert len(points) == 5 + 6
    row = points[(points["teacher"] == "none") & (points["seed"] == 4)]
    assert row["accuracy"].item() == pytest.approx(scores["none"].correct[3].mean())


def test_left_is_accuracy_by_teacher(scores, figure):
    left = figure.axes[0]
    assert [label.get_text() for label in left.get_yticklabels()] == [*FAMILY, "brain"]
    assert left.get_xlabel() == "accuracy on test images (%)"
    means = [line.get_xdata()[0] for line in lines(left, "mean")]
    assert means == pytest.approx([100 * scores[n].accuracy.mean() for n in (*FAMILY, "brain")])
    assert lines(left, "chance")[0].get_xdata() == pytest.approx([6.25, 6.25])
    pairs = np.array([line.get_xdata() for line in lines(left, "pairs")])
    assert pairs.shape == (6, 6)
    # Seed 3 of none is absent: its line begins at the next teacher.
    assert np.argwhere(np.isnan(pairs)).tolist() == [[3, 0]]
    assert pairs[4, 0] == pytest.approx(100 * scores["none"].accuracy[3])
    assert pairs[:, 5] == pytest.approx(100 * scores["brain"].accuracy)


def test_right_is_the_difference_with_its_interval(scores, differences, figure):
    right = figure.axes[1]
    assert right.get_xlabel() == "brain minus control (percentage points)"
    intervals = lines(right, "interval")
    for row, (name, each) in enumerate(differences.items()):
        assert intervals[row].get_xdata() == pytest.approx([100 * each.low, 100 * each.high])
        assert list(intervals[row].get_ydata()) == [row, row]
        mean = lines(right, "mean")[row]
        assert mean.get_xdata()[0] == pytest.approx(100 * each.mean)
        # In grey, too: a sure difference is filled and solid, another hollow and dashed.
        sure = each.p_corrected < 0.05
        assert (mean.get_markerfacecolor() != "white") == sure, name
        assert (intervals[row].get_linestyle() == "-") == sure, name
        wide = lines(right, "classes")[row].get_xdata()
        assert wide == pytest.approx([100 * each.low_classes, 100 * each.high_classes])
        assert wide[0] < wide[1]
    sure = {name: each.p_corrected < 0.05 for name, each in differences.items()}
    assert sure["none"] and not sure["smooth"] and not sure["brain-class"]
    seeds = [line for line in right.lines if line.get_marker() == "." and line.get_gid() is None]
    assert [len(line.get_xdata()) for line in seeds] == [5, 6, 6, 6, 6]
    assert np.mean(seeds[1].get_xdata()) == pytest.approx(100 * differences["smooth"].mean)
    band = next(patch for patch in right.patches if patch.get_gid() == "margin")
    assert band.get_extents().transformed(right.transData.inverted()).intervalx == pytest.approx(
        [-4, 4]
    )
    assert lines(right, "zero")[0].get_xdata() == [0, 0]


def test_title_and_caption(figure):
    assert figure.get_suptitle() == TITLE
    assert figure.get_supxlabel().replace("\n", " ") == (
        "Left: each small point is a seed, thin lines join the students of one seed, large markers"
        " are means. Right: bars are two-way 95% intervals over 5 to 6 paired seeds and 200 test"
        " images for these classes (not corrected), faint bars have classes random as well, small"
        " points are single seeds, the band is ±4 percentage points. Filled on a solid bar:"
        " Holm-corrected p < 0.05 within the family of 5; hollow on a dashed bar: not."
    )


@pytest.mark.parametrize("title", [TITLE, f"{TITLE}, and a title that goes on. " * 2])
@pytest.mark.parametrize("family", [FAMILY, FAMILY[:1]])
def test_no_text_is_cut_off_or_overlaps(scores, differences, title, family):
    figure = comparison_figure(
        scores,
        {name: differences[name] for name in family},
        teacher="brain",
        chance=1 / 16,
        margin=0.04,
        title=title,
    )
    figure.draw_without_rendering()
    boxes = [(text.get_text(), text.get_window_extent()) for text in _shown(figure)]
    assert len(boxes) > 15
    for index, (text, box) in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0, text
        assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, text
        for other, other_box in boxes[:index]:
            assert not box.overlaps(other_box), (text, other)


def _shown(figure):
    """Every text that is drawn: matplotlib keeps labels for ticks that are out of view, too."""
    texts = [*figure.texts]
    for ax in figure.axes:
        texts += [*ax.texts, ax.xaxis.label]
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            texts += [
                tick.label1
                for tick in axis.get_major_ticks()
                if low <= tick.get_loc() <= high and tick.label1.get_visible()
            ]
    return texts


def test_draws_on_axes_that_it_is_given(scores, differences):
    axes = Figure().subplots(1, 2)
    before = dict(rcParams)
    result = draw_comparison(scores, differences, axes, teacher="brain", chance=0.5, margin=0.04)
    assert result is axes
    assert axes[1].get_yticklabels()[0].get_text() == "none"
    assert dict(rcParams) == before


def test_saves_as_png(figure, tmp_path):
    figure.savefig(tmp_path / "comparison.png", dpi=50)
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "module",
    ["comparison_figure", "class_figure", "decoder_figures", "ladder_figure", "student_figures"],
)
def test_pyplot_is_never_loaded(module):
    code = (
        f"import sys, brain_teacher.report.{module}\n"
        "print('matplotlib.figure' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    assert shown.stdout.split() == ["True", "False"]


def test_scores_are_needed(scores, differences):
    with pytest.raises(ValueError, match="^no scores of brain-VC$"):
        draw_comparison(
            scores, differences, (None, None), teacher="brain-VC", chance=0.1, margin=0.04
        )
