"""The verdict: every row, its boundaries, their order, and its sentence."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_teacher.analysis.outcomes import OUTCOMES
from brain_teacher.analysis.statistics import Difference
from brain_teacher.analysis.verdict import BRAIN_TAUGHT, Verdict, decide, open_control

HARMED = "harmed"
IMAGES = "taught by the brain's view of each image"
ONLY_BRAIN = "taught by class structure that only the brain knows"
WORDS_TOO = "taught by class structure that words know too"
CLASSES = "taught by class structure"
REGULARISED = "regularised only"
NO_EFFECT = "no effect as large as 4 points"
CANNOT_TELL = "cannot tell"

FAMILY = ("none", "smooth", "smooth-matched", "permuted-images", "brain-class")


def difference(mean, p, low90, high90, **others):
    """A Difference as `decide` reads it, in percentage points."""
    values = {"low": low90 - 1, "high": high90 + 1, "se": 1.0, **others}
    points = {"mean": mean, "low90": low90, "high90": high90, **values}
    return Difference(
        **{name: value / 100 for name, value in points.items()},
        p=p / 5,
        p_corrected=p,
        df=7.0,
        seeds=8,
        images=960,
    )


UP = difference(5, 0.01, 3, 7)  # above, not bounded
UP_LITTLE = difference(2, 0.01, 1, 3)  # above and bounded
DOWN = difference(-5, 0.01, -7, -3)
CLOSE = difference(1, 0.5, -1, 3)  # inside the margin
WIDE = difference(1, 0.5, -4, 6)
BELOW_ONLY = difference(-3, 0.3, -6, 0)  # bounded, not inside the margin


def family(default=UP, **changes):
    """The family, all `default` but for `changes` (names with _ for -)."""
    changes = {name.replace("_", "-"): change for name, change in changes.items()}
    names = [*FAMILY, *(name for name in changes if name not in FAMILY)]
    cases = {name: changes.get(name, default) for name in names}
    return {name: case for name, case in cases.items() if case is not None}


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        # Row 1, and that it comes before all others.
        (family(none=DOWN), HARMED),
        (family(none=difference(-1, 0.049, -2, -0.1)), HARMED),
        (family(none=difference(-1, 0.05, -2, -0.1), smooth=CLOSE), NO_EFFECT),
        (family(none=difference(-5, 0.05, -8, -2)), CANNOT_TELL),
        # Row 2: above every control, however little.
        (family(), IMAGES),
        (family(UP_LITTLE), IMAGES),
        (family(none=difference(2, 0.049, 1, 3)), IMAGES),
        (family(permuted_classes=UP, semantic=UP), IMAGES),
        (family(semantic=CLOSE), CANNOT_TELL),
        # Row 2 needs both image controls in the family; Row 3 needs one of them.
        (family(brain_class=None), CANNOT_TELL),
        (family(permuted_images=None), CANNOT_TELL),
        (family(brain_class=None, permuted_images=UP_LITTLE), CLASSES),
        (family(brain_class=None, permuted_images=None), CANNOT_TELL),
        # Row 3: bounded against at least one image control.
        (family(brain_class=CLOSE), CLASSES),
        (family(permuted_images=CLOSE), CLASSES),
        (family(permuted_images=DOWN, brain_class=DOWN), CLASSES),
        (family(brain_class=WIDE), CANNOT_TELL),
        (family(brain_class=WIDE, permuted_images=UP_LITTLE), CLASSES),
        (family(brain_class=difference(3, 0.05, 1, 3.99)), CLASSES),
        (family(brain_class=difference(3, 0.05, 1, 4)), CANNOT_TELL),
        (family(brain_class=CLOSE, permuted_classes=UP), CLASSES),
        (family(brain_class=CLOSE, permuted_classes=WIDE), CANNOT_TELL),
        # ... and semantic says whose class structure: the brain's alone where it is beaten ...
        (family(brain_class=CLOSE, semantic=UP), ONLY_BRAIN),
        (family(brain_class=CLOSE, semantic=UP_LITTLE), ONLY_BRAIN),
        (family(brain_class=CLOSE, permuted_classes=UP, semantic=UP), ONLY_BRAIN),
        (family(brain_class=WIDE, semantic=UP), CANNOT_TELL),
        (family(brain_class=CLOSE, permuted_classes=WIDE, semantic=UP), CANNOT_TELL),
        (family(permuted_images=UP_LITTLE, brain_class=None, semantic=UP), ONLY_BRAIN),
        # ... words' too where it is bounded, and open where it is neither.
        (family(brain_class=CLOSE, semantic=CLOSE), WORDS_TOO),
        (family(brain_class=CLOSE, semantic=DOWN), WORDS_TOO),
        (family(brain_class=CLOSE, semantic=difference(3, 0.05, 1, 3.99)), WORDS_TOO),
        (family(brain_class=CLOSE, semantic=difference(3, 0.05, 1, 4)), CLASSES),
        (family(brain_class=CLOSE, semantic=WIDE), CLASSES),
        (family(brain_class=CLOSE, smooth_other=WIDE), CANNOT_TELL),
        # Without a smoothing teacher, class structure cannot be told from smoothing.
        (family(brain_class=CLOSE, smooth=None, smooth_matched=None), CANNOT_TELL),
        (family(brain_class=CLOSE, smooth=None), CLASSES),
        # Row 4: bounded against all smoothing, above not all of it.
        (family(smooth=CLOSE, smooth_matched=CLOSE), REGULARISED),
        (family(smooth=CLOSE, smooth_matched=UP_LITTLE), REGULARISED),
        (family(smooth=DOWN, smooth_matched=DOWN), REGULARISED),
        (family(smooth=CLOSE, smooth_matched=UP), CANNOT_TELL),
        (family(smooth=WIDE, smooth_matched=CLOSE), CANNOT_TELL),
        (family(smooth=difference(3, 0.05, 1, 3.99), smooth_matched=CLOSE), REGULARISED),
        (family(smooth=difference(3, 0.05, 1, 4), smooth_matched=CLOSE), CANNOT_TELL),
        # ... and it comes before row 5.
        (family(CLOSE, none=UP_LITTLE), REGULARISED),
        # Row 5: inside the margin on both sides.
        (family(CLOSE), NO_EFFECT),
        (family(none=difference(0, 1, -3.99, 3.99)), NO_EFFECT),
        (family(none=difference(0, 1, -4, 3.99)), CANNOT_TELL),
        (family(none=difference(0, 1, -3.99, 4)), CANNOT_TELL),
        (family(none=UP_LITTLE, smooth=WIDE), NO_EFFECT),
        # Row 6.
        (family(WIDE), CANNOT_TELL),
        (family(BELOW_ONLY), CANNOT_TELL),
        (family(none=UP, smooth=WIDE, smooth_matched=WIDE), CANNOT_TELL),
    ],
)
def test_verdict_truth_table(differences, words):
    assert decide(differences, margin=0.04).words == words


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        (family(), CANNOT_TELL),
        (family(permuted_images=UP_LITTLE), CLASSES),
        (family(UP_LITTLE), CLASSES),
        (family(none=DOWN), HARMED),
        (family(brain_class=CLOSE), CLASSES),
        (family(brain_class=CLOSE, semantic=UP), ONLY_BRAIN),
        (family(brain_class=CLOSE, semantic=CLOSE), WORDS_TOO),
        (family(smooth=CLOSE, smooth_matched=CLOSE), REGULARISED),
        (family(CLOSE), NO_EFFECT),
    ],
)
def test_a_diverged_seed_bars_the_second_row_only(differences, words):
    assert decide(differences, margin=0.04, diverged=iter([("smooth", 3)])).words == words


cases = st.builds(
    lambda mean, p, down, up: difference(mean, p, mean - down, mean + up),
    st.sampled_from([-5, -1, 0, 1, 3, 5]),
    st.sampled_from([0.0, 0.01, 0.05, 0.5]),
    st.sampled_from([0, 1, 3, 5]),
    st.sampled_from([0, 1, 3, 5]),
)
families = st.tuples(
    st.fixed_dictionaries(
        {"none": cases},
        optional=dict.fromkeys([*FAMILY[1:], "permuted-classes", "semantic"], cases),
    ),
    st.lists(st.tuples(st.sampled_from(FAMILY), st.integers(0, 9)), max_size=1),
)


@settings(max_examples=500)
@given(families)
def test_verdict_is_the_first_row_that_holds(case):
    # Each row as what must and must not be in its sets (DESIGN, rule 8), numbered; no order of
    # tests, the verdict is the least number.
    differences, diverged = case
    points = {name: vars(each) for name, each in differences.items()}
    sign = {
        name: (each["mean"] > 0) - (each["mean"] < 0) if each["p_corrected"] < 0.05 else 0
        for name, each in points.items()
    }
    beaten = {name for name in sign if sign[name] == 1}
    within = {name for name, each in points.items() if each["high90"] < 0.04}
    smoothing = {"smooth", "smooth-matched"} & set(sign)
    images = {"permuted-images", "brain-class"}
    classes = (
        len(smoothing) > 0
        and not (smoothing | {"none"} | ({"permuted-classes"} & set(sign))) - beaten
        and not images.isdisjoint(within)
    )
    rows = {
        1: sign["none"] == -1,
        2: beaten == set(sign) and len(images & set(sign)) == 2 and diverged == [],
        3.1: classes and "semantic" in beaten,
        3.2: classes and "semantic" in within,
        3.3: classes,
        4: sign["none"] == 1 and len(smoothing - beaten) > 0 and not smoothing - within,
        5: max(abs(points["none"]["low90"]), abs(points["none"]["high90"])) < 0.04,
        6: True,
    }
    words = {1: HARMED, 2: IMAGES, 3.1: ONLY_BRAIN, 3.2: WORDS_TOO, 3.3: CLASSES}
    words |= {4: REGULARISED, 5: NO_EFFECT, 6: CANNOT_TELL}
    expected = words[min(row for row, holds in rows.items() if holds)]
    assert decide(differences, margin=0.04, diverged=diverged).words == expected


@pytest.mark.parametrize(
    ("margin", "words"),
    [
        (0.04, "no effect as large as 4 points"),
        (0.035, "no effect as large as 3.5 points"),
        (0.07, "no effect as large as 7 points"),  # 100 * 0.07 is 7.000000000000001
        (0.01, "no effect as large as 1 point"),
    ],
)
def test_margin_is_named_in_points(margin, words):
    inside = difference(0, 1, -0.5, 0.5)
    assert decide({"none": inside}, margin=margin).words == words


# Sentences, whole


def test_sentence_says_the_numbers_and_who_was_beaten():
    differences = family(brain_class=CLOSE, permuted_images=DOWN)
    assert decide(differences, margin=0.04) == Verdict(
        "taught by class structure",
        "Taught by class structure: in these subjects brain minus none is +5.0 points (95% interval"
        " +2.0 to +8.0; 8 seeds, 960 images); after Holm's correction it is above none, smooth and"
        " smooth-matched, below permuted-images, not distinguished from brain-class; whether words"
        " know it too is open.",
    )


def test_only_what_nothing_but_the_brain_explains_is_brain_taught():
    assert {IMAGES, ONLY_BRAIN} == BRAIN_TAUGHT


@pytest.mark.parametrize(
    ("differences", "null"),
    [(family(WIDE), True), (family(CLOSE), True), (family(), False), (family(none=DOWN), False)],
)
def test_a_null_result_is_known_as_one(differences, null):
    assert decide(differences, margin=0.04).null is null


def test_a_null_result_hangs_on_none_or_on_the_open_control_that_sees_least():
    wide, wider = difference(1, 0.5, -4, 6, se=2.0), difference(1, 0.5, -4, 6, se=3.0)
    assert open_control(family(wide, smooth=wider, none=WIDE)) == "none"
    assert open_control(family(smooth=WIDE, brain_class=wide)) == "brain-class"
    assert open_control(family(smooth=difference(5, 0.01, 3, 7, se=9.0), brain_class=wide)) == (
        "brain-class"
    )


def test_sentence_of_cannot_tell_says_what_could_have_been_seen():
    # df 7: t[.975] + t[.8] = 2.365 + 0.896 = 3.261 standard errors of 1 and 2 points.
    wide = difference(1, 0.5, -4, 6, se=2.0)
    assert decide(family(WIDE), margin=0.04).sentence == (
        "Cannot tell: in these subjects brain minus none is +1.0 points (95% interval -5.0 to +7.0;"
        " 8 seeds, 960 images); after Holm's correction it is not distinguished from none, smooth,"
        " smooth-matched, permuted-images or brain-class; the smallest effect that these seeds and"
        " images could have seen (80% power, uncorrected p) is 3.3 points against none."
    )
    open_controls = family(smooth=WIDE, brain_class=wide)
    assert decide(open_controls, margin=0.04).sentence == (
        "Cannot tell: in these subjects brain minus none is +5.0 points (95% interval +2.0 to +8.0;"
        " 8 seeds, 960 images); after Holm's correction it is above none, smooth-matched and"
        " permuted-images, not distinguished from smooth or brain-class; the smallest effect that"
        " these seeds and images could have seen (80% power, uncorrected p) is 6.5"
        " points against brain-class."
    )


def test_sentence_says_who_diverged():
    diverged = [("smooth", 5), ("brain", 3)]
    ending = "which bars a verdict about single images."
    assert decide(family(CLOSE), margin=0.04, diverged=diverged).sentence.endswith(
        f" or brain-class; brain seed 3 and smooth seed 5 diverged and are left out, {ending}"
    )
    assert decide(family(CLOSE), margin=0.04, diverged=diverged[:1]).sentence.endswith(
        f" or brain-class; smooth seed 5 diverged and is left out, {ending}"
    )


def test_sentence_says_which_image_control_is_lacking():
    ending = "without brain-class nothing is said about single images."
    assert decide(family(brain_class=None), margin=0.04).sentence.endswith(f"; {ending}")
    assert ending not in decide(family(brain_class=None, smooth=CLOSE), margin=0.04).sentence


def test_sentence_of_equal_differences_has_no_interval():
    same = difference(0, 1, 0, 0, low=0, high=0, se=0)
    assert decide({"none": same}, margin=0.04).sentence == (
        "Cannot tell: in these subjects brain minus none is +0.0 points (the same for every seed"
        " and image, so without an interval; 8 seeds, 960 images); after Holm's correction it is"
        " not distinguished from none; all differences are equal, so nothing is known of their"
        " error."
    )


# Outcomes of which less is better, or in other units


def in_nats(each):
    """The same result, had the points been hundredths of a nat, and less been better."""
    return OUTCOMES["nll"].gain(each)


@pytest.mark.parametrize(
    "differences",
    [
        family(none=DOWN),
        family(),
        family(UP_LITTLE, permuted_images=CLOSE, brain_class=CLOSE),
        family(CLOSE, none=UP),
        family(CLOSE),
        family(BELOW_ONLY),
        family(WIDE),
        family(smooth=WIDE, brain_class=difference(1, 0.5, -4, 6, se=2.0)),
    ],
)
def test_less_of_what_is_bad_is_as_good_as_more_of_what_is_good(differences):
    turned = {name: in_nats(each) for name, each in differences.items()}
    found = decide(turned, margin=0.04, outcome=OUTCOMES["nll"])
    expected = decide(differences, margin=0.04)
    assert found.words == expected.words.replace("4 points", "0.04 nats")
    assert found.null == expected.null
    assert open_control(turned, OUTCOMES["nll"]) == open_control(differences)


def test_sentence_in_nats_says_better_and_worse():
    differences = family(brain_class=CLOSE, permuted_images=DOWN)
    turned = {name: in_nats(each) for name, each in differences.items()}
    assert decide(turned, margin=0.04, outcome=OUTCOMES["nll"]).sentence == (
        "Taught by class structure: in these subjects brain minus none is -0.050 nats of NLL (95%"
        " interval -0.080 to -0.020; 8 seeds, 960 images); after Holm's correction it is better"
        " than none, smooth and smooth-matched, worse than permuted-images, not distinguished from"
        " brain-class; whether words know it too is open."
    )
    wide = {name: in_nats(each) for name, each in family(WIDE).items()}
    assert decide(wide, margin=0.04, outcome=OUTCOMES["nll"]).sentence.endswith(
        "that these seeds and images could have seen (80% power, uncorrected p) is 0.033 nats"
        " against none."
    )


# Faults


def test_none_is_needed():
    with pytest.raises(
        ValueError, match="^the family has no control 'none'; without it there is no verdict$"
    ):
        decide(family(none=None), margin=0.04)


@pytest.mark.parametrize("margin", [0, -0.04, 1, 4, float("nan")])
def test_margin_is_a_fraction(margin):
    message = f"margin is {margin}; it must be a fraction between 0 and 1 (0.04)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        decide(family(), margin=margin)
