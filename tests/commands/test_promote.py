"""``promote`` with a registry in memory: which aliases are earned, which are lost, and the card."""

import json
import shutil
from dataclasses import replace
from itertools import product

import pytest
import yaml

from brain_teacher.chain.params import load_params
from brain_teacher.chain.provenance import plan_digest, plan_of
from brain_teacher.chain.students.answers import digest_of_test_images
from brain_teacher.commands import promote as module
from brain_teacher.commands.compare import compare
from brain_teacher.commands.promote import promote
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import write_json
from helpers.answers import make_answers, write_answers
from helpers.real_data import ROOT

IMAGES = "taught by the brain's view of each image"
ONLY_BRAIN = "mostly class structure that superclasses do not know"
OTHERS = [
    "harmed",
    "mostly smoothing",
    "mostly class structure that superclasses know",
    "mostly class structure",
    "mostly the image's own confidence",
    "mostly without the single image",
    "above hard labels, by what is open",
    "no effect as large as 4 points",
    "cannot tell",
]


class Memory:
    """What `promote` does to a registry."""

    def __init__(self, looks=3):
        self.aliases, self.cards, self.count, self.asked = {}, {}, looks, []
        self.lost, self.why, self.files = set(), {}, {}

    def __call__(self):
        return self

    def looks(self, test_images):
        self.asked.append(test_images)
        return self.count

    def find_version(self, fingerprint):
        return next((v for v in self._of(fingerprint) if v not in self.lost), None)

    def lost_versions(self, fingerprint):
        return [str(v) for v in self._of(fingerprint) if v in self.lost]

    def _of(self, fingerprint):
        return [v for v, (known, *_) in self.cards.items() if known == fingerprint]

    def student_model(self, fingerprint, name, make_model, card):
        return fingerprint

    def lineage(self, fingerprint):
        return {"teacher": "1eab.dir", "images": "126e.dir"}

    def tags(self, version):
        return {key: str(value) for key, value in self.cards[int(version)][2].items()}

    def attach(self, version, folder):
        self.files = {
            path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.*")
        }

    def register(self, uri, tags):
        version = len(self.cards) + 1
        self.cards[version] = (uri,)
        return version

    def describe(self, version, card, tags):
        self.cards[version] = (self.cards[version][0], card, tags)

    def alias(self, alias):
        version = self.aliases.get(alias)
        return None if version is None else str(version)

    def set_alias(self, alias, version, why):
        self.aliases[alias], self.why[alias] = version, why

    def remove_alias(self, alias, why):
        del self.aliases[alias]
        self.why[alias] = why


@pytest.fixture
def params():
    return load_params(ROOT / "params.yaml", {"promote": {"gate": 0.02}, "distill": {"seeds": 2}})


@pytest.fixture
def registry(monkeypatch):
    memory = Memory()
    monkeypatch.setattr(module, "Registry", memory)
    # Verdicts are made up here; what is written is held against the students below.
    monkeypatch.setattr(module, "check_evidence", lambda *_: None)
    return memory


@pytest.fixture
def everyone(params, monkeypatch):
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    plan, pairs = plan_of(params), product(("brain", "none"), (0, 1))
    return {f"{t}_{s}": make_answers(t, s, plan=plan) for t, s in pairs}


@pytest.fixture
def run(params, registry, everyone, tmp_path):
    """Promote on a verdict; gives what was said."""
    for name, each in everyone.items():
        write_answers(tmp_path / "students", each, name)

    def run(
        verdict, *, low=0.05, high=0.2, exploratory=False, plan=None, dry_run=False, students=None,
        outcome="accuracy", diverged=(),
    ):  # fmt: skip
        evidence = {
            "compare": {"outcome": outcome, "family": ["none"], "margin": 0.04, "knows": "words"},
            "verdict": verdict,
            "sentences": [f"{verdict}: ..."],
            "exploratory": exploratory,
            "diverged": list(diverged),
            "plan": plan or plan_digest(params),
            "students": students
            or [
                {"teacher": each.meta["teacher"], "seed": each.meta["seed"]}
                | {split: each.accuracy(split) for split in ("validation", "test")}
                for each in everyone.values()
            ],
            "differences": [
                {"a": "brain", "b": "none", "mean": 0.1, "low": low, "high": high, "p_corrected": 0}
            ],
        }
        write_json(tmp_path / "comparison" / "metrics.json", evidence)
        said = []
        promote(
            params,
            students=tmp_path / "students",
            comparison=tmp_path / "comparison",
            dry_run=dry_run,
            say=said.append,
        )
        return "\n".join(said)

    return run


