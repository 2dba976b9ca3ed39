"""What a teacher may look at."""

from dataclasses import dataclass, field

import numpy as np

from brain_teacher.decoding.soft_labels import soften


class NotApplicable(ValueError):
    """This teacher says nothing beside this brain; the others can go on without it."""


@dataclass(frozen=True)
class Lesson:
    """What a teacher may look at.

    Attributes
    ----------
    log_probs : ndarray of shape (n_images, n_classes), float64
        The brain's soft labels of the training images.
    truth : ndarray of int, shape (n_images,)
        Column of each image's category.
    temperature : float
        T of the loss.
    rng : numpy.random.Generator
        Named for the teacher and the student's seed.
    similarity : ndarray of shape (n_classes, n_classes), or None
        How alike two classes are, in any unit.
    tables : dict of str to ndarray of shape (n_images, n_classes)
        Log-probabilities of other tables, by name.
    """

    log_probs: np.ndarray
    truth: np.ndarray
    temperature: float
    rng: np.random.Generator
    similarity: np.ndarray | None = None
    tables: dict = field(default_factory=dict)

    def softened(self, log_probs=None):
        """q_T, of the brain if nothing else is given."""
        log_probs = self.log_probs if log_probs is None else log_probs
        return np.exp(soften(log_probs, temperature=self.temperature))

    def classes(self):
        """Each class that occurs, with the rows of its images."""
        for column in np.unique(self.truth):
            yield column, np.flatnonzero(self.truth == column)
