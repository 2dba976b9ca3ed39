"""The top of the report: the verdict, and what it rests on."""

import re
from collections.abc import Mapping
from typing import Any

from brain_teacher.analysis.outcomes import Outcome, outcome_of
from brain_teacher.analysis.verdict import IMAGES
from brain_teacher.chain.telling.left import Left
from brain_teacher.chain.telling.tested import REGIONS
from brain_teacher.report.kinds import BRAIN, called, kind_notes, whose
from brain_teacher.report.page import Block, Interval, Section, Table, Terms, Text
from brain_teacher.report.verdict_means import meaning
from brain_teacher.report.words import describe_network


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
        f"those of hard labels alone{_guessing(left, outcome, unit)}. The difference is "
        f"{outcome.signed(none['mean'])} {outcome.differ}."
    )
    sure = (
        f"95% interval of that difference {outcome.signed(none['low'])} to "
        f"{outcome.signed(none['high'])}, for students that are trained anew (other seeds) and "
        "other pictures of these categories"
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
    pairs.append(("Not shown", called(_not_shown(evidence, left, kind), kind)))
    pairs.append(("On what data", _on_what(left)))
    return pairs


def _guessing(left: Left, outcome: Outcome, unit: str) -> str:
    """What who only guesses would have."""
    if left.result is None:
        return ""
    counts = next(iter(left.result.scores.values())).counts
    return f" (guessing gives {outcome.number(outcome.guess(counts))}{unit})"


def _is(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"


def _not_shown(evidence: dict[str, Any], left: Left, kind: str) -> str:
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
    if still and evidence["verdict"] == called(IMAGES, kind):
        said.append(
            "So how much of it comes from the single picture is open; that some of it does was "
            "shown."
        )
    subjects = len(str(left.meta.get("subject", "")).split("+"))
    who = "these" if not left.meta else "this subject" if subjects == 1 else f"these {subjects}"
    said.append(f"Other people than {who} were not asked: the intervals say nothing of them.")
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
            f": {_brain(left)} taught; {seeds} students a teacher "
            f"({describe_network(left.meta['settings'])}) were tested on {images:,} pictures of "
            f"{len(first.class_id)} categories"
        )
    return said + "."


def _brain(left: Left) -> str:
    """Whose table taught, with what its region is called in words."""
    rois = str(left.meta["roi"]).split("+")
    known = [f"{roi} is {REGIONS[roi]}" for roi in rois if roi in REGIONS]
    return whose(left.meta) + (f" ({'; '.join(known)})" if known else "")


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
            "whole difference. Smoothing: softer labels, without a brain. Class structure: which "
            "categories are alike, as superclasses (groups of categories), words or the brain say. "
            "Confidence: how sure the decoder is of a picture. Intervals are for these categories "
            "and not corrected. A step below 0 says that a control did worse than a cheaper one."
        ),
    )
