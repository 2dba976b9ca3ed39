"""What is put into the simulated brains of the dial, and which verdicts are then right."""

from dataclasses import dataclass, field

from brain_teacher.analysis.ladder import CLASS, CONFIDENCE, SMOOTHING, WORDS
from brain_teacher.analysis.verdict import (
    BRAIN_CLASSES,
    CANNOT_TELL,
    CLASSES,
    CONFIDENT,
    EXCHANGED,
    HARMED,
    IMAGES,
    NO_EFFECT,
    OPEN,
    OR_LESS,
    SMOOTHED,
    WITHOUT_IMAGES,
    WORD_CLASSES,
)
from brain_teacher.seeds import named_seed

# Of ``simulate``, one a draw of pictures. They were committed before any of their results was
# seen, and none is ever replaced, whatever it gives.
SEEDS = tuple(named_seed("dial", "pictures and brains", number) % 2**32 for number in range(5))

# Validation as in the sample, and 2,880 test images, three times as many: to tell one explanation
# from another takes more than to see an effect, and testing costs little beside training.
UNSEEN, VALIDATION_SHARE = 200, 0.1


def _left(penalty):
    """A decoder of one penalty that is as sure as that makes it."""
    return {"calibrate": False, "logistic": {"C": [penalty]}}


# What a view of images has to beat at the least: enough where it alone is asked about.
FEW = ("none", "smooth-matched", "brain-class", "permuted-images")


@dataclass(frozen=True)
class Truth:
    """What brains know that look at a draw's pictures.

    Attributes
    ----------
    what : str
        For people.
    simulation, decode : dict
        What differs from the sample's settings, and from those of params.yaml.
    family : tuple of str or None
        The controls; None: the project's.
    exchangeable : bool
        Whether a class's rows differ by nothing that is true of their pictures, so that ``brain``
        and ``permuted-images`` teach the same.
    """

    what: str
    simulation: dict
    decode: dict = field(default_factory=dict)
    family: tuple | None = None
    exchangeable: bool = True


def _seen(what, snr, **more):
    return Truth(what, {"snr": snr}, exchangeable=False, **more)


TRUTHS = {
    "images": _seen("each picture, at the sample's SNR", 0.4),
    "images-half": _seen("each picture, at half of it", 0.2, family=FEW),
    "images-quarter": _seen("each picture, at a quarter", 0.1, family=FEW),
    "images-eighth": _seen("each picture, at an eighth", 0.05, family=FEW),
    "classes": Truth("the class and what it is mixed up with", {"knows": "classes", "snr": 0.05}),
    "kin-unsure": Truth(
        "the label and its superclass, without error, by a decoder that is unsure",
        {"knows": "kin", "snr": 0.4},
        _left(0.003),
    ),
    # To be told that four categories are one harms: nothing is left to be explained by words.
    "superclass": Truth("the superclass", {"knows": "superclass"}, family=FEW),
    "confidence": Truth(
        "the label, as strongly as it is in the picture",
        {"knows": "confidence", "snr": 0.05},
        exchangeable=False,
    ),
    "labels-unsure": Truth(
        "the label alone, without error, by a decoder that is unsure: smoothing",
        {"knows": "labels", "snr": 0.4},
        _left(0.002),
    ),
    "others": Truth("another picture of the class", {"knows": "others"}, family=FEW),
    "nothing": Truth("nothing, by a decoder that is sure", {"snr": 0.0}, _left(1.0), family=FEW),
}
SNR_DIAL = {"images": "1", "images-half": "1/2", "images-quarter": "1/4", "images-eighth": "1/8"}

# The sample's words are its superclasses.
KNOWN, UNKNOWN = WORD_CLASSES["superclasses"], BRAIN_CLASSES["superclasses"]
# Verdicts that explain: the control that then carries most of the effect, and the cheaper ones that
# do not.
CARRIED_BY = {
    SMOOTHED: (SMOOTHING,),
    KNOWN: (WORDS, SMOOTHING),
    CLASSES: (CLASS, SMOOTHING),
    UNKNOWN: (CLASS, SMOOTHING, WORDS),
    CONFIDENT: (CONFIDENCE, SMOOTHING, WORDS, CLASS),
    KNOWN + OR_LESS: (WORDS,),
    CLASSES + OR_LESS: (CLASS,),
    CONFIDENT + OR_LESS: (CONFIDENCE,),
    WITHOUT_IMAGES: (EXCHANGED,),
}
# Of the verdicts that explain, those that what was put in allows.
_AT_MOST = tuple(each + OR_LESS for each in (KNOWN, CLASSES, CONFIDENT))
_CLASS = (SMOOTHED, KNOWN, CLASSES, UNKNOWN, WITHOUT_IMAGES, *_AT_MOST)
EXPLAINED = {
    **dict.fromkeys(SNR_DIAL, (IMAGES, *CARRIED_BY)),
    "classes": _CLASS,
    "kin-unsure": (SMOOTHED, KNOWN, CLASSES, WITHOUT_IMAGES, *_AT_MOST),
    "superclass": (SMOOTHED, KNOWN, CLASSES, WITHOUT_IMAGES, *_AT_MOST),
    "confidence": (SMOOTHED, CONFIDENT, *_AT_MOST),
    "labels-unsure": (SMOOTHED, WITHOUT_IMAGES, *_AT_MOST),
    "others": _CLASS,
    "nothing": (),
}
# All that there are; the dial says which never came up.
VERDICTS = (*CARRIED_BY, IMAGES, HARMED, OPEN, NO_EFFECT, CANNOT_TELL)
