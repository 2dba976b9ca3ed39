"""What every outcome of ``OUTCOMES`` owes: one suite over all of them."""

from dataclasses import replace

import numpy as np
import pytest

from brain_teacher.analysis.outcomes import OUTCOMES
from brain_teacher.analysis.statistics import paired_difference, scores_of
from helpers.answers import make_answers

IMAGES, CLASSES = 40, 8


@pytest.fixture(params=OUTCOMES)
def outcome(request):
    return OUTCOMES[request.param]


def test_the_entry_says_what_it_is(outcome):
    assert outcome.label and outcome.unit and outcome.of.__doc__
    assert outcome.differ.startswith(outcome.step) and outcome.scale in (1, 100)


def test_it_is_a_number_for_each_image_or_one_for_the_student(outcome):
    for split in ("validation", "test"):
        values = np.array(outcome.of(make_answers("brain", 0), split), dtype=float)
        assert values.shape == ((IMAGES if outcome.of_images else 1),)
        assert np.isfinite(values).all()


def test_values_are_in_the_order_of_the_ids_whatever_that_of_the_file(outcome):
    student, rng = make_answers("brain", 0), np.random.default_rng(0)
    rows, columns = rng.permutation(IMAGES), rng.permutation(CLASSES)
    other = replace(
        student,
        class_id=student.class_id[columns],
        log_probs={"test": student.log_probs["test"][np.ix_(rows, columns)]},
        image_id={"test": student.image_id["test"][rows]},
        category={"test": student.category["test"][rows]},
    )
    np.testing.assert_array_equal(outcome.of(student, "test"), outcome.of(other, "test"))


@pytest.mark.parametrize("extra", [0, 20])
def test_guessing_gives_what_the_entry_says(outcome, extra):
    """Who knows how frequent each class is, and nothing else."""
    student = make_answers("brain", 0)
    category = student.category["test"].copy()
    category[:extra:2] = category[-1]  # 5 images of each class, or one with most of them
    counts = np.array([(category == name).sum() for name in student.class_id])
    with np.errstate(divide="ignore"):
        prior = np.tile(np.log(counts / IMAGES), (IMAGES, 1)).astype(np.float32)
    guesser = replace(student, log_probs={"test": prior}, category={"test": category})
    found = np.mean(outcome.of(guesser, "test"))
    assert found == pytest.approx(outcome.guess(counts.tolist()), abs=1e-6)


def test_who_knows_more_gains(outcome):
    better, worse = (
        scores_of(
            {seed: make_answers("brain", seed, skill=skill, images=200) for seed in range(4)},
            outcome=outcome,
        )
        for skill in (2.0, 0.0)
    )
    if not outcome.of_images:
        with pytest.raises(ValueError, match="two images are needed"):
            paired_difference(better, worse)
        return
    difference = paired_difference(better, worse)
    gain = outcome.gain(difference)
    assert gain.mean > 0 and gain.low > 0
    assert outcome.more_is_better == (difference.mean > 0)
    # Turned round, the ends change places; the widths and all else stay.
    assert gain.low < gain.low90 < gain.mean < gain.high90 < gain.high
    assert gain.high - gain.low == pytest.approx(difference.high - difference.low)
    assert (gain.p, gain.se, gain.df) == (difference.p, difference.se, difference.df)
