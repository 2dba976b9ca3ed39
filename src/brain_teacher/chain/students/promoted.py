"""What goes with a version of the registered model: its card, and the evidence as files."""

import shutil
from pathlib import Path
from typing import Any

from brain_teacher.chain.dataset import METRICS
from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import digest_of_plan, plan_of
from brain_teacher.chain.students.shown import outcomes_of
from brain_teacher.distillation.students import Answers
from brain_teacher.files import file_digest, write_json, write_text
from brain_teacher.report.model_card import whole_card
from brain_teacher.tracking import MODEL, code_commit, dvc_digest

CARD, EVIDENCE = "README.md", "evidence"


def write_evidence(
    made: Path,
    best: Answers,
    card: str,
    tags: dict[str, Any],
    params: Params,
    students: Path,
    comparison: Path,
    looks: int | None,
) -> None:
    """Write the whole card into a folder, and below it comparison, plan, looks and hashes."""
    plan, place = plan_of(params), made / EVIDENCE
    hashes = {key: value for key, value in tags.items() if key.startswith("dvc.")} | {
        "dvc.students": dvc_digest(students),
        "plan": digest_of_plan(plan),
        "test images": tags["test_images"],
        METRICS: file_digest(comparison / METRICS),
        "code": code_commit() or "no git",
    }
    text = whole_card(card, best, model=MODEL, measured=outcomes_of(best), hashes=hashes)
    write_text(made / CARD, text)
    write_json(place / "plan.json", plan)
    write_json(place / "looks.json", {"comparisons": looks, "test_images": tags["test_images"]})
    write_json(place / "hashes.json", hashes)
    for path in (comparison / METRICS, *sorted((comparison / "tables").glob("*"))):
        shutil.copy(path, place / path.name)
