"""MLflow, and only here. Tracking never decides: with the store away, work goes on.

One store: ``mlflow.db`` in the repository's root and ``mlartifacts/`` beside it, unless
``MLFLOW_TRACKING_URI`` says otherwise. One experiment a command. *run* alone means the scanner's
run; the other kind is always an MLflow run.
"""

from brain_teacher.tracking.models import MODEL, Registry, find_mlflow_run, log_student_model
from brain_teacher.tracking.store import import_mlflow, prepare_store, repository_root
from brain_teacher.tracking.tracker import Tracker, flat, tracked

__all__ = [
    "MODEL",
    "Registry",
    "Tracker",
    "find_mlflow_run",
    "flat",
    "import_mlflow",
    "log_student_model",
    "prepare_store",
    "repository_root",
    "tracked",
]
