"""MLflow, and only here. Tracking never decides: with the store away, work goes on.

One store: ``mlflow.db`` in the repository's root and ``mlartifacts/`` beside it, unless
``MLFLOW_TRACKING_URI`` says otherwise. One experiment a command. *run* alone means the scanner's
run; the other kind is always an MLflow run.
"""

import logging
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from brain_teacher.errors import BrainTeacherError

MODEL = "brain-teacher-student"
BATCH = 1000  # metrics in one call; the server's limit


def repository_root():
    """DVC_ROOT under a stage or an experiment, else the nearest folder above with an MLproject."""
    if "DVC_ROOT" in os.environ:
        return Path(os.environ["DVC_ROOT"])
    here = Path.cwd()
    return next(
        (folder for folder in (here, *here.parents) if (folder / "MLproject").exists()), here
    )


def import_mlflow():
    """Import mlflow, pointed at the store, with telemetry off unless a person turned it on."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # A server that is away must not hold up the work for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault(
        "MLFLOW_TRACKING_URI", f"sqlite:///{repository_root().absolute() / 'mlflow.db'}"
    )
    import mlflow

    for name in ("alembic", "mlflow.store.db.utils", "mlflow.tracking", "mlflow.utils.environment"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # Its check of the input example knows lists and tables, but not this flavour's arrays.
    logging.getLogger("mlflow.models.model").setLevel(logging.ERROR)
    return mlflow


def prepare_store(mlflow, experiment):
    """Make the schema and the experiment, one process at a time; returns the experiment's id."""
    from filelock import FileLock

    root = repository_root()
    # Making the schema is not parallel-safe, and neither is making an experiment.
    with FileLock(root / ".mlflow.lock"):
        client = mlflow.MlflowClient()
        known = client.get_experiment_by_name(experiment)
        if known is not None:
            return known.experiment_id
        local = mlflow.get_tracking_uri().startswith("sqlite")
        # Absolute: a relative artifact location breaks under another working directory.
        location = (root.absolute() / "mlartifacts").as_uri() if local else None
        return client.create_experiment(experiment, artifact_location=location)


class Tracker:
    """An open MLflow run, or nothing: the first failure ends tracking, not the work."""

    def __init__(self):
        self.problem = None
        self._mlflow = self._client = self._run = self._experiment = None

    @property
    def mlflow_run_id(self):
        """The parent's MLflow run, or None."""
        return self._run.info.run_id if self._run else None

    def start(self, command, name, tags):
        """Open the parent MLflow run: the one that ``mlflow run`` gave, or a new one."""
        # Popped: a sub-process that inherited it would write into this MLflow run.
        given = os.environ.pop("MLFLOW_RUN_ID", None)

        def begin():
            self._mlflow = import_mlflow()
            self._client = self._mlflow.MlflowClient()
            if given:
                self._run = self._client.get_run(given)
                self._experiment = self._run.info.experiment_id
                self._client.set_tag(given, "mlflow.runName", name)
                for key, value in tags.items():
                    self._client.set_tag(given, key, value)
            else:
                self._experiment = prepare_store(self._mlflow, command)
                self._run = self._client.create_run(
                    self._experiment, run_name=name, tags=self._with_source(tags)
                )

        self._try(begin)

    def _with_source(self, tags):
        commit = code_commit()
        return tags | ({"mlflow.source.git.commit": commit} if commit else {})

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
        if self._run is None:
            return
        run_id = self._run.info.run_id
        self._try(lambda: self._log_batch(run_id, params or {}, metrics or {}))
        for path in artifacts:
            self._try(lambda path=path: self._client.log_artifact(run_id, str(path)))

    def child(self, name, *, params, metrics, curves, tags, failed=False):
        """Log one whole child MLflow run in a few calls; returns its id or None.

        Parameters
        ----------
        curves : dict of str to list of float
            Per-epoch values; step 1 is the first epoch.
        """
        if self._run is None:
            return None

        def log():
            tags_ = {key: str(value) for key, value in tags.items()}
            tags_ = self._with_source(tags_) | {"mlflow.parentRunId": self._run.info.run_id}
            run = self._client.create_run(self._experiment, run_name=name, tags=tags_)
            self._log_batch(run.info.run_id, params, metrics, curves)
            status = "FAILED" if failed else "FINISHED"
            self._client.set_terminated(run.info.run_id, status)
            return run.info.run_id

        return self._try(log)

    def _log_batch(self, run_id, params, metrics, curves=None):
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        rows = [Metric(key, value, now, 0) for key, value in metrics.items()]
        for key, values in (curves or {}).items():
            rows += [Metric(key, value, now, step) for step, value in enumerate(values, start=1)]
        pairs = [Param(key, str(value)) for key, value in params.items()]
        for start in range(0, max(len(rows), 1), BATCH):
            self._client.log_batch(run_id, rows[start : start + BATCH], pairs)
            pairs = []

    def log_student(self, fingerprint, make_model, card):
        """Log a student's network as an MLflow model on its own MLflow run, if it has one."""
        if self._run is not None:
            self._try(lambda: log_student_model(self._mlflow, fingerprint, make_model, card))

    def finish(self, status="FINISHED"):
        """Close the parent; say on stderr what was not tracked."""
        if self._run is not None:
            self._try(lambda: self._client.set_terminated(self._run.info.run_id, status))
        if self.problem is not None:
            print(
                f"not tracked in MLflow ({self.problem}); the results are written all the same",
                file=sys.stderr,
            )


