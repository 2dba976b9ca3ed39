"""``distill``, ``rivals`` and ``search`` through the command line: every teacher, both splits."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.torch import load_file, save_file
from scipy.spatial.distance import cdist

from brain_teacher.chain.params import load_params
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.answers import digest_of_images
from brain_teacher.chain.students.folder import model_card
from brain_teacher.chain.students.maps import by_way_of
from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.distillation.checkpoint import Checkpoint
from brain_teacher.distillation.teachers import TEACHERS
from brain_teacher.files import write_npz
from brain_teacher.networks.torchvision import build_classifier
from brain_teacher.report.kinds import BY_WAY_OF
from brain_teacher.report.student_figures import cells_figure
from brain_teacher.seeds import named_rng
from brain_teacher.tracking.inputs import dvc_digest
from brain_teacher.tracking.store import find_looks, import_mlflow
from helpers.running import project, run

SMALL = {"roi": ["HVC"], "seeds": 2, "epochs": 2, "width": 8, "image_size": 12}
SEARCH = {
    "seeds": 2, "temperature": [1, 3], "alpha": [0.9], "learning_rate": [0.003], "epochs": [1, 2],
}  # fmt: skip


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Two subjects, 4 categories of 6 pictures: decoded, nested, with controls and rivals."""
    folder = tmp_path_factory.mktemp("distill")

    def small(content):
        content["decode"] |= {"voxels": 20, "nested": True}
        content["decode"]["logistic"]["C"] = [0.01, 0.1]
        content["distill"] |= SMALL
        content["search"], content["explore"] = SEARCH, {"seeds": 2}

    with project(folder, small) as patch:
        patch.setenv("BRAIN_TEACHER_DEVICE", "cpu")
        patch.setattr("brain_teacher.chain.decodings.figures.write_figures", lambda *_: [])
        # A model of each teacher takes seconds: tests of tracking and of the chain log them.
        patch.setattr("brain_teacher.tracking.Tracker.log_student", lambda *_, **__: None)
        run(
            *("simulate", "--out", "data/sample", "--subjects", "2", "--categories", "4"),
            *("--shown", "6", "--unseen", "4", "--voxels", "60", "--image-size", "16"),
            *("--seed", "3"),
        )
        run("preprocess", "--roi", "LOC,HVC", "--out", "outputs/voxels")
        run("decode", "--out", "outputs/soft_labels")
        run("controls", "--out", "outputs/controls")
        run("rivals", "--teacher", "all", "--out", "outputs/rivals")
        yield folder


def change(file="other.yaml", **distill):
    content = yaml.safe_load(Path("params.yaml").read_text("utf-8"))
    content["distill"] |= distill
    Path(file).write_text(yaml.safe_dump(content))
    return ("--params", file)


def same(folder, other, names):
    for name in names:
        one, two = (Path(f) / name / "student.npz" for f in (folder, other))
        assert one.read_bytes() == two.read_bytes(), name


def test_every_teacher_teaches_or_says_why_not(work, tmp_path):
    said = run("distill", "--teacher", "all", "--out", str(tmp_path / "all"))
    students = student_folder.read_all(tmp_path / "all")
    taught = {student.meta["teacher"] for student in students.values()}
    left_out = set(TEACHERS) - taught
    # Whether the rival is better than the brain is not ours to say.
    why = dict.fromkeys(("centre-map", "own-map"), "it is of maps, not of answers")
    why["matched-spectrum"] = "it is of likeness, not of answers"
    assert why.keys() <= left_out <= {"resnet34-degraded", *why}
    for name in left_out:
        assert f"teacher {name} is left out: {why.get(name, 'the ResNet34')}" in said
    assert len(students) == 2 * len(taught)
    assert f"{2 * len(taught)} students of {len(taught)} teachers" in said
    assert "of training on cpu (1 side by side), about" in said
    for name, student in students.items():
        assert not student.diverged and "fold" not in student.meta, name
        assert len(student.log_probs["test"]) == 12 and len(student.log_probs["validation"]) == 4
    table = pd.read_csv(tmp_path / "all" / "students.csv")
    assert len(table) == len(students)
    for row in table.itertuples():
        student = students[f"{row.teacher}_{row.seed}"]
        assert row.test_accuracy == pytest.approx(student.accuracy("test"), rel=1e-5)
        assert row.validation_nll == pytest.approx(student.nll("validation"), rel=1e-5)
    # No two teachers' students are the same.
    answers = {students[f"{name}_0"].log_probs["test"].tobytes() for name in taught}
    assert len(answers) == len(taught)


def test_the_rivals_table_is_out_of_fold_and_calibrated(work):
    table = read_soft_labels("outputs/rivals/resnet34-table.npz")
    brain = read_soft_labels("outputs/soft_labels/S1_HVC_logistic.npz")
    assert sorted(table.image_id) == sorted(brain.image_id)
    assert len(np.unique(table.fold)) == 6 and len(table.meta["temperatures"]) == 6
    assert table.meta["nll"] <= table.meta["nll_before"] and table.meta["simulated"]
    said = run("rivals", "--teacher", "all", "--out", "outputs/rivals")
    assert "7 networks, 0 new, 7 kept" in said


def test_rivals_that_nobody_asks_for_are_not_trained(work, tmp_path):
    said = run("rivals", "--out", str(tmp_path / "none"))
    assert "none of distill.teacher needs a ResNet34" in said
    assert [path.name for path in (tmp_path / "none").iterdir()] == ["metrics.json"]


