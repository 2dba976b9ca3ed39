"""What each verdict means, for somebody who never saw it."""

from brain_teacher.analysis import verdict
from brain_teacher.report.kinds import called

_CHEAPER = "The students that the brain taught did better than those of hard labels alone. But "
MEANS = {
    verdict.HARMED: "The students that the brain taught did worse than those of hard labels alone.",
    verdict.IMAGES: (
        "The students that the brain taught did better than those of every control, also of the "
        "controls that know what the brain says of a category, but not what it says of the single "
        "picture. So what the brain tells of each picture was of use to them."
    ),
    verdict.SMOOTHED: _CHEAPER + "most of that is had by softer labels alone, without a brain.",
    verdict.WORD_CLASSES["words"]: (
        _CHEAPER + "most of that is had by telling them which categories words call alike."
    ),
    verdict.WORD_CLASSES["superclasses"]: (
        _CHEAPER + "most of that is had by telling them which categories are of one superclass."
    ),
    verdict.BRAIN_CLASSES["words"]: (
        _CHEAPER + "most of that is had by the brain's mean answer to each category, of which "
        "words know little. That single pictures taught them more was not shown."
    ),
    verdict.BRAIN_CLASSES["superclasses"]: (
        _CHEAPER + "most of that is had by the brain's mean answer to each category, of which "
        "superclasses know little. That single pictures taught them more was not shown."
    ),
    verdict.CLASSES: (
        _CHEAPER + "most of that is had by the brain's mean answer to each category. Whether that "
        "is more than words know is open."
    ),
    verdict.CONFIDENT: (
        _CHEAPER + "most of that is had by how sure the decoder was of each picture, which may be "
        "how easy the picture is."
    ),
    verdict.WITHOUT_IMAGES: (
        _CHEAPER + "most of that is had as well when the brain's answers are exchanged between "
        "pictures of a category."
    ),
    verdict.OPEN: (
        "The students that the brain taught did better than those of hard labels alone. By what of "
        "the brain's knowledge was not shown."
    ),
    verdict.NO_EFFECT: (
        "Between the students that the brain taught and those of hard labels alone the difference, "
        "if there is one, is smaller than what was said beforehand to be of interest."
    ),
    verdict.CANNOT_TELL: (
        "Neither an effect nor its absence was shown. More seeds or more test pictures could show "
        "one of them."
    ),
}
_LESS = " The words *or less* say that something cheaper still may carry as much."


def meaning(words: str, kind: str) -> str:
    """What a verdict's `words` mean, where a table of this kind taught; empty if they are others.

    Examples
    --------
    >>> meaning("cannot tell", "brain").split(".")[0]
    'Neither an effect nor its absence was shown'
    """
    less = words.endswith(verdict.OR_LESS)
    plain = words.removesuffix(verdict.OR_LESS)
    for known, text in MEANS.items():
        if plain == called(known, kind) or (
            known == verdict.NO_EFFECT and plain.startswith(f"{known} ")
        ):
            return called(text, kind) + _LESS * less
    return ""
