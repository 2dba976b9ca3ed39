"""What a teacher hands to the loss."""

from dataclasses import dataclass

import numpy as np

from brain_teacher.dataset.ids import rows_of
from brain_teacher.decoding.log_probs import ROW_TOLERANCE


@dataclass(frozen=True)
class Targets:
    """Probabilities with ids: a teacher's answer for each training image.

    Raises ``ValueError`` if a row is no probability distribution: logits and log-probabilities are
    refused, so that no softmax is ever applied twice.
    """

    # (n_images, n_classes), float32: already softened where the teacher's definition says so; never
    # softened again.
    probs: np.ndarray
    image_id: np.ndarray
    class_id: np.ndarray

    def __post_init__(self):
        shape = (len(self.image_id), len(self.class_id))
        if self.probs.shape != shape:
            raise ValueError(f"probs has shape {self.probs.shape}, its ids say {shape}")
        check_probs(self.probs, self.image_id)

    def join(self, image_ids, class_ids):
        """The probabilities for some images and classes, in the order given; joined by id."""
        lacks = "the teacher has no target for '{}'"
        rows = rows_of(image_ids, self.image_id, lacks=lacks)
        columns = rows_of(class_ids, self.class_id, lacks=lacks)
        if len(columns) != len(self.class_id):
            raise ValueError(lacks.format("a class"))
        return self.probs[np.ix_(rows, columns)]


def check_probs(probs, image_id):
    """Raise ``ValueError`` unless each row is a probability distribution."""
    total = probs.sum(axis=1, dtype=np.float64)
    wrong = (probs < 0).any(axis=1) | ~(np.abs(total - 1) <= ROW_TOLERANCE)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"row {row} (image '{image_id[row]}') is no probability distribution "
            f"(it sums to {total[row]:.4g}); targets are probabilities, not logits"
        )


@dataclass(frozen=True)
class Relations:
    """How alike images are: the inner products of rows of any kind. Or maps, a row an image."""

    rows: np.ndarray  # (n_images, n), float32
    image_id: np.ndarray
    # As `rows`, of maps that a brain's were decoded to: the pictures' own, which no brain made.
    own: np.ndarray | None = None

    def join(self, image_ids, class_ids):  # noqa: ARG002 (as `Targets`)
        """The rows of some images, in the order given; joined by id."""
        lacks = "nothing says how alike '{}' is to other images"
        return self.rows[rows_of(image_ids, self.image_id, lacks=lacks)]

    def join_own(self, image_ids):
        """The pictures' own maps in the order given; None where there are no maps."""
        own = None if self.own is None else Relations(self.own, self.image_id)
        return own and own.join(image_ids, None).astype(np.float64)


@dataclass(frozen=True)
class Weights:
    """Hard labels only, and how much that of each image counts: 0 or more, 1 on average."""

    values: np.ndarray  # (n_images,), float32
    image_id: np.ndarray

    def join(self, image_ids, class_ids):  # noqa: ARG002 (as `Targets`)
        """The weights of some images, in the order given; joined by id."""
        lacks = "the teacher has no weight for '{}'"
        return self.values[rows_of(image_ids, self.image_id, lacks=lacks)]


@dataclass(frozen=True)
class Live:
    """No table: a network of this name looks at each augmented batch."""

    network: str
