"""The verdict: every row, its boundaries, their order, and its sentence."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_teacher.analysis.differences import Difference
from brain_teacher.analysis.outcomes import OUTCOMES
from brain_teacher.analysis.verdict import (
    BRAIN_TAUGHT,
    EXPLAINING,
    Verdict,
    decide,
)

HARMED = "harmed"
IMAGES = "taught by the brain's view of each image"
SMOOTHED = "mostly smoothing"
WORDS = "mostly class structure that words know"
NOT_WORDS = "mostly class structure that words do not know"
CLASSES = "mostly class structure"
CONFIDENT = "mostly the image's own confidence"
WITHOUT_IMAGES = "mostly without the single image"
OPEN = "above hard labels, by what is open"
NO_EFFECT = "no effect as large as 4 points"
CANNOT_TELL = "cannot tell"

FAMILY = (
    "none", "smooth-matched", "semantic", "brain-class", "brain-confidence", "permuted-images"
)  # fmt: skip


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


UP = difference(5, 0.01, 4, 6)
UP_LITTLE = difference(2, 0.01, 1, 3)
DOWN = difference(-5, 0.01, -7, -3)
CLOSE = difference(1, 0.5, -1, 3)  # inside the margin
WIDE = difference(1, 0.5, -4, 6)
BELOW_ONLY = difference(-3, 0.3, -6, 0)  # bounded, not inside the margin
# Of a control minus the middle: it carries most, less than half, or it is open.
MOST, LESS, EITHER = (difference(m, 0.5, m - 1, m + 1) for m in (2.1, -2.1, 1.9))


def family(default=UP, **changes):
    """The family, all `default` but for `changes` (names with _ for -)."""
    changes = {name.replace("_", "-"): change for name, change in changes.items()}
    names = [*FAMILY, *(name for name in changes if name not in FAMILY)]
    cases = {name: changes.get(name, default) for name in names}
    return {name: case for name, case in cases.items() if case is not None}


def judge(differences, carries=None, **options):
    """`decide`, with all controls' halves less than half but those of `carries`."""
    names = [name for name in differences if name != "none"]
    halves = dict.fromkeys(names, LESS) | {
        name.replace("_", "-"): half for name, half in (carries or {}).items()
    }
    return decide(differences, halves, **{"margin": 0.04, **options})


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        # Row 1, and that it comes before all others.
        (family(none=DOWN), HARMED),
        (family(none=difference(-1, 0.049, -2, -0.1)), HARMED),
        (family(none=difference(-1, 0.05, -2, -0.1), semantic=CLOSE), NO_EFFECT),
        (family(none=difference(-5, 0.05, -8, -2)), CANNOT_TELL),
        # Row 2: above every control, however little, both image controls among them.
        (family(), IMAGES),
        (family(UP_LITTLE), IMAGES),
        (family(none=difference(2, 0.049, 1, 3)), IMAGES),
        (family(permuted_classes=UP), IMAGES),
        (family(brain_confidence=None, semantic=None, smooth_matched=None), IMAGES),
        (family(semantic=CLOSE), OPEN),
        (family(permuted_images=WIDE), OPEN),
        (family(brain_class=None), OPEN),
        (family(permuted_images=None), OPEN),
        (family(people=CLOSE), OPEN),
        # Above none, and nothing else: a small effect is no equivalence.
        (family(WIDE, none=UP_LITTLE), OPEN),
        (family(DOWN, none=UP), OPEN),
        # Inside the margin on both sides, and not above none.
        (family(CLOSE), NO_EFFECT),
        (family(none=difference(0, 1, -3.99, 3.99)), NO_EFFECT),
        (family(none=difference(0, 1, -4, 3.99)), CANNOT_TELL),
        (family(none=difference(0, 1, -3.99, 4)), CANNOT_TELL),
        (family(WIDE), CANNOT_TELL),
        (family(BELOW_ONLY), CANNOT_TELL),
    ],
)
def test_verdict_where_nothing_cheaper_carries_most(differences, words):
    assert judge(differences).words == words


