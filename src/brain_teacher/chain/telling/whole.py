"""All parts of a report put together, as the texts of its files."""

from pathlib import Path
from typing import Any

from brain_teacher.chain.params import Params
from brain_teacher.chain.students.soft_labels import origin_of
from brain_teacher.chain.telling.checklist import checklist_section
from brain_teacher.chain.telling.left import Left
from brain_teacher.chain.telling.made import made_of, settings_of_run
from brain_teacher.chain.telling.methods import methods_of
from brain_teacher.chain.telling.pictures import brain_table, cards
from brain_teacher.chain.telling.recordings import (
    data_section,
    decoders_section,
    soft_labels_section,
)
from brain_teacher.chain.telling.run import plan_section, redo_section, versions_section
from brain_teacher.chain.telling.students import (
    controls_section,
    outcomes_section,
    students_section,
    unseen_section,
)
from brain_teacher.chain.telling.tested import tested_section
from brain_teacher.chain.telling.verdict import verdict_section
from brain_teacher.errors import BrainTeacherError
from brain_teacher.report.kinds import BRAIN, called
from brain_teacher.report.methods import as_markdown, cited
from brain_teacher.report.page import MOST_BYTES, page
from brain_teacher.report.references import references_bib

PAGE, METHODS, BIB = "report.html", "methods.md", "references.bib"


def told(
    params: Params, left: Left, places: dict[str, Path], *, pictures: bool
) -> tuple[dict[str, str], dict[str, Any]]:
    """The text of each file by its name, and what the run is to be called by."""
    settings = settings_of_run(left, params)
    made = made_of(left, settings)
    methods = methods_of(settings, made)
    evidence = left.evidence or {}
    dataset = evidence.get("dataset") or (left.decoded.dataset if left.decoded else "")
    verdict = evidence.get("verdict", "no verdict")
    word = "simulated" if made["simulated"] else "real data"
    shown = {
        "subtitle": f"Data set {dataset} ({word}). {verdict[0].upper()}{verdict[1:]}.",
        "simulated": made["simulated"],
        "methods": methods,
    }
    title = called("Can a human brain teach a neural network?", made["kind"])
    if made["kind"] != BRAIN:
        title = f"Can {made['kind']} teach a neural network?"
    html = page(title, sections=_sections(params, left, places, pictures), **shown)
    if len(html.encode()) > MOST_BYTES and pictures:
        html = page(title, sections=_sections(params, left, places, False), **shown)
    texts = {PAGE: html, METHODS: as_markdown(methods), BIB: references_bib(cited(methods))}
    tags = {"dataset": dataset, "simulated": made["simulated"], "verdict": verdict}
    return texts, tags


def _sections(params: Params, left: Left, places: dict[str, Path], pictures: bool) -> list:
    groups, taught = _groups(params, left, places["soft_labels"], pictures)
    return [
        verdict_section(left),
        tested_section(left),
        data_section(left),
        decoders_section(left),
        soft_labels_section(left, groups, taught=taught),
        students_section(left),
        outcomes_section(left),
        controls_section(left),
        unseen_section(left),
        plan_section(left, params),
        versions_section(left, places),
        redo_section(left),
        checklist_section(left),
    ]


def _groups(
    params: Params, left: Left, soft_labels: Path, pictures: bool
) -> tuple[dict[str, list[dict[str, Any]]], bool]:
    """Pictures with guesses of the table that taught, or else of the best one; and which it is."""
    if left.dataset is None:
        return {}, False
    if left.meta:
        origin, taught = left.meta, True
    elif left.decoded is not None and left.decoded.cells:
        best = max(left.decoded.cells, key=lambda cell: cell.top1)
        origin, taught = best.model_dump(include={"subject", "roi", "decoder"}), False
    else:
        origin, taught = origin_of(params, left.dataset), True
    try:
        table = brain_table(origin, left.dataset, soft_labels)
    except BrainTeacherError:  # a table of another data set, say: there is none to show
        return {}, taught
    return ({} if table is None else cards(table, left.dataset, pictures=pictures)), taught
