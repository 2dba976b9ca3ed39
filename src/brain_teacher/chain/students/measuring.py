"""What each student is measured on beside its answers, as cells; and the scores by outcome."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brain_teacher.analysis.error_consistency import error_consistency
from brain_teacher.analysis.few_shot import few_shot
from brain_teacher.analysis.further import SHOTS
from brain_teacher.analysis.likeness import dissimilarities
from brain_teacher.analysis.statistics import Scores
from brain_teacher.cells.cell import Cell, FileInput, of_no_consequence
from brain_teacher.chain.students.brains import Brains
from brain_teacher.chain.students.cells import TRAINING, Material, StudentCell
from brain_teacher.chain.students.gallery import Gallery, NotHere
from brain_teacher.dataset.ids import rows_of
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.distillation.students import Answers
from brain_teacher.errors import about
from brain_teacher.files import write_npz
from brain_teacher.reading.arrays import load_arrays

DISSIMILAR, NEW = "dissimilar_", "new"


@dataclass(frozen=True, eq=False)
class Shown:
    """What students are shown: pictures, and how they are computed on."""

    material: Material
    new: Gallery | None  # of categories that no student was trained on
    recorded: Gallery | None  # that brains saw


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasureCell(Cell):
    """Measure one student."""

    weights: FileInput
    settings: dict[str, Any]  # its network's
    inputs: str  # digest of its own pictures
    new: str  # of those of new categories; empty, where there are none
    recorded: str  # and of those that brains saw
    seen: tuple[str, ...]  # of these, which it is held against brains on
    rows: dict[str, np.ndarray] = of_no_consequence()  # of its own pictures, by split

    def run(self, shared: Shown) -> dict[str, np.ndarray]:
        """Arrays: by kind whether it bears worse pictures, features, dissimilarities by layer."""
        from brain_teacher.distillation.measuring import bears
        from brain_teacher.networks.activations import PENULTIMATE, activations
        from brain_teacher.networks.classifiers import read_network
        from brain_teacher.networks.devices import train_alone_on

        material = shared.material
        train_alone_on(material.device)
        network = read_network(
            self.weights.path,
            self.settings,
            n_classes=len(material.class_id),
            image_size=material.images.shape[1],
        )
        network = network.to(material.device).eval()
        tested = np.sort(self.rows["test"])
        image_id, labels = material.image_id[tested], material.labels[tested]
        found: dict[str, np.ndarray] = {"test_id": image_id}
        found |= bears(network, material.images[tested], labels, image_id)
        if shared.new is not None:
            learnt = material.images[np.sort(self.rows[TRAINING])]
            own = activations(network, learnt, stages=False)[PENULTIMATE]
            new = activations(network, shared.new.images, stages=False)[PENULTIMATE]
            scale = np.maximum(own.std(axis=0), 1e-6)
            found[NEW] = (new - own.mean(axis=0)) / scale
        if shared.recorded is not None and self.seen:
            images = shared.recorded.images[shared.recorded.rows(np.array(self.seen))]
            layers = activations(network, images)
            found |= {f"{DISSIMILAR}{name}": dissimilarities(v) for name, v in layers.items()}
        return found


def measure_cells(
    cells: list[StudentCell], weights: Mapping[str, Path], shown: Shown, brains: Brains | None
) -> list[MeasureCell]:
    """A cell for each student."""
    new, recorded = ("" if each is None else each.digest() for each in (shown.new, shown.recorded))
    size = {"image_size": shown.material.images.shape[1]}
    return [
        MeasureCell(
            name=f"{cell.name}.npz",
            weights=FileInput.of(weights[cell.name]),
            settings=cell.recipe | size,
            inputs=cell.inputs,
            new=new,
            recorded=recorded,
            seen=() if brains is None else tuple(brains.images[cell.fold]),
            rows=cell.rows,
        )
        for cell in cells
    ]


def write_measures(out: Path, cell: MeasureCell, found: dict[str, np.ndarray]) -> Iterator[str]:
    """Write what was measured of one student."""
    write_npz(out / cell.name, compress=True, **found)
    yield cell.name


# By fold (None: of unseen test images), a student of one teacher and seed.
Parts = dict[int | None, dict[str, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Measured:
    """All students' measures: by teacher and seed, then by fold."""

    parts: dict[str, dict[int, Parts]]
    category: dict[str, str]  # of each test image

    def scores(
        self, of: Callable[[Parts], np.ndarray], category: np.ndarray | None = None
    ) -> dict[str, Scores]:
        """One outcome by teacher: `of` gives a student's value for each image."""
        found = {}
        for teacher, students in self.parts.items():
            rows = [of(parts) for parts in students.values()]
            found[teacher] = Scores(tuple(students), np.array(rows, dtype=float), category)
        return found