@pytest.mark.parametrize(
    ("teacher", "option", "words"),
    [
        ("resnet34-live", "--rivals", "`dvc repro rivals`, or `brain-teacher rivals`, trains"),
        ("resnet34-table", "--rivals", "`dvc repro rivals`, or `brain-teacher rivals`, trains"),
        ("permuted-trials", "--controls", "is missing: "),
    ],
)
def test_a_missing_table_is_said(work, teacher, option, words, tmp_path):
    away = (option, str(tmp_path / "away"))
    said = run("distill", "--teacher", teacher, *away, "--out", str(tmp_path / "x"), code=1)
    assert words in said and not list((tmp_path / "x").glob("*/*"))


def test_students_tested_on_shown_images(work, tmp_path):
    run("distill", "--split", "folds", "--teacher", "none,brain", "--out", str(tmp_path / "folds"))
    students = student_folder.read_all(tmp_path / "folds")
    brain = read_soft_labels("outputs/soft_labels/S1_HVC_logistic.npz")
    assert set(students) == {
        f"{teacher}_{seed}_fold{fold}"
        for teacher in ("none", "brain")
        for seed in (0, 1)
        for fold in range(6)
    }
    for name, student in students.items():
        fold = student.meta["fold"]
        nested = read_soft_labels(f"outputs/soft_labels/nested/S1_HVC_logistic_fold{fold}.npz")
        tested, chosen = (set(student.image_id[split]) for split in ("test", "validation"))
        assert tested == set(brain.image_id[brain.fold == fold]), name
        # What the decoder of the soft labels never saw, not even to fit a temperature.
        assert not (tested | chosen) & set(nested.image_id) and not tested & chosen
        assert tested | chosen | set(nested.image_id) == set(brain.image_id)
    every = [student.image_id["test"] for name, student in students.items() if "none_0" in name]
    assert sorted(np.concatenate(every)) == sorted(brain.image_id)


def compared(students, tmp_path):
    """What ``compare`` says of none and brain; and what it wrote."""
    content = yaml.safe_load(Path("params.yaml").read_text("utf-8"))
    content["compare"]["family"] = ["none"]
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(content))
    out = tmp_path / "comparison"
    params = ("--params", str(tmp_path / "two.yaml"))
    said = run("compare", *params, "--students", str(students), "--out", str(out))
    return " ".join(said.split()), json.loads((out / "metrics.json").read_text("utf-8"))


def test_what_was_learnt_of_single_images_is_held_against_each_brain(work, tmp_path):
    out = tmp_path / "one"
    distill = ("distill", "--split", "folds", "--teacher", "none,brain", "--epochs", "1")
    run(*distill, "--subject", "S1", "--out", str(out))
    held = {path.stem: read_soft_labels(path) for path in (out / "held_out").iterdir()}
    assert set(held) == {"brain", "S2"}
    for name, who in (("brain", "S1"), ("S2", "S2")):
        whole = read_soft_labels(f"outputs/soft_labels/{who}_HVC_logistic.npz").sorted()
        np.testing.assert_array_equal(held[name].sorted().log_probs, whole.log_probs)
    said, content = compared(out, tmp_path)
    decoded = json.loads(Path("outputs/soft_labels/metrics.json").read_text("utf-8"))
    wanted = [row for row in decoded["between_subjects"] if row["roi"] == "HVC"]
    assert content["between_subjects"] == wanted and len(wanted) == 1
    r, low, high = (f"{wanted[0][key]:.2f}" for key in ("mean", "low", "high"))
    assert f"chance 0): HVC {r} [{low}, {high}], p = {wanted[0]['p']:.3f}, 2 subjects, 24" in said
    taught, others = content["agreement"]
    assert (taught["with"], others["with"]) == ("taught", "others")
    assert (taught["seeds"], taught["images"]) == (2, 24)
    assert "Learnt of single images (correlation with rows of 24 shown images held out" in said
    for words, each in (("the brain that taught", taught), ("other subjects'", others)):
        mean, low, high = each["difference"]
        assert f"difference {mean:+.3f} [{low:+.3f}, {high:+.3f}]" in said.split(words)[1]
    # By hand, of one student and the brain.
    student = student_folder.read_all(out)
    rows = []
    for seed in (0, 1):
        parts = [student[f"brain_{seed}_fold{fold}"] for fold in range(6)]
        image_id = np.concatenate([each.image_id["test"] for each in parts])
        category = np.concatenate([each.category["test"] for each in parts])
        fold = np.repeat(range(6), [len(each.image_id["test"]) for each in parts])
        assert (held["brain"].take(image_id).fold == fold).all()
        means = np.column_stack(
            [category[:, None] == np.unique(category), fold[:, None] == range(6)]
        )
        both = [np.concatenate([each.log_probs["test"] for each in parts])]
        both.append(held["brain"].take(image_id).log_probs)
        flat = []
        for log_probs in both:
            values = log_probs - log_probs.mean(axis=1, keepdims=True)
            flat.append((values - means @ np.linalg.lstsq(1.0 * means, values)[0]).ravel())
        rows.append(np.corrcoef(*flat)[0, 1])
    assert taught["teacher"][0] == pytest.approx(np.mean(rows), abs=1e-6)


