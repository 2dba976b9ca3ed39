"""``compare``: students to table, figure, verdict and ``metrics.json``."""

import os
import textwrap
from pathlib import Path

import matplotlib

from brain_teacher.analysis.figures import comparison_figure, figure_points
from brain_teacher.analysis.statistics import Scores, compare_to_controls
from brain_teacher.analysis.tables import as_markdown, as_text, teacher_table
from brain_teacher.analysis.verdict import decide
from brain_teacher.commands import student_files
from brain_teacher.commands.inputs import BRAIN, METRICS, choose, plan_digest, said_simulated
from brain_teacher.distillation.students import describe_network
from brain_teacher.errors import BrainTeacherError, UsageError, about
from brain_teacher.files import OutputFolder, atomic_write, run_folder, write_json
from brain_teacher.tracking import flat, tracked

SOURCE = (
    "dataset",
    "decoding/calibration.py",
    "decoding/folds.py",
    "decoding/soft_labels.py",
    "seeds.py",
    "distillation",
    "analysis",
    "commands/student_files.py",
    "commands/compare.py",
)


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
    everyone = student_files.read_all(students)
    first = next(iter(everyone.values()))
    _check_alike(everyone, first)
    scores, diverged = _scores(everyone, params.compare.family, students)
    with about(students):
        differences = compare_to_controls(scores, teacher=BRAIN, family=params.compare.family)
        verdict = decide(differences, margin=params.compare.margin, diverged=diverged)
    table = teacher_table(scores, differences, teacher=BRAIN)
    title = _title(first, scores)
    notes = _notes(params, everyone)
    out = Path(out or run_folder("compare"))
    meta = first.meta
    tags = {key: meta[key] for key in ("dataset", "simulated", "roi", "subject", "decoder")}
    tags |= {"plan": plan_digest(params), "verdict": verdict.words}
    settings = flat(params.compare.model_dump(), "compare")
    with (
        OutputFolder(out, say).locked(),
        tracked("compare", _mlflow_name(meta), tags=tags, params=settings) as tracker,
    ):
        content = _metrics(everyone, scores, differences, verdict, meta)
        content |= {"plan": plan_digest(params), "exploratory": _is_exploratory(params, everyone)}
        figure = comparison_figure(
            scores,
            differences,
            teacher=BRAIN,
            chance=1 / len(first.class_id),
            margin=params.compare.margin,
            title=title,
        )
        says = [f"Verdict: {verdict.sentence}", *notes]
        text = "\n".join([as_text(table, title), *(textwrap.fill(line, 92) for line in says)])
        markdown = as_markdown(table, title) + "\n" + "\n\n".join(says) + "\n"
        files = _write(out, figure, figure_points(scores), table, markdown, text, meta)
        write_json(out / METRICS, content)
        metrics = {f"accuracy/{name}": value for name, value in content["accuracy"].items()}
        metrics |= {f"brain_minus/{n}": value for n, value in content["brain_minus"].items()}
        tracker.log(metrics=metrics, artifacts=[*files, out / METRICS])
    say(text)
    return out


def _check_alike(everyone, first):
    """Students can be paired only if nothing but teacher and seed differs between them."""
    for name, student in everyone.items():
        for key in ("settings", "dataset", "subject", "roi", "decoder"):
            if student.meta[key] != first.meta[key]:
                raise BrainTeacherError(
                    f"student {name} has another {key} than the others "
                    f"({_difference(student.meta[key], first.meta[key])}): distill into a folder "
                    "of its own"
                )


def _difference(mine, other):
    """What differs, in a few words; of two dictionaries, the keys that do."""
    if not isinstance(mine, dict):
        return f"{mine}, not {other}"
    keys = sorted(mine.keys() | other.keys())
    differ = [key for key in keys if mine.get(key) != other.get(key)]
    return ", ".join(f"{key} {mine.get(key)}, not {other.get(key)}" for key in differ)


