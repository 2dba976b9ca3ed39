"""``compare``: students to table, figure, verdict and ``metrics.json``."""

import textwrap
from pathlib import Path

import numpy as np
import pandas as pd

from brain_teacher.analysis.audit import audit
from brain_teacher.analysis.comparison import Comparison, compare_answers
from brain_teacher.analysis.outcomes import Outcome
from brain_teacher.cells.folder import OutputFolder, run_folder
from brain_teacher.chain.dataset import METRICS
from brain_teacher.chain.notes import is_exploratory, notes_on, title_of
from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import plan_digest
from brain_teacher.chain.students import answers
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.commands import Given, Place, Say
from brain_teacher.distillation.students import Answers
from brain_teacher.distillation.teachers import HARD
from brain_teacher.errors import about
from brain_teacher.files import write_json, write_text
from brain_teacher.report.comparison_figure import comparison_figure, figure_points
from brain_teacher.report.figure_files import write_figure
from brain_teacher.report.kinds import by_called, called, comparison_called, kind_of
from brain_teacher.report.student_figures import curves_figure
from brain_teacher.report.tables import as_markdown, as_text, audit_markdown, teacher_table
from brain_teacher.report.words import BRAIN, audit_sentence, said_simulated
from brain_teacher.sources.imagenet.pretraining import seen_by_pretraining
from brain_teacher.tracking import flat, tracked

# Of distill.weights.
NO_WEIGHTS = "none"


def compare(params: Params, *, students: Place, out: Place | None, say: Say = print) -> Path:
    """Compare the brain-taught students with every control of the family."""
    everyone = student_folder.read_all(students)
    answers.check_alike(everyone)
    first, plan = next(iter(everyone.values())), params.compare
    found, meta = answers.by_teacher(everyone, plan.family, students), first.meta
    with about(students):
        result = compare_answers(found, teacher=BRAIN, **plan.model_dump())
    outcome, title = result.outcome, title_of(everyone, result.scores, result.outcome)
    says = [f"Verdict: {result.verdict.sentence}", *notes_on(params, everyone, result, found)]
    # From here on by the names that people read: what is no brain is not called one.
    kind = kind_of(meta)
    says, teacher = [called(text, kind) for text in says], called(BRAIN, kind)
    result, found = comparison_called(result, kind), by_called(found, kind)
    table, family = _table(result, found, teacher), [*result.differences]
    seen, audited = _audited(first, found, family, outcome, teacher)
    says += _audit_notes(audited, family, outcome, teacher, meta["settings"]["weights"])
    out = Path(out or run_folder("compare"))
    tags = {key: meta[key] for key in ("dataset", "simulated", "roi", "subject", "decoder")}
    tags |= {"plan": plan_digest(params), "verdict": result.verdict.words, "kind": kind}
    tags["test_images"] = answers.digest_of_test_images(everyone)
    name = f"{meta['dataset']} {meta['roi']} ({said_simulated(meta['simulated'])})"
    settings = flat(plan.model_dump(), "compare")
    with (
        OutputFolder(out, say).locked(),
        tracked("compare", name, tags=tags, params=settings) as tracker,
    ):
        content = _metrics(everyone, result, meta, plan.outcome, teacher) | {"kind": kind}
        content |= {"plan": plan_digest(params), "exploratory": is_exploratory(params, everyone)}
        shown: Given = {"margin": plan.margin, "outcome": outcome}
        effect, chance = (result.scores, result.differences), outcome.guess(len(first.class_id))
        curves = by_called(_curves(everyone, [*plan.family, BRAIN]), kind)
        figures = {
            "comparison": comparison_figure(
                *effect, teacher=teacher, chance=chance, title=title, **shown
            ),
            "curves": curves_figure(curves, teacher=teacher, title=f"Learning curves: {name}"),
        }
        filled = (textwrap.fill(line, 92, break_on_hyphens=False) for line in says)
        text = "\n".join([as_text(table, title, **shown), *filled])
        markdown = as_markdown(table, title, **shown) + "\n" + "\n\n".join(says) + "\n"
        origin = {key: meta[key] for key in ("dataset", "simulated")} | {"kind": kind}
        points = figure_points(result.scores, outcome).assign(**origin)
        tables = out / "tables"
        texts = {
            tables / "comparison.csv": table.assign(**origin).to_csv(index=False),
            tables / "comparison.md": markdown,
            tables / "comparison.txt": text + "\n",
            out / "figures" / "points.csv": points.to_csv(index=False),
        }
        if audited is not None:
            # JSON has no NaN.
            rows = audited.astype(object).where(audited.notna(), None).to_dict("records")
            content["pretraining"] = {"seen": seen, "rows": rows}
            texts[tables / "pretraining.csv"] = audited.to_csv(index=False)
            texts[tables / "pretraining.md"] = audit_markdown(audited, title, outcome)
        for path, each in texts.items():
            write_text(path, each)
        files = [*texts]
        for stem, figure in figures.items():
            files += write_figure(out / "figures" / stem, figure)
        write_json(out / METRICS, content)
        means = content[plan.outcome]
        metrics = {f"{plan.outcome}/{name}": value for name, value in means.items()}
        minus = f"{teacher}_minus"
        metrics |= {f"{minus}/{n}": value for n, value in content[minus].items()}
        tracker.log(metrics=metrics, artifacts=[*files, out / METRICS])
    say(text)
    return out


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


def _audited(
    first: Answers, found: dict[str, dict], family: list[str], outcome: Outcome, teacher: str
) -> tuple[list[str], pd.DataFrame | None]:
    """Ids of the classes that pretrained weights may have seen, and the results by group."""
    if first.meta["settings"]["weights"] == NO_WEIGHTS:
        return [], None
    seen = first.class_id[seen_by_pretraining(first.class_id)].tolist()
    return seen, audit(found, seen=seen, teacher=teacher, family=family, outcome=outcome)


def _audit_notes(
    audited: pd.DataFrame | None, family: list[str], outcome: Outcome, teacher: str, weights: str
) -> list[str]:
    """The audit in a sentence, where there is one."""
    if audited is None:
        return []
    control = answers.NONE if answers.NONE in family else family[0]
    given = {"teacher": teacher, "control": control, "weights": weights}
    return [audit_sentence(audited, **given, outcome=outcome)]


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
        "differences": [_difference(name, result, teacher) for name in result.differences],
        # `outcome_of` finds it by this key.
        outcome: means,
        f"{teacher}_minus": {name: d.mean for name, d in result.differences.items()},
        "exploratory_outcomes": result.outcomes,
    }
    if result.outcome.unit != "%":  # the usual fractions, of means, differences and gate
        content |= {"unit": result.outcome.unit, "more_is_better": result.outcome.more_is_better}
    return content


def _difference(name: str, result: Comparison, teacher: str) -> dict:
    """One comparison, all its numbers."""
    difference, flip = result.differences[name], result.flips[name]
    return {
        "a": teacher,
        "b": name,
        **{key: getattr(difference, key) for key in ("mean", "low", "high", "p", "p_corrected")},
        "p_sign_flip": flip.p,
        "p_sign_flip_corrected": flip.p_corrected,
        # JSON has no NaN.
        "p_equivalence": None if difference.constant else result.equivalence[name],
    }