def test_students_of_other_soft_labels_stay_no_neighbours(work, tmp_path, monkeypatch):
    students, labels = tmp_path / "students", tmp_path / "labels"
    distill = ("distill", "--teacher", "none,brain", "--epochs", "1", "--out", str(students))
    run(*distill)
    before = {path: path.read_bytes() for path in students.rglob("student.npz")}
    content = yaml.safe_load(Path("params.yaml").read_text("utf-8"))
    content["decode"] |= {"voxels": 10, "nested": False}
    (tmp_path / "ten.yaml").write_text(yaml.safe_dump(content))
    ten = ("--params", str(tmp_path / "ten.yaml"))
    run("decode", *ten, "--roi", "HVC", "--out", str(labels))
    other = (*ten, "--soft-labels", str(labels))
    said = run(*distill, *other, "--seeds", "1", code=1)
    assert "Error: students brain_1, none_1 differ from the others in soft labels (" in said
    assert "take away what a former run left in this one" in said
    # Before anything was trained.
    assert before == {path: path.read_bytes() for path in students.rglob("student.npz")}
    # None of the former is kept, not even where no soft label teaches.
    assert "4 new, 0 kept" in run(*distill, *other)
    run(*distill)
    # As a stage it leaves what it made, and no more.
    monkeypatch.setenv("DVC_STAGE", "distill")
    assert "2 new, 0 kept" in run(*distill, *other, "--seeds", "1")
    assert set(student_folder.read_all(students)) == {"brain_0", "none_0"}


def moved(file):
    """The same rows, each under another image's id."""
    table = read_soft_labels(file)
    write_npz(file, **replace(table, log_probs=np.roll(table.log_probs, 1, axis=0)).arrays())


def test_students_of_another_second_table_are_named_and_refused(work, tmp_path):
    shutil.copytree("outputs/controls", tmp_path / "controls")
    shutil.copytree("outputs/rivals", tmp_path / "rivals")
    shutil.copy("outputs/soft_labels/S2_HVC_logistic.npz", tmp_path / "own.npz")
    classes = read_soft_labels(tmp_path / "own.npz").class_id
    words = pd.DataFrame(np.eye(4) + 0.3, index=classes, columns=classes)
    words.to_csv(tmp_path / "words.csv")
    own = {
        "similarity": str(tmp_path / "words.csv"),
        "tables": {"own": [str(tmp_path / "own.npz")]},
    }
    teachers = ["semantic", "table-own", "permuted-trials", "resnet34-table", "resnet34-live"]
    out = ("--out", str(tmp_path / "out"))
    places = ("--controls", str(tmp_path / "controls"), "--rivals", str(tmp_path / "rivals"))
    distill = ("distill", *change(**own), *places, "--epochs", "1", *out)
    run(*distill, "--teacher", ",".join(teachers))
    students = student_folder.read_all(tmp_path / "out")
    said = {
        name: {students[f"{name}_{k}"].meta["second_table"] for k in (0, 1)} for name in teachers
    }
    assert len(set.union(*said.values())) == len(teachers)
    (words + words.to_numpy()[::-1] / 3).to_csv(tmp_path / "words.csv")
    changed = ["own.npz", "rivals/resnet34-table.npz"]
    changed += [f"controls/{who}_HVC_logistic_permuted-trials_0.npz" for who in ("S1", "S2")]
    for name in changed:
        moved(tmp_path / name)
    weights = load_file(tmp_path / "rivals/resnet34.safetensors")
    save_file(
        {key: 1 + each for key, each in weights.items()}, tmp_path / "rivals/resnet34.safetensors"
    )
    for name in teachers:
        said = run(*distill, "--teacher", name, "--seeds", "1", code=1)
        assert f"Error: student {name}_1 differs from the others in second table (" in said, name


@pytest.mark.parametrize("teacher", ["permuted-trials", "resnet34-table"])
def test_tables_that_saw_the_test_fold_are_refused(work, teacher, tmp_path):
    said = run(
        *("distill", "--split", "folds", "--teacher", teacher, "--out", str(tmp_path / "x")),
        code=1,
    )
    assert "is made for unseen test images only" in said


def test_nested_soft_labels_that_are_missing_are_said(work, tmp_path):
    plain = tmp_path / "plain"
    shutil.copytree("outputs/soft_labels", plain, ignore=shutil.ignore_patterns("nested"))
    said = run(
        *("distill", "--split", "folds", "--soft-labels", str(plain)),
        *("--out", str(tmp_path / "x")),
        code=1,
    )
    assert f"{plain / 'nested'} is missing. First `brain-teacher plan --discordant 0.15`" in said
    assert "says what 24 images can show" in said and said.endswith("`--nested true`\n"), said


def test_a_nested_table_that_holds_its_test_fold_is_refused(work, tmp_path):
    leaky = tmp_path / "leaky"
    shutil.copytree("outputs/soft_labels", leaky)
    for subject in ("S1", "S2"):
        shutil.copy(
            leaky / f"nested/{subject}_HVC_logistic_fold1.npz",
            leaky / f"nested/{subject}_HVC_logistic_fold0.npz",
        )
    said = run(
        *("distill", "--split", "folds", "--soft-labels", str(leaky)),
        *("--out", str(tmp_path / "x")),
        code=1,
    )
    assert "the tables of fold 0 hold images of that fold" in said


