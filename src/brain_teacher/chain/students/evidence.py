"""What ``compare`` wrote, held against the students' answers: ``promote`` believes no file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from brain_teacher.analysis.comparison import Comparison, compare_answers
from brain_teacher.chain.dataset import METRICS
from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import plan_digest
from brain_teacher.chain.students.answers import by_teacher
from brain_teacher.chain.students.family import left_out
from brain_teacher.distillation.students import Answers
from brain_teacher.errors import BrainTeacherError, about
from brain_teacher.reading.text import Said, read_json, validated
from brain_teacher.report.kinds import BRAIN, called, comparison_called, kind_of

# Of numbers that another machine computes again.
TOLERANCE = 1e-6


class _Settings(Said):
    outcome: str
    family: Annotated[list[str], Field(min_length=1)]
    margin: float
    knows: str


class _Difference(Said):
    a: str
    b: str
    mean: float
    low: float
    high: float
    p_corrected: float


class _Student(Said):
    teacher: str
    seed: int
    fold: int | None = None
    validation: float | None
    test: float | None


class _Evidence(Said):
    """What is read of ``metrics.json``."""

    verdict: str
    sentences: Annotated[list[str], Field(min_length=1)]
    exploratory: bool
    plan: str
    diverged: list[str]
    students: list[_Student]
    differences: Annotated[list[_Difference], Field(min_length=1)]
    compare: _Settings


def compare_settings(
    params: Params, folder: str | Path, everyone: Mapping[str, Answers]
) -> dict[str, Any]:
    """What shapes a comparison of a folder's students; of the family, what could be made of it."""
    lacking = left_out(folder, everyone)
    family = [name for name in params.compare.family if name not in lacking]
    knows = "superclasses" if params.distill.similarity == "superclass" else "words"
    return params.compare.model_dump() | {"knows": knows, "family": family}


def compared(
    everyone: Mapping[str, Answers], folder: str | Path, settings: Mapping[str, Any]
) -> tuple[dict[str, dict[int, Answers]], Comparison]:
    """Answers by teacher and seed, and the comparison by these settings (`compare_settings`)."""
    found = by_teacher(everyone, settings["family"], folder)
    with about(folder):
        return found, compare_answers(found, teacher=BRAIN, **settings)


def difference_told(name: str, result: Comparison, teacher: str) -> dict[str, Any]:
    """One comparison, all its numbers."""
    difference, flip = result.differences[name], result.flips[name]
    return {
        "a": teacher,
        "b": name,
        **difference.told(),
        "p": difference.p,
        "p_corrected": difference.p_corrected,
        "p_sign_flip": flip.p,
        "p_sign_flip_corrected": flip.p_corrected,
        # JSON has no NaN.
        "p_equivalence": None if difference.constant else result.equivalence[name],
    }


def read_evidence(comparison: str | Path) -> dict[str, Any]:
    """What ``compare`` wrote into a folder; a file of something else is a failure."""
    path = Path(comparison) / METRICS
    content = read_json(path)
    if not isinstance(content, dict) or "students" not in content:
        raise BrainTeacherError(
            f"{comparison} holds no comparison of students: give what `brain-teacher compare` wrote"
        )
    with about(f"{path} is not what this version writes (`dvc repro compare` makes it anew)"):
        validated(_Evidence, content)
    return content


def check_evidence(
    evidence: dict[str, Any], params: Params, everyone: Mapping[str, Answers], folder: str | Path
) -> None:
    """Compute verdict and differences again: what was written must be what these students say."""
    settings = evidence["compare"]
    is_other = evidence["plan"] != plan_digest(params)
    of_plan = is_other or settings == compare_settings(params, folder, everyone)
    _, result = compared(everyone, folder, settings)
    kind = kind_of(next(iter(everyone.values())).meta)
    result = comparison_called(result, kind)
    again = {
        "verdict": result.verdict.words,
        "sentences": [result.verdict.sentence],
        "differences": [
            difference_told(name, result, called(BRAIN, kind)) for name in result.differences
        ],
        "diverged": [f"{name} seed {seed}" for name, seed in result.diverged],
    }
    wrong = [key for key, value in again.items() if not _agree(evidence[key], value)]
    if wrong or not of_plan:
        raise BrainTeacherError(
            f"{METRICS} says of {' and '.join(wrong) or 'compare'} what the students in {folder} "
            "do not: it was changed after `compare` wrote it; `dvc repro compare`, or "
            "`brain-teacher compare`, makes it anew"
        )


def _agree(said: Any, found: Any) -> bool:
    """Whether two values of JSON are the same, numbers but for rounding."""
    if isinstance(found, dict):
        return said.keys() == found.keys() and all(_agree(said[k], found[k]) for k in found)
    if isinstance(found, list):
        return len(said) == len(found) and all(map(_agree, said, found))
    if isinstance(found, float) and isinstance(said, int | float):
        return bool(np.isclose(said, found, rtol=TOLERANCE, atol=1e-12))
    return said == found
