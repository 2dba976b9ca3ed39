"""The whole chain, from BData files to a promoted student, as a person runs it."""

import json
import re
import sqlite3
import sys

import numpy as np
import yaml

from helpers.cloning import dvc


def registry(clone):
    with sqlite3.connect(clone.path / "mlflow.db") as store:
        versions = store.execute("select name, version from model_versions").fetchall()
        aliases = store.execute("select alias, version from registered_model_aliases").fetchall()
    return versions, aliases


def test_the_chain_leaves_what_it_promises(chain):
    outputs = chain.path / "outputs"
    assert len(list((outputs / "voxels").glob("*.npz"))) == 20
    assert len(list((outputs / "soft_labels").glob("*.npz"))) == 20
    assert len(list((outputs / "students").glob("*/student.npz"))) == 14
    # Weights: one student a teacher, the best on validation.
    assert len(list((outputs / "students").glob("*/weights.safetensors"))) == 7
    assert not list(outputs.rglob(".part-*"))
    metrics = json.loads((outputs / "comparison" / "metrics.json").read_text())
    assert [t["name"] for t in metrics["teachers"]] == [
        *("brain", "none", "smooth-matched", "semantic", "brain-class", "brain-confidence"),
        "permuted-images",
    ]
    assert len(metrics["students"]) == 14
    assert metrics["simulated"] is True
    for name in ("tables/comparison.md", "tables/comparison.csv", "figures/comparison.png"):
        assert (outputs / "comparison" / name).stat().st_size > 100
    assert "(simulated)" in (outputs / "comparison" / "tables" / "comparison.md").read_text()
    assert "Verdict: " in chain.said
    assert "brain-teacher-student version 1 (new), challenger" in chain.said


def test_soft_labels_are_plain_arrays_with_ids(chain):
    path = chain.path / "outputs" / "soft_labels" / "S1_HVC_logistic.npz"
    with np.load(path, allow_pickle=False) as file:
        assert set(file.files) == {"log_probs", "image_id", "class_id", "fold", "meta"}
        assert file["log_probs"].dtype == np.float32
        assert file["log_probs"].shape == (len(file["image_id"]), len(file["class_id"]))
        np.testing.assert_allclose(np.exp(file["log_probs"]).sum(axis=1), 1, atol=1e-4)
        meta = json.loads(str(file["meta"]))
    assert meta["subject"] == "S1" and meta["roi"] == "HVC" and meta["decoder"] == "logistic"
    assert meta["simulated"] is True and meta["format"] == 1


def test_nothing_changed_means_nothing_runs(chain):
    assert "Running stage" not in chain.run(*dvc(), "repro")
    assert "up to date" in chain.run(*dvc(), "status")
    assert "known already" in chain.brain_teacher("promote")
    assert registry(chain)[0] == [("brain-teacher-student", 1)]


def test_mlflow_has_a_parent_and_a_child_a_student(chain):
    with sqlite3.connect(chain.path / "mlflow.db") as store:
        names = store.execute(
            "select runs.name, status from runs join experiments using (experiment_id) "
            "where experiments.name = 'distill'"
        ).fetchall()
        steps = store.execute(
            "select count(*) from metrics join runs using (run_uuid) "
            "where runs.name = 'brain seed 1' and key = 'epoch/train_loss'"
        ).fetchone()
    assert {status for _, status in names} == {"FINISHED"}
    assert len(names) == 15
    assert ("sample HVC (simulated)", "FINISHED") in names
    assert ("permuted-images seed 0", "FINISHED") in names
    assert steps == (2,)


def test_the_registered_model_predicts(chain):
    code = (
        "import os, mlflow, numpy as np\n"
        "model = mlflow.pyfunc.load_model('models:/brain-teacher-student@challenger')\n"
        "answer = model.predict(np.zeros((3, 30, 40, 3), dtype=np.uint8))\n"
        "totals = [sum(np.exp(each['log_prob']) for each in row) for row in answer]\n"
        "assert np.allclose(totals, 1, atol=1e-5), answer\n"
        "print(len(answer), len(model.metadata.metadata['class_id']), answer[0][0]['name'])\n"
    )
    store = f"sqlite:///{chain.path}/mlflow.db"
    said = chain.run(sys.executable, "-c", code, MLFLOW_TRACKING_URI=store)
    assert re.search(r"^3 4 \w+, \w+", said, re.MULTILINE)  # a class is called by its name


def test_dry_run_touches_nothing(chain):
    before = registry(chain)
    assert "would be version 1, known already, of" in chain.brain_teacher("promote", "--dry-run")
    assert registry(chain) == before