def test_a_teachers_own_recipe_changes_its_students_alone(work, tmp_path):
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    teachers = ("--teacher", "none,brain")
    run("distill", *teachers, "--out", one)
    own = change(recipes={"brain": {"temperature": 4, "alpha": 0.5}})
    run("distill", *own, *teachers, "--out", two)
    same(one, two, ["none_0", "none_1"])
    student = student_folder.read(two, "brain_0")
    assert student.meta["settings"]["temperature"] == 4 and student.meta["settings"]["alpha"] == 0.5
    said = run("distill", *own, *teachers, "--out", one)
    assert "2 new, 2 kept" in said
    same(one, two, ["brain_0", "brain_1"])


def test_misspelt_recipes_and_networks_are_usage_errors(work):
    own = change(recipes={"brian": {"temperature": 4}})
    assert "distill.recipes: there is no 'brian'; did you mean 'brain'?" in run(
        "distill", *own, code=2
    )
    assert "no classifier 'resnet19'" in run("distill", "--network", "resnet19", code=2)
    assert "give width: 64" in run("distill", "--network", "vgg11", code=2)


def test_semantic_reads_a_table_of_ones_own(work, tmp_path):
    classes = read_soft_labels("outputs/soft_labels/S1_HVC_logistic.npz").class_id
    table = pd.DataFrame(np.eye(4) + 0.3, index=classes, columns=classes)
    table.iloc[0, 1] = table.iloc[1, 0] = 1.0
    table.iloc[::-1, [2, 0, 1, 3]].to_csv(tmp_path / "words.csv")
    own = change(similarity=str(tmp_path / "words.csv"))
    run("distill", *own, "--teacher", "semantic", "--out", str(tmp_path / "x"))
    default = str(tmp_path / "y")
    run("distill", "--teacher", "semantic", "--out", default)
    one, two = (student_folder.read(f, "semantic_0") for f in (tmp_path / "x", default))
    assert not np.array_equal(one.log_probs["test"], two.log_probs["test"])
    distances = 1.3 - table
    distances.to_csv(tmp_path / "words.csv")
    said = run("distill", *own, "--teacher", "semantic", "--out", str(tmp_path / "z"), code=1)
    assert said == (
        f"Error: {tmp_path / 'words.csv'} (distill.similarity): class '{classes[0]}' is less like "
        f"itself (0) than like '{classes[2]}' (1), so these are distances; give similarities "
        "(1 minus a distance, say)\n"
    )
    table.astype(object).mask(table == 1.0, "much").to_csv(tmp_path / "words.csv")
    said = run("distill", *own, "--teacher", "semantic", "--out", str(tmp_path / "z"), code=1)
    assert "has entries that are no numbers" in said
    table.iloc[1:].to_csv(tmp_path / "words.csv")
    said = run("distill", *own, "--teacher", "semantic", "--out", str(tmp_path / "z"), code=1)
    assert f"lacks class '{classes[0]}'" in said
    (tmp_path / "words.csv").unlink()
    said = run("distill", *own, "--teacher", "semantic", "--out", str(tmp_path / "z"), code=2)
    assert "distill.similarity: " in said and "words.csv is no table" in said


def test_a_smoke_run_says_what_it_is(work, tmp_path):
    out = str(tmp_path / "smoke")
    run("distill", "--limit", "8", "--epochs", "1", "--out", out)
    for student in student_folder.read_all(out).values():
        assert student.meta["limit"] == 8
        assert len(student.log_probs["test"]) == 8 and len(student.log_probs["validation"]) == 4
    said = run("compare", "--students", out, "--out", str(tmp_path / "comparison"))
    assert "Exploratory: " in said and "a smoke run" in " ".join(said.split())


@pytest.mark.parametrize("trained", [True, False])
def test_features_of_a_trained_network_are_no_brains_alone(work, tmp_path, trained):
    weights = "untrained"
    if trained:
        weights = str(tmp_path / "trained.safetensors")
        save_file(build_classifier("resnet18", weights=None, seed=1).state_dict(), weights)
    content = yaml.safe_load(Path("params.yaml").read_text("utf-8"))
    content["decode"]["features"] |= {"weights": weights, "penalty": [100]}
    content["distill"] |= {"decoder": "features", "teacher": ["none", "brain"]}
    content["compare"]["family"] = ["none"]
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(content))
    params = ("--params", str(tmp_path / "other.yaml"))
    labels, out = str(tmp_path / "labels"), str(tmp_path / "students")
    run("decode", *params, "--decoder", "features", "--roi", "HVC", "--out", labels)
    run("distill", *params, "--soft-labels", labels, "--out", out)
    said = run("compare", *params, "--students", out, "--out", str(tmp_path / "comparison"))
    note = (
        "Image features: the brain was decoded by way of torchvision, resnet18, layer3, "
        "trained.safetensors."
    )
    assert trained == ("features_of" in model_card(student_folder.read(out, "brain_0"), {}))
    assert (note in " ".join(said.split())) == ("Image features" in said) == trained


