"""What the comparisons allow to be said, in words fixed before the result."""

from dataclasses import dataclass

from brain_teacher.analysis.differences import FEW_SEEDS
from brain_teacher.analysis.ladder import CLASS, CONFIDENCE, RUNGS, WORDS
from brain_teacher.analysis.outcomes import ACCURACY
from brain_teacher.analysis.statistics import smallest_effect

HARMED = "harmed"
IMAGES = "taught by the brain's view of each image"
SMOOTHED = "mostly smoothing"
# Ends words of which a cheaper explanation is open.
OR_LESS = ", or less"
# By whose knowledge of classes ``semantic`` stands for.
KNOWS = ("superclasses", "words")
WORD_CLASSES = {knows: f"mostly class structure that {knows} know" for knows in KNOWS}
BRAIN_CLASSES = {knows: f"mostly class structure that {knows} do not know" for knows in KNOWS}
CLASSES = "mostly class structure"
CONFIDENT = "mostly the image's own confidence"
WITHOUT_IMAGES = "mostly without the single image"
OPEN = "above hard labels, by what is open"
NO_EFFECT = "no effect as large as"
CANNOT_TELL = "cannot tell"

# Those that say what an effect is made of.
OPEN_BELOW = {each + OR_LESS for each in (*WORD_CLASSES.values(), CLASSES, CONFIDENT)}
EXPLAINING = {
    IMAGES, SMOOTHED, *WORD_CLASSES.values(), *BRAIN_CLASSES.values(), CLASSES, CONFIDENT,
    WITHOUT_IMAGES, *OPEN_BELOW,
}  # fmt: skip
# Only these earn the alias ``brain-taught``: an image's confidence may be its mere difficulty.
BRAIN_TAUGHT = {IMAGES, *BRAIN_CLASSES.values()}
EXCHANGED = "permuted-images"
IMAGE_CONTROLS = {EXCHANGED, CLASS}
# Beside all smoothing: no class structure is the brain's in them.
UNSTRUCTURED = {"permuted-classes", "weighted"}
LEVEL = 0.05
UNRESOLVED = "it is too small against its error to be taken apart"


@dataclass(frozen=True)
class Verdict:
    """A verdict's fixed `words`, and one `sentence` for people with the numbers."""

    words: str
    sentence: str

    @property
    def null(self):
        """Whether nothing was found: what it would have taken belongs beside it."""
        return self.words == CANNOT_TELL or self.words.startswith(NO_EFFECT)


