"""``compare``: students to table, figure, verdict and ``metrics.json``."""

import textwrap
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from brain_teacher.analysis.audit import audit
from brain_teacher.analysis.comparison import Comparison, compare_answers
from brain_teacher.analysis.outcomes import Outcome
from brain_teacher.cells.folder import OutputFolder, run_folder
from brain_teacher.chain.dataset import METRICS
from brain_teacher.chain.notes import notes_on, title_of
from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import plan_digest, why_exploratory
from brain_teacher.chain.students import answers
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.held_out import agreements
from brain_teacher.commands import Given, Place, Say
from brain_teacher.distillation.students import Answers
from brain_teacher.errors import about
from brain_teacher.files import write_json, write_text
from brain_teacher.report.beside_verdict import agreement_sentence, looks_sentence
from brain_teacher.report.comparison_figure import comparison_figure, figure_points
from brain_teacher.report.figure_files import write_figure
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
    answers.check_alike({name: each.meta for name, each in everyone.items()})
    first, plan = next(iter(everyone.values())), params.compare
    found, meta = answers.by_teacher(everyone, plan.family, students), first.meta
    with about(students):
        result = compare_answers(found, teacher=BRAIN, **plan.model_dump())
    outcome, table = result.outcome, _table(result, found)
    title = title_of(everyone, result.scores, outcome)
    says = [f"Verdict: {result.verdict.sentence}", *notes_on(params, everyone, result, found)]
    learnt = agreements(students, found)
    says.append(agreement_sentence(learnt, answers.control_of(plan.family)))
    seen, audited = _audited(first, found, plan.family, outcome)
    if audited is not None:
        control = answers.NONE if answers.NONE in plan.family else plan.family[0]
        weights = meta["settings"]["weights"]
        given = {"teacher": BRAIN, "control": control, "weights": weights}
        says.append(audit_sentence(audited, **given, outcome=outcome))
    out = Path(out or run_folder("compare"))
    tags = {key: meta[key] for key in ("dataset", "simulated", "roi", "subject", "decoder")}
    tags |= {"plan": plan_digest(params), "verdict": result.verdict.words}
    tags["test_images"] = answers.digest_of_test_images(everyone)
    name = f"{meta['dataset']} {meta['roi']} ({said_simulated(meta['simulated'])})"
    settings = flat(plan.model_dump(), "compare")
    with (
        OutputFolder(out, say).locked(),
        tracked("compare", name, tags=tags, params=settings) as tracker,
    ):
        content = _metrics(everyone, result, meta, plan.outcome)
        content |= {
            "plan": tags["plan"],
            "exploratory": bool(why_exploratory(params, [s.meta for s in everyone.values()])),
            "agreement": [{"with": who, **asdict(each)} for who, each in learnt.items()],
        }
        shown: Given = {"margin": plan.margin, "outcome": outcome}
        effect, chance = (result.scores, result.differences), outcome.guess(len(first.class_id))
        curves = _curves(everyone, [*plan.family, BRAIN])
        figures = {
            "comparison": comparison_figure(
                *effect, teacher=BRAIN, chance=chance, title=title, **shown
            ),
            "curves": curves_figure(curves, title=f"Learning curves: {name}"),
        }
        filled = (textwrap.fill(line, 92, break_on_hyphens=False) for line in says)
        text = "\n".join([as_text(table, title, **shown), *filled])
        markdown = as_markdown(table, title, **shown) + "\n" + "\n\n".join(says) + "\n"
        origin = {key: meta[key] for key in ("dataset", "simulated")}
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
        tracker.log(metrics=_logged(content, plan.outcome), artifacts=[*files, out / METRICS])
        # Beside the table and in no file: the count differs from run to run.
        looks = looks_sentence(tracker.looks(tags["test_images"]), tags["plan"])
    say("\n".join([text, *textwrap.wrap(looks, 92)]))
    return out


def _table(result: Comparison, found: dict[str, dict]) -> pd.DataFrame:
    """The table of teachers, with T and alpha where they differ between those that have them."""
    recipes = {
        name: tuple(answers.settings_of(students)[key] for key in ("temperature", "alpha"))
        for name, students in found.items()
        if name != answers.NONE
    }
    return teacher_table(
        result.scores,
        result.differences,
        teacher=BRAIN,
        flips=result.flips,
        equivalence=result.equivalence,
        recipes=recipes if len(set(recipes.values())) > 1 else None,
        outcome=result.outcome,
    )


def _audited(
    first: Answers, found: dict[str, dict], family: list[str], outcome: Outcome
) -> tuple[list[str], pd.DataFrame | None]:
    """Ids of the classes that pretrained weights may have seen, and the results by group."""
    if first.meta["settings"]["weights"] == NO_WEIGHTS:
        return [], None
    seen = first.class_id[seen_by_pretraining(first.class_id)].tolist()
    return seen, audit(found, seen=seen, teacher=BRAIN, family=family, outcome=outcome)


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


def _metrics(everyone: dict[str, Answers], result: Comparison, meta: dict, outcome: str) -> dict:
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
        "differences": [_difference(name, result) for name in result.differences],
        # `outcome_of` finds it by this key.
        outcome: means,
        "brain_minus": {name: d.mean for name, d in result.differences.items()},
        "exploratory_outcomes": result.outcomes,
    }
    if result.outcome.unit != "%":  # the usual fractions, of means, differences and gate
        content |= {"unit": result.outcome.unit, "more_is_better": result.outcome.more_is_better}
    return content


def _logged(content: dict, outcome: str) -> dict[str, float]:
    """Of ``metrics.json`` what MLflow shows as numbers."""
    means = {f"{outcome}/{name}": value for name, value in content[outcome].items()}
    return means | {f"brain_minus/{n}": value for n, value in content["brain_minus"].items()}


def _difference(name: str, result: Comparison) -> dict:
    """One comparison, all its numbers."""
    difference, flip = result.differences[name], result.flips[name]
    return {
        "a": BRAIN,
        "b": name,
        **{key: getattr(difference, key) for key in ("mean", "low", "high", "p", "p_corrected")},
        "p_sign_flip": flip.p,
        "p_sign_flip_corrected": flip.p_corrected,
        # JSON has no NaN.
        "p_equivalence": None if difference.constant else result.equivalence[name],
    }
