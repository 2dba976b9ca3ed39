"""MLflow: a student's curves in one batch, and the summaries of many students listed.

The store is SQLite in a temporary folder, as the project's own is in the repository.
"""

import os
import tempfile
import time
from functools import partial

CURVES = ("train_loss", "validation_accuracy", "validation_nll", "learning_rate")
EPOCHS = 100


def open_store(folder):
    """A tracker with an open MLflow run in a new store, and mlflow itself."""
    place = tempfile.mkdtemp(dir=folder)
    os.environ["DVC_ROOT"] = place  # where the tracker then looks for its store
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{place}/mlflow.db"
    from brain_teacher.tracking import Tracker
    from brain_teacher.tracking.store import import_mlflow

    mlflow = import_mlflow()
    tracker = Tracker()
    tracker.start("distill", "benchmark", {})
    if tracker.problem:
        raise RuntimeError(tracker.problem)
    return tracker, mlflow


def log_student(tracker, number, epochs):
    """A student as `distill` logs it."""
    curves = {name: [1 / (1 + epoch) for epoch in range(epochs)] for name in CURVES}
    settings = {f"distill.{setting}": number for setting in range(20)}
    summary = {"test_accuracy": 0.5, "test_nll": 1.0, "test_ece": 0.1, "seconds": 9.0}
    tags = {"teacher": "brain", "seed": number, "fingerprint": f"{number:064}"}
    return tracker.child(
        f"brain {number}", params=settings, metrics=summary, curves=curves, tags=tags
    )


def curve(quick, folder, *, whole=False):
    """A student's curves: all in one call, or a call a value; or the whole student so."""
    tracker, mlflow = open_store(folder)
    epochs = 5 if quick else EPOCHS
    client, number = mlflow.MlflowClient(), iter(range(10**6))
    curves = {name: [1 / (1 + epoch) for epoch in range(epochs)] for name in CURVES}

    def one_call(mlflow_run_id):
        tracker._log_batch(mlflow_run_id, {}, {}, curves)

    def a_call_a_value(mlflow_run_id):
        for name, values in curves.items():
            for epoch, value in enumerate(values, start=1):
                client.log_metric(mlflow_run_id, name, value, step=epoch)

    def seconds(log):
        before = time.perf_counter()
        mlflow_run_id = log_student(tracker, next(number), 0)
        start = before if whole else time.perf_counter()
        log(mlflow_run_id)
        return time.perf_counter() - start

    row = "tracking-student" if whole else "tracking-curve"
    return partial(seconds, a_call_a_value), {row: partial(seconds, one_call)}


def listing(quick, folder):
    """Seconds to list 1,000 students' settings and summaries; the peer asks for one at a time."""
    tracker, mlflow = open_store(folder)
    client = mlflow.MlflowClient()
    ids = [log_student(tracker, number, 3) for number in range(20 if quick else 1000)]
    experiment = client.get_run(ids[0]).info.experiment_id
    children = f"tags.`mlflow.parentRunId` = '{tracker.mlflow_run_id}'"

    def ours():
        start = time.perf_counter()
        found = client.search_runs([experiment], children, max_results=len(ids))
        seconds = time.perf_counter() - start
        if {each.info.run_id for each in found} != set(ids):
            raise RuntimeError("the store lists other students than were logged")
        return seconds

    def peer():
        start = time.perf_counter()
        for mlflow_run_id in ids:
            client.get_run(mlflow_run_id)
        return time.perf_counter() - start

    return peer, {"tracking-listing": ours}


WORK = {
    "tracking-curve": curve,
    "tracking-student": partial(curve, whole=True),
    "tracking-listing": listing,
}
