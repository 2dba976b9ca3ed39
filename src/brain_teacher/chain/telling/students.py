"""The report's sections on students, other outcomes, controls, and what could not be seen."""

from typing import Any

import numpy as np
import pandas as pd

from brain_teacher.analysis.comparison import Comparison
from brain_teacher.analysis.outcomes import OUTCOMES, Outcome, outcome_of
from brain_teacher.analysis.statistics import smallest_effect
from brain_teacher.chain.telling.left import Left
from brain_teacher.chain.telling.recordings import figure, percent
from brain_teacher.chain.telling.verdict import interval, shown_p
from brain_teacher.report.kinds import called
from brain_teacher.report.page import Block, Interval, Items, Section, Table, Text

# Beyond so many classes the table has the ends alone.
MOST_CLASSES = 24
DRAWN = {
    "comparison": (
        "Every student, and the brain minus each control with its intervals",
        "Left a row a teacher with a point a seed, right the differences with 95% intervals; the "
        "numbers are in the table of teachers.",
    ),
    "ladder": (
        "The ladder: what each step adds, from hard labels to the brain",
        "A bar a step with its interval; the numbers are in the ladder's table above.",
    ),
    "curves": (
        "How students learn, epoch by epoch",
        "Curves of loss and of accuracy on validation pictures for every teacher, means over "
        "seeds.",
    ),
    "classes": (
        "The difference in each category",
        "A point and an interval a category; the numbers are in the table of categories.",
    ),
}


def students_section(left: Left) -> Section:
    """Every teacher's students, their curves, and the effect by class."""
    title = "Students: what they learnt"
    if left.evidence is None:
        return Section("students", title, [Text("No students were compared here.")])
    outcome = outcome_of(left.evidence)
    blocks: list[Block] = [_teachers(left.evidence, outcome)]
    for name in ("comparison", "ladder", "curves"):
        blocks += figure(left, name, DRAWN)
    if left.classes is not None and len(left.classes):
        blocks.append(_classes(left, left.classes, outcome))
    blocks += figure(left, "classes", DRAWN)
    return Section("students", title, blocks)


def _teachers(evidence: dict[str, Any], outcome: Outcome) -> Table:
    """Means and differences, the brain last."""
    means = evidence[evidence["compare"]["outcome"]]
    seeds = {each["name"]: each["seeds"] for each in evidence["teachers"]}
    rows: list[list[str | Interval]] = []
    for each in evidence["differences"]:
        name = each["b"]
        rows.append(
            [
                name,
                str(seeds[name]),
                outcome.number(means[name]),
                interval(each, outcome),
                shown_p(each["p_corrected"]),
                shown_p(each.get("p_sign_flip_corrected")),
            ]
        )
    own = evidence["differences"][0]["a"]
    rows.append([own, str(seeds[own]), outcome.number(means[own]), "", "", ""])
    return Table(
        caption="Teachers and their students",
        columns=[
            "teacher",
            "seeds",
            f"{outcome.label} in {outcome.unit}{outcome.better}",
            f"{own} minus this ({outcome.step}), 95% interval",
            "p (Holm)",
            "sign-flip p (Holm)",
        ],
        rows=rows,
        note=(
            "Intervals are over seeds and test pictures, for these categories, and not corrected "
            "for the number of comparisons; both p are."
        ),
    )


def _classes(left: Left, table: pd.DataFrame, outcome: Outcome) -> Table:
    names = {} if left.dataset is None else left.dataset.description.categories
    shown, note = table, "Intervals are over seeds and the category's pictures, not corrected."
    if len(table) > MOST_CLASSES:
        half = MOST_CLASSES // 2
        shown = table.iloc[[*range(half), *range(len(table) - half, len(table))]]
        note = f"The {half} largest and the {half} smallest of {len(table)}. {note}"
    rows = []
    for row in shown.to_dict("records"):
        mean, known = row["mean"], not np.isnan(row["low"])
        difference = interval(row, outcome) if known else outcome.signed(mean)
        rows.append([names.get(row["class"], row["class"]), f"{row['images']:.0f}", difference])
    own = (left.evidence or {})["differences"][0]["a"]
    return Table(
        caption=f"{own} minus none in each category, exploratory",
        columns=["category", "test pictures", f"difference ({outcome.step}), 95% interval"],
        rows=rows,
        note=note,
    )