def test_a_killed_student_is_taken_up_where_it_was_written_down(work, tmp_path, monkeypatch):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    always = ("--checkpoint-minutes", "1e-9")
    arguments = (
        "distill",
        *change(epochs=4),
        *always,
        "--teacher",
        "brain",
        "--seeds",
        "1",
        "--out",
    )
    run(*arguments, str(whole))
    save, epochs = Checkpoint.save, []

    def save_and_die(self, state):
        save(self, state)
        epochs.append(state["training"]["epoch"])
        if epochs == [1, 2]:
            raise RuntimeError("killed")

    monkeypatch.setattr("brain_teacher.distillation.checkpoint.Checkpoint.save", save_and_die)
    assert "killed" in run(*arguments, str(killed), code=1)
    assert not list(killed.glob("*/student.npz"))
    run(*arguments, str(killed))
    assert epochs == [1, 2, 3]
    same(whole, killed, ["brain_0"])
    assert not list(tmp_path.rglob("*.checkpoint.pt"))


def test_search_gives_every_teacher_the_same_budget_and_reports_no_pilot(work, tmp_path):
    out = tmp_path / "search"
    said = run("search", "--teacher", "none,weighted,semantic,brain", "--out", str(out))
    table = pd.read_csv(out / "search.csv")
    sizes = table.groupby("teacher").size().to_dict()
    assert sizes == dict.fromkeys(("none", "weighted", "semantic", "brain"), 2)
    students = student_folder.read_all(out)
    assert len(students) == 4 * 2 * 2
    assert all(student.meta["seed"] >= 1_000_000 for student in students.values())
    chosen = yaml.safe_load((out / "recipes.yaml").read_text())["recipes"]
    assert set(chosen["none"]) == set(chosen["weighted"]) == {"learning_rate", "epochs"}
    for name in ("semantic", "brain"):
        rows = table[table["teacher"] == name]
        best = rows.sort_values(["accuracy", "nll"], ascending=[False, True]).iloc[0]
        assert chosen[name] == {"temperature": best["temperature"], "alpha": best["alpha"]}
    assert "put into params.yaml" in said
    # As printed, it is what distill takes.
    run("distill", *change(recipes=chosen), "--teacher", "brain", "--out", str(tmp_path / "d"))


def test_another_budget_for_none_is_an_error(work):
    content = yaml.safe_load(Path("params.yaml").read_text("utf-8"))
    content["search"] = SEARCH | {"epochs": [1, 2, 3]}
    Path("other.yaml").write_text(yaml.safe_dump(content))
    said = run("search", "--params", "other.yaml", code=2)
    assert "every teacher gets the same budget" in said


def test_soft_cross_entropy_teaches_otherwise(work, tmp_path):
    losses = ("hinton", "soft-cross-entropy")
    for loss in losses:
        run("distill", "--loss", loss, "--teacher", "none,brain", "--out", str(tmp_path / loss))
    for name, alike in (("none_0", True), ("brain_0", False)):
        one, two = (student_folder.read(tmp_path / loss, name).log_probs["test"] for loss in losses)
        assert np.array_equal(one, two) == alike


def test_likeness_is_taught_by_soft_labels_by_voxels_and_by_a_table(work, tmp_path):
    labels = read_soft_labels("outputs/soft_labels/S1_HVC_logistic.npz")
    images = list(labels.image_id)
    patterns = named_rng("patterns").normal(size=(len(images), 5))
    tables = {"alike.csv": patterns @ patterns.T, "apart.csv": cdist(patterns, patterns)}
    order = named_rng("order").permutation(len(images))
    for name, values in tables.items():  # in any order of rows and columns
        table = pd.DataFrame(values, index=images, columns=images)
        table.iloc[order, order[::-1]].to_csv(tmp_path / name)
    teachers = ("none", "brain-class", "permuted-all", "matched-spectrum", "brain")
    answers = {}
    for of in ("soft-labels", "voxels", *(str(tmp_path / name) for name in tables)):
        settings = change(loss="relational", relational={"of": of, "by": "cka"}, alpha=0.9)
        out = tmp_path / Path(of).stem
        chosen = ("--teacher", ",".join(teachers), "--epochs", "1", "--seeds", "1")
        run("distill", *settings, *chosen, "--out", str(out))
        found = student_folder.read_all(out)
        assert {student.meta["teacher"] for student in found.values()} == set(teachers)
        answers[Path(of).stem] = found
    said = {
        stem: {s.meta["teacher"]: s.log_probs["test"] for s in found.values()}
        for stem, found in answers.items()
    }
    none = said["voxels"]["none"]
    for stem, by_teacher in said.items():
        np.testing.assert_array_equal(by_teacher["none"], none)
        assert len({value.tobytes() for value in by_teacher.values()}) == len(teachers), stem
    # Distances between points say what their inner products say, once both are centred.
    np.testing.assert_allclose(said["alike"]["brain"], said["apart"]["brain"], atol=1e-3)
    assert not np.allclose(said["alike"]["brain"], said["voxels"]["brain"], atol=1e-3)


@pytest.mark.parametrize(
    ("of", "spoil", "words"),
    [
        ("nothing.csv", None, "is no table"),
        ("t.csv", lambda t: t.iloc[1:], "lacks image '"),
        ("t.csv", lambda t: t.replace(0, "much"), "has entries that are no numbers"),
        ("t.csv", lambda t: t + np.triu(np.ones(t.shape), 1), "one way and"),
        (
            "t.csv",
            lambda t: t + 1 - np.eye(len(t)) / 2,
            "than each is to itself (0.5, 0.5)",
        ),
    ],
)
def test_a_table_of_likeness_that_is_none_is_named(work, tmp_path, of, spoil, words):
    images = read_soft_labels("outputs/soft_labels/S1_HVC_logistic.npz").image_id
    if spoil is not None:
        table = pd.DataFrame(1 - np.eye(len(images)), index=images, columns=images)
        spoil(table).to_csv(tmp_path / of)
    relational = {"of": str(tmp_path / of), "by": "cka"}
    settings = change(loss="relational", relational=relational)
    said = run("distill", *settings, "--out", str(tmp_path / "out"), code=2 if spoil is None else 1)
    assert words in said and "distill.relational.of" in said