def test_mlflow_run_leaves_dvc_clean(chain):
    said = chain.run(
        *(sys.executable, "-m", "mlflow", "run", ".", "-e", "distill", "--env-manager", "local"),
        *("--experiment-name", "distill", "-P", "roi=V1", "-P", "teacher=brain", "-P", "seeds=1"),
    )
    assert "1 students of 1 teachers, 1 new, 0 kept" in said
    assert len(list(chain.path.glob("runs/distill-*/brain_0/student.npz"))) == 1
    assert "up to date" in chain.run(*dvc(), "status")
    with sqlite3.connect(chain.path / "mlflow.db") as store:
        parents = store.execute(
            "select tags.value from tags join runs using (run_uuid) "
            "where runs.name = 'brain seed 0' and key = 'mlflow.parentRunId'"
        ).fetchall()
        named = store.execute(
            "select run_uuid from runs where name = 'sample V1 (simulated)' and status = 'FINISHED'"
        ).fetchall()
    assert len(named) == 1 and named[0] in parents


def test_an_experiment_never_touches_the_registry(chain):
    before = registry(chain)
    said = chain.run(*dvc(), "exp", "run", "-S", "distill.epochs=1", "--name", "quick")
    assert "Running stage 'distill'" in said and "Running stage 'decode'" not in said
    assert registry(chain) == before
    chain.run("git", "checkout", "-q", ".")
    chain.run(*dvc(), "checkout", "-q")


def test_a_fresh_clone_is_told_how_to_get_the_soft_labels(chain, tmp_path):
    fresh = tmp_path / "fresh"
    chain.run("git", "clone", "-q", str(chain.path), str(fresh))
    (fresh / "data").symlink_to(chain.path / "data")
    said = chain.run(
        *(sys.executable, "-m", "brain_teacher", "distill"),
        *("--soft-labels", str(fresh / "outputs" / "soft_labels")),
        code=1,
    )
    assert said == (
        f"Error: {fresh}/outputs/soft_labels/S1_HVC_logistic.npz is missing: `dvc pull "
        f"{fresh}/outputs/soft_labels` brings the published soft labels, `dvc repro decode` makes "
        "them\n"
    )


def test_pull_brings_the_soft_labels_alone(chain, tmp_path):
    chain.run(*dvc(), "push", "-q", "outputs/soft_labels", "data.dvc")
    fresh = tmp_path / "fresh"
    chain.run("git", "clone", "-q", str(chain.path), str(fresh))
    # The remote is a folder of the repository; here its content was never committed.
    (fresh / "store").symlink_to(chain.path / "store")
    chain.run(*dvc(), "--cd", str(fresh), "pull", "-q", "outputs/soft_labels")
    assert len(list((fresh / "outputs" / "soft_labels").glob("*.npz"))) == 20
    assert not (fresh / "outputs" / "voxels").exists()


def test_another_brain_keeps_no_student_of_the_former(chain, tmp_path):
    distill = ("distill", "--teacher", "none,smooth,brain", "--out", str(tmp_path / "students"))
    assert "6 new, 0 kept" in chain.brain_teacher(*distill)
    assert "0 new, 6 kept" in chain.brain_teacher(*distill)
    assert "6 new, 0 kept" in chain.brain_teacher(*distill, "--roi", "LOC")


def test_a_control_without_students_is_an_error(chain):
    params = yaml.safe_load((chain.path / "params.yaml").read_text())
    params["compare"]["family"].append("smooth")
    other = chain.path / "runs" / "other.yaml"
    other.parent.mkdir(exist_ok=True)
    other.write_text(yaml.safe_dump(params))
    said = chain.brain_teacher("compare", "--params", str(other), code=1)
    assert said.startswith(
        "Error: outputs/students has no students of teacher 'smooth' (it has brain, "
    )


def test_a_changed_plan_is_said(chain):
    params = yaml.safe_load((chain.path / "params.yaml").read_text())
    params["compare"]["margin"] = 0.2
    other = chain.path / "runs" / "margin.yaml"
    other.parent.mkdir(exist_ok=True)
    other.write_text(yaml.safe_dump(params))
    said = chain.brain_teacher("compare", "--params", str(other))
    assert "Exploratory: compare.margin was 0.04, is 0.2. What was planned" in said
    comparison = next((chain.path / "runs").glob("compare-*"))
    said = chain.brain_teacher("promote", "--dry-run", "--comparison", str(comparison))
    assert "Not champion: the comparison is exploratory" in said
