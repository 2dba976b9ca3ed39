"""What is kept of brains beside the students: how well they agree, and rows that taught nobody."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from brain_teacher.analysis.agreement import Agreement, agreement
from brain_teacher.chain.dataset import METRICS
from brain_teacher.chain.students.answers import control_of
from brain_teacher.chain.students.setting import Setting
from brain_teacher.chain.students.soft_labels import are_there, read_brain, subjects_and_rois
from brain_teacher.decoding.soft_labels import SoftLabels, read_soft_labels
from brain_teacher.distillation.students import Answers
from brain_teacher.errors import BrainTeacherError, about
from brain_teacher.files import write_json, write_npz
from brain_teacher.reading.text import Said, read_json
from brain_teacher.report.beside_verdict import OTHERS, TAUGHT
from brain_teacher.report.words import BRAIN

FOLDER, BETWEEN = "held_out", "between_subjects.json"


class Agreed(Said):
    """What `decode` says of one decoder and ROI: the fields of a `Reliability`."""

    decoder: str
    roi: str
    mean: float
    low: float
    high: float
    p: float
    subjects: int
    images: int


_ROWS = TypeAdapter(list[Agreed])


@dataclass(frozen=True)
class HeldOut:
    """Out-of-fold rows of the images that students are tested on, where these were shown.

    Their `fold` is that of the students who are tested on the image.
    """

    brain: SoftLabels  # of who taught
    others: dict[str, SoftLabels]  # by subject, of who did not teach


def write_held_out(setting: Setting, soft_labels: Path, out: Path) -> None:
    """Write them beside the students, for `compare`; nothing where unseen images are tested.

    A fold's students learnt from other tables (`decode.nested`); these rows are of the plain ones,
    each from a decoder that never saw the image. Left out are subjects who did not see them all, or
    were not decoded.
    """
    place = out / FOLDER
    shutil.rmtree(place, ignore_errors=True)
    if setting.parts[0].fold is None:
        return
    tested = {part.fold: part.image_id["test"] for part in setting.parts}
    images = np.concatenate([*tested.values()])
    fold = np.concatenate([np.full(len(ids), of, np.int16) for of, ids in tested.items()])
    origin, dataset = setting.origin, setting.dataset
    subjects, _ = subjects_and_rois(dataset, origin["decoder"])
    others = sorted(set(subjects) - set(origin["subject"].split("+")))
    brains = {BRAIN: origin} | {who: origin | {"subject": who} for who in others}
    for name, each in brains.items():
        if are_there(each, dataset, soft_labels):
            table = read_brain(each, dataset, soft_labels)
            if set(images) <= set(table.image_id):
                held = replace(table.take(images), fold=fold)
                write_npz(place / f"{name}.npz", **held.arrays())


def write_between_subjects(setting: Setting, soft_labels: Path, out: Path) -> None:
    """Keep beside the students what `decode` found of how well subjects agree, if it left it."""
    (out / BETWEEN).unlink(missing_ok=True)
    origin, metrics = setting.origin, soft_labels / METRICS
    content = read_json(metrics) if metrics.is_file() else {}
    if not isinstance(content, dict) or content.get("dataset") != origin["dataset"]:
        return
    rois, decoder = origin["roi"].split("+"), origin["decoder"]
    rows = _rows(content.get("between_subjects", []), metrics)
    mine = [row for row in rows if row["decoder"] == decoder and row["roi"] in rois]
    if mine:
        write_json(out / BETWEEN, mine)


def read_between_subjects(students: str | Path) -> list[dict[str, Any]]:
    """What `write_between_subjects` wrote: a row an ROI; empty where it wrote nothing."""
    path = Path(students) / BETWEEN
    return _rows(read_json(path), path) if path.is_file() else []


def _rows(content: Any, path: Path) -> list[dict[str, Any]]:
    """What was read, if it is such rows."""
    try:
        _ROWS.validate_python(content, strict=True)
    except ValidationError:
        raise BrainTeacherError(
            f"{path} does not say how well subjects agree as `decode` does: decode again, and "
            "distill"
        ) from None
    return content


def read_held_out(students: str | Path) -> HeldOut | None:
    """What `write_held_out` wrote; None where no shown image was held out."""
    place, found = Path(students) / FOLDER, {}
    for path in sorted(place.glob("*.npz")):
        with about(path):
            found[path.stem] = read_soft_labels(path)
    return HeldOut(found.pop(BRAIN), found) if found else None


def agreements(
    students: str | Path, found: Mapping[str, Mapping[int, Answers]]
) -> dict[str, Agreement]:
    """How near students are to the brain that taught, and to others' (DESIGN, rule 12).

    `found` are the answers by teacher and seed. Nothing where no shown image was held out.
    """
    held = read_held_out(students)
    if held is None:
        return {}
    control = control_of(found)
    tables = {TAUGHT: [held.brain], OTHERS: list(held.others.values())}
    with about(Path(students) / FOLDER):
        return {
            who: agreement(found[BRAIN], found[control], each)
            for who, each in tables.items()
            if each
        }
