"""The grid of truths: its draws and decisions are those of the real analysis, and it can fail."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

import verdict_grid
from brain_teacher.analysis import verdict as words
from brain_teacher.analysis.ladder import over_half
from brain_teacher.analysis.power import Spread
from brain_teacher.analysis.statistics import Scores, compare_to_controls
from brain_teacher.analysis.two_way import mean_squares
from brain_teacher.analysis.verdict import decide
from verdict_grid import (
    FAMILY,
    Cell,
    Noise,
    components_of,
    draw_noise,
    grid_table,
    holm,
    summary,
    verdicts,
)
from verdict_truths import TEACHERS, TRUTHS, Truth

QUIET = Spread(seed=1e-5, image=1e-3, residual=1e-2)
SHARES = [each for each in TRUTHS if each.name in ("a fifth each", "smoothing alone")]


def rng():
    return np.random.default_rng(7)


def answers(truth, effect, *, seeds=8, images=60):
    """Teachers' answers (teachers, seeds, images), normal."""
    values = rng().normal(0, 0.2, (len(TEACHERS), seeds, images))
    return values + truth.means(effect)[:, None, None]


@pytest.fixture(autouse=True)
def _no_collections(monkeypatch):
    """statsmodels collects garbage at each correction: a tenth of a second, beside torch."""
    monkeypatch.setattr("gc.collect", lambda *_: 0)


@pytest.mark.parametrize("effect", [0.02, 0.05, 0.1, 0.3])
@pytest.mark.parametrize("truth", TRUTHS[:8], ids=lambda truth: truth.name)
def test_a_draw_is_decided_as_real_answers_are(truth, effect):
    values = answers(truth, effect)
    scores = {name: Scores(range(8), each) for name, each in zip(TEACHERS, values, strict=True)}
    compared = {"teacher": "brain", "family": FAMILY}
    expected = decide(
        compare_to_controls(scores, **compared), over_half(scores, **compared), margin=0.04
    ).words
    # Mean squares and products: of sums of two teachers come the products.
    squares = np.zeros((3, 1, len(TEACHERS), len(TEACHERS)))
    for i, a in enumerate(values):
        for j, b in enumerate(values):
            parts = (mean_squares(each) for each in (a + b, a, b))
            both, one, other = map(np.array, parts)
            squares[:, 0, i, j] = (both - one - other) / 2
    noise = Noise(values.mean(axis=(1, 2))[None], tuple(squares), (8, 60))
    assert verdicts(noise, np.zeros(len(TEACHERS))) == {expected.removesuffix(" 4 points"): 1}


def test_noise_has_the_variance_of_its_components():
    components = Spread(seed=4e-4, image=0.02, residual=0.1)
    noise = draw_noise(components, seeds=8, images=500, draws=4000, rng=rng())
    variance = 4e-4 / 8 + 0.02 / 500 + 0.1 / 4000
    assert noise.means.var() == pytest.approx(variance, rel=0.05)
    for each, expected in zip(noise.squares, (0.1 + 500 * 4e-4, 0.1 + 8 * 0.02, 0.1), strict=True):
        assert each[:, 0, 0].mean() == pytest.approx(expected, rel=0.05)
        assert each[:, 0, 1].mean() == pytest.approx(0, abs=0.05 * expected)


def test_components_are_those_that_were_put_in():
    draws = rng()
    values = draws.normal(0, 0.3, (6, 40, 400)) + draws.normal(0, 0.05, (6, 40, 1))
    values += draws.normal(0, 0.2, (6, 1, 400))
    values += draws.normal(0, 0.5, (40, 400))  # all teachers share it
    found = components_of({str(k): Scores(range(40), v) for k, v in enumerate(values)})
    assert found.seed == pytest.approx(0.05**2, rel=0.2)
    assert found.image == pytest.approx(0.04, rel=0.1)
    assert found.residual == pytest.approx(0.09, rel=0.02)


def test_holm_is_that_of_statsmodels():
    p = rng().random((50, 6)) ** 3
    expected = [multipletests(each, method="holm")[1] for each in p]
    np.testing.assert_allclose(holm(p), expected)


@pytest.mark.parametrize(
    ("shares", "right"),
    [
        ((0, 0, 0, 0), {words.IMAGES}),
        ((0, 0, 0, 1), {words.CONFIDENT, words.CONFIDENT + words.OR_LESS}),
        (
            (0.4, 0.4, 1, 1),
            {
                words.CLASSES, words.CLASSES + words.OR_LESS, words.BRAIN_CLASSES["words"],
                words.CONFIDENT + words.OR_LESS, words.WITHOUT_IMAGES,
            },
        ),
        (
            (0.7, 0.7, 0.7, 0.7),
            {
                words.IMAGES, words.SMOOTHED, words.WORD_CLASSES["words"] + words.OR_LESS,
                words.CLASSES + words.OR_LESS, words.CONFIDENT + words.OR_LESS,
                words.WITHOUT_IMAGES,
            },
        ),
    ],
)  # fmt: skip
def test_what_is_right_of_a_truth(shares, right):
    truth = Truth("", shares)
    said = {each for each in words.EXPLAINING if "superclasses" not in each}
    assert {each for each in said if truth.is_right(each)} == right


def test_an_image_verdict_is_false_where_one_control_is_as_good():
    exchanged = Truth("", (0, 0, 0, 0), 1.0)
    assert not exchanged.is_right(words.IMAGES) and exchanged.is_right(words.WITHOUT_IMAGES)


def test_errors_and_power_of_a_small_grid(monkeypatch):
    monkeypatch.setattr(verdict_grid, "TRUTHS", tuple(SHARES))
    monkeypatch.setattr(verdict_grid, "SIZES", ((8, 300),))
    cells = verdict_grid.grid(QUIET, draws=400)
    assert len(cells) == 1 + 2 * 4
    assert max(cell.wrong for cell in cells) < 0.05
    assert min(cell.right for cell in cells if cell.effect == 0.13) > 0.95
    assert "| a fifth each    | 0.2 0.4 0.6 0.8 |" in grid_table(cells)


def test_the_summary_tells_errors():
    truth = Truth("toy", (0, 0, 0, 1))
    counts = {words.IMAGES: 30, words.CONFIDENT: 60, words.OPEN: 10}
    half = Truth("half", (0.5, 0.5, 0.5, 0.5))
    cases = {
        truth: counts,
        SHARES[1]: {words.IMAGES: 99},
        half: {words.SMOOTHED: 1, words.OPEN: 3},
    }
    said = summary([Cell(truth, 0.08, (8, 960), each) for truth, each in cases.items()])
    assert said.splitlines() == [
        "- An effect is explained wrongly in at most 30.0% of the draws of a cell; where a share "
        "lies within 0.05 of one half, in at most 25.0%.",
        "- Of the verdicts that explain, all effects of a truth and size together, at most 0.0% "
        "are wrong, shares within 0.05 of one half left out; missed by: toy at 8 x 960, 33.3%.",
        "- In the 2 of 2 such cells in which half of the draws or more explain, at most 33.3% of "
        "these are wrong.",
        "- The image verdict is false in at most 30.0% of the draws.",
    ]
