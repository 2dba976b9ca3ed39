"""MLflow, and only here. Tracking never decides: with the store away, work goes on.

One store: ``mlflow.db`` in the repository's root and ``mlartifacts/`` beside it, unless
``MLFLOW_TRACKING_URI`` says otherwise. One experiment a command. *run* alone means the scanner's
run; the other kind is always an MLflow run.
"""

from brain_teacher.tracking.inputs import Input, dvc_digest
from brain_teacher.tracking.missing import find_untracked
from brain_teacher.tracking.registry import MODEL, Registry, Version
from brain_teacher.tracking.store import code_commit
from brain_teacher.tracking.tracker import Tracker, flat, tracked

__all__ = [
    "MODEL",
    "Input",
    "Registry",
    "Tracker",
    "Version",
    "code_commit",
    "dvc_digest",
    "find_untracked",
    "flat",
    "tracked",
]
