"""``compare``: students to table, figure, verdict and ``metrics.json``."""

import textwrap
from pathlib import Path

import numpy as np

from brain_teacher.analysis.audit import audit
from brain_teacher.analysis.comparison import compare_answers
from brain_teacher.cells.folder import OutputFolder, run_folder
from brain_teacher.chain.dataset import METRICS
from brain_teacher.chain.notes import is_exploratory, notes_on, title_of
from brain_teacher.chain.provenance import plan_digest
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.answers import (
    NONE,
    by_teacher,
    check_alike,
    digest_of_test_images,
    settings_of,
)
from brain_teacher.errors import about
from brain_teacher.files import atomic_write, write_json
from brain_teacher.report.comparison_figure import comparison_figure, figure_points
from brain_teacher.report.figure_files import write_figure
from brain_teacher.report.student_figures import curves_figure
from brain_teacher.report.tables import as_markdown, as_text, audit_markdown, teacher_table
from brain_teacher.report.words import BRAIN, audit_sentence, said_simulated
from brain_teacher.sources.imagenet.pretraining import seen_by_pretraining
from brain_teacher.tracking import flat, tracked

# Of distill.weights.
NO_WEIGHTS = "none"


def compare(params, *, students, out, say=print):
    """Compare the brain-taught students with every control of the family.

    Parameters
    ----------
    params : Params
    students : path-like
        What ``distill`` wrote.
    out : path-like or None
        Where ``metrics.json``, ``tables`` and ``figures`` go; None: ``runs/compare-<UTC time>``.
    say : callable

    Returns
    -------
    Path
        The output folder.
    """
    everyone = student_folder.read_all(students)
    first = next(iter(everyone.values()))
    check_alike(everyone)
    found = by_teacher(everyone, params.compare.family, students)
    plan = params.compare
    with about(students):
        result = compare_answers(found, teacher=BRAIN, **plan.model_dump())
    outcome, margin = result.outcome, {"margin": plan.margin, "outcome": result.outcome}
    table = _table(result, found)
    title = title_of(everyone, result.scores, outcome)
    says = [
        f"Verdict: {result.verdict.sentence}",
        *notes_on(params, everyone, result, found),
    ]
    seen, audited = _audited(first, found, plan.family, outcome)
    if audited is not None:
        settings = first.meta["settings"]
        control = NONE if NONE in plan.family else plan.family[0]
        said = {"control": control, "weights": settings["weights"], "outcome": outcome}
        says.append(audit_sentence(audited, teacher=BRAIN, **said))
    out = Path(out or run_folder("compare"))
    meta = first.meta
    tags = {key: meta[key] for key in ("dataset", "simulated", "roi", "subject", "decoder")}
    tags |= {"plan": plan_digest(params), "verdict": result.verdict.words}
    tags["test_images"] = digest_of_test_images(everyone)
    name = _mlflow_name(meta)
    settings = flat(params.compare.model_dump(), "compare")
    with (
        OutputFolder(out, say).locked(),
        tracked("compare", name, tags=tags, params=settings) as tracker,
    ):
        content = _metrics(everyone, result, meta, plan.outcome)
        content |= {"plan": plan_digest(params), "exploratory": is_exploratory(params, everyone)}
        figures = {
            "comparison": comparison_figure(
                result.scores,
                result.differences,
                teacher=BRAIN,
                chance=outcome.guess(len(first.class_id)),
                title=title,
                **margin,
            ),
            "curves": curves_figure(
                _curves(everyone, [*plan.family, BRAIN]), title=f"Learning curves: {name}"
            ),
        }
        text = as_text(table, title, **margin)
        filled = (textwrap.fill(line, 92, break_on_hyphens=False) for line in says)
        text = "\n".join([text, *filled])
        markdown = as_markdown(table, title, **margin) + "\n" + "\n\n".join(says) + "\n"
        points = figure_points(result.scores, outcome)
        files = _write(out, figures, points, table, markdown, text, meta)
        if audited is not None:
            content["pretraining"] = {"seen": seen, "rows": _rows(audited)}
            files += _write_audit(out / "tables", audited, title, outcome)
        write_json(out / METRICS, content)
        means = content[plan.outcome]
        metrics = {f"{plan.outcome}/{name}": value for name, value in means.items()}
        metrics |= {f"brain_minus/{n}": value for n, value in content["brain_minus"].items()}
        tracker.log(metrics=metrics, artifacts=[*files, out / METRICS])
    say(text)
    return out


