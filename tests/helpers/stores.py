"""An empty MLflow store, copied: making its schema takes MLflow 2 to 3 seconds."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from filelock import FileLock


def make_store(file):
    """Make `file` an MLflow store (SQLite) without experiments, as MLflow makes it."""
    shared = Path(os.environ["BRAIN_TEACHER_TESTS_SHARED"])
    template = shared / "mlflow.db"
    with FileLock(shared / "mlflow.lock"):
        if not template.exists():
            part = shared / "part.db"
            command = [sys.executable, "-m", "mlflow", "db", "upgrade", f"sqlite:///{part}"]
            subprocess.run(command, check=True, capture_output=True)
            part.rename(template)
    with closing(sqlite3.connect(template)) as source, closing(sqlite3.connect(file)) as target:
        source.backup(target)
