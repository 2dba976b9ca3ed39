"""Where the MLflow store is, and how it is opened."""

import logging
import os
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ALREADY_THERE = "RESOURCE_ALREADY_EXISTS"
# Characters; Postgres holds a run's name to it, SQLite does not.
MOST_NAME = 250
# The UI then shows the experiment as model training, not as an application of language models.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}


def repository_root() -> Path:
    """DVC_ROOT under a stage or an experiment, else the nearest folder above with an MLproject."""
    if "DVC_ROOT" in os.environ:
        return Path(os.environ["DVC_ROOT"])
    here = Path.cwd()
    return next(
        (folder for folder in (here, *here.parents) if (folder / "MLproject").exists()), here
    )


def store_address() -> str:
    """What ``MLFLOW_TRACKING_URI`` says, or the repository's own."""
    own = f"sqlite:///{repository_root().absolute() / 'mlflow.db'}"
    return os.environ.get("MLFLOW_TRACKING_URI", own)


def import_mlflow() -> Any:
    """Import mlflow, pointed at the store, with telemetry off unless a person turned it on.

    Raises what a database says that cannot be opened.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # A server that is away must not hold up the work for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ["MLFLOW_TRACKING_URI"] = address = store_address()
    if urlsplit(address).scheme in ("", "file"):
        # Whoever names a folder means it; MLflow would refuse, since it develops databases alone.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    import mlflow

    for name in ("alembic", "mlflow.tracking", "mlflow.utils.environment"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # It writes the traceback of what it raises, which is told in a line.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    _check_opens(address)
    return mlflow


def _check_opens(address: str) -> None:
    """Raise at once what a database says that cannot be opened: mlflow would try for minutes."""
    from mlflow.store.db.db_types import DATABASE_ENGINES
    from mlflow.store.db.utils import create_sqlalchemy_engine

    if address.partition(":")[0].partition("+")[0] in DATABASE_ENGINES:
        engine = create_sqlalchemy_engine(address)
        try:
            with engine.connect() as connection:
                engine.dialect.has_table(connection, "experiments")
        finally:
            engine.dispose()


def prepare_store(mlflow: Any, experiment: str) -> str:
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
        try:
            return client.create_experiment(
                experiment, artifact_location=location, tags=EXPERIMENT_TAGS
            )
        except mlflow.exceptions.MlflowException as error:
            # Of a lab's server another clone, whose lock is another, may have been faster.
            known = client.get_experiment_by_name(experiment)
            if error.error_code != ALREADY_THERE or known is None:
                raise
            return known.experiment_id


def find_looks(mlflow: Any, test_images: str) -> list[str | None]:
    """The plan of each finished comparison on some test images; raises what the store raises.

    ``compare`` puts both on its MLflow runs, as tags: a digest of the images' ids, and the plan's.
    """
    found = mlflow.search_runs(
        search_all_experiments=True,
        filter_string=f"tags.test_images = '{test_images}' and status = 'FINISHED'",
        output_format="list",
    )
    return [each.data.tags.get("plan") for each in found]


def code_commit() -> str | None:
    """The commit of the code, with ``+changes`` where the tree differs; None outside git."""
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("+changes" if _git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=True, cwd=repository_root()
    ).stdout.strip()


def first_line(error: Exception) -> str:
    """What the store says of a failure, of which it may say pages."""
    return (str(error).splitlines() or [""])[0][:200]
