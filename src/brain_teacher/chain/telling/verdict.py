"""The top of the report: the verdict, what it rests on, and how it was tested."""

import re
from collections.abc import Mapping
from typing import Any

from brain_teacher.analysis.outcomes import Outcome, outcome_of
from brain_teacher.chain.telling.left import Left
from brain_teacher.distillation.teachers import OWN_TABLE, TEACHERS
from brain_teacher.report.kinds import BRAIN, called, kind_notes, kind_of, whose
from brain_teacher.report.methods import sentences
from brain_teacher.report.page import Block, Interval, Items, Section, Table, Terms, Text
from brain_teacher.report.verdict_means import meaning
from brain_teacher.report.words import describe_network

# What the brain shows by being above a control, for who never saw the family.
SHOWS = {
    "none": "that the soft labels are of any use",
    "weighted": "that more than weights of the pictures is learnt",
    "smooth": "that more than softening is learnt",
    "smooth-matched": "that more than softening, as sure or unsure as the brain, is learnt",
    "permuted-classes": "that which categories the brain finds alike matters",
    "semantic": "that the brain tells more than words do of which categories are alike",
    "brain-class": "that the single picture matters, beyond its category",
    "brain-confidence": "that more matters than how sure the brain is of each picture",
    "permuted-images": "that the answer must be to this very picture",
    "permuted-trials": "that the recording matters, beyond the procedure",
}

# The names that the field has for the regions of the GOD data set.
REGIONS = {
    "V1": "the first visual area",
    "LOC": "the lateral occipital complex, which answers to objects",
    "FFA": "the fusiform face area",
    "PPA": "the parahippocampal place area",
    "LVC": "lower visual cortex (V1 to V3)",
    "HVC": "higher visual cortex (LOC, FFA and PPA)",
    "VC": "all of visual cortex",
}


def interval(row: Mapping[str, Any], outcome: Outcome) -> Interval | str:
    """A difference and its 95% interval, as a cell."""
    scaled = [outcome.scale * row[key] for key in ("mean", "low", "high")]
    text = "{} [{}, {}]".format(*(outcome.signed(row[key]) for key in ("mean", "low", "high")))
    return Interval(*scaled, words=text)


