"""Students of parts of the brain's soft labels, and of less of the brain."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from brain_teacher.chain.students.amounts import Amount, part_of
from brain_teacher.chain.students.cells import TRAINING, StudentCell
from brain_teacher.chain.students.material import Part
from brain_teacher.chain.students.setting import Setting
from brain_teacher.chain.students.soft_labels import SOFT_LABELS, digest_of_labels
from brain_teacher.distillation.lessons import NotApplicable
from brain_teacher.distillation.parts import PARTS, draw_part
from brain_teacher.distillation.teachers import TEACHERS
from brain_teacher.report.words import BRAIN

NONE = "none"


def with_references(names: Iterable[str]) -> list[str]:
    """These parts and all that they are held against, in the order of the table."""
    wanted, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name in PARTS and name not in wanted:
            wanted.add(name)
            waiting.append(PARTS[name].against)
    return [name for name in PARTS if name in wanted]


def teachers_of(parts: Sequence[str]) -> list[str]:
    """The teachers that are asked for beside: the two ends, and parts that are teachers."""
    return [NONE, *(name for name in parts if name in TEACHERS), BRAIN]


def dissected(
    setting: Setting, parts: Sequence[str], seeds: Sequence[int]
) -> tuple[list[StudentCell], dict[str, str]]:
    """A cell a student of each part, and the parts that there are none of here, and why.

    What a part is held against goes with it.
    """
    cells, skipped = setting.students(setting.teachers, seeds)
    taught = [cell for cell in cells if cell.teacher == BRAIN]
    for name in parts:
        if (reference := PARTS[name].against) in skipped:
            skipped[name] = f"there is no {reference} to hold it against"
        if name in TEACHERS or name in skipped:
            continue
        try:
            targets = {part.fold: _targets(setting, name, part) for part in setting.parts}
        except NotApplicable as reason:
            skipped[name] = str(reason)
            continue
        cells += [_named(cell, name, targets=targets[cell.fold]) for cell in taught]
    return cells, skipped


def _targets(setting: Setting, name: str, part: Part) -> np.ndarray:
    material = setting.material
    category = material.class_id[material.labels[material.rows(part.brain.image_id)]]
    temperature = setting.recipes[BRAIN]["temperature"]
    targets = draw_part(name, part.brain, category, temperature=temperature)
    return targets.join(part.image_id[TRAINING], material.class_id)


def of_amounts(
    setting: Setting, amounts: Sequence[Amount], seeds: Sequence[int]
) -> list[StudentCell]:
    """A cell a student of less of the brain."""
    cells = []
    for amount in amounts:
        origin = setting.origin | {SOFT_LABELS: digest_of_labels([amount.brain])}
        made, _ = setting.students([BRAIN], seeds, parts=[part_of(setting, amount)], origin=origin)
        cells += [_named(cell, amount.name) for cell in made]
    return cells


def _named(cell: StudentCell, teacher: str, **changes: Any) -> StudentCell:
    """The student of another teacher."""
    return replace(
        cell, name=teacher + cell.name.removeprefix(cell.teacher), teacher=teacher, **changes
    )