@pytest.mark.parametrize(
    ("verdict", "aliases"),
    [
        (IMAGES, {"challenger", "champion", "brain-taught"}),
        (ONLY_BRAIN, {"challenger", "brain-taught"}),
        *((other, {"challenger"}) for other in OTHERS),
    ],
)
def test_each_verdicts_aliases(verdict, aliases, run, registry):
    said = run(verdict)
    assert set(registry.aliases) == aliases
    assert said.startswith("promote: brain_")
    assert said.splitlines()[0].count("brain-taught") == ("brain-taught" in aliases)


def test_below_the_gate_it_is_brain_taught_and_no_champion(run, registry):
    run(IMAGES, low=0.02)
    assert set(registry.aliases) == {"challenger", "brain-taught"}


@pytest.mark.parametrize(("high", "champion"), [(-0.021, True), (-0.02, False), (0.05, False)])
def test_where_less_is_better_the_gate_is_turned_round(high, champion, run, registry):
    said = run(IMAGES, low=-0.4, high=high, outcome="nll")
    assert ("champion" in registry.aliases) == champion
    assert said.endswith(
        f"the upper bound of brain - none is {high:+.3f} nats of NLL (gate -0.020)."
    )
    assert "| brain minus | nats of NLL | 95% interval | p (Holm) |" in registry.cards[1][1]
    assert f"| none | +0.100 | [-0.400, {high:+.3f}] |" in registry.cards[1][1]


@pytest.mark.parametrize("changes", [{"exploratory": True}, {"plan": "another"}])
def test_an_exploratory_result_earns_nothing(changes, run, registry):
    assert "Not champion: the comparison is exploratory" in run(IMAGES, **changes)
    assert set(registry.aliases) == {"challenger"}


@pytest.mark.parametrize("verdict", [IMAGES, ONLY_BRAIN])
def test_a_diverged_student_bars_both_aliases_alike(verdict, run, registry):
    said = run(verdict, diverged=["brain seed 3"])
    assert set(registry.aliases) == {"challenger"}
    assert f"Not champion: brain seed 3 diverged; the verdict on the others is {verdict!r}" in said


def test_it_says_what_of_the_plan_was_changed(run, params, everyone, tmp_path):
    then = plan_of(params) | {"distill.epochs": 7, "distill.seeds": 3}
    for name, each in everyone.items():
        shutil.rmtree(tmp_path / "students" / name)
        write_answers(tmp_path / "students", replace(each, meta=each.meta | {"plan": then}), name)
    assert (
        "Not champion: the comparison is exploratory, or the plan in params.yaml was changed after "
        "it (distill.epochs was 7, is 30; distill.seeds was 3, is 2); the verdict is "
    ) in run(IMAGES, exploratory=True)


def test_students_of_former_soft_labels_are_refused(run, registry, everyone, tmp_path):
    old = make_answers("none", 1, soft_labels="d0")
    shutil.rmtree(tmp_path / "students" / "none_1")
    write_answers(tmp_path / "students", old)
    with pytest.raises(BrainTeacherError, match="^student none_1 differs from the others in soft"):
        run(IMAGES)
    assert not registry.aliases


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "people"}, "taught by people, not by a brain"),
        ({"kind": "words"}, "taught by words, not by a brain"),
        ({"kind": "model"}, "taught by a model, not by a brain"),
        (
            {"imported": True},
            "its soft labels were imported, and that they are out of fold was not seen here",
        ),
        (
            {"features_of": "network, resnet18, layer3, IMAGENET1K_V1"},
            "its brain was decoded by way of network, resnet18, layer3, IMAGENET1K_V1, and what "
            "that was trained on is in the soft labels, too",
        ),
    ],
)
@pytest.mark.parametrize("verdict", [IMAGES, ONLY_BRAIN])
def test_only_a_brain_decoded_here_without_a_trained_network_earns_an_alias(
    verdict, changes, reason, run, registry, everyone, tmp_path
):
    shutil.rmtree(tmp_path / "students")
    for name, each in everyone.items():
        write_answers(tmp_path / "students", replace(each, meta=each.meta | changes), name)
    said = run(verdict, dry_run=True)
    assert said.startswith(f"promote: {changes.get('kind', 'brain')}_")
    assert ", challenger (dry run)\n" in said
    assert f"Neither champion nor brain-taught: {reason}; the verdict is " in said
    run(verdict)
    assert set(registry.aliases) == {"challenger"}
    kind = changes.get("kind", "brain")
    (_, card, tags) = registry.cards[1]
    assert tags["kind"] == kind and reason in card
    assert f"| {kind} minus |" in card
    who = {"brain": "S1's HVC", "people": "a table of people (S1, HVC)"}
    assert f"**A student taught by {who.get(kind, 'a table of ')}" in card


def test_what_is_no_longer_deserved_is_taken_away(run, registry):
    run(IMAGES)
    said = run("cannot tell")
    assert registry.aliases == {"challenger": 1}
    assert said.endswith(" It lost the alias champion and brain-taught.")
    assert "(known already), challenger\n" in said


