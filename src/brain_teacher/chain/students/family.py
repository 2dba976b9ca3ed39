"""The family of controls, settled before anything is decoded: what cannot be made is left out."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from brain_teacher.cells.folder import is_stage
from brain_teacher.chain.dataset import DataSet, choose
from brain_teacher.chain.params import Params
from brain_teacher.chain.students.soft_labels import origin_of
from brain_teacher.distillation.students import Answers
from brain_teacher.distillation.teachers import WORDS
from brain_teacher.errors import BrainTeacherError, UsageError
from brain_teacher.files import write_json
from brain_teacher.reading.text import read_json
from brain_teacher.report.words import BRAIN

# In the students' folder: the teachers that could not be made, and why; none, where all could.
FILE = "not-made.json"


def settled(params: Params, dataset: DataSet) -> list[str]:
    """What to say, before decoding, of controls that will be missing from the family.

    A DVC chain is refused at once whose brain is none of this data set, or whose students would
    lack a control of the family altogether: ``distill`` or ``compare`` would refuse it at the end.
    """
    if not dataset.description.pictures:  # there will be no students
        return []
    settings, family = params.distill, params.compare.family
    if is_stage():
        origin_of(params, dataset)
        teachers = choose(settings.teacher, settings.known, "distill.teacher")
        if lacking := [name for name in (*family, BRAIN) if name not in teachers]:
            raise UsageError(
                f"distill.teacher lacks {', '.join(lacking)}, which compare needs "
                "(compare.family): add it there, or take it out of the family"
            )
    if WORDS not in family or settings.similarity != "superclass":
        return []
    lacking = without_superclass(dataset)
    if lacking is None:
        return []
    return [
        f"the control {WORDS} will be left out of the family: {dataset.folder / 'dataset.yaml'} "
        f"has no superclass of {lacking}; `superclasses: {{CATEGORY: SUPERCLASS, ...}}` there "
        "brings it in, and nothing is decoded again for it"
    ]


def without_superclass(dataset: DataSet) -> str | None:
    """Which categories have no superclass, in words; None where all have one."""
    known = dataset.description.superclasses
    if dataset.stimuli is None:  # which categories were shown stands in the recordings alone
        return None if known else "any category"
    lacking = sorted(set(dataset.stimuli["category"]) - known.keys())
    more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    return f"'{lacking[0]}'{more}" if lacking else None


def write_not_made(folder: Path, skipped: dict[str, str], teachers: list[str]) -> None:
    """Keep beside the students which of these teachers could not be made."""
    others = {name: why for name, why in not_made(folder).items() if name not in teachers}
    if content := dict(sorted((others | skipped).items())):
        write_json(folder / FILE, content)
    else:
        (folder / FILE).unlink(missing_ok=True)


def not_made(folder: str | Path) -> dict[str, str]:
    """The teachers that could not be made for a folder of students, and why."""
    file = Path(folder) / FILE
    if not file.is_file():
        return {}
    content = read_json(file)
    try:
        return TypeAdapter(dict[str, str]).validate_python(content)
    except ValidationError as error:
        raise BrainTeacherError(
            f"{file} does not say of teachers why they were left out: distill again"
        ) from error


def left_out(folder: str | Path, everyone: Mapping[str, Answers]) -> dict[str, str]:
    """Of the teachers that could not be made those without students there, and why."""
    there = {each.meta["teacher"] for each in everyone.values()}
    return {name: why for name, why in not_made(folder).items() if name not in there}
