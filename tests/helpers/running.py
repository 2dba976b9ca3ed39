"""The command line in this process, in a folder of its own with a store of its own."""

from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from brain_teacher.cli import main
from helpers.stores import make_store

ROOT = Path(__file__).parents[2]


def run(*arguments, code=0):
    """Run ``brain-teacher``; gives what it says; fails unless it exits with `code`."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    return result.output


def work_in(patch, folder, store):
    """Make `folder` the working folder, and `store` (a SQLite file) the MLflow store."""
    if not store.exists():
        make_store(store)
    patch.chdir(folder)
    for name in ("DVC_ROOT", "DVC_STAGE", "MLFLOW_RUN_ID"):
        patch.delenv(name, raising=False)
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
    # Work this small takes less time than starting processes for it; clones start them.
    patch.setenv("BRAIN_TEACHER_JOBS", "1")


@contextmanager
def project(folder, change=lambda content: None):
    """Work in a new project folder, whose params.yaml is the repository's, changed.

    Yields
    ------
    MonkeyPatch
        Undone at the end.
    """
    (folder / "MLproject").touch()
    content = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    # What auto finds the faster depends on what else runs here: two runs would not be alike.
    content["distill"]["precision"] = content["decode"]["resnet1d"]["precision"] = "float32"
    change(content)
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        work_in(patch, folder, folder / "mlflow.db")
        yield patch
