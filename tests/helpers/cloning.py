"""A temporary clone with a tiny simulated data set, real DVC and a real MLflow SQLite store."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from helpers.stores import make_store

ROOT = Path(__file__).parents[2]


class Clone:
    """A repository in a temporary folder, and how to run commands in it."""

    def __init__(self, path):
        self.path = path
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_"))}
        self.env |= {
            # The clone's code, under the names that DVC's stages and mlflow's entry points call.
            "PYTHONPATH": str(path / "src"),
            "PATH": f"{Path(sys.executable).parent}:{self.env['PATH']}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DVC_SITE_CACHE_DIR": str(path.parent / "dvc-site-cache"),
        }

    def run(self, *command, code=0, timeout=1800, **env):
        """Run a command; returns stdout + stderr; fails unless it exits with `code`."""
        done = subprocess.run(
            command,
            check=False,
            cwd=self.path,
            env=self.env | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == code, f"{command} exited {done.returncode}:\n{done.stdout}"
        return done.stdout

    def brain_teacher(self, *arguments, code=0, **env):
        """Run ``brain-teacher`` of the clone."""
        return self.run(sys.executable, "-m", "brain_teacher", *arguments, code=code, **env)

    def start(self, *command, log):
        """Start a command in a process group of its own, writing to a log file."""
        with open(log, "w") as file:
            return subprocess.Popen(
                command,
                cwd=self.path,
                env=self.env,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def change_params(self, **blocks):
        """Change keys of params.yaml, block by block."""
        file = self.path / "params.yaml"
        content = yaml.safe_load(file.read_text())
        for block, values in blocks.items():
            content[block] |= values
        file.write_text(yaml.safe_dump(content, sort_keys=False))


def make_clone(path, **params):
    """Copy what git would clone, and put a tiny simulated data set in the sample's place."""
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, files):
        wanted = not name.startswith(("store/", "tests/", "outputs/")) and name != "dvc.lock"
        if wanted and (ROOT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, path / name)
    make_store(path / "mlflow.db")
    clone = Clone(path)
    small = {"epochs": 2, "seeds": 2, "image_size": 12, "width": 8, "precision": "float32"}
    clone.change_params(distill=small | params)
    clone.brain_teacher(
        *("simulate", "--out", "data/sample", "--subjects", "2", "--categories", "4"),
        *("--shown", "4", "--unseen", "8", "--voxels", "60", "--image-size", "12", "--seed", "1"),
    )
    for command in (
        ["git", "init", "-q", "-b", "main"],
        ["git", "config", "user.name", "a"],
        ["git", "config", "user.email", "a@b"],
        [*dvc(), "commit", "-q", "-f", "data.dvc"],
        ["git", "add", "-A"],
        ["git", "commit", "-qm", "a clone"],
    ):
        clone.run(*command)
    return clone


def dvc():
    """How DVC is called."""
    return (sys.executable, "-m", "dvc")
