"""The ladder in words and as a picture, and the effect by class: drawn is what was found."""

from itertools import pairwise

import numpy as np
import pytest

from brain_teacher.analysis.class_effects import class_effects
from brain_teacher.analysis.ladder import Step, ladder
from brain_teacher.analysis.outcomes import OUTCOMES
from brain_teacher.analysis.statistics import Scores, paired_difference
from brain_teacher.report.class_figure import NAMED, class_figure
from brain_teacher.report.ladder_figure import ladder_figure, ladder_rows, ladder_sentence
from brain_teacher.report.words import classes_sentence

FAMILY = ("none", "smooth-matched", "brain-class")
TITLE = "The effect: sample HVC (simulated)"


def make_scores(n_classes=8):
    rng = np.random.default_rng(4)
    category = np.array([f"c{number:02d}" for number in np.arange(200) % n_classes])
    chances = dict(zip((*FAMILY, "brain"), (0.4, 0.45, 0.6, 0.8), strict=True))
    return {
        name: Scores(range(6), rng.random((6, 200)) < chance, category)
        for name, chance in chances.items()
    }


@pytest.fixture(scope="module")
def scores():
    return make_scores()


@pytest.fixture(scope="module")
def steps(scores):
    return ladder(scores, teacher="brain", family=FAMILY, knows="words")


def lines(ax, gid):
    return [line for line in ax.lines if line.get_gid() == gid]


def texts_of(figure):
    figure.draw_without_rendering()
    (ax,) = figure.axes
    return [*figure.texts, ax.xaxis.label, *ax.get_yticklabels()]


def test_the_sentence_says_what_the_effect_is_made_of(scores):
    found = paired_difference(scores["brain"], scores["none"])
    step = Step("smoothing", "smooth-matched", "none", found)
    low, mean, high = (f"{100 * value:+.1f}" for value in (found.low, found.mean, found.high))
    assert ladder_sentence([step, step], found) == (
        f"Ladder: of {mean} points: {mean} [{low}, {high}] smoothing, {mean} [{low}, {high}] "
        "smoothing (each rung minus the one below, two-way 95% intervals for these classes, not "
        "corrected)."
    )
    assert "nats of NLL: " in ladder_sentence([step], found, OUTCOMES["nll"])


def test_rows_hold_both_intervals_and_no_nan(steps):
    rows = ladder_rows(steps)
    assert [row["upper"] for row in rows] == ["smooth-matched", "brain-class", "brain"]
    for row, step in zip(rows, steps, strict=True):
        assert row["low_classes"] == step.difference.low_classes < row["mean"]
        assert row["low"] == step.difference.low
    bare = {name: Scores(each.seeds, each.correct) for name, each in make_scores().items()}
    rows = ladder_rows(ladder(bare, teacher="brain", family=FAMILY, knows="words"))
    assert [row["low_classes"] for row in rows] == [None] * 3


def test_each_bar_begins_where_the_one_before_ended(scores, steps):
    ax = ladder_figure(steps, title=TITLE).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        f"{step.what}  {100 * step.difference.mean:+.1f}" for step in steps
    ]
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    total = 100 * paired_difference(scores["brain"], scores["none"]).mean
    assert ends[0][0] == pytest.approx(0) and ends[-1][1] == pytest.approx(total)
    for (_, end), (start, _) in pairwise(ends):
        assert start == pytest.approx(end)
    for (start, _), line, step in zip(ends, lines(ax, "interval"), steps, strict=True):
        each = step.difference
        assert line.get_xdata() == pytest.approx([start + 100 * each.low, start + 100 * each.high])
    assert ax.get_xlabel() == "accuracy, from hard labels up (points)"


@pytest.mark.parametrize("n_classes", [8, NAMED + 1])
def test_classes_are_drawn_by_falling_effect_over_both_bands(n_classes):
    scores = make_scores(n_classes)
    effects = class_effects(scores["brain"], scores["none"])
    total = paired_difference(scores["brain"], scores["none"])
    figure = class_figure(effects, total, teacher="brain", control="none", title=TITLE)
    ax = figure.axes[0]
    (means,) = lines(ax, "mean")
    assert means.get_xdata() == pytest.approx(100 * effects["mean"])
    assert (np.diff(means.get_xdata()) <= 0).all()
    bands = {patch.get_gid(): patch.get_extents().transformed(ax.transData.inverted())
             for patch in ax.patches}  # fmt: skip
    assert bands["images"].intervalx == pytest.approx([100 * total.low, 100 * total.high])
    assert bands["classes"].intervalx == pytest.approx(
        [100 * total.low_classes, 100 * total.high_classes]
    )
    assert ax.get_xlabel() == "brain minus none (points)"
    named = [label.get_text() for label in ax.get_yticklabels()]
    assert named == (effects["class"].tolist() if n_classes <= NAMED else [])
    assert f"for these {n_classes} classes" in figure.get_supxlabel().replace("\n", " ")


def test_no_text_is_cut_off(scores, steps):
    effects = class_effects(scores["brain"], scores["none"])
    total = paired_difference(scores["brain"], scores["none"])
    for figure in (
        ladder_figure(steps, title=TITLE),
        class_figure(effects, total, teacher="brain", control="none", title=TITLE),
    ):
        for text in texts_of(figure):
            box = text.get_window_extent()
            assert box.x0 >= 0 and box.y0 >= 0, text
            assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, text


def test_the_sentence_of_classes_says_which_p_decides(scores):
    found = {"none": paired_difference(scores["brain"], scores["none"])}
    low, high = (f"{100 * v:+.1f}" for v in (found["none"].low_classes, found["none"].high_classes))
    assert classes_sentence(found) == (
        "Classes: the 95% intervals above are for these 8 classes, and p is theirs: a verdict is "
        "about what was tested. With classes random as well, for others like them: "
        f"none {low} to {high}."
    )
    bare = [Scores(each.seeds, each.correct) for each in scores.values()]
    assert classes_sentence({"none": paired_difference(*bare[:2])}) is None