def read_measured(out: Path, cells: list[StudentCell], answers: Mapping[str, Answers]) -> Measured:
    """What `write_measures` wrote, of students none of whose folds diverged."""
    lost = {(e.meta["teacher"], e.meta["seed"]) for e in answers.values() if e.diverged}
    parts: dict[str, dict[int, Parts]] = {}
    category: dict[str, str] = {}
    for cell in sorted(cells, key=lambda each: (each.seed, each.fold or 0)):
        if (cell.teacher, cell.seed) in lost:
            continue
        own, path = answers[cell.name], out / f"{cell.name}.npz"
        category |= dict(zip(own.image_id["test"], own.category["test"], strict=True))
        with about(path):
            found: Any = load_arrays(path)
        parts.setdefault(cell.teacher, {}).setdefault(cell.seed, {})[cell.fold] = found
    return Measured(parts, category)


def bearing(measured: Measured, kind: str, number: int | None = None) -> dict[str, Scores]:
    """Right or wrong on pictures that are worse in one way; a mean over its strengths, or one."""
    strengths = slice(None) if number is None else slice(number, number + 1)

    def of(parts: Parts) -> np.ndarray:
        ids = np.concatenate([part["test_id"] for part in parts.values()])
        right = np.concatenate([part[kind][strengths].mean(axis=0) for part in parts.values()])
        return right[np.argsort(ids, kind="stable")]

    return measured.scores(of, _categories(measured))


def _categories(measured: Measured) -> np.ndarray:
    return np.array([measured.category[image] for image in sorted(measured.category)])


def new_category_scores(measured: Measured, new: Gallery) -> dict[str, dict[str, Scores]]:
    """``mean-1`` to ``probe-5``: new categories by a few pictures; students of folds averaged."""
    category = new.category[np.argsort(new.image_id, kind="stable")]
    found = {}
    for shots in SHOTS:
        both = {}
        for teacher, students in measured.parts.items():
            for seed, parts in students.items():
                each = [
                    few_shot(p[NEW], new.category, new.image_id, shots=shots)
                    for p in parts.values()
                ]
                both[teacher, seed] = {k: np.mean([e[k] for e in each], axis=0) for k in each[0]}
        for how in ("mean", "probe"):
            found[f"{how}-{shots}"] = {
                teacher: Scores(
                    tuple(students), np.array([both[teacher, s][how] for s in students]), category
                )
                for teacher, students in measured.parts.items()
            }
    return found


def layers_of(measured: Measured) -> list[str]:
    """The layers whose dissimilarities were measured, the last one first."""
    parts = next(iter(next(iter(measured.parts.values())).values()))
    names = [
        k.removeprefix(DISSIMILAR) for k in next(iter(parts.values())) if k.startswith(DISSIMILAR)
    ]
    return names[::-1]


def likeness_scores(measured: Measured, brains: Brains, layer: str) -> dict[str, Scores]:
    """Likeness of one layer to the held-out subjects."""
    return measured.scores(
        lambda parts: brains.likeness(
            {f: part[f"{DISSIMILAR}{layer}"] for f, part in parts.items()}
        )
    )


def consistency_scores(
    found: Mapping[str, Mapping[int, Answers]], tables: Mapping[str, SoftLabels]
) -> dict[str, Scores]:
    """Error consistency with brains, or people, who answered for the test images out of fold."""

    def of(answers: Answers) -> np.ndarray:
        own = answers.correct("test")
        images = sorted(own)
        category = np.array(answers.category_by_id("test"))
        parts = []
        for table in tables.values():
            rows = table.take(images)
            row = rows_of(images, rows.image_id, lacks="no row of '{}'")
            right = rows.class_id[rows.log_probs[row].argmax(axis=1)] == category
            parts.append(error_consistency([own[image] for image in images], right))
        return np.mean(parts, axis=0)

    try:
        return {
            teacher: Scores(
                tuple(seed for seed, each in students.items() if not each.diverged),
                np.array([of(each) for each in students.values() if not each.diverged]),
            )
            for teacher, students in found.items()
        }
    except ValueError as error:
        raise NotHere(str(error)) from error