def decide(differences, halves, *, margin, outcome=ACCURACY, knows="words", diverged=()):
    """The verdict on one brain: the first row that holds (DESIGN, rule 8).

    ================================================  =============================================
    holds when                                        words
    ================================================  =============================================
    below none                                        harmed
    above every control, both image controls among    taught by the brain's view of each image
    them
    above none, and smoothing carries most            mostly smoothing
    above none, and semantic carries most             mostly class structure that words know
    above none, brain-class carries most, and         mostly class structure that words do not know
    semantic less than half
    above none, and brain-class carries most          mostly class structure
    above none, and brain-confidence carries most     mostly the image's own confidence
    above none, and permuted-images carries most      mostly without the single image
    above none                                        above hard labels, by what is open
    the 90% interval of brain minus none lies inside  no effect as large as d points
    the margin d
    always                                            cannot tell
    ================================================  =============================================

    *Above* is a mean > 0 with a Holm-corrected p < 0.05, *below* the same under 0. Above every
    control means each one beaten, never the best one picked afterwards. The image controls are
    ``permuted-images`` and ``brain-class``.

    A control *carries most* where the 95% interval of it minus the middle of ``none`` and the brain
    lies above 0, and *less than half* where it lies below: not to be above a control is no evidence
    that it explains anything. Neither is said of an effect whose own interval reaches down to half
    of it. What carries most is more than what is cheaper only where everything cheaper carries less
    than half; else the words end in *or less*. Cheaper than class structure is all smoothing (every
    control whose name begins with ``smooth``; there must be one) and what is in the family of
    `UNSTRUCTURED`; cheaper than the image's own confidence are ``semantic``, if it is there, and
    ``brain-class``, too. ``permuted-images`` is no rung, since it knows of the class's other images
    what no rung knows: it says what the effect does not take. *Words* are superclasses where
    ``semantic`` knows no more.

    A student that diverged is left out and told of; it changes no verdict, but no alias is earned.
    Where less of the outcome is better, all of this is said of the difference with its sign turned
    round.

    Parameters
    ----------
    differences : dict of str to Difference
        The brain minus each control of the family, ``none`` among them, from `compare_to_controls`.
    halves : dict of str to Difference
        Each control but ``none`` minus the middle, from `over_half`; where one is not there, it is
        open what it carries.
    margin : float
        d, a fraction (0.04 is 4 percentage points), or nats.
    outcome : Outcome
        What the differences are of.
    knows : str
        One of `KNOWS`.
    diverged : iterable of (str, int)
        Teacher and seed of each student that diverged, and so has no scores.

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        If `margin` is not between 0 and 1.

    In the methods
    --------------
    The verdict is the first of a list of conditions that holds; its words were fixed before the
    result.
    An effect is called the brain's view of each image only if the brain is above every control of
    the family, those without the single image's knowledge among them.
    """
    if not 0 < margin < 1:
        raise ValueError(f"margin is {margin}; it must be a fraction between 0 and 1 (0.04)")
    gains = {name: outcome.gain(each) for name, each in differences.items()}
    none = gains["none"]
    above = {name for name, each in gains.items() if _differs(each) and each.mean > 0}
    turned = {name: outcome.gain(each) for name, each in halves.items()}
    resolved = none.low > none.mean / 2
    most = {name for name, each in turned.items() if resolved and each.low > 0}
    less = {name for name, each in turned.items() if resolved and each.high < 0}
    words = words_of(
        set(differences),
        above=above,
        most=most,
        less=less,
        harmed=_differs(none) and none.mean < 0,
        # All answers equal gives an interval of no width, which is no evidence of equivalence.
        within=-margin < none.low90 and none.high90 < margin and not none.constant,
        knows=knows,
    )
    if words == NO_EFFECT:
        words = f"{words} {_margin(margin, outcome)}"
    shares = (most, less) if resolved else None
    sentences = [_sentence(words, differences, outcome, above, margin, shares)]
    # Students that diverged may leave one comparison with fewer seeds than the others.
    if (
        fewest := min(each.seeds for each in (*differences.values(), *halves.values()))
    ) in FEW_SEEDS:
        sentences.append(_few(fewest))
    if diverged := sorted(diverged):
        sentences.append(_diverged(diverged))
    return Verdict(words, " ".join(sentences))


def words_of(family, *, above, most, less, harmed, within, knows="words"):
    """The words of `decide`, from what was shown; *no effect as large as* lacks its number.

    Parameters
    ----------
    family : set of str
        The controls.
    above, most, less : set of str
        Those that the brain is above; that carry most of the effect; and less than half.
    harmed, within : bool
        Whether the brain is below ``none``; whether it is within the margin of it.
    knows : str
        One of `KNOWS`.

    Returns
    -------
    str
    """
    explained = _explained(family, most, less, knows) if "none" in above else ""
    rows = (
        (HARMED, harmed),
        (IMAGES, family <= above and family >= IMAGE_CONTROLS),
        (explained, explained),
        (OPEN, "none" in above),
        (NO_EFFECT, within),
        (CANNOT_TELL, True),
    )
    return next(words for words, holds in rows if holds)


def _explained(family, most, less, knows):
    """Words of the first control that carries most, the cheapest first; empty where none does."""
    smoothing = {name for name in family if name.startswith("smooth")}
    unstructured = smoothing | (family & UNSTRUCTURED)
    # Without any smoothing it is as open as smoothing that may carry most.
    structured = bool(smoothing) and unstructured <= less
    unclassed = structured and {CLASS} | (family & {WORDS}) <= less
    beyond_words = structured and WORDS in less
    rows = (
        (smoothing & most, SMOOTHED, True),
        (WORDS in most, WORD_CLASSES[knows], structured),
        (CLASS in most, BRAIN_CLASSES[knows] if beyond_words else CLASSES, structured),
        (CONFIDENCE in most, CONFIDENT, unclassed),
        (EXCHANGED in most, WITHOUT_IMAGES, True),
    )
    return next((words + OR_LESS * (not sure) for holds, words, sure in rows if holds), "")


