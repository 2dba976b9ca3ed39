"""What the stages left, as far as it is there: a run may have no students, or no figures."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from pydantic import BaseModel

from brain_teacher.analysis.comparison import Comparison
from brain_teacher.chain.dataset import INDEX, METRICS, DataSet
from brain_teacher.chain.params import Params
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.cells import ANSWERS
from brain_teacher.chain.students.evidence import check_evidence, compared, read_evidence
from brain_teacher.chain.students.held_out import Agreed
from brain_teacher.chain.voxels import Index
from brain_teacher.dataset.csv_tables import read_csv_table
from brain_teacher.distillation.students import Answers
from brain_teacher.errors import BrainTeacherError, about
from brain_teacher.reading.text import Said, read_json, read_text, validated

M = TypeVar("M", bound=BaseModel)


class DecodedCell(Said):
    """What is told of one decoded subject and ROI."""

    subject: str
    roi: str
    decoder: str
    images: int
    top1: float
    top1_low: float
    top1_high: float
    chance: float
    folds: str
    bits: float
    ece: float
    temperatures_at_bound: int


class Noise(Said):
    """Noise of one subject's design, decoded."""

    subject: str
    top1: float
    chance: float
    p: float


class Decoded(Said):
    """``metrics.json`` of ``decode``."""

    dataset: str
    simulated: bool
    cells: list[DecodedCell]
    noise: list[Noise]
    between_subjects: list[Agreed]


class ControlCell(Said):
    """One decoder of ``controls``."""

    subject: str
    control: str
    top1: float
    agreement: float


class Controls(Said):
    """``metrics.json`` of ``controls``."""

    cells: list[ControlCell]


@dataclass(frozen=True, eq=False, kw_only=True)
class Left:
    """All that a report is made of; None or empty is what was not there."""

    dataset: DataSet | None
    voxels: Index | None
    decoded: Decoded | None
    controls: Controls | None
    students: dict[str, Answers]
    evidence: dict[str, Any] | None
    result: Comparison | None  # computed again from the students
    notes: list[str]  # the paragraphs below the table of ``compare``
    classes: pd.DataFrame | None
    pretraining: str
    figures: dict[str, Path] = field(default_factory=dict)

    @property
    def meta(self) -> dict[str, Any]:
        """What one student says of all; empty where there is none."""
        return next((each.meta for each in self.students.values()), {})


def read_left(
    params: Params,
    *,
    dataset: DataSet | None,
    voxels: Path,
    soft_labels: Path,
    controls: Path,
    students: Path,
    comparison: Path,
) -> Left:
    """Read it; what is there and is not what a stage writes is a failure.

    Verdict and differences are computed again from the students, if these are there: a report
    believes no file (`check_evidence`).
    """
    decoded = _read(Decoded, soft_labels / METRICS)
    there = any(students.glob(f"*/{ANSWERS}"))
    everyone = student_folder.read_all(students) if there else {}
    evidence = read_evidence(comparison) if (comparison / METRICS).is_file() else None
    if decoded is None and evidence is None:
        raise BrainTeacherError(
            f"there is nothing to report: {soft_labels / METRICS} and {comparison / METRICS} are "
            "missing; `dvc repro` makes both"
        )
    result = None
    if evidence is not None and everyone:
        check_evidence(evidence, params, everyone, students)
        result = compared(everyone, students, evidence["compare"])[1]
    tables = comparison / "tables"
    classes = tables / "classes.csv"
    return Left(
        dataset=dataset,
        voxels=_read(Index, voxels / INDEX),
        decoded=decoded,
        controls=_read(Controls, controls / METRICS),
        students=everyone,
        evidence=evidence,
        result=result,
        notes=_notes(tables / "comparison.md") if evidence is not None else [],
        classes=_table(classes) if classes.is_file() else None,
        pretraining=_optional_text(tables / "pretraining.md"),
        figures=_figures(soft_labels / "figures", comparison / "figures"),
    )


def _read(model: type[M], path: Path) -> M | None:
    if not path.is_file():
        return None
    with about(f"{path} is not what this version writes (`dvc repro` makes it anew)"):
        return validated(model, read_json(path))


def _table(path: Path) -> pd.DataFrame:
    with about(path):
        table = read_csv_table(path, ("class", "images", "mean", "low", "high"))
        numbers = table[["images", "mean", "low", "high"]].apply(pd.to_numeric, errors="coerce")
        return table.assign(**{name: numbers[name] for name in numbers})


def _optional_text(path: Path) -> str:
    with about(path):
        return read_text(path) if path.is_file() else ""


def _notes(path: Path) -> list[str]:
    """What is said below the table and its note: all that a reader must know besides."""
    paragraphs = _optional_text(path).split("\n\n")
    last = max((n for n, text in enumerate(paragraphs) if text.startswith("|")), default=-1)
    # After the table the note on its columns, then the verdict.
    said = [" ".join(text.split()) for text in paragraphs[last + 2 :]]
    return [text for text in said if text and not text.startswith("Verdict: ")]


def _figures(*folders: Path) -> dict[str, Path]:
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.png"))}
