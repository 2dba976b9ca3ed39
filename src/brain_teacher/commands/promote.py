"""``promote``: the best brain-taught student becomes a version of the registered model."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from brain_teacher.analysis.outcomes import outcome_of
from brain_teacher.analysis.verdict import BRAIN_TAUGHT, IMAGES
from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import plan_digest, why_exploratory
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.answers import check_alike, digest_of_test_images
from brain_teacher.chain.students.evidence import check_evidence, read_evidence
from brain_teacher.chain.students.names import read_names
from brain_teacher.chain.students.promoted import write_evidence
from brain_teacher.commands import Given, Place, Say
from brain_teacher.distillation.students import Answers
from brain_teacher.errors import BrainTeacherError
from brain_teacher.report.kinds import BRAIN, called, kind_of, not_ours
from brain_teacher.report.model_card import model_card_text
from brain_teacher.tracking import MODEL, Registry

CHALLENGER, CHAMPION, TAUGHT = "challenger", "champion", "brain-taught"
# What the registry is told of a student.
TOLD = ("teacher", "seed", "dataset", "simulated", "roi", "subject", "decoder")
# Versions that agree in these make the same claim: a later comparison judges them all.
CLAIM = ("dataset", "simulated", "subject", "roi", "decoder", "kind", "test_images")


def promote(
    params: Params, *, students: Place, comparison: Place, dry_run: bool = False, say: Say = print
) -> None:
    """Register the best brain-taught student, chosen on validation, as ``challenger``.

    It becomes ``brain-taught``, too, when the verdict is one of `BRAIN_TAUGHT`, and ``champion``
    when it is *taught by the brain's view of each image* and the lower bound of brain - none lies
    above the gate (where less of the outcome is better: the upper bound below it, turned round).
    Neither is given where the teacher is no brain that was decoded here, or decoded by way of a
    trained network (`not_ours`), where the comparison is exploratory, or where a student diverged;
    an alias that it no longer deserves is taken away. So is that of another version which made the
    same `CLAIM`, where this comparison was planned and whole, and does not support it. A dry run
    says what would be done, and touches nothing.
    """
    folder, evidence = Path(students), read_evidence(comparison)
    everyone = student_folder.read_all(folder)
    metas = {name: each.meta for name, each in everyone.items()}
    check_alike(metas)
    _check_same_students(everyone, evidence, folder, comparison)
    check_evidence(evidence, params, everyone, folder)
    ours = {name: each for name, each in everyone.items() if each.meta["teacher"] == BRAIN}
    taught = [name for name, each in ours.items() if not each.diverged]
    if not taught:
        raise BrainTeacherError(f"{folder} holds no brain-taught student that did not diverge")
    name = min(taught, key=lambda name: student_folder.rank(ours[name]))
    best = ours[name]
    is_open = _why_open(evidence, params, best.meta, why_exploratory(params, metas.values()))
    earned, reason = _judge(evidence, params, best.meta, is_open)
    registry, tested = Registry(), digest_of_test_images(everyone)
    looks = registry.looks(tested)
    fingerprint = student_folder.digest(folder, name)
    tags = {key: best.meta[key] for key in TOLD} | {"verdict": evidence["verdict"]}
    tags |= {"kind": kind_of(best.meta), "test_images": tested, "reason": reason}
    tags |= {"plan": evidence["plan"]}
    tags |= {f"dvc.{key}": value for key, value in registry.lineage(fingerprint).items()}
    card = model_card_text(best, evidence, reason, looks)
    version = registry.find_version(fingerprint)
    reached = f"{100 * best.accuracy('validation'):.1f}% on validation"
    text = f"promote: {called(name, tags['kind'])} ({reached})"
    lost_files = registry.lost_versions(fingerprint)
    if version is None and lost_files:
        say(f"the files of version {', '.join(lost_files)} are gone: the student is logged again")
    lost = _lost(registry, earned, version, tags, final=is_open is None)
    if dry_run:
        place = "a new version" if version is None else f"version {version}, known already,"
        say(f"{text} would be {place} of {MODEL}, {_listed(earned)} (dry run)")
        say(" ".join([reason, *_said_lost(lost, version, "would lose")]))
        return
    known = version is not None
    if not known:
        uri = registry.student_model(
            fingerprint,
            f"{called(BRAIN, kind_of(best.meta))} seed {best.meta['seed']}",
            lambda: student_folder.load_classifier(folder, name),
            student_folder.model_card(best, read_names(folder)),
        )
        version = registry.register(uri, {"fingerprint": fingerprint})
    with TemporaryDirectory() as made:
        write_evidence(Path(made), best, card, tags, params, folder, Path(comparison), looks)
        registry.attach(version, Path(made))
    registry.describe(version, card, tags)
    since = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    for alias in earned:
        if registry.alias(alias) != str(version):
            registry.set_alias(alias, version, f"version {version} since {since}. {reason}")
    for alias, holder in lost.items():
        told = f"no version since {since}: version {holder} lost it. {reason}"
        registry.remove_alias(alias, told)
    state = "known already" if known else "new"
    say(f"{text} is {MODEL} version {version} ({state}), {_listed(earned)}")
    say(" ".join([reason, *_said_lost(lost, version, "lost")]))


def _lost(
    registry: Registry, earned: list[str], version: str | None, tags: Given, *, final: bool
) -> dict[str, str]:
    """Each alias that is to be taken away, and the version that holds it.

    A comparison that settles its question (`final`) speaks of other versions as well.
    """
    lost = {}
    for alias in (CHAMPION, TAUGHT):
        holder = None if alias in earned else registry.alias(alias)
        if holder is None:
            continue
        if holder == str(version):
            lost[alias] = holder
        elif final:
            theirs = registry.tags(holder)
            if all(theirs.get(key) == str(tags[key]) for key in CLAIM):
                lost[alias] = holder
    return lost


def _said_lost(lost: dict[str, str], version: str | None, word: str) -> list[str]:
    own = " and ".join(alias for alias, holder in lost.items() if holder == str(version))
    said = [f"It {word} the alias {own}."] if own else []
    return said + [
        f"Version {holder} {word} the alias {alias}: a later comparison on the same test images "
        "does not support it."
        for alias, holder in lost.items()
        if holder != str(version)
    ]


def _listed(aliases: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(aliases[:-1]), aliases[-1])))


def _check_same_students(
    everyone: dict[str, Answers], evidence: dict, folder: Path, comparison: Place
) -> None:
    """The evidence must be about these students."""

    def key(meta: dict) -> tuple:
        return meta["teacher"], meta["seed"], meta.get("fold")

    there = {key(s.meta): (s.accuracy("validation"), s.accuracy("test")) for s in everyone.values()}
    if there != {key(s): (s["validation"], s["test"]) for s in evidence["students"]}:
        raise BrainTeacherError(
            f"{comparison} compares other students than {folder} holds: run `dvc repro compare`"
        )


def _why_open(evidence: dict, params: Params, meta: dict, changed: list[str]) -> str | None:
    """Why the comparison settles nothing, as the beginning of a sentence; None where it does.

    `meta` is the student's; `changed` says what makes these students' result exploratory now.
    """
    if (bar := not_ours(meta)) is not None:
        return f"Neither champion nor brain-taught: {bar}; the verdict"
    if evidence["exploratory"] or changed or evidence["plan"] != plan_digest(params):
        return (
            "Not champion: the comparison is exploratory, or the plan in params.yaml was changed "
            f"after it ({'; '.join(changed) or 'compare again'}); the verdict"
        )
    if evidence["diverged"]:
        return (
            f"Not champion: {', '.join(evidence['diverged'])} diverged; the verdict on the others"
        )
    return None


def _judge(
    evidence: dict, params: Params, meta: dict, is_open: str | None
) -> tuple[list[str], str]:
    """The aliases that the student has earned, and the reason in a sentence."""
    verdict, outcome = evidence["verdict"], outcome_of(evidence)
    none = next(d for d in evidence["differences"] if d["b"] == "none")
    sign, which, end = (1, "lower", "low") if outcome.more_is_better else (-1, "upper", "high")
    bound = (
        f"the {which} bound of {called(BRAIN, kind_of(meta))} - none is "
        f"{outcome.signed(none[end])} {outcome.differ} "
        f"(gate {outcome.signed(sign * params.promote.gate)})"
    )
    if is_open is not None:
        return [CHALLENGER], f"{is_open} is {verdict!r}, {bound}."
    taught = [TAUGHT] * (verdict in BRAIN_TAUGHT)
    if verdict == IMAGES and sign * none[end] > params.promote.gate:
        reason = f"Champion, because the verdict is {verdict!r} and {bound}."
        return [CHALLENGER, CHAMPION, *taught], reason
    return [CHALLENGER, *taught], f"Not champion: the verdict is {verdict!r}, {bound}."