def _differs(difference):
    return difference.p_corrected < LEVEL


def _margin(margin, outcome):
    points = outcome.given(margin)
    return f"{points} {outcome.step[: -1 if points == '1' else None]}"


def _sentence(words, differences, outcome, above, margin, shares):
    """One sentence: the numbers against none, who was beaten, and what limits the verdict."""
    none = differences["none"]
    images = f"{none.images} images" + f" of {none.classes} classes" * (none.classes > 0)
    parts = [
        f"{words}: in these subjects brain minus none is {outcome.signed(none.mean)} "
        f"{outcome.differ} ({_interval(none, outcome)}; {none.seeds} seeds, {images})"
    ]
    differ = [name for name, each in differences.items() if _differs(each) and each.mean != 0]
    neither = [name for name in differences if name not in differ]
    # Of what is better the less there is of it, "above" would mislead.
    better, worse = ("above", "below") if outcome.more_is_better else ("better than", "worse than")
    groups = (
        (better, "and", [name for name in differ if name in above]),
        (worse, "and", [name for name in differ if name not in above]),
        ("not distinguished from", "or", neither),
    )
    # Holm's p decides, while the interval shown is uncorrected: say which of them speaks.
    places = ", ".join(f"{place} {_list(names, word)}" for place, word, names in groups if names)
    parts.append(f"after Holm's correction it is {places}")
    if "none" in above:
        parts += _shares(differences, *shares) if shares else [UNRESOLVED]
        if outcome.gain(none).high90 < margin:
            parts.append(f"the effect is smaller than {_margin(margin, outcome)}")
    if words == CANNOT_TELL:
        parts.append(_smallest(none, outcome))
    lacking = sorted(IMAGE_CONTROLS - set(differences))
    if lacking and set(differences) <= above:
        parts.append(f"without {_list(lacking)} nothing is said about single images")
    sentence = "; ".join(parts)
    return sentence[0].upper() + sentence[1:] + "."


def _shares(differences, most, less):
    """Which of the rungs, and of what is without the image, reach more than half of the effect.

    And which less, and of which it is open.
    """
    rungs = [name for name in (*RUNGS, EXCHANGED) if name in differences]
    groups = {
        "more than half of that is reached by {}": most,
        "less than half of that is reached by {}": less,
        "whether half of that is reached by {} is open": {*rungs} - most - less,
    }
    told = {text: [name for name in rungs if name in group] for text, group in groups.items()}
    return [text.format(_list(names)) for text, names in told.items() if names]


def _few(seeds):
    return (
        f"With {seeds} seeds a 95% interval holds the truth in about {FEW_SEEDS[seeds]}% of "
        "experiments: train five or more."
    )


def _diverged(diverged):
    students = _list([f"{teacher} seed {seed}" for teacher, seed in diverged])
    are, out = ("is", "it") if len(diverged) == 1 else ("are", "they")
    sentence = (
        f"{students} diverged and {are} left out; as long as {out} {are}, no alias is earned."
    )
    return sentence[0].upper() + sentence[1:]


def _interval(difference, outcome):
    if difference.constant:
        return "the same for every seed and image, so without an interval"
    text = f"95% interval {outcome.signed(difference.low)} to {outcome.signed(difference.high)}"
    if difference.classes < 2:
        return text
    ends = map(outcome.signed, (difference.low_classes, difference.high_classes))
    return f"{text} for these classes, {' to '.join(ends)} with classes random as well"


def _smallest(none, outcome):
    effect = smallest_effect(none)
    if effect == 0:
        return "all differences are equal, so nothing is known of their error"
    return (
        "the smallest effect that these seeds and images could have seen (80% power, uncorrected "
        f"p) is {outcome.number(effect)} {outcome.step}"
    )


def _list(names, word="and"):
    return f" {word} ".join(filter(None, (", ".join(names[:-1]), names[-1])))