def test_a_version_whose_files_are_gone_is_logged_again(run, registry):
    # It was announced as champion, and could not be loaded.
    run(IMAGES)
    registry.lost.add(1)
    said = run(IMAGES)
    assert said.startswith("the files of version 1 are gone: the student is logged again\n")
    assert "version 2 (new), challenger, champion and brain-taught\n" in said
    assert registry.aliases == {"challenger": 2, "champion": 2, "brain-taught": 2}


def test_another_claims_aliases_are_left_alone(run, registry):
    registry.aliases |= {"champion": 7, "brain-taught": 7}
    registry.cards[7] = ("other", "card", {"dataset": "another"})
    run("cannot tell")
    assert registry.aliases == {"champion": 7, "brain-taught": 7, "challenger": 2}


@pytest.fixture
def former(run, registry):
    """Version 1 is another student that made the same claim, and was made champion."""
    run(IMAGES)
    registry.cards[1] = ("another student", *registry.cards[1][1:])
    assert set(registry.aliases) == {"challenger", "champion", "brain-taught"}


def test_a_later_comparison_demotes_the_version_that_it_does_not_support(run, registry, former):
    said = run("cannot tell", dry_run=True)
    assert "Version 1 would lose the alias champion: a later comparison on the same test" in said
    assert registry.aliases["champion"] == 1
    said = run("cannot tell")
    assert registry.aliases == {"challenger": 2}
    assert said.endswith(
        "Version 1 lost the alias champion: a later comparison on the same test images does not "
        "support it. Version 1 lost the alias brain-taught: a later comparison on the same test "
        "images does not support it."
    )
    assert registry.why["champion"].startswith("no version since 20")
    assert (
        ": version 1 lost it. Not champion: the verdict is 'cannot tell'"
        in (registry.why["champion"])
    )


def test_only_what_is_not_supported_is_lost(run, registry, former):
    run(ONLY_BRAIN)
    assert registry.aliases == {"challenger": 2, "brain-taught": 2}


@pytest.mark.parametrize("how", [{"exploratory": True}, {"diverged": ["none seed 1"]}])
def test_what_settles_nothing_demotes_nobody_else(how, run, registry, former):
    run("cannot tell", **how)
    assert registry.aliases == {"challenger": 2, "champion": 1, "brain-taught": 1}


def test_why_an_alias_is_there_is_said_once_it_moves(run, registry):
    run(IMAGES)
    before = dict(registry.why)
    assert before["champion"].startswith("version 1 since 20")
    assert " UTC. Champion, because the verdict is " in before["champion"]
    run(IMAGES)
    assert registry.why == before


def test_the_version_carries_its_whole_card_and_the_evidence(run, registry, everyone):
    run(IMAGES)
    assert set(registry.files) == {
        "README.md", "evidence/metrics.json", "evidence/plan.json", "evidence/looks.json",
        "evidence/hashes.json",
    }  # fmt: skip
    _, front, text = registry.files["README.md"].split("---\n", 2)
    front = yaml.safe_load(front)
    best = max(
        (each for each in everyone.values() if each.meta["teacher"] == "brain"),
        key=lambda each: each.accuracy("validation"),
    )
    (result,) = front["model-index"][0]["results"]
    metrics = {each["type"]: each["value"] for each in result["metrics"]}
    assert metrics["accuracy"] == pytest.approx(best.accuracy("test"), abs=1e-6)
    assert set(metrics) == set(front["metrics"]) == {"accuracy", "nll", "top5", "ece"}
    assert front["library_name"] == "mlflow" and front["license"] == "bsd-3-clause"
    assert "simulated" in front["tags"] and "(simulated)" in result["dataset"]["name"]
    assert "**Verdict.**" in text and "| dvc.teacher | `1eab.dir` |" in text
    hashes = json.loads(registry.files["evidence/hashes.json"])
    assert hashes["dvc.images"] == "126e.dir" and hashes["dvc.students"].endswith(".dir")
    assert json.loads(registry.files["evidence/plan.json"])["compare.outcome"] == "accuracy"
    assert json.loads(registry.files["evidence/looks.json"])["comparisons"] == 3
    (_, card, tags) = registry.cards[1]
    assert card in text and tags["dvc.teacher"] == "1eab.dir"
    assert tags["reason"].startswith("Champion, because")


