"""Lessons: what there is to be taught."""

from dataclasses import dataclass, field

import numpy as np

from brain_teacher.decoding.log_probs import soften, with_prior


class NotApplicable(ValueError):
    """A teacher cannot be made of these data, or says nothing beside this brain.

    The others can go on without it.
    """


@dataclass(frozen=True)
class Lesson:
    """What a teacher may look at."""

    log_probs: np.ndarray  # (n_images, n_classes), float64: the brain's of the training images
    truth: np.ndarray  # (n_images,), int: column of each image's category
    temperature: float  # T of the loss
    rng: np.random.Generator  # named for the teacher and the student's seed
    similarity: np.ndarray | None = None  # (n_classes, n_classes), in any unit
    # Log-probabilities (n_images, n_classes) of other tables, by name.
    tables: dict[str, np.ndarray] = field(default_factory=dict)
    prior: np.ndarray | float = 0.0  # (n_images, 1): see `SoftLabels.prior_share`
    # (n_images, n): rows whose inner products say how alike images are, where that is taught in
    # place of answers.
    relations: np.ndarray | None = None
    # (n_images, grid * grid), where `relations` are maps decoded to these: the pictures' own.
    own_maps: np.ndarray | None = None

    def rows(self):
        """What the brain says of each image: its relations, or its answers, softened."""
        return self.softened() if self.relations is None else self.relations

    def softened(self, log_probs=None):
        """q_T: of the brain, or of another table, which has no prior."""
        if log_probs is not None:
            return np.exp(soften(log_probs, temperature=self.temperature))
        q = np.exp(soften(self.log_probs, temperature=self.temperature))
        return with_prior(q, self.prior)

    def classes(self):
        """Each class that occurs, with the rows of its images."""
        for column in np.unique(self.truth):
            yield column, np.flatnonzero(self.truth == column)
