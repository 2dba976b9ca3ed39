"""Students' scores by every outcome that can be had of them, and why others cannot."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from brain_teacher.analysis.further import FURTHER
from brain_teacher.analysis.outcomes import OUTCOMES, NoOutcome, Outcome
from brain_teacher.analysis.statistics import Scores, scores_of
from brain_teacher.analysis.two_way import interval_of_mean
from brain_teacher.chain.dataset import DataSet
from brain_teacher.chain.students.brains import Brains, read_brains
from brain_teacher.chain.students.gallery import (
    NotHere,
    new_categories,
    recorded_pictures,
)
from brain_teacher.chain.students.held_out import read_held_out
from brain_teacher.chain.students.measured import (
    Measured,
    bearing,
    consistency_scores,
    layers_of,
    likeness_scores,
    new_category_scores,
)
from brain_teacher.chain.students.measuring import Shown
from brain_teacher.chain.students.setting import Setting
from brain_teacher.distillation.students import Answers

T = TypeVar("T")
ByTeacher = dict[str, Scores]


@dataclass
class Beside:
    """What students are measured on beside their test images; `reasons` say what there is not."""

    shown: Shown
    brains: Brains | None
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def images(self) -> dict[int | None, list[str]]:
        """By fold, those that students are held against brains on."""
        return {} if self.brains is None else self.brains.images


def open_beside(
    setting: Setting, dataset: DataSet, voxels: Path, everyone: Mapping[str, Answers]
) -> Beside:
    """Pictures of new categories and recordings of brains, as far as there are any."""
    reasons: dict[str, str] = {}
    material = setting.material
    size, classes = material.images.shape[1], material.class_id.tolist()
    new = _tried(reasons, "new categories", lambda: new_categories(dataset, classes, size))
    brains = _tried(reasons, "likeness", lambda: read_brains(dataset, voxels, everyone))
    recorded = None
    if brains is not None:
        ids = {image for each in brains.images.values() for image in each}
        recorded = recorded_pictures(dataset, ids, size)
    return Beside(Shown(material, new, recorded), brains, reasons)


def scores_by_outcome(
    found: Mapping[str, Mapping[int, Answers]], measured: Measured, beside: Beside, students: Path
) -> dict[str, ByTeacher]:
    """Outcome (a key of `FURTHER`) -> teacher -> scores, in the order of that table."""
    from brain_teacher.distillation.measuring import WORSE

    reasons, scores = beside.reasons, {}
    for name, entry in OUTCOMES.items():
        got = _tried(reasons, name, partial(_of_answers, found, entry))
        scores |= {} if got is None else {name: got}
    if (brains := beside.brains) is not None:
        scores["likeness"] = likeness_scores(measured, brains, layers_of(measured)[0])
    answered = _tried(
        reasons, "consistency", lambda: consistency_scores(found, _who_answered(students))
    )
    scores |= {} if answered is None else {"consistency": answered}
    if (new := beside.shown.new) is not None:
        few = _tried(reasons, "new categories", lambda: new_category_scores(measured, new))
        scores |= few or {}
    scores |= {kind: bearing(measured, kind) for kind in WORSE}
    return {name: scores[name] for name in FURTHER if name in scores}


def _of_answers(found: Mapping[str, Mapping[int, Answers]], outcome: Outcome) -> ByTeacher:
    return {who: scores_of(students, outcome=outcome) for who, students in found.items()}


def _who_answered(students: Path) -> dict[str, Any]:
    """Out-of-fold answers for the test images: of who did not teach, else of who did."""
    held = read_held_out(students)
    if held is None:
        raise NotHere(
            "nobody answered for the test images, which were not shown (distill.split: folds)"
        )
    return held.others or {"taught": held.brain}


def details(measured: Measured, beside: Beside) -> pd.DataFrame:
    """Each strength of what makes pictures worse, and each layer's likeness: means by teacher."""
    from brain_teacher.distillation.measuring import WORSE

    parts = [
        (kind, f"{strength:.3g}", bearing(measured, kind, number))
        for kind, strengths in WORSE.items()
        for number, strength in enumerate(strengths)
    ]
    if (brains := beside.brains) is not None:
        parts += [
            ("likeness", layer, likeness_scores(measured, brains, layer))
            for layer in layers_of(measured)
        ]
    rows = []
    for outcome, detail, by_teacher in parts:
        for teacher, scores in by_teacher.items():
            low, high = interval_of_mean(scores.correct)
            mean = float(scores.correct.mean())
            rows.append([outcome, detail, teacher, mean, low, high])
    return pd.DataFrame(rows, columns=["outcome", "detail", "teacher", "mean", "low", "high"])


def ceiling_of(brains: Brains | None) -> dict[str, Any]:
    """How like the held-out subjects the others are; empty where none is held out."""
    if brains is None:
        return {}
    bounds = brains.ceiling()
    values = bounds["lower"]
    half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5
    lower = float(values.mean())
    return {
        "held_out": [*brains.held_out],
        "taught": [*brains.taught],
        "images": len(values),
        "lower": lower,
        "lower_low": lower - half,
        "lower_high": lower + half,
        "upper": float(bounds["upper"].mean()),
    }


def _tried(reasons: dict[str, str], name: str, make: Callable[[], T]) -> T | None:
    """What `make` gives; where it cannot be had, None, and the reason is kept."""
    try:
        return make()
    except (NotHere, NoOutcome) as error:
        reasons[name] = str(error)
        return None