def test_a_dry_run_touches_nothing_and_says_all(run, registry):
    run(IMAGES)
    before = dict(registry.aliases), dict(registry.cards)
    said = run(ONLY_BRAIN, dry_run=True)
    assert (registry.aliases, registry.cards) == before
    assert ", challenger and brain-taught (dry run)\n" in said
    assert said.endswith(" It would lose the alias champion.")


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "1 result of `compare` on these test images, in this MLflow store."),
        (3, "3 results of `compare` on these test images, in this MLflow store."),
        (None, "Not counted: the MLflow store does not know the comparisons."),
    ],
)
def test_the_card_counts_the_looks_at_the_test_set(count, words, run, registry, everyone):
    registry.count = count
    run(IMAGES)
    (_, card, tags) = registry.cards[1]
    assert f"**Looks at the test set.** {words}\n" in card
    assert registry.asked == [digest_of_test_images(everyone)]
    assert tags["verdict"] == IMAGES


def test_folds_students_are_told_apart(params, registry, run, tmp_path):
    folds = [make_answers("brain", 0, fold=fold) for fold in (0, 1)]
    folder = tmp_path / "folds"
    for each in folds:
        write_answers(folder, each)
    told = [
        {"teacher": "brain", "seed": 0, "fold": each.meta["fold"]}
        | {split: each.accuracy(split) for split in ("validation", "test")}
        for each in folds
    ]
    (tmp_path / "students").rename(tmp_path / "unseen")
    folder.rename(tmp_path / "students")
    assert "promote: brain_0_fold" in run(IMAGES, students=told)
    told[1]["test"] += 0.1
    with pytest.raises(BrainTeacherError, match="compares other students than"):
        run(IMAGES, students=told)


def test_what_is_no_comparison_is_said(params, registry, run, tmp_path):
    run(IMAGES)
    write_json(tmp_path / "comparison" / "metrics.json", {"cells": []})
    with pytest.raises(BrainTeacherError, match="holds no comparison of students: give what"):
        module.promote(params, students=tmp_path / "students", comparison=tmp_path / "comparison")


@pytest.fixture
def evidence(monkeypatch, tmp_path):
    """Students and what `compare` wrote of them; a function that edits it and promotes."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    monkeypatch.setattr(module, "Registry", Memory())
    own = {"compare": {"family": ["none", "semantic"]}, "distill": {"seeds": 2}}
    params = load_params(ROOT / "params.yaml", own)
    for teacher, seed in product(("brain", "none", "semantic"), (0, 1)):
        skill = 2.5 if teacher == "brain" else 1.0
        student = make_answers(teacher, seed, skill=skill, plan=plan_of(params))
        write_answers(tmp_path / "students", student)
    folders = {"students": tmp_path / "students"}
    compare(params, **folders, out=tmp_path / "out", say=lambda _: None)

    def promoted(edit, params=params):
        content = json.loads((tmp_path / "out" / "metrics.json").read_text())
        edit(content)
        write_json(tmp_path / "edited" / "metrics.json", content)
        said = []
        compared = tmp_path / "edited"
        promote(params, **folders, comparison=compared, dry_run=True, say=said.append)
        return " ".join(said)

    return promoted


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content.update(verdict=IMAGES + " "),
        lambda content: content["differences"][0].update(low=0.9),
        lambda content: content["differences"].pop(),
        lambda content: content.update(sentences=["Taught by the brain."]),
        lambda content: content.update(diverged=["brain seed 0"]),
        lambda content: content["compare"].update(margin=0.5),
        lambda content: content["compare"].update(outcome="nll"),
    ],
)
def test_a_comparison_that_was_edited_is_refused(edit, evidence):
    assert evidence(lambda content: None).startswith("promote: brain_")
    with pytest.raises(BrainTeacherError, match="it was changed after `compare` wrote it; `dvc "):
        evidence(edit)


def test_whether_a_result_is_exploratory_is_not_believed_either(evidence, monkeypatch):
    def edit(content):
        content.update(exploratory=False)

    monkeypatch.setenv("DVC_EXP_NAME", "quick")
    assert "Not champion: the comparison is exploratory" in evidence(edit)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda content: content.pop("compare"), "compare: Field required"),
        (lambda content: content.update(verdict=3), "verdict: Input should be a valid string"),
        (lambda content: content.update(sentences=[]), "sentences: List should have at least 1"),
        (
            lambda content: content["differences"][0].update(low="0.9"),
            "differences.0.low: Input should be a valid number",
        ),
        (
            lambda content: content["students"][0].update(seed=[0]),
            "students.0.seed: Input should be a valid integer",
        ),
    ],
)
def test_a_comparison_of_another_shape_is_one_line(edit, message, evidence):
    with pytest.raises(BrainTeacherError) as caught:
        evidence(edit)
    assert "metrics.json is not what this version writes (`dvc repro compare`" in str(caught.value)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_the_digest_is_of_the_test_images_alone():
    one = {"a": make_answers("brain", 0), "b": make_answers("none", 0)}
    again = {"c": make_answers("none", 5)}
    other = {"a": make_answers("brain", 0, images=41)}
    assert digest_of_test_images(one) == digest_of_test_images(again)
    assert digest_of_test_images(one) != digest_of_test_images(other)