def _scores(everyone, family, folder):
    """Correct answers on the test images, joined on image ids; and which students diverged."""
    by_teacher = {}
    for student in everyone.values():
        by_teacher.setdefault(student.meta["teacher"], {})[student.meta["seed"]] = student
    if BRAIN in family:
        raise UsageError("compare.family lists the controls; 'brain' is what they are held against")
    for name in [BRAIN, *family]:
        if name not in by_teacher:
            raise BrainTeacherError(
                f"{folder} has no students of teacher {name!r} (it has "
                f"{', '.join(sorted(by_teacher))}): add it to distill.teacher and distill again"
            )
    choose(family, list(by_teacher), "compare.family")
    seeds = sorted(by_teacher[BRAIN])
    scores, diverged, images = {}, [], None
    for name in [BRAIN, *family]:
        if sorted(by_teacher[name]) != seeds:
            raise BrainTeacherError(
                f"{folder}: teacher {name!r} has seeds {sorted(by_teacher[name])}, 'brain' has "
                f"{seeds}; distill the same seeds for all"
            )
        rows = {}
        for seed, student in sorted(by_teacher[name].items()):
            if student.diverged:
                diverged.append((name, seed))
                continue
            correct = student.correct("test")
            images = images or sorted(correct)
            if sorted(correct) != images:
                raise BrainTeacherError(
                    f"{folder}: {name} seed {seed} was tested on other images than the others"
                )
            rows[seed] = [correct[image] for image in images]
        if not rows:
            raise BrainTeacherError(f"{folder}: every student of teacher {name!r} diverged")
        scores[name] = Scores(tuple(rows), list(rows.values()))
    return scores, tuple(diverged)


def _mlflow_name(meta):
    return f"{meta['dataset']} {meta['roi']} ({said_simulated(meta['simulated'])})"


def _title(student, scores):
    meta = student.meta
    seeds, images = scores[BRAIN].correct.shape
    subjects = meta["subject"].split("+")
    who = (
        f"{len(subjects)} subjects' {meta['roi']}"
        if len(subjects) > 1
        else (f"{meta['subject']}'s {meta['roi']}")
    )
    return (
        f"{meta['dataset']} ({said_simulated(meta['simulated'])}): can {who} teach a "
        f"{describe_network(meta['settings']['width'])}? "
        f"Test accuracy, {seeds} seeds, {images} unseen images"
    )


def _notes(params, everyone):
    """What a reader must know besides the verdict."""
    notes = []
    if any(student.meta["simulated"] for student in everyone.values()):
        notes.append(
            "Simulated: the intervals are for this one draw of pictures and brains; another draw "
            "would differ by more, and real brains are another matter."
        )
    if _is_exploratory(params, everyone):
        notes.append(
            "Exploratory: these students were not trained under the plan that stands in "
            "params.yaml (brain, family, margin, outcome, gate), or this is a DVC experiment."
        )
    return notes


def _is_exploratory(params, everyone):
    """Whether the plan was not fixed before these students were trained (DESIGN, rule 9)."""
    digests = {student.meta["plan"] for student in everyone.values()}
    return digests != {plan_digest(params)} or "DVC_EXP_NAME" in os.environ


def _write(out, figure, points, table, markdown, text, meta):
    tables, figures = out / "tables", out / "figures"
    origin = {"dataset": meta["dataset"], "simulated": meta["simulated"]}
    files = [tables / f"comparison.{ending}" for ending in ("csv", "md", "txt")]
    files += [figures / name for name in ("comparison.png", "comparison.svg", "points.csv")]
    writers = [
        lambda path: table.assign(**origin).to_csv(path, index=False),
        lambda path: path.write_text(markdown, "utf-8"),
        lambda path: path.write_text(text + "\n", "utf-8"),
        # No date or version inside: the same students give the same bytes.
        lambda path: figure.savefig(path, dpi=150, metadata={"Software": None}),
        lambda path: figure.savefig(path, metadata={"Date": None, "Creator": None}),
        lambda path: points.assign(**origin).to_csv(path, index=False),
    ]
    with matplotlib.rc_context({"svg.hashsalt": "brain-teacher"}):
        for path, write in zip(files, writers, strict=True):
            with atomic_write(path) as temporary:
                write(temporary)
    return files


def _metrics(everyone, scores, differences, verdict, meta):
    students = [
        {
            "teacher": student.meta["teacher"],
            "seed": student.meta["seed"],
            "validation": student.accuracy("validation"),
            "test": student.accuracy("test"),
        }
        for _, student in sorted(
            everyone.items(), key=lambda item: (item[1].meta["teacher"], item[1].meta["seed"])
        )
    ]
    means = {name: float(each.correct.mean()) for name, each in scores.items()}
    return {
        "dataset": meta["dataset"],
        "simulated": meta["simulated"],
        "verdict": verdict.words,
        # A list, which `dvc metrics show` leaves out: a sentence would make its table unreadable.
        "sentences": [verdict.sentence],
        "teachers": [
            {"name": name, "mean": means[name], "seeds": len(each.seeds)}
            for name, each in scores.items()
        ],
        "students": students,
        "differences": [
            {"a": BRAIN, "b": name}
            | {key: getattr(d, key) for key in ("mean", "low", "high", "p", "p_corrected")}
            for name, d in differences.items()
        ],
        "accuracy": means,
        "brain_minus": {name: d.mean for name, d in differences.items()},
    }
