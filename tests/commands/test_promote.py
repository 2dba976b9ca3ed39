"""``promote`` with a registry in memory: which aliases are earned, which are lost, and the card."""

import shutil
from dataclasses import replace

import pytest

from brain_teacher.chain.params import load_params
from brain_teacher.chain.provenance import plan_digest, plan_of
from brain_teacher.chain.students.answers import digest_of_test_images
from brain_teacher.commands import promote as module
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

    def __call__(self):
        return self

    def looks(self, test_images):
        self.asked.append(test_images)
        return self.count

    def find_version(self, fingerprint):
        return next((v for v, (known, *_) in self.cards.items() if known == fingerprint), None)

    def student_model(self, fingerprint, name, make_model, card):
        return fingerprint

    def register(self, uri, tags):
        version = len(self.cards) + 1
        self.cards[version] = (uri,)
        return version

    def describe(self, version, card, tags):
        self.cards[version] = (self.cards[version][0], card, tags)

    def alias(self, alias):
        version = self.aliases.get(alias)
        return None if version is None else str(version)

    def set_alias(self, alias, version):
        self.aliases[alias] = version

    def remove_alias(self, alias):
        del self.aliases[alias]


@pytest.fixture
def params():
    return load_params(ROOT / "params.yaml", {"promote": {"gate": 0.02}})


@pytest.fixture
def registry(monkeypatch):
    memory = Memory()
    monkeypatch.setattr(module, "Registry", memory)
    return memory


@pytest.fixture
def everyone():
    return {f"{t}_{s}": make_answers(t, s) for t in ("brain", "none") for s in (0, 1)}


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
            outcome: {},
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
            "differences": [{"b": "none", "mean": 0.1, "low": low, "high": high, "p_corrected": 0}],
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
    then = plan_of(params) | {"distill.epochs": 7, "distill.seeds": 2}
    for name, each in everyone.items():
        shutil.rmtree(tmp_path / "students" / name)
        write_answers(tmp_path / "students", replace(each, meta=each.meta | {"plan": then}), name)
    assert (
        "Not champion: the comparison is exploratory, or the plan in params.yaml was changed after "
        "it (distill.epochs was 7, is 30; distill.seeds was 2, is 8); the verdict is "
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


def test_another_versions_aliases_are_left_alone(run, registry):
    registry.aliases |= {"champion": 7, "brain-taught": 7}
    run("cannot tell")
    assert registry.aliases == {"champion": 7, "brain-taught": 7, "challenger": 1}


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


def test_the_digest_is_of_the_test_images_alone():
    one = {"a": make_answers("brain", 0), "b": make_answers("none", 0)}
    again = {"c": make_answers("none", 5)}
    other = {"a": make_answers("brain", 0, images=41)}
    assert digest_of_test_images(one) == digest_of_test_images(again)
    assert digest_of_test_images(one) != digest_of_test_images(other)