OR_LESS = ", or less"


@pytest.mark.parametrize(
    ("carries", "words"),
    [
        ({"smooth_matched": MOST}, SMOOTHED),
        ({"smooth_matched": MOST, "semantic": MOST, "brain_class": MOST}, SMOOTHED),
        ({"smooth_matched": EITHER}, OPEN),
        # A cheaper one that may carry most is said to be open.
        ({"semantic": MOST}, WORDS),
        ({"semantic": MOST, "brain_class": MOST, "brain_confidence": MOST}, WORDS),
        ({"semantic": MOST, "smooth_matched": EITHER}, WORDS + OR_LESS),
        ({"brain_class": MOST}, NOT_WORDS),
        ({"brain_class": MOST, "brain_confidence": MOST}, NOT_WORDS),
        ({"brain_class": MOST, "semantic": EITHER}, CLASSES),
        ({"brain_class": MOST, "smooth_matched": EITHER}, CLASSES + OR_LESS),
        ({"brain_confidence": MOST}, CONFIDENT),
        ({"brain_confidence": MOST, "brain_class": EITHER}, CONFIDENT + OR_LESS),
        ({"brain_confidence": MOST, "semantic": EITHER}, CONFIDENT + OR_LESS),
        ({"brain_confidence": MOST, "smooth_matched": EITHER}, CONFIDENT + OR_LESS),
        ({"brain_confidence": EITHER}, OPEN),
        # What is no rung explains nothing, but says what the effect does not take.
        ({"permuted_images": MOST}, WITHOUT_IMAGES),
        ({"permuted_images": EITHER}, OPEN),
        ({"permuted_images": MOST, "brain_confidence": MOST}, CONFIDENT),
        ({"permuted_images": MOST, "brain_class": MOST}, NOT_WORDS),
    ],
)
def test_what_carries_most_is_named_the_cheapest_first(carries, words):
    shown = family(permuted_images=WIDE)
    assert judge(shown, carries).words == words
    # Only where the brain is above none; and where it is above all, single images were taught.
    assert judge(shown | {"none": WIDE}, carries).words == CANNOT_TELL
    assert judge(shown | {"none": CLOSE}, carries).words == NO_EFFECT
    assert judge(shown | {"none": DOWN}, carries).words == HARMED
    assert judge(family(), carries).words == IMAGES


@pytest.mark.parametrize(
    ("changes", "carries", "words"),
    [
        # Without smoothing nothing is more than smoothing.
        ({"smooth_matched": None}, {"brain_class": MOST}, CLASSES + OR_LESS),
        ({"smooth_matched": None}, {"semantic": MOST}, WORDS + OR_LESS),
        ({"smooth_matched": None}, {"brain_confidence": MOST}, CONFIDENT + OR_LESS),
        ({"smooth_matched": None, "smooth": CLOSE}, {"brain_class": MOST}, NOT_WORDS),
        ({"smooth": CLOSE}, {"smooth": MOST}, SMOOTHED),
        ({"smooth": CLOSE}, {"smooth": EITHER, "brain_class": MOST}, CLASSES + OR_LESS),
        ({"permuted_classes": CLOSE}, {"brain_class": MOST}, NOT_WORDS),
        (
            {"permuted_classes": CLOSE},
            {"permuted_classes": MOST, "brain_class": MOST},
            CLASSES + OR_LESS,
        ),
        (
            {"permuted_classes": CLOSE},
            {"permuted_classes": EITHER, "semantic": MOST},
            WORDS + OR_LESS,
        ),
        (
            {"weighted": CLOSE},
            {"weighted": EITHER, "brain_confidence": MOST},
            CONFIDENT + OR_LESS,
        ),
        ({"semantic": None}, {"brain_class": MOST}, CLASSES),
        ({"semantic": None}, {"brain_confidence": MOST}, CONFIDENT),
        ({"brain_class": None}, {"brain_confidence": MOST}, CONFIDENT + OR_LESS),
    ],
)
def test_what_is_in_the_family_decides_what_can_be_said(changes, carries, words):
    shown = family(permuted_images=WIDE, **changes)
    assert judge(shown, carries).words == words
    assert words in EXPLAINING


