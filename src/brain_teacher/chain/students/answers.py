"""Students' answers, checked to be comparable and joined: what ``compare`` and ``plan`` read."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from brain_teacher.analysis.folds import join_folds
from brain_teacher.chain.students.cells import SECOND
from brain_teacher.chain.students.soft_labels import SOFT_LABELS
from brain_teacher.distillation.students import Answers
from brain_teacher.errors import BrainTeacherError, UsageError, about
from brain_teacher.report.kinds import BRAIN, kind_of

# The teacher of hard labels: neither T nor alpha is of consequence for its students.
NONE = "none"
# A teacher may have its own: `search` chooses them, for every teacher from as many.
OWN = ("temperature", "alpha", "learning_rate", "epochs")
# Kinds of hardware round otherwise: students of two are no pairs (DESIGN, rule 6).
_ORIGIN = ("dataset", "subject", "roi", "decoder", "device", "card", SOFT_LABELS)
_NAMED = 8  # of the students that differ, in an error


def check_alike(metas: Mapping[str, dict[str, Any]]) -> None:
    """Students can be paired only if nothing but teacher, seed and fold differs between them.

    `metas` is what each says of itself. Of the settings, teachers may differ in their own:
    temperature, alpha, learning rate, epochs. Other soft labels or pictures than the others', or
    another second table than that of the same teacher's, are those of a former run into the same
    folder.
    """
    wrong: dict[str, tuple[list[str], str]] = {}
    of_teacher: dict[str, dict] = {}
    of_fold: dict[int | None, dict] = {}
    of_both: dict[tuple[str, int | None], dict] = {}
    first = next(iter(metas.values()))
    for name, meta in metas.items():
        same = of_teacher.setdefault(meta["teacher"], meta)
        beside = of_fold.setdefault(meta.get("fold"), meta)
        second = of_both.setdefault((meta["teacher"], meta.get("fold")), meta)
        pairs = [("kind", kind_of(meta), kind_of(first))]
        pairs += [(key, meta.get(key), first.get(key)) for key in _ORIGIN]
        pairs += [("pictures", meta.get("pictures"), beside.get("pictures"))]
        pairs += [(SECOND, meta.get(SECOND), second.get(SECOND))]
        pairs += [("settings", meta["settings"], same["settings"])]
        pairs += [("settings", _common(meta), _common(first))]
        for key, mine, other in pairs:
            if mine != other:
                wrong.setdefault(key, ([], _differs(mine, other)))[0].append(name)
                break
    for key, (names, words) in wrong.items():
        raise BrainTeacherError(
            f"{_listed(names)} from the others in {key.replace('_', ' ')} ({words}): distill into "
            "a folder of its own, or take away what a former run left in this one"
        )


def _listed(names: Sequence[str]) -> str:
    """The first few students that differ, and how many more there are, with their verb."""
    if len(names) == 1:
        return f"student {names[0]} differs"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"students {', '.join(names[:_NAMED])}{more} differ"


def _common(meta: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in meta["settings"].items() if key not in OWN}


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


def control_of(teachers: Iterable[str]) -> str:
    """Whom the brain is held against where one control is enough: hard labels, if they are there.

    Else the first that is not the brain.
    """
    controls = [name for name in teachers if name != BRAIN]
    return NONE if NONE in controls else controls[0]


def settings_of(students: Mapping[int, Answers]) -> dict[str, Any]:
    """The settings of one teacher's students, given by seed."""
    return next(iter(students.values())).meta["settings"]


def digest_of_test_images(everyone: Mapping[str, Answers]) -> str:
    """`digest_of_images` of those that any of the students is tested on."""
    tested = (student.image_id.get("test", ()) for student in everyone.values())
    return digest_of_images(image for ids in tested for image in ids)


def digest_of_images(image_id: Iterable[str]) -> str:
    """A digest of test images' ids: results on the same ones are looks at one test set."""
    return hashlib.sha256("\0".join(sorted({*image_id})).encode()).hexdigest()[:12]
