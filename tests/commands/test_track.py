"""``track``: what was trained while MLflow's store was away comes in once, and only once."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.folder import TABLE, WEIGHTS
from brain_teacher.chain.students.names import write_names
from brain_teacher.commands.track import PILOT, track
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import write_text
from brain_teacher.tracking import store, tracked
from helpers.answers import make_answers, write_answers
from helpers.stores import make_store

PLAN = {"distill.epochs": 3, "data": None}


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A store of its own, and a client to it."""
    make_store(tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    return store.import_mlflow().MlflowClient()


@pytest.fixture
def students(tmp_path):
    """Four students, one diverged, without weights, as ``distill`` leaves them."""
    folder = tmp_path / "students"
    for teacher in ("brain", "none"):
        for seed in (0, 1):
            lost = (teacher, seed) == ("none", 1)
            write_answers(folder, make_answers(teacher, seed, plan=PLAN, diverged=lost))
    rows = ["teacher,seed,validation_accuracy", "brain,0,0.5", "brain,1,0.7", "none,0,0.25"]
    write_text(folder / TABLE, "\n".join([*rows, "none,1,"]) + "\n")
    return folder


def runs_of(client, experiment="distill"):
    known = client.get_experiment_by_name(experiment)
    return client.search_runs([known.experiment_id]) if known else []


def tell(folder, tracker, name):
    student_folder.tell(tracker, folder, name, {"dataset": "toy"})


def said(folder):
    lines = []
    track(students=folder, say=lines.append)
    return "\n".join(lines)


def test_what_was_not_tracked_comes_in_once(lab, students):
    assert said(students) == "track: 4 of 4 students brought in, 0 were known already"
    runs = {run.info.run_name: run for run in runs_of(lab)}
    assert set(runs) == {
        "toy HVC (simulated)", "brain seed 0", "brain seed 1", "none seed 0", "none seed 1",
    }  # fmt: skip
    parent = runs.pop("toy HVC (simulated)")
    assert parent.info.status == "FINISHED" and parent.data.tags["dataset"] == "toy"
    assert parent.data.metrics == {
        "validation_accuracy/brain": pytest.approx(0.6), "validation_accuracy/none": 0.25,
    }  # fmt: skip
    assert [file.path for file in lab.list_artifacts(parent.info.run_id)] == [TABLE]
    for run in runs.values():
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert runs["none seed 1"].info.status == "FAILED"
    one, answers = runs["brain seed 1"], student_folder.read(students, "brain_1")
    assert one.data.metrics["test_accuracy"] == pytest.approx(answers.accuracy("test"))
    assert one.data.params["epochs"] == "3"
    history = lab.get_metric_history(one.info.run_id, "epoch/train_loss")
    assert [point.value for point in history] == [3.0, 2.0, 1.0]
    # Never twice.
    assert said(students) == "track: 0 of 4 students brought in, 4 were known already"
    assert len(runs_of(lab)) == 5


def test_it_goes_on_where_tracking_broke_off(lab, students):
    # The server was killed: one student is whole, one half, and the parent is open for ever.
    tags = {"fingerprint": student_folder.digest(students, "brain_1")}
    with pytest.raises(SystemExit), tracked("distill", "x", tags={}, params={}) as tracker:
        tell(students, tracker, "brain_0")
        half = tracker.child("half", params={}, metrics={}, curves={}, tags=tags)
        lab.update_run(half, status="RUNNING")
        parent = tracker.mlflow_run_id
        raise SystemExit
    lab.update_run(parent, status="RUNNING")
    assert said(students) == "track: 3 of 4 students brought in, 1 were known already"
    runs = runs_of(lab)
    assert lab.get_run(parent).info.status == "FINISHED"
    assert lab.get_run(half).info.status == "KILLED"
    assert "fingerprint" not in lab.get_run(half).data.tags
    children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent]
    assert len(children) == len(runs) - 1 == 5


@pytest.mark.parametrize(("seed", "experiment"), [(0, "distill"), (PILOT, "search")])
def test_the_best_students_become_models_but_pilots_do_not(
    seed, experiment, lab, tmp_path, monkeypatch
):
    from brain_teacher.networks.classifiers import build_network

    folder = tmp_path / "students"
    for teacher in ("brain", "none"):
        place = write_answers(folder, make_answers(teacher, seed, plan=PLAN))
        network = build_network(n_classes=8, width=16, image_size=12, seed=1)
        weights = {k: np.ascontiguousarray(v) for k, v in network.state_dict().items()}
        save_file(weights, place / WEIGHTS)
    write_names(folder, {"c0": "disc", "c9": "another"})
    for _ in range(2):
        said(folder)
    known = lab.get_experiment_by_name(experiment)
    models = lab.search_logged_models([known.experiment_id])
    assert len(models) == (2 if experiment == "distill" else 0)
    for model in models:
        place = model.artifact_location.removeprefix("file://")
        told = store.import_mlflow().models.get_model_info(place).metadata
        assert told["class_name"] == {"c0": "disc"}


def test_students_of_several_brains_are_an_exploration(lab, tmp_path):
    for roi in ("V1", "HVC"):
        answers = make_answers("brain", 0, plan=PLAN, roi=roi)
        write_answers(tmp_path / "students", answers, f"brain_{roi}_0")
    said(tmp_path / "students")
    (parent,) = [r for r in runs_of(lab, "explore") if "mlflow.parentRunId" not in r.data.tags]
    assert parent.info.run_name == "toy  (simulated)" and "roi" not in parent.data.tags


def test_with_the_store_away_it_fails_in_a_line(students, monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(BrainTeacherError, match=r"^the MLflow store cannot be reached \(API requ"):
        track(students=students, say=print)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda place: None, "is no folder: give one that `distill` wrote"),
        (lambda place: place.mkdir(), "holds no students: run `dvc repro distill`"),
    ],
)
def test_what_holds_no_students_is_said(make, said, tmp_path):
    make(tmp_path / "there")
    with pytest.raises(BrainTeacherError, match=said):
        track(students=tmp_path / "there", say=print)
