"""Logging to MLflow while a command works."""

import getpass
import os
import sys
import time
from contextlib import contextmanager, suppress

from brain_teacher.tracking.models import log_student_model
from brain_teacher.tracking.store import code_commit, import_mlflow, prepare_store

BATCH = 1000  # metrics in one call; the server's limit


class Tracker:
    """An open MLflow run, or nothing: the first failure ends tracking, not the work."""

    def __init__(self):
        self.problem = None
        self._mlflow = self._client = self._mlflow_run = self._experiment = None
        self._command = self._source = None

    @property
    def mlflow_run_id(self):
        """The parent's MLflow run, or None."""
        return self._mlflow_run.info.run_id if self._mlflow_run else None

    def start(self, command, name, tags):
        """Open the parent MLflow run: the one that ``mlflow run`` gave, or a new one."""
        # Popped: a sub-process that inherited it would write into this MLflow run.
        given = os.environ.pop("MLFLOW_RUN_ID", None)
        self._command = command

        def begin():
            self._mlflow = import_mlflow()
            self._client = self._mlflow.MlflowClient()
            if given is not None:
                self._mlflow_run = self._client.get_run(given)
                self._experiment = self._mlflow_run.info.experiment_id
                self._client.set_tag(given, "mlflow.runName", name)
                for key, value in tags.items():
                    self._client.set_tag(given, key, value)
            else:
                self._experiment = prepare_store(self._mlflow, command)
                self._mlflow_run = self._client.create_run(
                    self._experiment, run_name=name, tags=self._with_source(tags)
                )

        self._try(begin)

    def _with_source(self, tags):
        if self._source is None:
            self._source = {
                "mlflow.source.name": f"brain-teacher {self._command}",
                "mlflow.source.type": "LOCAL",
            }
            with suppress(KeyError, OSError):  # a container's user may have no name
                self._source["mlflow.user"] = getpass.getuser()
            if (commit := code_commit()) is not None:
                self._source["mlflow.source.git.commit"] = commit
        return tags | self._source

    def _try(self, action):
        if self.problem is not None:
            return None
        try:
            return action()
        except Exception as error:  # whatever the store raises, the work goes on
            first_line = (str(error).splitlines() or [""])[0]
            self.problem = f"{type(error).__name__}: {first_line[:200]}"
            return None

    def log(self, *, params=None, metrics=None, artifacts=()):
        """Log to the parent: flat params and metrics, and files."""
        if self._mlflow_run is None:
            return
        mlflow_run_id = self._mlflow_run.info.run_id
        self._try(lambda: self._log_batch(mlflow_run_id, params or {}, metrics or {}))
        for path in artifacts:
            self._try(lambda path=path: self._client.log_artifact(mlflow_run_id, str(path)))

    def child(self, name, *, params, metrics, curves, tags, seconds=0.0, failed=False):
        """Log one whole child MLflow run in a few calls; returns its id or None.

        Parameters
        ----------
        curves : dict of str to list of float or None
            Per-epoch values; step 1 is the first epoch. None: nothing to log.
        seconds : float
            How long the work took that ends now.
        """
        if self._mlflow_run is None:
            return None

        def log():
            tags_ = {key: str(value) for key, value in tags.items()}
            tags_ = self._with_source(tags_) | {"mlflow.parentRunId": self._mlflow_run.info.run_id}
            start = int(1000 * (time.time() - seconds))
            mlflow_run = self._client.create_run(
                self._experiment, start_time=start, run_name=name, tags=tags_
            )
            self._log_batch(mlflow_run.info.run_id, params, metrics, curves)
            status = "FAILED" if failed else "FINISHED"
            self._client.set_terminated(mlflow_run.info.run_id, status)
            return mlflow_run.info.run_id

        return self._try(log)

    def _log_batch(self, mlflow_run_id, params, metrics, curves=None):
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        rows = [Metric(key, value, now, 0) for key, value in metrics.items()]
        for key, values in (curves or {}).items():
            steps = enumerate(values, start=1)
            rows += [Metric(key, value, now, step) for step, value in steps if value is not None]
        pairs = [Param(key, str(value)) for key, value in params.items()]
        for start in range(0, max(len(rows), 1), BATCH):
            self._client.log_batch(mlflow_run_id, rows[start : start + BATCH], pairs)
            pairs = []

    def log_student(self, fingerprint, make_model, card):
        """Log a student's network as an MLflow model on its own MLflow run, if it has one."""
        if self._mlflow_run is not None:
            self._try(lambda: log_student_model(self._mlflow, fingerprint, make_model, card))

    def finish(self, status="FINISHED"):
        """Close the parent; say on stderr what was not tracked."""
        if self._mlflow_run is not None:
            self._try(lambda: self._client.set_terminated(self._mlflow_run.info.run_id, status))
        if self.problem is not None:
            print(
                f"not tracked in MLflow ({self.problem}); the results are written all the same",
                file=sys.stderr,
            )


@contextmanager
def tracked(command, name, *, tags, params):
    """An MLflow run around a command; FAILED if the block raises."""
    tracker = Tracker()
    tracker.start(command, name, {key: str(value) for key, value in tags.items()})
    tracker.log(params=params)
    try:
        yield tracker
    except BaseException:
        tracker.finish("FAILED")
        raise
    tracker.finish()


def flat(block, prefix):
    """A nested dict of settings as ``prefix.key: value``, for MLflow params."""
    out = {}
    for key, value in block.items():
        name = f"{prefix}.{key}"
        out |= flat(value, name) if isinstance(value, dict) else {name: value}
    return out
