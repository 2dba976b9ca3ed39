"""What was measured of students, as scores by outcome."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brain_teacher.analysis.error_consistency import error_consistency
from brain_teacher.analysis.few_shot import few_shot
from brain_teacher.analysis.further import SHOTS
from brain_teacher.analysis.statistics import Scores
from brain_teacher.chain.students.brains import Brains
from brain_teacher.chain.students.cells import StudentCell
from brain_teacher.chain.students.gallery import Gallery, NotHere
from brain_teacher.chain.students.measuring import DISSIMILAR, NEW
from brain_teacher.dataset.ids import rows_of
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.distillation.students import Answers
from brain_teacher.errors import about
from brain_teacher.reading.arrays import load_arrays

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