@pytest.mark.parametrize(("low", "words"), [(2.51, SMOOTHED), (2.5, OPEN), (2.0, OPEN)])
def test_a_small_effect_is_not_taken_apart(low, words):
    found = judge(
        family(none=difference(5, 0.01, 4, 6, low=low), permuted_images=WIDE),
        {"smooth_matched": MOST},
    )
    assert found.words == words
    assert ("; it is too small against its error to be taken apart." in found.sentence) == (
        words == OPEN
    )


@pytest.mark.parametrize(("low", "words"), [(0.01, SMOOTHED), (0.0, OPEN), (-0.01, OPEN)])
def test_most_is_an_interval_above_the_middle(low, words):
    half = {"smooth_matched": difference(1, 0.5, 0.5, 2, low=low)}
    assert judge(family(permuted_images=WIDE), half).words == words


@pytest.mark.parametrize("high", [-0.01, 0.0, 0.01])
def test_less_is_an_interval_below_the_middle(high):
    half = {"smooth_matched": difference(-1, 0.5, -2, -0.5, high=high), "semantic": MOST}
    words = WORDS + OR_LESS * (high >= 0)
    assert judge(family(permuted_images=WIDE), half).words == words


def test_words_are_superclasses_where_semantic_knows_no_more():
    shown = family(permuted_images=WIDE)
    for carries, words in (
        ({"semantic": MOST}, "mostly class structure that superclasses know"),
        ({"brain_class": MOST}, "mostly class structure that superclasses do not know"),
    ):
        assert judge(shown, carries, knows="superclasses").words == words
        assert words in EXPLAINING


cases = st.builds(
    lambda mean, p, down, up: difference(mean, p, mean - down, mean + up),
    st.sampled_from([-5, -1, 0, 1, 3, 5]),
    st.sampled_from([0.0, 0.01, 0.05, 0.5]),
    st.sampled_from([0, 1, 3, 5]),
    st.sampled_from([0, 1, 3, 5]),
)
OTHERS = [*FAMILY[1:], "smooth", "permuted-classes", "weighted", "people"]
families = st.tuples(
    st.fixed_dictionaries({"none": cases}, optional=dict.fromkeys(OTHERS, cases)),
    st.fixed_dictionaries(dict.fromkeys(OTHERS, st.sampled_from([MOST, LESS, EITHER]))),
    st.lists(st.tuples(st.sampled_from(FAMILY), st.integers(0, 9)), max_size=1),
)


@settings(max_examples=1000)
@given(families)
def test_verdict_is_the_first_row_that_holds(case):
    # Each row as what must and must not be in its sets (DESIGN, rule 8), numbered; no order of
    # tests, the verdict is the least number.
    differences, halves, diverged = case
    halves = {name: half for name, half in halves.items() if name in differences}
    points = {name: vars(each) for name, each in differences.items()}
    sign = {
        name: (each["mean"] > 0) - (each["mean"] < 0) if each["p_corrected"] < 0.05 else 0
        for name, each in points.items()
    }
    beaten = {name for name in sign if sign[name] == 1}
    resolved = points["none"]["low"] > points["none"]["mean"] / 2
    most = {name for name, half in halves.items() if half is MOST and resolved}
    less = {name for name, half in halves.items() if half is LESS and resolved}
    up = "none" in beaten
    smoothing = {"smooth", "smooth-matched"} & set(sign)
    cheap = smoothing | {"permuted-classes", "weighted"} & set(sign)
    more = smoothing and not cheap - less
    unclassed = "brain-class" in less and ("semantic" in less or "semantic" not in sign)
    rows = {
        1: sign["none"] == -1,
        2: beaten == set(sign) and {"permuted-images", "brain-class"} <= set(sign),
        3: up and smoothing & most,
        4: up and more and "semantic" in most,
        4.5: up and "semantic" in most,
        5: up and more and "brain-class" in most and "semantic" in less,
        6: up and more and "brain-class" in most,
        6.5: up and "brain-class" in most,
        7: up and more and "brain-confidence" in most and unclassed,
        7.5: up and "brain-confidence" in most,
        8: up and "permuted-images" in most,
        9: up,
        10: max(abs(points["none"]["low90"]), abs(points["none"]["high90"])) < 0.04,
        11: True,
    }
    words = [HARMED, IMAGES, SMOOTHED, WORDS, NOT_WORDS, CLASSES, CONFIDENT, WITHOUT_IMAGES, OPEN]
    words += [NO_EFFECT, CANNOT_TELL]
    row = min(row for row, holds in rows.items() if holds)
    expected = words[int(row) - 1] + OR_LESS * (row % 1 > 0)
    found = decide(differences, halves, margin=0.04, diverged=diverged)
    assert found.words == expected
    assert ("diverged" in found.sentence) == bool(diverged)


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
    assert judge({"none": inside}, margin=margin).words == words


