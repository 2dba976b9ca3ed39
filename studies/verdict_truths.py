"""The truths of the verdict grid: what each teacher reaches, and which words are then right."""

from dataclasses import dataclass

import numpy as np

from brain_teacher.analysis import verdict as words
from brain_teacher.analysis.ladder import NONE, RUNGS
from brain_teacher.report.words import BRAIN

TEACHERS = (NONE, *RUNGS, words.EXCHANGED, BRAIN)


@dataclass(frozen=True)
class Truth:
    """Which share of the effect each rung of the ladder reaches, and ``permuted-images``."""

    name: str
    shares: tuple[float, float, float, float]  # in the order of RUNGS
    exchanged: float | None = None  # of permuted-images; None: as brain-class

    def means(self, effect):
        """Each teacher's true accuracy above ``none``, in the order of TEACHERS."""
        exchanged = self.shares[2] if self.exchanged is None else self.exchanged
        return effect * np.array([0.0, *self.shares, exchanged, 1.0])

    def is_right(self, said):
        """Whether a verdict that explains says what is so."""
        smoothing, known, structure, confidence = (share > 0.5 for share in self.shares)
        return {
            words.WORD_CLASSES["words"] + words.OR_LESS: known,
            words.CLASSES + words.OR_LESS: structure,
            words.CONFIDENT + words.OR_LESS: confidence,
            words.IMAGES: max(self.means(1.0)[:-1]) < 1,
            words.SMOOTHED: smoothing,
            words.WORD_CLASSES["words"]: known and not smoothing,
            words.BRAIN_CLASSES["words"]: structure and not (known or smoothing),
            words.CLASSES: structure and not smoothing,
            words.CONFIDENT: confidence and not (structure or known or smoothing),
            words.WITHOUT_IMAGES: self.means(1.0)[TEACHERS.index(words.EXCHANGED)] > 0.5,
        }[said]

    def is_near_half(self):
        """Whether a share lies within 0.05 of one half, where no rule can be right."""
        return any(abs(share - 0.5) < 0.05 for share in self.shares)


TRUTHS = (
    Truth("the single image alone", (0, 0, 0, 0)),
    Truth("confidence alone", (0, 0, 0, 1)),
    Truth("the brain's classes alone", (0, 0, 1, 1)),
    Truth("words' classes alone", (0, 1, 1, 1)),
    Truth("smoothing alone", (1, 1, 1, 1)),
    Truth("classes, and permuted-images as the brain", (0, 0, 0.6, 0.6), 1.0),
    Truth("as on the sample", (0.1, 0.0, 0.35, 0.45)),
    Truth("a fifth each", (0.2, 0.4, 0.6, 0.8)),
    Truth("mostly the single image", (0.1, 0.2, 0.3, 0.4)),
    Truth("smoothing, then the image", (0.7, 0.7, 0.7, 0.7)),
    Truth("words, then the image", (0.0, 0.7, 0.7, 0.7)),
    Truth("the brain's classes, then the image", (0.0, 0.0, 0.7, 0.7)),
    Truth("confidence, then the image", (0.0, 0.0, 0.0, 0.7)),
    Truth("smoothing, then classes", (0.4, 0.4, 1.0, 1.0)),
    Truth("words, then the brain's classes", (0.1, 0.4, 1.0, 1.0)),
    Truth("classes, then confidence", (0.1, 0.2, 0.4, 1.0)),
    Truth("all just below one half", (0.44, 0.44, 0.44, 0.44)),
    Truth("all just above one half", (0.56, 0.56, 0.56, 0.56)),
    Truth("either side of one half", (0.44, 0.44, 0.56, 0.56)),
    Truth("dearer just above one half", (0.44, 0.44, 0.44, 0.56)),
    Truth("at one half", (0.48, 0.48, 0.48, 0.48)),
    Truth("around one half", (0.48, 0.48, 0.52, 0.52)),
)
