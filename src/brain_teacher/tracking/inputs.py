"""What an MLflow run has read, by the hash that DVC gives it: MLflow's *dataset inputs*."""

import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from brain_teacher.files import regular
from brain_teacher.reading.text import read_yaml
from brain_teacher.tracking.store import code_commit, git, repository_root

# Of more bytes than this, what DVC wrote down is taken at its word.
MOST = 2**30
# Never part of what DVC counts: .dvcignore.
IGNORED = (".part-*", ".*.partial", ".*.version", "*.pyc")


@dataclass(frozen=True)
class Input:
    """A folder or file that a command reads, and as what (MLflow's *context*)."""

    path: str | Path
    context: str

    @property
    def name(self) -> str:
        """The folder's own: ``soft_labels``, say, or the data set's."""
        return Path(self.path).name


def dvc_digest(path: str | Path) -> str:
    """The hash that DVC gives a file or folder: its MD5, of a folder with ``.dir`` after it.

    Of a folder it is the MD5 of the list of its files and theirs, as JSON.
    """
    path = Path(path)
    if not path.is_dir():
        return _md5(path)
    files = (each for each in path.rglob("*") if each.is_file())
    found = {
        each.relative_to(path).parts: {
            "md5": _md5(each),
            "relpath": each.relative_to(path).as_posix(),
        }
        for each in files
        if not any(each.match(pattern) for pattern in IGNORED)
    }
    listed = json.dumps([found[parts] for parts in sorted(found)], sort_keys=True)
    return hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _md5(path: Path) -> str:
    with open(regular(path), "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def written_down(path: str | Path) -> str | None:
    """The hash that ``dvc.lock`` or ``PATH.dvc`` has of a path; None where DVC does not know it."""
    place, root = _place(path), _root()
    lock, own = root / "dvc.lock", root / f"{place}.dvc"
    stages = read_yaml(lock)["stages"].values() if lock.exists() else ()
    listed = [each for stage in stages for key in ("outs", "deps") for each in stage.get(key, ())]
    listed += [out | {"path": place} for out in read_yaml(own)["outs"]] if own.exists() else []
    return next((each.get("md5") for each in listed if each["path"] == place), None)


def _root() -> Path:
    """The repository's root, or the copy of it that a DVC experiment works in."""
    return Path.cwd() if "DVC_ROOT" in os.environ else repository_root().absolute()


def _place(path: str | Path) -> str:
    path, root = Path(path).absolute(), _root()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def described(each: Input) -> dict[str, Any] | None:
    """Name, digest, source and size of what was read, as MLflow's `Dataset` has them.

    None where there is nothing, or too much to be read again that DVC does not know.
    """
    path = Path(each.path)
    files = [f for f in path.rglob("*") if f.is_file()] if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files if file.is_file())
    if not size:
        return None
    digest = written_down(path) if size > MOST else dvc_digest(path)
    if digest is None:
        return None
    source: dict[str, str | None] = {"path": _place(path), "digest": digest}
    source |= {"repository": _address(), "commit": (code_commit() or "").removesuffix("+changes")}
    profile = {"files": len(files), "bytes": size}
    return {
        "name": each.name,
        "digest": digest,
        "source_type": "dvc",
        "source": json.dumps({key: value for key, value in source.items() if value}),
        "profile": json.dumps(profile),
    }


def _address() -> str | None:
    """Where the repository was cloned from, without anybody's password; None for a folder here."""
    try:
        origin = git("config", "--get", "remote.origin.url")
    except (OSError, subprocess.CalledProcessError):  # no git, or no such remote
        return None
    if "://" not in origin and "@" in origin:  # git@HOST:PATH
        return f"ssh://{origin.replace(':', '/', 1)}"
    parts = urlsplit(origin)
    host = parts.netloc if parts.scheme == "ssh" else parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host)) if host else None


def entities(mlflow: Any, inputs: Sequence[Input]) -> list[Any]:
    """The inputs as MLflow's client logs them; of one of which nothing is known there is none."""
    entity = mlflow.entities
    return [
        entity.DatasetInput(
            entity.Dataset(**told), [entity.InputTag("mlflow.data.context", each.context)]
        )
        for each in inputs
        if (told := described(each)) is not None
    ]