def test_voxels_that_are_missing_are_said_and_explore_takes_soft_labels(work, tmp_path):
    settings = change(loss="relational", relational={"of": "voxels", "by": "cka"})
    said = run("distill", *settings, "--voxels", str(tmp_path), "--out", str(tmp_path / "out"),
               code=1)  # fmt: skip
    assert "S1_HVC.npz is missing" in said and "brain-teacher preprocess" in said
    said = run("explore", *settings, "--out", str(tmp_path / "out"), code=2)
    assert "give soft-labels" in said


def attending(**attention):
    own = {"layer": "layer1", "grid": 3, "of": "luminance"} | attention
    return {"loss": "attention", "attention": own, "flip": False, "alpha": 0.9}


def test_maps_are_taught_of_luminance_and_of_a_layer(work, tmp_path):
    teachers = ("none", "brain-class", "permuted-images", "centre-map", "own-map", "brain")
    said = {}
    for of in ("luminance", "layer1"):
        out = tmp_path / of
        chosen = ("--teacher", ",".join((*teachers, "semantic")), "--epochs", "1", "--seeds", "1")
        printed = run("distill", *change(**attending(of=of)), *chosen, "--out", str(out))
        assert "teacher semantic is left out: it has no maps" in printed
        found = student_folder.read_all(out).values()
        said[of] = {each.meta["teacher"]: each.log_probs["test"] for each in found}
        assert said[of].keys() == set(teachers)
        assert len({value.tobytes() for value in said[of].values()}) == len(teachers)
    for teacher in teachers:
        same = np.array_equal(said["luminance"][teacher], said["layer1"][teacher])
        assert same == (teacher in ("none", "centre-map")), teacher


def test_maps_that_cannot_be_taught_are_said(work, tmp_path):
    for own, words in (
        ({"flip": True}, "give distill.flip: false"),
        ({"split": "folds"}, "give distill.split: unseen"),
        (attending(layer="layre1"), "distill.attention.layer: there is no layer 'layre1'"),
        (attending(layer="fc"), "layer 'fc' has no map"),
    ):
        settings = change(**(attending() | own))
        assert words in run("distill", *settings, "--out", str(tmp_path / "out"), code=2)
    said = run("explore", *change(**attending()), "--out", str(tmp_path / "out"), code=2)
    assert "maps are of one brain" in said


def test_maps_by_way_of_a_trained_network_are_no_brains_alone(work):
    said = {}
    for weights in ("untrained", "DEFAULT"):
        of = attending(of="layer1", weights=weights)
        said[weights] = by_way_of(load_params("params.yaml").with_distill(**of))
    assert said == {
        "untrained": {},
        "DEFAULT": {BY_WAY_OF: "torchvision, resnet18, layer1, DEFAULT"},
    }
    assert by_way_of(load_params("params.yaml")) == {}


def test_explore_lets_every_subject_and_roi_teach(work, tmp_path):
    out = tmp_path / "explore"
    said = run("explore", "--epochs", "1", "--out", str(out))
    # 2 subjects and both together, 2 ROIs, 2 seeds, each brain with two controls of its own; none
    # and smooth serve all of them.
    assert "40 students of 5 teachers, 40 new, 0 kept" in said
    whole = pd.read_csv(out / "cells.csv")
    controls = ["none", "smooth-matched", "brain-class"]
    assert whole["control"].tolist() == controls * 6
    table = whole[whole["control"] == "none"].reset_index()
    assert list(zip(table["subject"], table["roi"], strict=True)) == [
        (who, roi) for who in ("S1", "S2", "S1+S2") for roi in ("LOC", "HVC")
    ]
    everyone = student_folder.read_all(out)
    for _, row in table.iterrows():
        students = [everyone[f"{row['subject']}_{row['roi']}_{seed}"] for seed in (0, 1)]
        none = [everyone[f"none_{seed}"] for seed in (0, 1)]
        assert {s.meta["subject"] for s in students} == {row["subject"]}
        found = [np.mean([s.accuracy("test") for s in each]) for each in (students, none)]
        assert row["mean"] == pytest.approx(found[0] - found[1])
        assert row["accuracy"] == pytest.approx(found[0])
    for _, row in whole[whole["control"] != "none"].iterrows():
        cell = f"{row['subject']}_{row['roi']}"
        names = (
            (f"{cell}_{seed}" for seed in (0, 1)),
            (f"{cell}_{row['control']}_{k}" for k in (0, 1)),
        )
        found = [np.mean([everyone[name].accuracy("test") for name in each]) for each in names]
        assert row["mean"] == pytest.approx(found[0] - found[1])
    pair = pd.read_csv(out / "rois.csv").iloc[0]
    found = [
        np.mean(everyone[f"S1+S2_{roi}_{k}"].accuracy("test"))
        for roi in ("LOC", "HVC")
        for k in (0, 1)
    ]
    assert (pair["roi"], pair["minus"]) == ("LOC", "HVC")
    assert pair["mean"] == pytest.approx(np.mean(found[:2]) - np.mean(found[2:]))
    single = read_soft_labels("outputs/soft_labels/S1_HVC_logistic.npz")
    assert table["top1"][1] == pytest.approx(single.meta["quality"]["top1"])
    assert {p.name for p in (out / "figures").iterdir()} == {
        f"{name}.{ending}"
        for name in ("rois", "subjects", "effects", "quality")
        for ending in ("png", "svg")
    }
    assert "(simulated)" in said and "exploratory" in said and "all subjects" in said
    assert "ROI against ROI, paired by seed and image:" in said
    assert "Replication in single subjects, LOC: above none, smooth-matched and brain-class" in said
    assert "40 kept" in run("explore", "--epochs", "1", "--out", str(out))
    tested = digest_of_images(everyone["none_0"].image_id["test"])
    # Both of these are looks; their students are none of their own. Other tests looked before.
    newest, before, *others = find_looks(import_mlflow(), tested)
    assert newest == before and newest not in others
    said = run("explore", "--seeds", "1", code=2)
    assert "explore.seeds: give 2 or more (an interval is shown with each mean)" in said


