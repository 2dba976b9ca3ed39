"""What the comparisons allow to be said, in words fixed before the result."""

from dataclasses import dataclass

from brain_teacher.analysis.outcomes import ACCURACY
from brain_teacher.analysis.statistics import smallest_effect

HARMED = "harmed"
IMAGES = "taught by the brain's view of each image"
BRAIN_CLASSES = "taught by class structure that only the brain knows"
WORD_CLASSES = "taught by class structure that words know too"
CLASSES = "taught by class structure"
REGULARISED = "regularised only"
NO_EFFECT = "no effect as large as"
CANNOT_TELL = "cannot tell"

IMAGE_CONTROLS = {"permuted-images", "brain-class"}
WORDS = "semantic"
# Only these earn the alias ``brain-taught``: nothing but the brain explains them.
BRAIN_TAUGHT = {IMAGES, BRAIN_CLASSES}
LEVEL = 0.05


@dataclass(frozen=True)
class Verdict:
    """A verdict's fixed `words`, and one `sentence` for people with the numbers."""

    words: str
    sentence: str

    @property
    def null(self):
        """Whether nothing was found: what it would have taken belongs beside it."""
        return self.words == CANNOT_TELL or self.words.startswith(NO_EFFECT)


def decide(differences, *, margin, outcome=ACCURACY, diverged=()):
    """The verdict on one brain: the first row that holds.

    ==================================================  ===========================================
    holds when                                          words
    ==================================================  ===========================================
    below none                                          harmed
    above every control, both image controls among      taught by the brain's view of each image
    them, and no seed diverged
    [class structure], and above semantic               taught by class structure that only the
                                                        brain knows
    [class structure], bounded against semantic         taught by class structure that words know
                                                        too
    [class structure], neither of both, or semantic     taught by class structure
    is not in the family
    above none, not above smoothing, bounded against    regularised only
    it
    the 90% interval of brain minus none lies inside    no effect as large as d points
    the margin d
    always                                              cannot tell
    ==================================================  ===========================================

    *[class structure]* is: above none, smoothing and, where it is in the family, permuted-classes;
    bounded against at least one image control. *Above* is a mean > 0 with a Holm-corrected
    p < 0.05, *below* the same under 0, *bounded* a 90% interval that ends below d. Above every
    control means each one beaten, never the best one picked afterwards. *Smoothing* is every
    control whose name begins with ``smooth``; without one, neither *class structure* nor
    *regularised* can be said. The image controls are ``permuted-images`` and ``brain-class``;
    ``semantic`` stands for what words know. Not to be above it is no evidence that words know it
    too: that needs a bound. Where less of the outcome is better, all of this is said of the
    difference with its sign turned round.

    Parameters
    ----------
    differences : dict of str to Difference
        The brain minus each control of the family, from `compare_to_controls`.
    margin : float
        d, a fraction (0.04 is 4 percentage points), or nats.
    outcome : Outcome
        What the differences are of.
    diverged : iterable of (str, int)
        Teacher and seed of each student that diverged, and so has no scores.

    Returns
    -------
    Verdict

    Raises
    ------
    ValueError
        If `differences` lacks ``none``, or `margin` is not between 0 and 1.
    """
    if "none" not in differences:
        raise ValueError("the family has no control 'none'; without it there is no verdict")
    if not 0 < margin < 1:
        raise ValueError(f"margin is {margin}; it must be a fraction between 0 and 1 (0.04)")
    gains = {name: outcome.gain(each) for name, each in differences.items()}
    none, family, diverged = gains["none"], set(differences), sorted(diverged)
    above = {name for name, each in gains.items() if _differs(each) and each.mean > 0}
    bounded = {name for name, each in gains.items() if each.high90 < margin}
    smoothing = {name for name in family if name.startswith("smooth")}
    no_classes = {"none"} | smoothing | (family & {"permuted-classes"})
    structure = smoothing and no_classes <= above and bounded & IMAGE_CONTROLS
    rows = (
        (HARMED, _differs(none) and none.mean < 0),
        (IMAGES, family <= above and family >= IMAGE_CONTROLS and not diverged),
        (BRAIN_CLASSES, structure and WORDS in above),
        (WORD_CLASSES, structure and WORDS in bounded),
        (CLASSES, structure),
        (REGULARISED, "none" in above and not smoothing <= above and smoothing <= bounded),
        # All answers equal gives an interval of no width, which is no evidence of equivalence.
        (
            _no_effect(margin, outcome),
            -margin < none.low90 and none.high90 < margin and not none.constant,
        ),
        (CANNOT_TELL, True),
    )
    words = next(words for words, holds in rows if holds)
    return Verdict(words, _sentence(words, differences, outcome, above, diverged))


def _differs(difference):
    return difference.p_corrected < LEVEL


def _no_effect(margin, outcome):
    points = outcome.given(margin)
    return f"{NO_EFFECT} {points} {outcome.step[: -1 if points == '1' else None]}"


def _sentence(words, differences, outcome, above, diverged):
    """One sentence: the numbers against none, who was beaten, and what limits the verdict."""
    none = differences["none"]
    parts = [
        f"{words}: in these subjects brain minus none is {outcome.signed(none.mean)} "
        f"{outcome.differ} ({_interval(none, outcome)}; {none.seeds} seeds, {none.images} images)"
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
    if words == CANNOT_TELL:
        parts.append(_smallest(differences, outcome))
    if words == CLASSES:
        parts.append("whether words know it too is open")
    lacking = sorted(IMAGE_CONTROLS - set(differences))
    if lacking and set(differences) <= above:
        parts.append(f"without {_list(lacking)} nothing is said about single images")
    if diverged:
        students = _list([f"{teacher} seed {seed}" for teacher, seed in diverged])
        left_out = f"{'is' if len(diverged) == 1 else 'are'} left out"
        bars = "which bars a verdict about single images"
        parts.append(f"{students} diverged and {left_out}, {bars}")
    sentence = "; ".join(parts)
    return sentence[0].upper() + sentence[1:] + "."


def _interval(difference, outcome):
    if difference.constant:
        return "the same for every seed and image, so without an interval"
    return f"95% interval {outcome.signed(difference.low)} to {outcome.signed(difference.high)}"


def open_control(differences, outcome=ACCURACY):
    """The open comparison that sees least: what a null result hangs on.

    Where the brain is not above none, that comparison decides; else any control it is not above.
    Gives the control's name; `differences` are of `outcome`.
    """
    above = {
        name for name, each in differences.items() if _differs(each) and outcome.gain(each).mean > 0
    }
    names = ["none"] if "none" not in above else [name for name in differences if name not in above]
    return max(names or differences, key=lambda name: smallest_effect(differences[name]))


def _smallest(differences, outcome):
    worst = open_control(differences, outcome)
    effect = smallest_effect(differences[worst])
    if effect == 0:
        return "all differences are equal, so nothing is known of their error"
    return (
        "the smallest effect that these seeds and images could have seen (80% power, uncorrected "
        f"p) is {outcome.number(effect)} {outcome.step} against {worst}"
    )


def _list(names, word="and"):
    return f" {word} ".join(filter(None, (", ".join(names[:-1]), names[-1])))