def _table(result, found):
    """The table of teachers, with T and alpha where they differ between those that have them."""
    recipes = {
        name: tuple(settings_of(students)[key] for key in ("temperature", "alpha"))
        for name, students in found.items()
        if name != NONE
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


def _audited(first, found, family, outcome):
    """Ids of the classes that pretrained weights may have seen, and the results by group."""
    if first.meta["settings"]["weights"] == NO_WEIGHTS:
        return [], None
    seen = first.class_id[seen_by_pretraining(first.class_id)].tolist()
    return seen, audit(found, seen=seen, teacher=BRAIN, family=family, outcome=outcome)


def _rows(audited):
    """As JSON holds them, which has no NaN."""
    return audited.astype(object).where(audited.notna(), None).to_dict("records")


def _write_audit(tables, audited, title, outcome):
    writers = {
        tables / "pretraining.csv": lambda path: audited.to_csv(path, index=False),
        tables / "pretraining.md": lambda path: path.write_text(
            audit_markdown(audited, title, outcome), "utf-8"
        ),
    }
    for path, write in writers.items():
        with atomic_write(path) as temporary:
            write(temporary)
    return list(writers)


def _mlflow_name(meta):
    return f"{meta['dataset']} {meta['roi']} ({said_simulated(meta['simulated'])})"


def _curves(everyone, names):
    """Records of every epoch, by teacher and measure; students that diverged are left out.

    NaN where there is none.
    """
    curves = {}
    for name in names:
        there = [
            student.meta["curves"]
            for student in everyone.values()
            if student.meta["teacher"] == name and not student.diverged
        ]
        curves[name] = {
            key: np.array([each[key] for each in there], dtype=float) for key in there[0]
        }
    return curves


def _write(out, figures, points, table, markdown, text, meta):
    tables = out / "tables"
    origin = {"dataset": meta["dataset"], "simulated": meta["simulated"]}
    writers = {
        tables / "comparison.csv": lambda path: table.assign(**origin).to_csv(path, index=False),
        tables / "comparison.md": lambda path: path.write_text(markdown, "utf-8"),
        tables / "comparison.txt": lambda path: path.write_text(text + "\n", "utf-8"),
        out / "figures" / "points.csv": lambda path: points.assign(**origin).to_csv(
            path, index=False
        ),
    }
    for path, write in writers.items():
        with atomic_write(path) as temporary:
            write(temporary)
    drawn = [write_figure(out / "figures" / name, figure) for name, figure in figures.items()]
    return [*writers, *(path for paths in drawn for path in paths)]


def _metrics(everyone, result, meta, outcome):
    ordered = sorted(
        everyone.values(),
        key=lambda each: (each.meta["teacher"], each.meta["seed"], each.meta.get("fold", 0)),
    )
    students = [
        {key: student.meta[key] for key in ("teacher", "seed", "fold") if key in student.meta}
        | {split: student.accuracy(split) for split in ("validation", "test")}
        for student in ordered
    ]
    means = {name: float(each.correct.mean()) for name, each in result.scores.items()}
    return {
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
    } | _unit(result.outcome)


def _unit(outcome):
    """Of means, differences and gate, where they are not the fractions that they usually are."""
    if outcome.unit == "%":
        return {}
    return {"unit": outcome.unit, "more_is_better": outcome.more_is_better}


def _difference(name, result):
    """One comparison, all its numbers."""
    difference, flip = result.differences[name], result.flips[name]
    equivalence = result.equivalence[name]
    return {
        "a": BRAIN,
        "b": name,
        **{key: getattr(difference, key) for key in ("mean", "low", "high", "p", "p_corrected")},
        "p_sign_flip": flip.p,
        "p_sign_flip_corrected": flip.p_corrected,
        # JSON has no NaN.
        "p_equivalence": None if difference.constant else equivalence,
    }
