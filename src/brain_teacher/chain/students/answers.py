"""Students' answers, checked to be comparable and joined: what ``compare`` and ``plan`` read."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from brain_teacher.analysis.folds import join_folds
from brain_teacher.distillation.students import Answers
from brain_teacher.errors import BrainTeacherError, UsageError, about
from brain_teacher.report.kinds import BRAIN, kind_of

# The teacher of hard labels: neither T nor alpha is of consequence for its students.
NONE = "none"
# A teacher may have its own: `search` chooses them, for every teacher from as many.
OWN = ("temperature", "alpha", "learning_rate", "epochs")
# Kinds of hardware round otherwise: students of two are no pairs (DESIGN, rule 6).
_ORIGIN = ("dataset", "subject", "roi", "decoder", "device")


def check_alike(everyone: Mapping[str, Answers]) -> None:
    """Students can be paired only if nothing but teacher, seed and fold differs between them.

    Of the settings, teachers may differ in their own: temperature, alpha, learning rate, epochs.
    """
    first, of_teacher = next(iter(everyone.values())), {}
    for name, student in everyone.items():
        same = of_teacher.setdefault(student.meta["teacher"], student)
        pairs = [("kind", kind_of(student.meta), kind_of(first.meta))]
        pairs += [(key, student.meta[key], first.meta[key]) for key in _ORIGIN]
        pairs += [("settings", student.meta["settings"], same.meta["settings"])]
        pairs += [("settings", _common(student), _common(first))]
        for key, mine, other in pairs:
            if mine != other:
                raise BrainTeacherError(
                    f"student {name} has another {key} than the others ({_differs(mine, other)}): "
                    "distill into a folder of its own"
                )


def _common(student: Answers) -> dict[str, Any]:
    return {key: value for key, value in student.meta["settings"].items() if key not in OWN}


def _differs(mine: Any, other: Any) -> str:
    """What differs, in a few words; of two dictionaries, the keys that do."""
    if not isinstance(mine, dict):
        return f"{mine}, not {other}"
    differ = [k for k in sorted(mine.keys() | other.keys()) if mine.get(k) != other.get(k)]
    return ", ".join(f"{key} {mine.get(key)}, not {other.get(key)}" for key in differ)


def by_teacher(
    everyone: Mapping[str, Answers], family: Sequence[str], folder: str | Path
) -> dict[str, dict[int, Answers]]:
    """Teacher -> seed -> Answers over all test images, of the brain and the family.

    Those of folds are joined to one a teacher and seed. A teacher that is missing, has other seeds
    than the brain or was tested on other images is a failure.
    """
    found: dict[str, dict[int, Answers]] = {}
    with about(folder):
        for student in join_folds(list(everyone.values())):
            found.setdefault(student.meta["teacher"], {})[student.meta["seed"]] = student
    if BRAIN in family:
        raise UsageError("compare.family lists the controls; 'brain' is what they are held against")
    names = [BRAIN, *family]
    for name in names:
        if name not in found:
            raise BrainTeacherError(
                f"{folder} has no students of teacher {name!r} (it has "
                f"{', '.join(sorted(found))}): add it to distill.teacher and distill again"
            )
    found = {name: dict(sorted(found[name].items())) for name in names}
    seeds, images = list(found[BRAIN]), None
    for name, students in found.items():
        if list(students) != seeds:
            raise BrainTeacherError(
                f"{folder}: teacher {name!r} has seeds {list(students)}, 'brain' has "
                f"{seeds}; distill the same seeds for all"
            )
        trained = {seed: each for seed, each in students.items() if not each.diverged}
        if not trained:
            raise BrainTeacherError(f"{folder}: every student of teacher {name!r} diverged")
        for seed, student in trained.items():
            images = images or sorted(student.image_id["test"])
            if sorted(student.image_id["test"]) != images:
                raise BrainTeacherError(
                    f"{folder}: {name} seed {seed} was tested on other images than the others"
                )
    return found


def settings_of(students: Mapping[int, Answers]) -> dict[str, Any]:
    """The settings of one teacher's students, given by seed."""
    return next(iter(students.values())).meta["settings"]


def digest_of_test_images(everyone: Mapping[str, Answers]) -> str:
    """A digest of the test images' ids: comparisons on the same ones are looks at one test set."""
    ids = {image for student in everyone.values() for image in student.image_id.get("test", ())}
    return hashlib.sha256("\0".join(sorted(ids)).encode()).hexdigest()[:12]
