"""One function and one line add a decoder, a loss, an outcome or a teacher (CONTRIBUTING.md)."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import brain_teacher.chain
from brain_teacher.analysis.comparison import compare_answers
from brain_teacher.cli import main
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from brain_teacher.distillation.drawing import draw_targets
from brain_teacher.distillation.engine import Recipe, train_student
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.distillation.students import Answers
from brain_teacher.errors import UsageError
from brain_teacher.report.tables import teacher_table
from helpers.recordings import category_of, count_hits, make_voxels
from helpers.throwaway import ENTRIES

ROOT = Path(__file__).parents[2]
PARAMS = "brain_teacher.chain.params"
SMALL = {"width": 8, "epochs": 2, "batch": 8, "image_size": 8, "shift": 1, "precision": "float32"}
CHOSEN = {
    "decode": {"decoder": ["nearest"], "nearest": {"sharpness": [0.3]}},
    "distill": {"loss": "weighted-kl", "weighted-kl": {"weight": 3}} | SMALL,
    "compare": {"outcome": "bits", "family": ["none", "smooth"], "margin": 0.1},
}


@pytest.fixture
def load(monkeypatch):
    """`load_params` of a project whose tables hold the new entries."""
    before = importlib.import_module(PARAMS)
    for table, name, entry in ENTRIES:
        monkeypatch.setitem(table, name, entry)
    monkeypatch.setattr(brain_teacher.chain, "params", before)  # put back in the end
    monkeypatch.delitem(sys.modules, PARAMS)
    params = importlib.import_module(PARAMS)
    return lambda **blocks: params.load_params(ROOT / "params.yaml", blocks)


def test_params_know_their_settings(load):
    params = load(**CHOSEN)
    assert params.decode.settings("nearest")["own"] == {"sharpness": [0.3]}
    assert params.distill.recipe("brain")["loss_settings"] == {"weight": 3.0}
    # A params.yaml that has never heard of them gets their defaults.
    assert load().decode.settings("nearest")["own"] == {"sharpness": [0.03, 0.3]}
    assert load(distill={"loss": "weighted-kl"}).distill.recipe()["loss_settings"] == {"weight": 2}
    assert "loss_settings" not in load().distill.recipe()


@pytest.mark.parametrize(
    ("block", "changes", "message"),
    [
        (
            "decode",
            {"nearest": {"sharpnes": [1.0]}},
            "unknown key 'decode.nearest.sharpnes'; did you mean 'sharpness'?",
        ),
        (
            "distill",
            {"weighted-kl": {"weight": 0}},
            "distill.weighted-kl.weight: Input should be greater than 0 (it is 0)",
        ),
        (
            "distill",
            {"loss": "weighted"},
            "distill.loss: no such name; did you mean 'weighted-kl'? (known: hinton, "
            "soft-cross-entropy, dkd, dist, standardised, relational, attention, weighted-kl) (it "
            "is 'weighted')",
        ),
        (
            "compare",
            {"outcome": "bit"},
            "compare.outcome: no such name; did you mean 'bits'? (known: accuracy, nll, top5, ece, "
            "bits) (it is 'bit')",
        ),
    ],
)
def test_wrong_settings_of_theirs_are_named(block, changes, message, load):
    with pytest.raises(UsageError) as caught:
        load(**{block: changes})
    assert str(caught.value) == f"{ROOT / 'params.yaml'}: {message}"


def test_a_name_that_is_a_setting_already_is_refused(load, monkeypatch):
    monkeypatch.setitem(LOSSES, "epochs", LOSSES["weighted-kl"])
    monkeypatch.delitem(sys.modules, PARAMS)
    with pytest.raises(ValueError) as caught:
        importlib.import_module(PARAMS)
    assert str(caught.value) == "'epochs' is a setting already; give the new entry another name"


@pytest.mark.parametrize(
    ("command", "name"), [("decode", "nearest"), ("distill", "weighted-kl"), ("compare", "bits")]
)
def test_help_lists_them(command, name, load):
    label = next(entry.label for _, key, entry in ENTRIES if key == name)
    said = CliRunner().invoke(main, [command, "--help"]).output
    assert re.search(rf"^  {name} +{label}$", said, re.MULTILINE)


def test_the_suites_over_the_tables_run_over_them():
    names = [name for _, name, _ in ENTRIES]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "helpers.throwaway", "-p", "no:cacheprovider",
         *(f"tests/contract/test_{each}.py" for each in ("decoders", "losses", "outcomes",
                                                         "teachers")),
         "-k", " or ".join(names)],
        check=False, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    for name in names:
        assert len(re.findall(rf"\[(?:[^\]]*-)?{name}[\]-].* PASSED", done.stdout)) >= 5, name


def test_they_work_from_voxels_to_a_verdict(load):
    params = load(**CHOSEN)
    trials = training_trials(make_voxels(categories=3, images=6, shows=2, signal=1.5))
    settings = params.decode.settings("nearest")
    decoder = DECODERS["nearest"]
    labels = decoder.decode(
        trials,
        plan_for(trials, **settings["folds"]),
        n_voxels=settings["voxels"],
        **{key: settings[key] for key in ("normalise", "select", "calibrate")},
        **decoder.arguments(settings["own"], {}),
    )
    assert count_hits(labels, trials) > 10 and labels.meta["sharpness"] == [0.3] * 6
    category = category_of(trials, labels.image_id)
    rng = np.random.default_rng(0)

    def pictures(classes):
        """In the colour of their class."""
        noise = rng.normal(0, 40, (len(classes), 8, 8, 3))
        colours = 60 + 140 * np.eye(3)[classes][:, None, None]
        return np.clip(colours + noise, 0, 255).astype(np.uint8), classes

    learnt = pictures(labels.truth(category))
    held = {split: pictures(np.arange(12) % 3) for split in ("validation", "test")}
    ids = {split: np.array([f"{split}{n:02d}" for n in range(12)]) for split in held}
    answers = {}
    for teacher in ("brain", "none", "smooth", "halved"):
        recipe = Recipe(**params.distill.recipe(teacher))
        for seed in (0, 1):
            targets = draw_targets(
                teacher, labels, category, temperature=recipe.temperature, seed=seed
            )
            student = train_student(
                *learnt,
                None if targets is None else targets.join(labels.image_id, labels.class_id),
                evaluation=held,
                n_classes=3,
                recipe=recipe,
                seed=seed,
            )
            meta = {"teacher": teacher, "seed": seed, "diverged": student.diverged}
            shown = {split: labels.class_id[truth] for split, (_, truth) in held.items()}
            given = Answers(meta, labels.class_id, student.log_probs, ids, shown)
            answers.setdefault(teacher, {})[seed] = given
    # The loss's weight and the teacher are of consequence.
    assert len({each[0].log_probs["test"].tobytes() for each in answers.values()}) == 4
    result = compare_answers(answers, teacher="brain", **params.compare.model_dump())
    truth = held["test"][1]
    by_hand = -np.mean(
        [each.log_probs["test"][np.arange(12), truth] for each in answers["none"].values()]
    ) / np.log(2)
    assert result.scores["none"].correct.mean() == pytest.approx(by_hand, rel=1e-6)
    assert " bits of surprise (95% interval " in result.verdict.sentence
    table = teacher_table(
        result.scores, result.differences, teacher="brain", flips=result.flips,
        equivalence=result.equivalence, outcome=result.outcome,
    )  # fmt: skip
    assert {"surprise (bits)", "brain minus this (bits)", "SD of seeds (bits)"} <= set(table)
    assert set(result.outcomes) <= {"accuracy", "nll", "top5", "ece"} and "nll" in result.outcomes


def test_then_they_are_gone():
    for table, name, _ in ENTRIES:
        assert name not in table
    fields = importlib.import_module(PARAMS).Params.model_fields
    assert "nearest" not in fields["decode"].annotation.model_fields
