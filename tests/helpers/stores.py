"""An empty MLflow store, copied: making its schema takes MLflow 2 to 3 seconds."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

CACHE = Path(__file__).parents[2] / ".pytest_cache"


def make_store(file):
    """Make `file` an MLflow store (SQLite) that was opened once, as MLflow makes it."""
    template = CACHE / f"mlflow-{version('mlflow')}.db"
    CACHE.mkdir(exist_ok=True)
    with FileLock(CACHE / "mlflow.lock"):
        if not template.exists():
            part = CACHE / "part.db"
            part.unlink(missing_ok=True)
            made = f"import mlflow; mlflow.MlflowClient('sqlite:///{part}').search_experiments()"
            subprocess.run([sys.executable, "-c", made], check=True, capture_output=True)
            part.rename(template)
    with closing(sqlite3.connect(template)) as source, closing(sqlite3.connect(file)) as target:
        source.backup(target)
