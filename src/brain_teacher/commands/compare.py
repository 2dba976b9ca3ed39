"""``compare``: students to table, figure, verdict and ``metrics.json``."""

import textwrap
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brain_teacher.analysis.audit import audit
from brain_teacher.analysis.class_effects import class_effects
from brain_teacher.analysis.comparison import Comparison
from brain_teacher.analysis.outcomes import Outcome
from brain_teacher.cells.folder import OutputFolder, run_folder
from brain_teacher.chain.dataset import METRICS
from brain_teacher.chain.notes import notes_on, title_of
from brain_teacher.chain.params import Compare, Params
from brain_teacher.chain.provenance import plan_digest, why_exploratory
from brain_teacher.chain.students import answers
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.evidence import compare_settings, compared, difference_told
from brain_teacher.chain.students.family import left_out
from brain_teacher.chain.students.held_out import agreements, read_between_subjects
from brain_teacher.chain.summary import write_summary
from brain_teacher.commands import Given, Place, Say
from brain_teacher.dataset.formulas import quoted_table
from brain_teacher.distillation.students import Answers
from brain_teacher.distillation.teachers import HARD
from brain_teacher.errors import about
from brain_teacher.files import write_json, write_text
from brain_teacher.report.beside_verdict import agreement_sentence, between_sentence, looks_sentence
from brain_teacher.report.class_figure import class_figure
from brain_teacher.report.comparison_figure import comparison_figure, figure_points
from brain_teacher.report.figure_files import write_figure
from brain_teacher.report.kinds import by_called, called, comparison_called, kind_of
from brain_teacher.report.ladder_figure import ladder_figure, ladder_rows
from brain_teacher.report.student_figures import curves_figure
from brain_teacher.report.tables import (
    as_markdown,
    as_short,
    as_text,
    audit_markdown,
    teacher_table,
)
from brain_teacher.report.words import (
    BRAIN,
    CATEGORIES,
    audit_sentence,
    said_categories,
    said_simulated,
)
from brain_teacher.sources.imagenet.pretraining import seen_by_pretraining
from brain_teacher.tracking import Input, flat, tracked

# Of distill.weights.
NO_WEIGHTS = "none"