# Sentences, whole


def test_sentence_says_the_numbers_who_was_beaten_and_what_carries_most():
    differences = family(brain_class=CLOSE, permuted_images=DOWN)
    carries = {"brain_class": MOST, "semantic": EITHER, "brain_confidence": MOST}
    assert judge(differences, carries) == Verdict(
        "mostly class structure",
        "Mostly class structure: in these subjects brain minus none is +5.0 points (95% interval"
        " +3.0 to +7.0; 8 seeds, 960 images); after Holm's correction it is above none,"
        " smooth-matched, semantic and brain-confidence, below permuted-images, not distinguished"
        " from brain-class; more than half of that is reached by brain-class and brain-confidence;"
        " less than half of that is reached by smooth-matched and permuted-images; whether half of"
        " that is reached by semantic is open.",
    )


def test_sentence_says_for_whom_its_intervals_are():
    wide = replace(UP, classes=16, low_classes=-0.01, high_classes=0.11)
    assert (
        "+5.0 points (95% interval +3.0 to +7.0 for these classes, -1.0 to +11.0 with classes"
        " random as well; 8 seeds, 960 images of 16 classes); after"
    ) in judge(family(none=wide)).sentence


def test_sentence_of_an_open_effect_says_that_it_is_small():
    said = "; the effect is smaller than 4 points."
    assert judge(family(WIDE, none=UP_LITTLE)).sentence.endswith(f" taken apart{said}")
    assert said not in judge(family(WIDE, none=UP)).sentence


@pytest.mark.parametrize(("seeds", "share"), [(2, 90), (3, 93)])
def test_few_seeds_are_said_to_be_few(seeds, share):
    few = {name: replace(each, seeds=seeds) for name, each in family().items()}
    assert judge(few).sentence.endswith(
        f". With {seeds} seeds a 95% interval holds the truth in about {share}% of experiments: "
        "train five or more."
    )
    assert "experiments" not in judge(family()).sentence
    one = family() | {"semantic": replace(family()["semantic"], seeds=seeds)}
    assert f"With {seeds} seeds a 95%" in judge(one).sentence


def test_only_what_nothing_but_the_brain_explains_is_brain_taught():
    superclasses = "mostly class structure that superclasses do not know"
    assert {IMAGES, NOT_WORDS, superclasses} == BRAIN_TAUGHT
    assert BRAIN_TAUGHT < EXPLAINING
    assert EXPLAINING.isdisjoint({HARMED, OPEN, NO_EFFECT, CANNOT_TELL})


@pytest.mark.parametrize(
    ("differences", "null"),
    [(family(WIDE), True), (family(CLOSE), True), (family(), False), (family(none=DOWN), False)],
)
def test_a_null_result_is_known_as_one(differences, null):
    assert judge(differences).null is null