def test_explores_chance_follows_the_test_images(work, tmp_path, monkeypatch):
    shutil.copytree("data/sample", tmp_path / "data")
    unseen = tmp_path / "data/images/unseen"
    others = sorted(unseen.iterdir())[1:]
    for name in others:  # of 4 pictures a category, one of which chooses
        for picture in sorted(name.iterdir())[3:]:
            picture.unlink()
    drawn = []
    monkeypatch.setattr(
        "brain_teacher.commands.explore.cells_figure",
        lambda *given, chance, **more: (
            drawn.append(chance) or cells_figure(*given, chance=chance, **more)
        ),
    )
    data = ("--data", str(tmp_path / "data"), "--roi", "HVC")
    run("explore", *data, "--epochs", "1", "--out", str(tmp_path / "out"))
    tested = student_folder.read(tmp_path / "out", "none_0").category["test"]
    counts = np.unique(tested, return_counts=True)[1]
    assert np.ptp(counts) and drawn == [counts.max() / counts.sum()] * 2


def test_explore_takes_tables_of_others(work, tmp_path):
    known = read_soft_labels("outputs/soft_labels/S1_HVC_logistic.npz")
    # Ben saw fewer pictures, and drew sketches besides.
    for who, roi, rows in (("ann", "choices", 24), ("ben", "choices", 20), ("ben", "sketches", 24)):
        counts = pd.DataFrame(
            named_rng(who, roi).integers(1, 9, known.log_probs.shape), columns=known.class_id
        )
        counts.insert(0, "image_id", known.image_id)
        counts[:rows].to_csv(tmp_path / f"{who}.csv", index=False)
        run(
            *("import-soft-labels", str(tmp_path / f"{who}.csv"), "--data", "data/sample"),
            *("--kind", "people", "--subject", who, "--roi", roi, "--decoder", "people"),
            *("--values", "counts"),
        )
    explore = ("explore", "--decoder", "people", "--epochs", "1", "--out")
    said = run(*explore, str(tmp_path / "both"))
    assert "Not brains: 2 tables of people (ann+ben, choices) taught these students" in said
    table = pd.read_csv(tmp_path / "both" / "cells.csv")
    assert set(table["kind"]) == {"people"}
    assert list(dict.fromkeys(table["subject"])) == ["ann", "ben", "ann+ben"]
    assert set(table["roi"]) == {"choices"}
    run(*explore, str(tmp_path / "ben"), "--subject", "ben")
    rois = pd.read_csv(tmp_path / "ben" / "cells.csv")["roi"]
    assert rois.unique().tolist() == ["choices", "sketches"]
    said = run(*explore, str(tmp_path / "none"), "--subject", "S1", code=2)
    assert "subject: there is no 'S1' (known: ann, ben)" in said
    said = run(*explore, str(tmp_path / "none"), "--roi", "sketches", code=1)
    assert "ann_sketches_people.npz is missing: the data set has tables of that decoder" in said


def test_explore_says_how_to_get_what_is_missing(work):
    said = run("explore", "--decoder", "ridge", code=1)
    assert "S1_V1_ridge.npz is missing: `dvc pull outputs/soft_labels` brings" in said


def test_an_interrupted_student_of_other_code_begins_anew(work, tmp_path, monkeypatch):
    out = tmp_path / "killed"
    arguments = ("distill", *change(epochs=4), "--checkpoint-minutes", "1e-9", "--teacher", "brain")
    arguments += ("--seeds", "1", "--out", str(out))
    save, taken = Checkpoint.save, []

    def save_and_die(self, state):
        save(self, state)
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr("brain_teacher.distillation.checkpoint.Checkpoint.save", save_and_die)
        assert "killed" in run(*arguments, code=1)
    (old,) = tmp_path.rglob("*.checkpoint.pt")
    load = Checkpoint.load

    def watched(self):
        taken.append(load(self))
        return taken[-1]

    monkeypatch.setattr("brain_teacher.distillation.checkpoint.Checkpoint.load", watched)
    monkeypatch.setattr("brain_teacher.cells.making.source_fingerprint", lambda run: "other code")
    run(*arguments)
    assert taken == [None] and not old.exists()