def compare(params: Params, *, students: Place, out: Place | None, say: Say = print) -> Path:
    """Compare the brain-taught students with every control of the family."""
    everyone = student_folder.read_all(students)
    answers.check_alike({name: each.meta for name, each in everyone.items()})
    first, (plan, left_out) = next(iter(everyone.values())), _made(params, students, everyone)
    meta, settings = first.meta, compare_settings(params, students, everyone)
    found, result = compared(everyone, students, settings)
    with about(students):
        effects = class_effects(result.scores[BRAIN], result.scores[answers.NONE])
    outcome, title = result.outcome, title_of(everyone, result.scores, result.outcome)
    learnt, between = agreements(students, found), read_between_subjects(students)
    says = [
        f"Verdict: {result.verdict.sentence}",
        *notes_on(params, everyone, result, found),
        between_sentence(between),
        agreement_sentence(learnt, answers.control_of(plan.family)),
        *left_out,
    ]
    # From here on by the names that people read: what is no brain is not called one.
    kind, teacher = kind_of(meta), called(BRAIN, kind_of(meta))
    says = [called(text, kind) for text in says]
    result, found = comparison_called(result, kind), by_called(found, kind)
    seen, audited = _audited(first, found, [*result.differences], outcome, teacher)
    if audited is not None:
        pair: Given = {"teacher": teacher, "control": answers.NONE, "outcome": outcome}
        says.append(audit_sentence(audited, **pair, weights=meta["settings"]["weights"]))
    out = run_folder("compare", out)
    tags = {key: meta[key] for key in ("dataset", "simulated", "roi", "subject", "decoder")}
    tags |= {"plan": plan_digest(params), "verdict": result.verdict.words, "kind": kind}
    tags |= {"test_images": answers.digest_of_test_images(everyone)}
    named = f"{meta['dataset']}{said_categories(meta)} {meta['roi']}"
    name = f"{named} ({said_simulated(meta['simulated'], kind)})"
    told: Given = {
        "tags": tags,
        "params": flat(plan.model_dump(), "compare"),
        "inputs": [Input(students, "students")],
    }
    with OutputFolder(out, say).locked(), tracked("compare", name, **told) as tracker:
        content = _metrics(everyone, result, meta, plan.outcome, teacher) | {
            "kind": kind,
            **{key: meta[key] for key in (CATEGORIES,) if key in meta},
            "plan": tags["plan"],
            "compare": settings,
            "exploratory": bool(why_exploratory(params, [s.meta for s in everyone.values()])),
            "between_subjects": between,
            "agreement": [{"with": who, **asdict(each)} for who, each in learnt.items()],
        }
        shown: Given = {"margin": plan.margin, "outcome": outcome}
        drawn: Given = {
            "title": title,
            "chance": outcome.guess(result.scores[teacher].counts),
        }
        figures = _figures(result, effects, name, teacher, margin=plan.margin, **drawn)
        curves = by_called(_curves(everyone, [*plan.family, BRAIN]), kind)
        figures["curves"] = curves_figure(curves, teacher=teacher, title=f"Learning curves: {name}")
        table = _table(result, found, teacher)
        filled = (textwrap.fill(line, 92, break_on_hyphens=False) for line in says)
        text = "\n".join([as_text(table, title, **shown), *filled])
        markdown = as_markdown(table, title, **shown) + "\n" + "\n\n".join(says) + "\n"
        tables, origin = (
            out / "tables",
            {key: meta[key] for key in ("dataset", "simulated", CATEGORIES) if key in meta},
        )
        frames = {
            tables / "comparison.csv": table,
            tables / "ladder.csv": pd.DataFrame(content["ladder"]),
            tables / "classes.csv": effects,
            out / "figures" / "points.csv": figure_points(result.scores, outcome),
        }
        texts = {
            path: quoted_table(each.assign(**origin, kind=kind)).to_csv(index=False)
            for path, each in frames.items()
        }
        texts |= {
            tables / "comparison.md": markdown,
            tables / "comparison.txt": text + "\n",
            tables / "short.md": as_short(
                table, title, verdict=called(_brief(content, left_out), kind), outcome=outcome
            ),
        }
        if audited is not None:
            content["pretraining"] = {"seen": seen, "rows": _rows(audited)}
            texts[tables / "pretraining.csv"] = audited.to_csv(index=False)
            texts[tables / "pretraining.md"] = audit_markdown(audited, title, outcome)
        files = _write(out / "figures", texts, figures)
        write_json(out / METRICS, content)
        few = write_summary(out, _few(content, plan.outcome, teacher), simulated=meta["simulated"])
        tracker.log(
            metrics=_logged(content, plan.outcome, f"{teacher}_minus"),
            artifacts=[*files, out / METRICS, few],
            note=f"{markdown}\nHow to read it: docs/verdict.md.",
        )
        # Beside the table and in no file: the count differs from run to run.
        looks = looks_sentence(tracker.looks(tags["test_images"]), tags["plan"])
    say("\n".join([text, *textwrap.wrap(looks, 92)]))
    return out


def _made(
    params: Params, students: Place, everyone: dict[str, Answers]
) -> tuple[Compare, list[str]]:
    """What was planned, of the controls that could be made; and a sentence on each other one."""
    asked, reasons = params.compare, left_out(students, everyone)
    family = [name for name in asked.family if name not in reasons]
    return asked.model_copy(update={"family": family}), [
        f"Left out of the family: {name}, since {reasons[name]}."
        for name in asked.family
        if name in reasons
    ]


def _brief(content: dict, left_out: list[str]) -> str:
    """The verdict's words alone, and what nobody may read them without."""
    word = "Exploratory verdict" if content["exploratory"] else "Verdict"
    return " ".join([f"{word}: {content['verdict']}.", *left_out])


def _write(folder: Path, texts: dict[Path, str], figures: dict[str, Any]) -> list[Path]:
    """Write texts where they belong, and figures into a folder; gives all files."""
    for path, text in texts.items():
        write_text(path, text)
    drawn = [write_figure(folder / stem, figure) for stem, figure in figures.items()]
    return [*texts, *chain.from_iterable(drawn)]


