"""Logging to MLflow while a command works."""

import getpass
import os
import sys
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from brain_teacher.errors import one_line
from brain_teacher.tracking.inputs import Input, entities
from brain_teacher.tracking.models import Card, Make, log_student_model
from brain_teacher.tracking.store import (
    MOST_NAME,
    MOST_TAG,
    NOTE,
    code_commit,
    find_looks,
    first_line,
    import_mlflow,
    prepare_store,
    within,
)

BATCH = 1000  # metrics in one call; the server's limit
Named = Mapping[str, Any]
NOTHING: Named = MappingProxyType({})


class Tracker:
    """An open MLflow run, or nothing: the first failure ends tracking, not the work."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.remedy = "the results are written all the same"
        self._lost: list[str] = []  # children that were not logged
        self.mlflow_run_id: str | None = None  # the parent's
        self._mlflow: Any = None
        self._client: Any = None
        self._experiment = self._command = ""
        self._source: dict[str, str] = {}
        self._inputs: list[Any] = []  # MLflow's, of the parent

    def start(
        self,
        command: str,
        name: str,
        tags: dict[str, str],
        inputs: Sequence[Input] = (),
        parent: str | None = None,
    ) -> None:
        """Open the parent MLflow run: the one that ``mlflow run`` gave, `parent`, or a new one."""
        # Popped: a sub-process that inherited it would write into this MLflow run.
        given = os.environ.pop("MLFLOW_RUN_ID", None) or parent
        self._command, name = command, name[:MOST_NAME]

        def begin() -> None:
            self._mlflow = import_mlflow()
            self._client = self._mlflow.MlflowClient()
            if given is not None:
                self._experiment = self._client.get_run(given).info.experiment_id
                self.mlflow_run_id = given
                for key, value in {"mlflow.runName": name, **tags}.items():
                    self._client.set_tag(given, key, value)
            else:
                self._experiment = prepare_store(self._mlflow, command)
                self.mlflow_run_id = self._new_run(name, tags)
            self._inputs = entities(self._mlflow, inputs)
            if self._inputs:
                self._client.log_inputs(self.mlflow_run_id, self._inputs)
            elif parent is not None:
                self._inputs = self._client.get_run(parent).inputs.dataset_inputs

        self._try(begin)

    def _inputs_as(self, contexts: Iterable[str]) -> list[Any]:
        """Those of the parent's inputs that were read as one of these."""
        wanted = set(contexts)
        return [each for each in self._inputs if each.tags[0].value in wanted]

    def _new_run(self, name: str, tags: Named, seconds: float = 0.0) -> str:
        """Open an MLflow run that began some seconds ago; its id."""
        if not self._source:
            self._source = {
                "mlflow.source.name": f"brain-teacher {self._command}",
                "mlflow.source.type": "LOCAL",
            }
            with suppress(KeyError, OSError):  # a container's user may have no name
                self._source["mlflow.user"] = getpass.getuser()
            if (commit := code_commit()) is not None:
                self._source["mlflow.source.git.commit"] = commit
        # Postgres refuses what is longer; of a tag that comes later the server cuts it.
        said = {key: within(str(value), MOST_TAG) for key, value in tags.items()}
        all_tags, name = said | self._source, name[:MOST_NAME]
        start = int(1000 * (time.time() - seconds))
        return self._client.create_run(
            self._experiment, start_time=start, run_name=name, tags=all_tags
        ).info.run_id

    def _try(self, action: Callable[[], Any]) -> Any:
        if self.problem is not None:
            return None
        try:
            return action()
        except Exception as error:  # noqa: BLE001 - whatever the store raises, the work goes on
            self.problem = f"{type(error).__name__}: {first_line(error)}"
            return None

    def log(
        self,
        *,
        params: Named = NOTHING,
        metrics: Named = NOTHING,
        artifacts: Iterable[Path] = (),
        note: str | None = None,
    ) -> None:
        """Log to the parent: flat params and metrics, files, and a note in Markdown."""
        if (parent := self.mlflow_run_id) is None:
            return
        self._try(lambda: self._log_batch(parent, params, metrics))
        if note is not None:
            self._try(lambda: self._client.set_tag(parent, NOTE, within(note, MOST_TAG)))
        for path in artifacts:
            self._try(lambda path=path: self._client.log_artifact(parent, str(path)))

    def child(
        self,
        name: str,
        *,
        params: Named,
        metrics: Named,
        curves: Named,
        tags: Named,
        inputs: Iterable[str] = (),
        measured_on: str | None = None,
        seconds: float = 0.0,
        failed: bool = False,
    ) -> str | None:
        """Log one whole child MLflow run in a few calls; returns its id or None.

        A curve is a list, a value an epoch (step 1 is the first), or None where there is nothing to
        log. Of the parent's inputs it has those that were read as one of `inputs`; the metrics are
        of the one that was read as `measured_on`. The work that took `seconds` ends now.
        """
        parent = self.mlflow_run_id

        def log() -> str:
            child = self._new_run(name, {**tags, "mlflow.parentRunId": str(parent)}, seconds)
            self._log_batch(child, params, metrics, curves, self._tied(measured_on))
            if mine := self._inputs_as(inputs):
                self._client.log_inputs(child, mine)
            self._client.set_terminated(child, "FAILED" if failed else "FINISHED")
            return child

        made = self._try(log) if parent is not None else None
        if made is None:
            self._lost.append(name)
        return made

    def _tied(self, context: str | None) -> Named:
        """What ties a metric to the input that was read so."""
        found = self._inputs_as([context]) if context is not None else []
        return {
            f"dataset_{key}": getattr(each.dataset, key)
            for each in found
            for key in ("name", "digest")
        }

    def _log_batch(
        self,
        mlflow_run_id: str,
        params: Named,
        metrics: Named,
        curves: Named = NOTHING,
        tied: Named = NOTHING,
    ) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        rows = [Metric(key, value, now, 0, **tied) for key, value in metrics.items()]
        for key, values in curves.items():
            steps = enumerate(values, start=1)
            rows += [Metric(key, value, now, step) for step, value in steps if value is not None]
        pairs = [Param(key, str(value)) for key, value in params.items()]
        for start in range(0, max(len(rows), 1), BATCH):
            self._client.log_batch(mlflow_run_id, rows[start : start + BATCH], pairs)
            pairs = []

    def log_student(
        self,
        fingerprint: str,
        make_model: Make,
        card: Card,
        *,
        metrics: Named = NOTHING,
        measured_on: str | None = None,
        draw: Callable[[Path], Any] = lambda _: None,
    ) -> None:
        """Log a student's network as an MLflow model on its own MLflow run, if it has one.

        The metrics are the model's, on the input that was read as `measured_on`; `draw` writes
        figures into a folder.
        """
        if self.mlflow_run_id is None:
            return

        def log() -> None:
            told = {"metrics": metrics, "tied": self._tied(measured_on), "draw": draw}
            log_student_model(self._mlflow, fingerprint, make_model, card, **told)

        self._try(log)

    def looks(self, test_images: str) -> list[str | None] | None:
        """The plan of each finished comparison on some test images; None with the store away."""
        return self._try(lambda: find_looks(self._mlflow, test_images))

    def finish(self, status: str = "FINISHED") -> None:
        """Close the parent; say on stderr what was not tracked."""
        if self.mlflow_run_id is not None:
            self._try(lambda: self._client.set_terminated(self.mlflow_run_id, status))
        if self.problem is not None:
            lost = (
                f": {len(self._lost)} MLflow runs, the first {self._lost[0]}" if self._lost else ""
            )
            words = f"not tracked in MLflow ({self.problem}){lost}; {self.remedy}"
            sys.stderr.write(f"{one_line(words)}\n")


@contextmanager
def tracked(
    command: str,
    name: str,
    *,
    tags: Named,
    params: Named,
    inputs: Sequence[Input] = (),
    parent: str | None = None,
) -> Generator[Tracker]:
    """An MLflow run around a command that reads `inputs`; FAILED if the block raises.

    It is a new one, or `parent`, whose inputs are what was read.
    """
    tracker = Tracker()
    tracker.start(command, name, {k: str(value) for k, value in tags.items()}, inputs, parent)
    tracker.log(params=params)
    try:
        yield tracker
    except BaseException:
        tracker.finish("FAILED")
        raise
    tracker.finish()


def flat(block: Named, prefix: str) -> dict[str, Any]:
    """A nested dict of settings as ``prefix.key: value``, for MLflow params."""
    out = {}
    for key, value in block.items():
        name = f"{prefix}.{key}"
        out |= flat(value, name) if isinstance(value, dict) else {name: value}
    return out