def test_students_of_another_device_are_not_trained_beside_these(work, tmp_path, monkeypatch):
    out = tmp_path / "students"
    distill = ("distill", "--teacher", "none", "--epochs", "1", "--out", str(out), "--seeds")
    run(*distill, "1")
    monkeypatch.setattr("brain_teacher.chain.students.precision.device_for", lambda _: "cuda")
    monkeypatch.setattr("brain_teacher.networks.devices.card_of", lambda _: "NVIDIA A100")
    said = run(*distill, "2", "--params", change(precision="float32")[1], code=2)
    assert f"{out / 'none_0'} was trained on cpu, and students of cuda are no pairs to it" in said
    assert not (out / "none_1").exists()


def test_students_of_another_kind_of_card_are_not_trained_beside_these(work, tmp_path, monkeypatch):
    # A card by name: students here are trained on the CPU all the same.
    cards = iter(["NVIDIA A100", "NVIDIA A100", "NVIDIA H100", "NVIDIA H100"])
    monkeypatch.setattr("brain_teacher.networks.devices.card_of", lambda _: next(cards))
    out = tmp_path / "students"
    distill = ("distill", "--teacher", "none", "--epochs", "1", "--out", str(out), "--seeds")
    run(*distill, "2")
    assert student_folder.read(out, "none_1").meta["card"] == "NVIDIA A100"
    said = run(*distill, "4", code=2)
    assert said.splitlines()[-1] == (
        f"Error: {out / 'none_2'}: NVIDIA H100 trains it, and students of NVIDIA A100 are no "
        "pairs to it: train all on one kind of card (of a cluster's jobs, by --constraint or a "
        "queue), or give another --out"
    )
    assert {path.parent.name for path in out.rglob("*.npz")} == {"none_0", "none_1"}


def test_the_precision_of_a_card_elsewhere_is_said_not_measured(work, tmp_path):
    on = ("--cluster", "slurm", "--jobs", "2", "--device", "cuda", "--out", str(tmp_path / "out"))
    said = run("distill", *change(precision="auto"), *on, code=2)
    assert said.splitlines()[-1] == (
        "Error: distill.precision: auto is measured on the card, which is elsewhere (--cluster "
        "slurm): say float32 or bfloat16 in params.yaml"
    )
    assert not list((tmp_path / "out").iterdir())


def test_a_card_that_is_known_beforehand_is_refused_before_it_trains(work, tmp_path, monkeypatch):
    monkeypatch.setattr("brain_teacher.networks.devices.card_of", lambda _: "NVIDIA A100")
    out = tmp_path / "students"
    distill = ("distill", "--teacher", "none", "--epochs", "1", "--out", str(out), "--seeds")
    run(*distill, "1")
    monkeypatch.setattr("brain_teacher.chain.students.setting.card_for", lambda *_: "NVIDIA H100")
    monkeypatch.setattr("brain_teacher.chain.students.cells.StudentCell._train", None)
    assert f"{out / 'none_1'}: NVIDIA H100 trains it" in run(*distill, "2", code=2)


def test_other_content_of_a_file_of_weights_makes_students_new(work, tmp_path):
    file = tmp_path / "w.safetensors"
    full = {"width": 64, "stem": "large", "weights": str(file), "image_size": 32, "epochs": 1}
    distill = ("distill", *change(**full), "--teacher", "none", "--seeds", "1", "--limit", "8")
    for seed in (0, 1):
        save_file(build_classifier("resnet18", weights=None, seed=seed).state_dict(), file)
        assert "1 new, 0 kept" in run(*distill, "--out", str(tmp_path / "out"))
    assert "0 new, 1 kept" in run(*distill, "--out", str(tmp_path / "out"))


def test_mlflow_knows_what_each_student_learnt_from(work, tmp_path):
    out = str(tmp_path / "tracked")
    run("distill", "--teacher", "none,brain,permuted-trials", "--seeds", "1", "--out", out)
    client = import_mlflow().MlflowClient()
    experiment = client.get_experiment_by_name("distill")
    assert "DVC's hash" in experiment.tags["mlflow.note.content"]
    assert experiment.tags["mlflow.experiment.primaryMetric.name"] == "test_accuracy"
    newest = client.search_runs([experiment.experiment_id], max_results=4)
    read = {
        each.info.run_name: {i.tags[0].value: i.dataset for i in each.inputs.dataset_inputs}
        for each in newest
    }
    learnt = read["brain seed 0"]["teacher"]
    assert learnt.digest == dvc_digest("outputs/soft_labels") and len(learnt.digest) == 36
    assert read["brain seed 0"]["images"].digest == dvc_digest("data/sample")
    assert set(read["none seed 0"]) == {"images"}
    assert set(read["permuted-trials seed 0"]) == {"images", "controls"}
    (parent,) = (each for each in newest if "mlflow.parentRunId" not in each.data.tags)
    assert set(read[parent.info.run_name]) == {"images", "teacher", "controls"}
    # A child can be found by what its parent would be, and has every outcome that it can have.
    found = client.search_runs(
        [experiment.experiment_id], "tags.roi = 'HVC' and params.teacher = 'brain'"
    )
    (child,) = (
        each for each in found if each.data.tags["mlflow.parentRunId"] == parent.info.run_id
    )
    known = {key for key in child.data.metrics if key.startswith("test_")}
    assert known == {"test_accuracy", "test_nll", "test_ece"}  # of 4 classes there is no top 5
