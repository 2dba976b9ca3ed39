"""The report's sections on the plan, on versions, and on how to do it again."""

from pathlib import Path
from typing import Any

from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import dvc_hash, plan_digest, plan_of, why_exploratory
from brain_teacher.chain.telling.left import Left
from brain_teacher.chain.telling.methods import versions
from brain_teacher.report.page import Block, Code, Items, Section, Table, Terms, Text


def plan_section(left: Left, params: Params) -> Section:
    """What was fixed beforehand, whether it was kept, and where looks are counted."""
    blocks: list[Block] = []
    if left.students:
        reasons = why_exploratory(params, [each.meta for each in left.students.values()])
        if reasons:
            blocks.append(Text("The plan was not kept, so the result is exploratory:", "warning"))
            blocks.append(Items(reasons))
        else:
            kept = "The plan stands as it did when the students were trained, and they are all."
            blocks.append(Text(kept))
    blocks.append(
        Text(
            "Looks: whoever compares again and again on the same test pictures, changing the plan "
            "in between, will find something by chance. The MLflow store counts each comparison "
            "on these pictures; `brain-teacher compare` and `brain-teacher report` print the "
            "count. It stands in no file, since it differs from store to store."
        )
    )
    plan = plan_of(params, left.dataset.folder if left.dataset is not None else None)
    rows = [[key, _said(value)] for key, value in plan.items() if key != "data"]
    caption = f"The plan (digest {plan_digest(params)}): all settings that shape the result"
    blocks.append(Table(caption, ["setting", "value"], rows))
    return Section("plan", "The plan, and looks", blocks)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def versions_section(left: Left, places: dict[str, Path]) -> Section:
    """With what it was computed, and of which files."""
    rows = [[name, number] for name, number in versions().items()]
    blocks: list[Block] = [Table("What computes", ["package", "version"], rows)]
    hashes = [
        [what, str(place), dvc_hash(place) or "not tracked"] for what, place in places.items()
    ]
    caption = "What was read, by DVC's hash"
    blocks.append(Table(caption, ["what", "place", "hash"], hashes))
    if left.meta:
        meta = left.meta
        pairs = [
            ("Trained on", meta["device"] + (f", {meta['card']}" if meta.get("card") else "")),
            ("Precision", meta["settings"]["precision"]),
        ]
        blocks.append(Terms(pairs))
    return Section("versions", "Versions", blocks)


def redo_section(left: Left) -> Section:
    """Lines that make all of this anew."""
    name = left.dataset.name if left.dataset is not None else "NAME"
    lines = [
        f"# in a clone of the project, with the data set in data/{name} and these settings in",
        "# params.yaml (the table of the plan has them)",
        "make install",
        "dvc repro            # recordings to report; what is there already is kept",
        "make report          # opens this page",
        "",
        "# or one stage after the other",
        "brain-teacher preprocess",
        "brain-teacher decode",
        "brain-teacher controls",
        "brain-teacher distill",
        "brain-teacher compare",
        "brain-teacher report",
    ]
    said = (
        "The same versions, data and settings give the same soft labels and, on the same kind of "
        "machine, the same students to the bit."
    )
    return Section("redo", "How to do it again", [Text(said), Code("\n".join(lines))])
