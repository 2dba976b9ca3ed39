"""Students as cells: what each is made from, and the work of making one."""

import time
from itertools import product
from pathlib import Path

from brain_teacher.chain.students.material import TRAINING
from brain_teacher.dataset.images import SPLITS
from brain_teacher.distillation.lessons import NotApplicable
from brain_teacher.distillation.students import student_arrays
from brain_teacher.distillation.targets import Live
from brain_teacher.distillation.teachers import TABLES, draw_targets
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import atomic_write, file_digest, fingerprint


def plan_students(material, parts, teachers, *, recipes, seeds, origin, similarity, table):
    """One cell a student: its targets, its fingerprint, its name.

    Parameters
    ----------
    material : Material
    parts : list of Part
    teachers : list of str
    recipes : dict of str to dict
        By teacher.
    seeds : iterable of int
    origin : dict
        What the brain is.
    similarity : DataFrame or None
    table : callable
        ``(name, seed, part)`` -> the SoftLabels that a teacher reads beside the brain's.

    Returns
    -------
    cells : list of dict
    skipped : dict of str to str
        Teachers that say nothing beside this brain, and why.
    """
    cells, skipped = [], {}
    for part in parts:
        rows = {split: material.rows(ids) for split, ids in part.image_id.items()}
        shared = {"fold": part.fold, "folds": len(parts), "rows": rows}
        inputs = _inputs(material, rows, origin)
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
            ending = "" if part.fold is None else f"_fold{part.fold}"
            made_from = fingerprint(inputs, recipe, seed, _said(material, targets))
            own = {"name": f"{teacher}_{seed}{ending}", "teacher": teacher, "seed": seed}
            own |= {"targets": targets, "recipe": recipe, "fingerprint": made_from}
            cells.append(shared | own)
    return cells, skipped


def _inputs(material, rows, origin):
    """Everything that makes a student what it is, but its recipe, targets and seed."""
    arrays = [material.class_id]
    for split in (TRAINING, *SPLITS):
        each = rows[split]
        arrays += [material.images[each], material.labels[each], material.image_id[each]]
    return fingerprint(*arrays, origin, material.device)


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


def _said(material, targets):
    if isinstance(targets, Live):
        return [targets.network, file_digest(material.live[targets.network])]
    return "none" if targets is None else targets


def train_cell(material, cell):
    """Train one student; gives it and the seconds it took. The work of one process."""
    import torch

    from brain_teacher.distillation.engine import Recipe, train_student
    from brain_teacher.networks.memory import keep_freed_memory

    if material.device == "cpu":
        torch.set_num_threads(1)  # 1 and 2 threads give different bits
        keep_freed_memory()
    start = time.perf_counter()
    rows = cell["rows"]
    targets = cell["targets"]
    if isinstance(targets, Live):
        targets = _network(material, cell["recipe"], targets.network)
    student = train_student(
        material.images[rows[TRAINING]],
        material.labels[rows[TRAINING]],
        targets,
        evaluation={
            split: (material.images[rows[split]], material.labels[rows[split]])
            for split in SPLITS
            if split in rows
        },
        n_classes=len(material.class_id),
        recipe=Recipe(**cell["recipe"]),
        seed=cell["seed"],
        device=material.device,
        checkpoint=Checkpoint(cell, material.checkpoint_s) if "checkpoint" in cell else None,
    )
    return student, time.perf_counter() - start


def _network(material, recipe, name):
    """A trained network that looks at batches."""
    from safetensors.torch import load_file

    from brain_teacher.networks.classifiers import rebuild_network

    network = rebuild_network(
        recipe | {"network": name, "weights": "none"},
        n_classes=len(material.class_id),
        image_size=material.images.shape[1],
    )
    network.load_state_dict(load_file(material.live[name]))
    return network


class Checkpoint:
    """A student's state on disk, written when it has trained for long enough since the last.

    Parameters
    ----------
    cell : dict
        With ``checkpoint``, the file; it is used only for a cell of the same fingerprint.
    every : float
        Seconds.
    """

    def __init__(self, cell, every):
        self._path, self._fingerprint = Path(cell["checkpoint"]), cell["fingerprint"]
        self._every, self._last = every, time.monotonic()

    def load(self):
        """The state of an interrupted student, or None."""
        import torch

        try:
            found = torch.load(self._path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return None
        return found["state"] if found["fingerprint"] == self._fingerprint else None

    def is_due(self):
        """Whether it is time to write."""
        return time.monotonic() - self._last >= self._every

    def save(self, state):
        """Write the state, whole or not at all."""
        import torch

        with atomic_write(self._path) as temporary:
            torch.save({"fingerprint": self._fingerprint, "state": state}, temporary)
        self._last = time.monotonic()


def arrays_of(student, cell, material, origin, plan):
    """What the student's file holds."""
    meta = {key: cell[key] for key in ("teacher", "seed", "fingerprint")} | origin
    if cell["fold"] is not None:
        meta |= {"fold": cell["fold"], "folds": cell["folds"]}
    settings = cell["recipe"] | {"image_size": material.images.shape[1]}
    meta |= {"plan": plan, "settings": settings, "device": material.device}
    rows = {split: cell["rows"][split] for split in SPLITS}
    return student_arrays(
        student,
        class_id=material.class_id,
        image_id={split: material.image_id[each] for split, each in rows.items()},
        category={split: material.class_id[material.labels[each]] for split, each in rows.items()},
        meta=meta,
    )
