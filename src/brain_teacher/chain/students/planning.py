"""Which students are to be trained: one cell a teacher, seed and part of the images."""

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np

from brain_teacher.cells.cell import FileInput
from brain_teacher.chain.students.cells import TRAINING, Material, StudentCell
from brain_teacher.chain.students.material import Part
from brain_teacher.dataset.images import SPLITS
from brain_teacher.distillation.lessons import NotApplicable
from brain_teacher.distillation.targets import Live
from brain_teacher.distillation.teachers import TABLES, draw_targets
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import fingerprint

# Pictures read at a time.
CHUNK = 512


def plan_students(
    material: Material,
    parts: Sequence[Part],
    teachers: Sequence[str],
    *,
    recipes: dict[str, dict],
    seeds: Iterable[int],
    origin: dict,
    similarity: Any,
    table: Callable,
    live: FileInput | None = None,
) -> tuple[list[StudentCell], dict[str, str]]:
    """One cell a student: its targets, and all else that makes it what it is.

    Parameters
    ----------
    recipes : dict of str to dict
        By teacher.
    origin : dict
        What the brain is.
    similarity : DataFrame or None
    table : callable
        ``(name, seed, part)`` -> the SoftLabels that a teacher reads beside the brain's.
    live : FileInput, optional
        The weights of the network that a teacher lets look at batches.

    Returns
    -------
    cells : list of StudentCell
    skipped : dict of str to str
        Teachers that say nothing beside this brain, and why.
    """
    cells: list[StudentCell] = []
    skipped: dict[str, str] = {}
    for part in parts:
        rows = {split: material.rows(ids) for split, ids in part.image_id.items()}
        inputs = digest_of_inputs(material, rows)
        ending = "" if part.fold is None else f"_fold{part.fold}"
        for teacher, seed in product(teachers, seeds):
            if teacher in skipped:
                continue
            recipe = recipes[teacher]
            try:
                targets = _targets(material, part, teacher, recipe, seed, similarity, table)
            except NotApplicable as reason:
                skipped[teacher] = str(reason)
                continue
            except ValueError as error:
                raise BrainTeacherError(f"teacher {teacher}: {error}") from error
            looks = isinstance(targets, Live)
            cells.append(
                StudentCell(
                    name=f"{teacher}_{seed}{ending}",
                    teacher=teacher,
                    seed=seed,
                    recipe=recipe,
                    inputs=inputs,
                    origin=origin,
                    targets=None if looks else targets,
                    live=live if looks else None,
                    network=targets.network if looks else None,
                    rows=rows,
                    fold=part.fold,
                    folds=len(parts),
                )
            )
    return cells, skipped


def digest_of_inputs(material: Material, rows: dict) -> str:
    """SHA-256 over the images, labels and ids of each split, and the classes."""
    images, said = material.images, [material.class_id]
    for split in (TRAINING, *SPLITS):
        if split in rows:
            each = rows[split]
            said += [split, material.labels[each], material.image_id[each]]
            # In parts: the pictures may be larger than the memory.
            parts = np.split(each, range(CHUNK, len(each), CHUNK))
            said += [fingerprint(images[part]) for part in parts]
    return fingerprint(*said)


def _targets(material, part, teacher, recipe, seed, similarity, table):
    name = TABLES.get(teacher)
    category = material.class_id[material.labels[material.rows(part.brain.image_id)]]
    targets = draw_targets(
        teacher,
        part.brain,
        category,
        temperature=recipe["temperature"],
        seed=seed,
        similarity=similarity,
        tables={} if name is None else {name: table(name, seed, part)},
    )
    if targets is None or isinstance(targets, Live):
        return targets
    return targets.join(part.image_id[TRAINING], material.class_id)