def outcomes_section(left: Left) -> Section:
    """What students were measured by besides."""
    title = "Other outcomes, exploratory"
    found = (left.evidence or {}).get("exploratory_outcomes", {})
    if not found:
        return Section("outcomes", title, [Text("None could be had of these students.")])
    said = (
        "These were looked at besides and decide nothing. They are not corrected for their number."
    )
    blocks: list[Block] = [Text(said)]
    for name, each in found.items():
        outcome = OUTCOMES[name]
        (minus,) = (key for key in each if key != "mean")
        rows = [
            [who, outcome.number(mean), _difference(each[minus].get(who), outcome)]
            for who, mean in each["mean"].items()
        ]
        columns = ["teacher", f"mean in {outcome.unit}{outcome.better}"]
        columns.append(f"{minus.removesuffix('_minus')} minus this ({outcome.step}), 95% interval")
        caption = f"{outcome.label[0].upper()}{outcome.label[1:]}{outcome.better}"
        blocks.append(Table(caption, columns, rows))
    return Section("outcomes", title, blocks)


def _difference(row: dict[str, Any] | None, outcome: Outcome) -> Interval | str:
    return "" if row is None else interval(row, outcome)


def controls_section(left: Left) -> Section:
    """What the decoder gives without a brain's help; and what pretraining may have seen."""
    blocks: list[Block] = []
    cells = left.controls.cells if left.controls is not None else []
    groups: dict[tuple[str, str], list[Any]] = {}
    for cell in cells:
        groups.setdefault((cell.control, cell.subject), []).append(cell)
    if groups:
        rows = [
            [
                what.replace("-", " "),
                who,
                str(len(each)),
                percent(float(np.mean([cell.top1 for cell in each]))),
                percent(float(np.mean([cell.agreement for cell in each]))),
            ]
            for (what, who), each in groups.items()
        ]
        blocks.append(
            Table(
                caption="Decoders that had no brain to decode",
                columns=["what they had", "subject", "draws", "top-1 in %", "chance in %"],
                rows=rows,
                note=(
                    "Permuted trials: the decoder fitted anew to trials whose categories were "
                    "exchanged. Time only: the run and the trial's place in it, instead of voxels."
                ),
            )
        )
    else:
        said = "Decoders of exchanged trials and of time alone (`controls`) were not made here."
        blocks.append(Text(said))
    kept = ("Pretraining:", "Left out")
    blocks += [Text(note) for note in left.notes if note.startswith(kept)]
    return Section("controls", "Controls without a brain", blocks)


def unseen_section(left: Left) -> Section:
    """How small an effect may have been missed, and what was not measured."""
    blocks: list[Block] = []
    if left.result is not None and left.evidence is not None:
        blocks.append(_smallest(left.result, left.evidence))
    told = ("Verdict:", "Ladder:", "Exploratory, not corrected", "Exploratory:", "Pretraining:")
    notes = [note for note in left.notes if not note.startswith((*told, "Left out", "Between"))]
    if notes:
        blocks.append(Text("What `compare` says besides:"))
        blocks.append(Items(notes))
    if not blocks:
        blocks.append(Text("No students were compared, so that nothing can be said of effects."))
    return Section("unseen", "What could not be seen", blocks)


def _smallest(result: Comparison, evidence: dict[str, Any]) -> Table:
    """Which effects these seeds and pictures would have shown."""
    outcome, kind = result.outcome, evidence.get("kind", "brain")
    rows: list[list[str]] = []
    for name, each in result.differences.items():
        p = result.equivalence[name]
        least = "–" if each.constant else outcome.number(smallest_effect(each))
        within = "–" if np.isnan(p) else "yes" if p < 0.05 else "no"
        rows.append([called(name, kind), least, within])
    margin = outcome.given(evidence["compare"]["margin"])
    own = called("brain", kind)
    return Table(
        caption="Effects that may have been missed",
        columns=[
            f"{own} against",
            f"smallest effect that would have been seen ({outcome.step})",
            f"shown to be smaller than {margin} {outcome.step}",
        ],
        rows=rows,
        note=(
            "Seen: with 80% power, at p < 0.05 before correction. An effect smaller than that may "
            "be there unseen: no difference shown is not the same as no difference."
        ),
    )