def _rows(table: pd.DataFrame) -> list[dict]:
    """Rows for JSON, which has no NaN."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def _table(result: Comparison, found: dict[str, dict], teacher: str) -> pd.DataFrame:
    """The table of teachers, with T and alpha where they differ between those that have them."""
    recipes = {
        name: tuple(answers.settings_of(students)[key] for key in ("temperature", "alpha"))
        for name, students in found.items()
        if name not in HARD
    }
    return teacher_table(
        result.scores,
        result.differences,
        teacher=teacher,
        flips=result.flips,
        equivalence=result.equivalence,
        recipes=recipes if len(set(recipes.values())) > 1 else None,
        outcome=result.outcome,
    )


def _figures(
    result: Comparison, effects: pd.DataFrame, name: str, teacher: str, **comparison: Any
) -> dict[str, Any]:
    """The effect by teacher, by rung of the ladder, and by class."""
    of: Given = {"outcome": result.outcome}
    held: Given = of | {"teacher": teacher}
    compared, none = result.differences, answers.NONE
    made_of, by_class = f"What the effect is made of: {name}", f"The effect by class: {name}"
    return {
        "comparison": comparison_figure(result.scores, compared, **comparison, **held),
        "ladder": ladder_figure(result.ladder, title=made_of, **of),
        "classes": class_figure(effects, compared[none], control=none, title=by_class, **held),
    }


def _audited(
    first: Answers, found: dict[str, dict], family: list[str], outcome: Outcome, teacher: str
) -> tuple[list[str], pd.DataFrame | None]:
    """Ids of the classes that pretrained weights may have seen, and the results by group."""
    if first.meta["settings"]["weights"] == NO_WEIGHTS:
        return [], None
    seen = first.class_id[seen_by_pretraining(first.class_id)].tolist()
    return seen, audit(found, seen=seen, teacher=teacher, family=family, outcome=outcome)


def _curves(everyone: dict[str, Answers], names: list[str]) -> dict[str, dict[str, np.ndarray]]:
    """Records of every epoch, by teacher and measure; students that diverged are left out.

    NaN where there is none.
    """
    curves = {}
    for name in names:
        mine = [each for each in everyone.values() if each.meta["teacher"] == name]
        there = [each.meta["curves"] for each in mine if not each.diverged]
        curves[name] = {
            key: np.array([each[key] for each in there], dtype=float) for key in there[0]
        }
    return curves


def _metrics(
    everyone: dict[str, Answers], result: Comparison, meta: dict, outcome: str, teacher: str
) -> dict:
    """What ``metrics.json`` says of students, teachers and differences."""
    students = [
        {key: student.meta[key] for key in ("teacher", "seed", "fold") if key in student.meta}
        | {split: student.accuracy(split) for split in ("validation", "test")}
        for student in everyone.values()
    ]
    students.sort(key=lambda each: (each["teacher"], each["seed"], each.get("fold", 0)))
    means = {name: float(each.correct.mean()) for name, each in result.scores.items()}
    content = {
        "dataset": meta["dataset"],
        "simulated": meta["simulated"],
        "verdict": result.verdict.words,
        # A list, which `dvc metrics show` leaves out: a sentence would make its table unreadable.
        "sentences": [result.verdict.sentence],
        "teachers": [
            {"name": name, "mean": means[name], "seeds": len(each.seeds)}
            for name, each in result.scores.items()
        ],
        "students": students,
        "differences": [difference_told(name, result, teacher) for name in result.differences],
        "ladder": ladder_rows(result.ladder),
        "diverged": [f"{name} seed {seed}" for name, seed in result.diverged],
        outcome: means,
        f"{teacher}_minus": {name: d.mean for name, d in result.differences.items()},
        "exploratory_outcomes": result.outcomes,
    }
    if result.outcome.unit != "%":  # the usual fractions, of means, differences and gate
        content |= {"unit": result.outcome.unit, "more_is_better": result.outcome.more_is_better}
    return content


def _few(content: dict, outcome: str, teacher: str) -> dict[str, Any]:
    """Of ``metrics.json`` what fits a screen: two means, their difference and its interval."""
    none = next(each for each in content["differences"] if each["b"] == answers.NONE)
    means = {name: content[outcome][name] for name in (teacher, answers.NONE)}
    return {"outcome": outcome, **means, "minus": none["mean"]} | {
        key: none[key] for key in ("low", "high")
    }


def _logged(content: dict, outcome: str, minus: str) -> dict[str, float]:
    """Of ``metrics.json`` what MLflow shows as numbers."""
    means = {f"{outcome}/{name}": value for name, value in content[outcome].items()}
    return means | {f"{minus}/{name}": value for name, value in content[minus].items()}