def find_mlflow_run(mlflow, fingerprint):
    """The latest MLflow run of the student with this fingerprint, or None."""
    client = mlflow.MlflowClient()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.fingerprint = '{fingerprint}'", max_results=1)
    return runs[0] if runs else None


def log_student_model(mlflow, fingerprint, make_model, card):
    """Log a network on its student's MLflow run, unless it is there; returns the model's URI.

    Parameters
    ----------
    make_model : callable
        Gives the torch module; called only where the store lacks the model.
    card : dict
        Metadata: ``class_id``, ``image_size`` and where the student comes from.

    Returns
    -------
    str or None
        None where the store does not know the student.
    """
    run = find_mlflow_run(mlflow, fingerprint)
    if run is None:
        return None
    client = mlflow.MlflowClient()
    logged = client.search_logged_models(
        [run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"
    )
    if logged:
        return logged[0].model_uri
    import numpy as np
    import torch
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    size, n_classes = card["image_size"], len(card["class_id"])
    pixels = TensorSpec(np.dtype(np.float32), (-1, 3, size, size), "pixels from 0 to 255")
    answer = TensorSpec(np.dtype(np.float32), (-1, n_classes), "log-probabilities")
    # The default format, an exported graph (pt2): no pickle, and no source needed to load it.
    with mlflow.start_run(run_id=run.info.run_id):
        info = mlflow.pytorch.log_model(
            make_model(),
            name="student",
            input_example=np.full((2, 3, size, size), 128, dtype=np.float32),
            signature=ModelSignature(Schema([pixels]), Schema([answer])),
            pip_requirements=[f"torch=={torch.__version__.split('+')[0]}"],
            metadata=card,
        )
    return info.model_uri


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


class Registry:
    """The registered model's versions and aliases. Its failures are errors: it is the output."""

    def __init__(self):
        try:
            self._mlflow = import_mlflow()
            self._client = self._mlflow.MlflowClient()
            self._experiment = prepare_store(self._mlflow, "promote")
        except Exception as error:  # whatever the store raises
            raise self._away(error) from error

    @staticmethod
    def _away(error):
        first_line = (str(error).splitlines() or [""])[0]
        return BrainTeacherError(f"the MLflow registry cannot be reached ({first_line[:200]})")

    def find_version(self, fingerprint):
        """The version of the student with this fingerprint, or None; loads no torch."""
        found = self._client.search_model_versions(
            f"name='{MODEL}' and tags.fingerprint='{fingerprint}'"
        )
        return found[0].version if found else None

    def student_model(self, fingerprint, name, make_model, card):
        """The URI of the student's MLflow model; logged again where the store lacks it."""
        uri = log_student_model(self._mlflow, fingerprint, make_model, card)
        if uri is None:
            tags = {"fingerprint": fingerprint}
            run = self._client.create_run(self._experiment, run_name=name, tags=tags)
            self._client.set_terminated(run.info.run_id)
            uri = log_student_model(self._mlflow, fingerprint, make_model, card)
        return uri

    def register(self, uri, tags):
        """Make a version of a logged model."""
        return self._mlflow.register_model(uri, MODEL, tags=tags).version

    def describe(self, version, card, tags):
        """Put the model card and tags on a version."""
        self._client.update_model_version(MODEL, str(version), card)
        for key, value in tags.items():
            self._client.set_model_version_tag(MODEL, str(version), key, str(value))

    def alias(self, alias):
        """The version behind an alias, as text, or None."""
        model = self._client.get_registered_model(MODEL)
        version = model.aliases.get(alias)
        return None if version is None else str(version)

    def set_alias(self, alias, version):
        """Point an alias at a version."""
        self._client.set_registered_model_alias(MODEL, alias, str(version))

    def remove_alias(self, alias):
        """Take an alias away."""
        self._client.delete_registered_model_alias(MODEL, alias)


def flat(block, prefix):
    """A nested dict of settings as ``prefix.key: value``, for MLflow params."""
    out = {}
    for key, value in block.items():
        name = f"{prefix}.{key}"
        out |= flat(value, name) if isinstance(value, dict) else {name: value}
    return out


def code_commit():
    """The commit of the code, with ``+changes`` where the tree differs; None outside git."""
    try:
        kept = {"capture_output": True, "text": True, "check": True, "cwd": repository_root()}
        commit = subprocess.run(["git", "rev-parse", "HEAD"], **kept).stdout.strip()
        changed = subprocess.run(["git", "status", "--porcelain", "-uno"], **kept).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+changes" if changed else "")
