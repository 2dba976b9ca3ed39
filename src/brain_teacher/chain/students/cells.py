"""Students as cells: what makes one new, and the work of making it."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from brain_teacher.cells.cell import Cell, FileInput, of_no_consequence
from brain_teacher.dataset.ids import rows_of
from brain_teacher.dataset.image_cache import open_images
from brain_teacher.dataset.images import SPLITS
from brain_teacher.distillation.students import Student, student_arrays
from brain_teacher.errors import BrainTeacherError

TRAINING = "training"
ANSWERS = "student.npz"
SECOND = (
    "second_table"  # in a student's meta: the digest of what its teacher reads beside the brain
)


@dataclass(frozen=True, eq=False)
class Material:
    """All that the students of one command share; sent once to each process."""

    # The file of their images (`image_file`), which each process opens: as a message, the pictures
    # are their file's name.
    pixels: Path
    labels: np.ndarray  # (n_images,), the number of each one's class
    image_id: np.ndarray  # (n_images,)
    class_id: np.ndarray
    device: str = "cpu"
    card: str | None = None  # the kind of card that students are trained on, where it is known
    checkpoint_s: float = float("inf")  # a student that trains for longer is saved this often

    @property
    def images(self) -> np.ndarray:
        """(n_images, size, size, 3), uint8; a view of the file."""
        return open_images(self.pixels)

    def rows(self, image_ids: Any) -> np.ndarray:
        """Row numbers of some images."""
        return rows_of(image_ids, self.image_id, lacks="no picture of image '{}' was loaded")


class Trained(NamedTuple):
    """A student, and what its training took."""

    student: Student
    seconds: float
    card: str | None  # the kind of card; None on a CPU


@dataclass(frozen=True, eq=False, kw_only=True)
class StudentCell(Cell):
    """Train one student."""

    teacher: str = of_no_consequence(default="")  # what it says stands in `targets`
    seed: int
    recipe: dict[str, Any]  # fields of `Recipe`
    inputs: str  # digest of the images, their labels and ids, by split
    origin: dict[str, Any]  # what the brain is
    targets: np.ndarray | None = None  # (n_training, n_classes), float32
    live: FileInput | None = None  # weights of the network that looks at each batch
    network: str | None = None  # its architecture
    second: str = ""  # digest of what the teacher reads beside the brain's soft labels
    # Row numbers of the training, validation and test images.
    rows: dict[str, np.ndarray] = of_no_consequence()
    # Of shown images that are tested.
    fold: int | None = of_no_consequence(default=None)
    folds: int = of_no_consequence(default=1)
    # Where a student that trains for long is written down.
    checkpoint: Path | None = of_no_consequence(default=None)

    @property
    def files(self) -> tuple[str, ...]:
        """Its answers; weights are kept for each teacher's best alone."""
        return (f"{self.name}/{ANSWERS}",)

    def run(self, shared: Material) -> Any:
        """The student as it was `Trained`."""
        from brain_teacher.networks.devices import card_of

        start = time.perf_counter()
        student = self._train(shared)
        return Trained(student, time.perf_counter() - start, card_of(shared.device))

    def _train(self, material: Material) -> Student:
        from brain_teacher.distillation.checkpoint import Checkpoint
        from brain_teacher.distillation.engine import Recipe, train_student
        from brain_teacher.distillation.pictures import Pictures
        from brain_teacher.networks.devices import train_alone_on

        train_alone_on(material.device)
        images = material.images
        sides = {
            split: (Pictures(images, each, material.device), material.labels[each])
            for split, each in self.rows.items()
        }
        pictures, labels = sides.pop(TRAINING)
        written = None
        if self.checkpoint is not None:
            written = Checkpoint(self.checkpoint, self.fingerprint(), every=material.checkpoint_s)
        return train_student(
            pictures,
            labels,
            self._live_network(self.live, material) if self.live is not None else self.targets,
            evaluation={split: sides[split] for split in SPLITS if split in sides},
            n_classes=len(material.class_id),
            recipe=Recipe(**self.recipe),
            seed=self.seed,
            device=material.device,
            checkpoint=written,
        )

    def _live_network(self, weights: FileInput, material: Material) -> Any:
        """A trained network that looks at batches."""
        from brain_teacher.networks.classifiers import read_network

        return read_network(
            weights.path,
            self.recipe | {"network": self.network, "weights": "none"},
            n_classes=len(material.class_id),
            image_size=material.images.shape[1],
        )

    def meta(self, material: Material, plan: dict[str, Any], card: str | None) -> dict[str, Any]:
        """What the student's file says of it, whatever it learns."""
        ids = {"teacher": self.teacher, "seed": self.seed, "fingerprint": self.fingerprint()}
        fold = {} if self.fold is None else {"fold": self.fold, "folds": self.folds}
        settings = self.recipe | {"image_size": material.images.shape[1]}
        how = {"plan": plan, "settings": settings, "device": material.device}
        how |= {} if card is None else {"card": card}
        read = {"pictures": self.inputs} | ({SECOND: self.second} if self.second else {})
        return ids | self.origin | fold | how | read

    def arrays(self, trained: Trained, material: Material, plan: dict[str, Any]) -> dict[str, Any]:
        """What the student's file holds."""
        rows = {split: self.rows[split] for split in SPLITS}
        return student_arrays(
            trained.student,
            class_id=material.class_id,
            image_id={split: material.image_id[each] for split, each in rows.items()},
            category={k: material.class_id[material.labels[each]] for k, each in rows.items()},
            meta=self.meta(material, plan, trained.card),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class RivalCell(StudentCell):
    """Train a deep teacher on hard labels, as a student is trained."""

    @property
    def files(self) -> tuple[str, ...]:
        """Weights, or answers for its fold's images."""
        return (self.name,)

    def run(self, shared: Material) -> tuple[Student, np.ndarray]:
        """The trained network as a `Student`, and the ids of the images it was tested on."""
        network = self._train(shared)
        if network.diverged:
            raise BrainTeacherError("the ResNet34 diverged: lower distill.learning_rate")
        return network, shared.image_id[self.rows["test"]]