def test_sentence_of_cannot_tell_says_what_could_have_been_seen():
    # df 7: t[.975] + t[.8] = 2.365 + 0.896 = 3.261 standard errors of 1 point.
    assert judge(family(WIDE)).sentence == (
        "Cannot tell: in these subjects brain minus none is +1.0 points (95% interval -5.0 to +7.0;"
        " 8 seeds, 960 images); after Holm's correction it is not distinguished from none,"
        " smooth-matched, semantic, brain-class, brain-confidence or permuted-images; the smallest"
        " effect that these seeds and images could have seen (80% power, uncorrected p) is 3.3"
        " points."
    )


@pytest.mark.parametrize(
    ("differences", "words"),
    [(family(), IMAGES), (family(CLOSE), NO_EFFECT), (family(WIDE), CANNOT_TELL)],
)
def test_who_diverged_is_a_sentence_of_its_own_and_changes_no_verdict(differences, words):
    alone = judge(differences)
    diverged = [("smooth", 5), ("brain", 3)]
    assert judge(differences, diverged=iter(diverged)) == Verdict(
        words,
        f"{alone.sentence} Brain seed 3 and smooth seed 5 diverged and are left out; as long as"
        " they are, no alias is earned.",
    )
    assert judge(differences, diverged=diverged[:1]).sentence == (
        f"{alone.sentence} Smooth seed 5 diverged and is left out; as long as it is, no alias is"
        " earned."
    )


def test_sentence_says_which_image_control_is_lacking():
    ending = "without brain-class nothing is said about single images."
    assert judge(family(brain_class=None)).sentence.endswith(f"; {ending}")
    assert ending not in judge(family(brain_class=None, semantic=CLOSE)).sentence


def test_sentence_of_equal_differences_has_no_interval():
    same = difference(0, 1, 0, 0, low=0, high=0, se=0)
    assert judge({"none": same}).sentence == (
        "Cannot tell: in these subjects brain minus none is +0.0 points (the same for every seed"
        " and image, so without an interval; 8 seeds, 960 images); after Holm's correction it is"
        " not distinguished from none; all differences are equal, so nothing is known of their"
        " error."
    )


# Outcomes of which less is better, or in other units


def in_nats(each):
    """The same result, had the points been hundredths of a nat, and less been better."""
    return OUTCOMES["nll"].gain(each)


@pytest.mark.parametrize("carries", [{}, {"brain_class": MOST}, {"smooth_matched": MOST}])
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
    ],
)
def test_less_of_what_is_bad_is_as_good_as_more_of_what_is_good(differences, carries):
    turned = {name: in_nats(each) for name, each in differences.items()}
    less = {name: in_nats(carries.get(name.replace("-", "_"), LESS)) for name in differences}
    found = decide(turned, less, margin=0.04, outcome=OUTCOMES["nll"])
    expected = judge(differences, carries)
    assert found.words == expected.words.replace("4 points", "0.04 nats")
    assert found.null == expected.null


def test_sentence_in_nats_says_better_and_worse():
    differences = family(brain_class=CLOSE, permuted_images=DOWN)
    turned = {name: in_nats(each) for name, each in differences.items()}
    halves = {name: in_nats(EITHER) for name in FAMILY[1:]}
    assert decide(turned, halves, margin=0.04, outcome=OUTCOMES["nll"]).sentence == (
        "Above hard labels, by what is open: in these subjects brain minus none is -0.050 nats of"
        " NLL (95% interval -0.070 to -0.030; 8 seeds, 960 images); after Holm's correction it is"
        " better than none, smooth-matched, semantic and brain-confidence, worse than"
        " permuted-images, not distinguished from brain-class; whether half of that is reached by"
        " smooth-matched, semantic, brain-class, brain-confidence and permuted-images is open."
    )
    wide = {name: in_nats(each) for name, each in family(WIDE).items()}
    assert decide(wide, {}, margin=0.04, outcome=OUTCOMES["nll"]).sentence.endswith(
        "that these seeds and images could have seen (80% power, uncorrected p) is 0.033 nats."
    )


# Faults


@pytest.mark.parametrize("margin", [0, -0.04, 1, 4, float("nan")])
def test_margin_is_a_fraction(margin):
    message = f"margin is {margin}; it must be a fraction between 0 and 1 (0.04)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        judge(family(), margin=margin)