def shown_p(p: float | None) -> str:
    """A p as in the tables."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def verdict_section(left: Left) -> Section:
    """The verdict in its words, what it means, and the ladder."""
    title = "The verdict"
    if left.evidence is None:
        missing = (
            "No verdict: no students were compared (`compare` left nothing here). What follows "
            "is about the decoders and their soft labels."
        )
        return Section("verdict", title, [Text(missing, "lead")])
    evidence, outcome = left.evidence, outcome_of(left.evidence)
    kind = evidence.get("kind", BRAIN)
    words = evidence["verdict"]
    blocks: list[Block] = [Text(words[0].upper() + words[1:] + ".", "lead")]
    if means := meaning(words, kind):
        blocks.append(Text(means.replace("*", "")))
    blocks += [Text(text, "warning") for text in _warnings(left)]
    blocks.append(Terms(_summary(left, outcome, kind)))
    blocks.append(Text(f"In its own words: {evidence['sentences'][0]}", "quote"))
    if ladder := evidence.get("ladder"):
        blocks.append(_ladder(ladder, outcome, kind))
    return Section("verdict", title, blocks)


def _warnings(left: Left) -> list[str]:
    evidence, said = left.evidence or {}, []
    if evidence["exploratory"]:
        said.append(
            "Exploratory: the plan was changed after students were trained, or they are not those "
            "that were planned (the section on plan and looks has the reasons). A p here is no "
            "evidence."
        )
    if evidence["diverged"]:
        said.append(
            f"Left out, since their training diverged: {', '.join(evidence['diverged'])}. As long "
            "as they are, no student earns a name of honour."
        )
    if not left.students:
        said.append(
            "The students' own files are not here, so that the numbers are those that `compare` "
            "wrote, not computed again."
        )
    return said + kind_notes(left.meta) if left.meta else said


def _summary(left: Left, outcome: Outcome, kind: str) -> list[tuple[str, str]]:
    """Asked, found, not shown, how sure, on what: for a reader who stops here."""
    evidence = left.evidence or {}
    differences = evidence["differences"]
    none = next(each for each in differences if each["b"] == "none")
    means = evidence[evidence["compare"]["outcome"]]
    teacher, unit = none["a"], outcome.unit if outcome.unit == "%" else f" {outcome.unit}"
    own, other = (outcome.number(means[name]) for name in (teacher, "none"))
    asked = (
        "Small networks (students) learn to name what a picture shows. Do they learn it better "
        "if, beside each picture's name, they are taught what a decoder reads out of brain "
        "activity (the soft labels)? And if so, by what is known of each single picture, or by "
        "something cheaper?"
    )
    found = (
        f"{outcome.label[0].upper()}{outcome.label[1:]} on pictures that were not learnt from"
        f"{outcome.better}: {own}{unit} for the students that the brain taught, {other}{unit} for "
        f"those of hard labels alone. The difference is {outcome.signed(none['mean'])} "
        f"{outcome.differ}."
    )
    sure = (
        f"95% interval of that difference {outcome.signed(none['low'])} to "
        f"{outcome.signed(none['high'])}, for other seeds and other pictures of these categories"
    )
    if none.get("low_classes") is not None:
        sure += (
            f"; {outcome.signed(none['low_classes'])} to {outcome.signed(none['high_classes'])} "
            "for other categories like these"
        )
    flip = shown_p(none.get("p_sign_flip_corrected"))
    sure += (
        f". p {_is(shown_p(none['p_corrected']))} after correction for {len(differences)} "
        f"comparisons; by a test that assumes less, p {_is(flip)}."
    )
    pairs = [("Asked", called(asked, kind)), ("Found", called(found, kind)), ("How sure", sure)]
    pairs.append(("Not shown", called(_not_shown(evidence, left), kind)))
    pairs.append(("On what data", _on_what(left)))
    return pairs


def _is(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"


def _not_shown(evidence: dict[str, Any], left: Left) -> str:
    level = 0.05
    open_ = [each["b"] for each in evidence["differences"] if each["p_corrected"] >= level]
    said = (
        [f"Between the brain and the controls {', '.join(open_)} no difference was shown."]
        if open_
        else []
    )
    # Of the verdict's sentence, the clause on what is open.
    still = re.findall(r"whether half of that is reached by (.*?) is open", _sentence(left))
    said += [
        "Whether half of the difference would be had by the control "
        f"{names.replace(' and ', ' or by ')} is open."
        for names in still
    ]
    subjects = len(str(left.meta.get("subject", "")).split("+"))
    said.append(
        f"Other people than {'these' if subjects != 1 else 'this'} {subjects} were not asked: "
        "the intervals say nothing of them."
        if left.meta
        else "The intervals say nothing of other people than these."
    )
    if evidence["simulated"]:
        said.append("Nothing was shown of real brains.")
    return " ".join(said)


def _sentence(left: Left) -> str:
    return (left.evidence or {})["sentences"][0]


def _on_what(left: Left) -> str:
    evidence = left.evidence or {}
    word = "simulated" if evidence["simulated"] else "real"
    said = f"Data set {evidence['dataset']} ({word})"
    if left.meta:
        first = next(each for each in left.students.values() if not each.diverged)
        seeds = len({each.meta["seed"] for each in left.students.values()})
        images = len({i for each in left.students.values() for i in each.image_id.get("test", ())})
        said += (
            f": {whose(left.meta)} taught; {seeds} students a teacher "
            f"({describe_network(left.meta['settings'])}) were tested on {images:,} pictures of "
            f"{len(first.class_id)} categories"
        )
    return said + "."


def _ladder(rows: list[dict[str, Any]], outcome: Outcome, kind: str) -> Table:
    return Table(
        caption=f"The ladder: what the difference is made of ({outcome.step}{outcome.better})",
        columns=["what a step adds", "step", "difference, 95% interval"],
        rows=[
            [
                called(row["what"], kind),
                f"{row['upper']} minus {row['lower']}",
                interval(row, outcome),
            ]
            for row in rows
        ],
        note=(
            "Each step is a control (or the brain) minus the one below it; the steps add up to the "
            "whole difference. Intervals are for these categories and not corrected. A step below "
            "0 says that a control did worse than a cheaper one."
        ),
    )


def tested_section(left: Left) -> Section:
    """How it was tested: the steps, the controls, and the words."""
    kind = (left.evidence or {}).get("kind", BRAIN)
    steps = [
        "Somebody looks at pictures in a scanner. A decoder learns to tell, from the activity of "
        "one region of the brain, which category was seen, and is asked about pictures whose "
        "trials it never saw. Its answers are probabilities over all categories: the soft labels.",
        "Networks, the students, learn to name pictures from the names (hard labels) and the soft "
        "labels. Others learn from the names alone, or from a control: soft labels from which "
        "something of the brain was taken away.",
        "Students come in pairs: those of one seed begin alike and see the same pictures in the "
        "same order, whoever teaches them.",
        "All are tested on pictures that they did not learn from. The difference between the "
        "brain's students and each control's is the result.",
    ]
    blocks: list[Block] = [Items([called(step, kind) for step in steps], ordered=True)]
    if left.evidence is not None:
        names = [each["b"] for each in left.evidence["differences"]]
        planned = left.evidence["compare"]["family"]
        rows = [
            [name, called(_given(plain), kind), called(_shows(plain), kind)]
            for name, plain in zip(names, planned, strict=False)
        ]
        columns = ["control", "what its students were taught with", "the brain above it shows"]
        caption = "The controls, fixed before the result"
        blocks.append(Table(caption, [columns[0], columns[1], called(columns[2], kind)], rows))
    blocks.append(Terms(_words(left)))
    return Section("tested", "How it was tested", blocks)


def _given(name: str) -> str:
    """What a teacher's students were taught with: by its own sentence in the methods."""
    if name.startswith(OWN_TABLE):
        return "another table, softened"
    entry = TEACHERS[name]
    text = re.sub(r" \[@.*?\]", "", sentences(entry.teach, {})) or entry.label
    return re.sub(r"^`[\w-]+` (gave|was) ", "", text).rstrip(".")


def _shows(name: str) -> str:
    return SHOWS.get(name, "that another table does not do as well")


def _words(left: Left) -> list[tuple[str, str]]:
    roi = (
        "A region of interest: a part of the brain whose voxels (small cubes) are decoded together."
    )
    rois = {name for cell in (left.voxels.cells if left.voxels else []) for name in [cell.roi]}
    known = [f"{name} is {REGIONS[name]}" for name in REGIONS if name in rois]
    pairs = [
        ("ROI", roi + (f" {'; '.join(known)}." if known else "")),
        ("Seed", "What fixes everything that is drawn at random for a student."),
        ("Points", "Percentage points: from 40% to 45% are 5 points."),
        (
            "95% interval",
            "Made so that in 95 of 100 such experiments it holds the true difference.",
        ),
        (
            "p (Holm)",
            "How often chance alone would give such a difference, corrected for the number of "
            "controls. Below 0.05 a difference counts as shown.",
        ),
    ]
    if left.meta:
        what = f"In this report the soft labels of {whose(left.meta)}."
        pairs.insert(0, (called("The brain", kind_of(left.meta)), what))
    return pairs
