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
NOTE = "mlflow.note.content"  # Markdown, which the UI shows above a run or an experiment
MOST_TAG = 8000  # characters; Postgres holds a run's tag to it, SQLite does not
# Of an experiment: how to read it, and the metric that the UI puts first.
NOTES = {
    "preprocess": ("Recordings cut to voxels, by subject and ROI.", None),
    "decode": (
        "Voxels to out-of-fold soft labels. `top1/ROI` is the mean over subjects of the share of "
        "images whose class the decoder names first; every cell stands in `metrics.json`.",
        "top1",
    ),
    "controls": ("What the decoder gives without a brain's help: at chance, all is well.", None),
    "rivals": ("The deep teacher of ordinary distillation, on the students' own images.", "top1"),
    "distill": (
        "A parent is a call of `distill`, a child a student. Open a parent's children and group "
        "them by `teacher`. Validation images choose, test images report; what the difference "
        "between teachers means says the experiment `compare`, not two means side by side. "
        "`dataset.digest` is DVC's hash of what a student learnt from (docs/mlflow.md).",
        "test_accuracy",
    ),
    "search": ("Pilot students, which choose recipes on validation images.", "validation_accuracy"),
    "explore": ("Every subject and ROI as the teacher. Exploratory.", "test_accuracy"),
    "compare": (
        "Students to a verdict, which stands in each run's note and tags. More than one run with "
        "the same `test_images` is more than one look at them.",
        None,
    ),
    "promote": ("Students that the registry had to log again.", None),
    "dissect": ("Students of parts of the soft labels. Exploratory.", "test_accuracy"),
    "multiverse": ("Other reasonable plans than the one that was fixed. Exploratory.", None),
    "outcomes": ("The same students by every other outcome. Exploratory.", None),
    "report": ("What the stages left, on one page, with a methods text.", None),
}


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
    _register_source()
    return mlflow


def _register_source() -> None:
    """Make sources of type ``dvc`` known, also where the package's entry points are not."""
    from mlflow.data.dataset_source_registry import _dataset_source_registry as known

    from brain_teacher.tracking.dvc_source import DvcSource

    if DvcSource not in known.sources:
        known.register(DvcSource)  # ty: ignore[invalid-argument-type] - it takes the class


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
        known, tags = client.get_experiment_by_name(experiment), _experiment_tags(experiment)
        if known is not None:
            for key in tags.keys() - known.tags.keys():  # what a person wrote there stays
                client.set_experiment_tag(known.experiment_id, key, tags[key])
            return known.experiment_id
        local = mlflow.get_tracking_uri().startswith("sqlite")
        # Absolute: a relative artifact location breaks under another working directory.
        location = (root.absolute() / "mlartifacts").as_uri() if local else None
        try:
            return client.create_experiment(experiment, artifact_location=location, tags=tags)
        except mlflow.exceptions.MlflowException as error:
            # Of a lab's server another clone, whose lock is another, may have been faster.
            known = client.get_experiment_by_name(experiment)
            if error.error_code != ALREADY_THERE or known is None:
                raise
            return known.experiment_id


def _experiment_tags(experiment: str) -> dict[str, str]:
    note, metric = NOTES.get(experiment, (None, None))
    tags = EXPERIMENT_TAGS | ({NOTE: note} if note else {})
    if metric is not None:
        primary = "mlflow.experiment.primaryMetric"
        tags |= {f"{primary}.name": metric, f"{primary}.greaterIsBetter": "True"}
    return tags


def within(text: str, most: int) -> str:
    """A text in so many characters, and dots where it was cut."""
    return text if len(text) <= most else f"{text[: most - 4]} ..."


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
        commit = git("rev-parse", "HEAD")
        return commit + ("+changes" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def git(*arguments: str) -> str:
    """What git says in the repository."""
    return subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=True, cwd=repository_root()
    ).stdout.strip()


def first_line(error: Exception) -> str:
    """What the store says of a failure, of which it may say pages."""
    return (str(error).splitlines() or [""])[0][:200]
