"""``promote``: the best brain-taught student becomes a version of the registered model."""

from pathlib import Path

from brain_teacher.analysis.verdict import IMAGES
from brain_teacher.commands import student_files
from brain_teacher.commands.inputs import BRAIN, METRICS, plan_digest
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import read_json
from brain_teacher.tracking import MODEL, Registry


def promote(params, *, students, comparison, dry_run=False, say=print):
    """Register the best brain-taught student, chosen on validation, as ``challenger``.

    It becomes ``champion``, too, when the verdict is *taught by the brain's view of each image* and
    the lower bound of brain - none lies above the gate.

    Parameters
    ----------
    params : Params
    students, comparison : path-like
        What ``distill`` and ``compare`` wrote.
    dry_run : bool
        Say what would be done; touch nothing.
    say : callable
    """
    folder = Path(students)
    evidence = read_json(Path(comparison) / METRICS)
    everyone = student_files.read_all(folder)
    _check_same_students(everyone, evidence, folder, comparison)
    taught = {
        name: student
        for name, student in everyone.items()
        if student.meta["teacher"] == BRAIN and not student.diverged
    }
    if not taught:
        raise BrainTeacherError(f"{folder} holds no brain-taught student that did not diverge")
    name = min(taught, key=lambda name: student_files.rank(taught[name]))
    best = taught[name]
    champion, reason = _judge(evidence, params)
    aliases = ["challenger"] + ["champion"] * champion
    card, tags = _card(best, evidence, reason), _tags(best, evidence)
    registry = Registry()
    fingerprint = student_files.digest(folder, name)
    version = registry.find_version(fingerprint)
    text = f"promote: {name} ({100 * best.accuracy('validation'):.1f}% on validation)"
    loses = not champion and version is not None and registry.alias("champion") == str(version)
    if dry_run:
        place = "a new version" if version is None else f"version {version}, known already,"
        say(f"{text} would be {place} of {MODEL}, {' and '.join(aliases)} (dry run)")
        say(reason + (" It would lose the alias champion." if loses else ""))
        return
    known = version is not None
    if not known:
        uri = registry.student_model(
            fingerprint,
            f"{BRAIN} seed {best.meta['seed']}",
            lambda: student_files.load_classifier(folder, name),
            student_files.model_card(best),
        )
        version = registry.register(uri, {"fingerprint": fingerprint})
    registry.describe(version, card, tags)
    for alias in aliases:
        registry.set_alias(alias, version)
    if loses:
        registry.remove_alias("champion")
    state = "known already" if known else "new"
    say(f"{text} is {MODEL} version {version} ({state}), {' and '.join(aliases)}")
    say(reason + (" It lost the alias champion." if loses else ""))


def _check_same_students(everyone, evidence, folder, comparison):
    """The evidence must be about these students."""
    there = {
        (s.meta["teacher"], s.meta["seed"]): (s.accuracy("validation"), s.accuracy("test"))
        for s in everyone.values()
    }
    told = {(s["teacher"], s["seed"]): (s["validation"], s["test"]) for s in evidence["students"]}
    if there != told:
        raise BrainTeacherError(
            f"{comparison} compares other students than {folder} holds: run `dvc repro compare`"
        )


def _judge(evidence, params):
    """Whether the challenger becomes champion, and the reason in a sentence."""
    verdict, gate = evidence["verdict"], params.promote.gate
    low = next(d["low"] for d in evidence["differences"] if d["b"] == "none")
    bound = f"the lower bound of brain - none is {100 * low:+.1f} points (gate {100 * gate:+.1f})"
    if evidence["exploratory"] or evidence["plan"] != plan_digest(params):
        return False, (
            "Not champion: the comparison is exploratory, or the plan in params.yaml was changed "
            f"after it; the verdict is {verdict!r}, {bound}."
        )
    if verdict == IMAGES and low > gate:
        return True, f"Champion, because the verdict is {verdict!r} and {bound}."
    return False, f"Not champion: the verdict is {verdict!r}, {bound}."


def _tags(best, evidence):
    keys = ("teacher", "seed", "dataset", "simulated", "roi", "subject", "decoder", "plan")
    return {key: best.meta[key] for key in keys} | {"verdict": evidence["verdict"]}


def _card(best, evidence, reason):
    """The model card: what it is, what stands behind it, what it must not be used for."""
    meta = best.meta
    origin = "Simulated recordings: says nothing of real brains. " if meta["simulated"] else ""
    rows = [
        f"| {d['b']} | {100 * d['mean']:+.1f} | [{100 * d['low']:+.1f}, {100 * d['high']:+.1f}] "
        f"| {'<0.001' if d['p_corrected'] < 0.001 else format(d['p_corrected'], '.3f')} |"
        for d in evidence["differences"]
    ]
    return "\n".join(
        [
            f"**A student taught by {meta['subject']}'s {meta['roi']}** ({meta['decoder']} "
            f"decoder, data set {meta['dataset']}), seed {meta['seed']}, its teacher's best on "
            f"validation ({100 * best.accuracy('validation'):.1f}%). {origin}",
            "",
            f"**Verdict.** {evidence['sentences'][0]} {reason}",
            "",
            "| brain minus | points | 95% interval | p (Holm) |",
            "|---|---|---|---|",
            *rows,
            "",
            "Input: float32 pixels from 0 to 255, (n, 3, size, size), RGB. Output: "
            "log-probabilities; the classes' ids are in the model's metadata (`class_id`).",
        ]
    )
