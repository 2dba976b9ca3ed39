"""A folder with one writer, which remembers what its finished cells were made from."""

import os
import shutil
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import file_digest, write_json
from brain_teacher.reading.text import M, Said, parse_json, read_text, validated

STATE = ".brain-teacher"


def run_folder(command: str) -> Path:
    """Where a command started by hand writes: ``runs/<command>-<UTC time>``, never a DVC output."""
    return Path("runs") / f"{command}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def remove_stale(folder: str | Path, names: Collection[str], pattern: str) -> None:
    """Under DVC, remove files of former settings: the output holds what this stage makes.

    `names` are relative to `folder`, as `pattern` is.
    """
    if is_stage():
        for path in Path(folder).glob(pattern):
            if path.relative_to(folder).as_posix() not in names:
                path.unlink()


def is_stage() -> bool:
    """Whether DVC started this process as a stage."""
    return "DVC_STAGE" in os.environ


class OutputFolder:
    """A folder with one writer, which remembers what its finished cells were made from.

    The memory and the lock lie beside the folder, in ``.brain-teacher/<name>``, so that the folder
    itself (a DVC output) holds nothing that differs from run to run.
    """

    def __init__(self, path: str | Path, say: Callable[[str], None] = print) -> None:
        self.path = Path(path)
        whole = Path(os.path.abspath(path))  # "." has no name of its own
        self.state = whole.parent / STATE / whole.name
        self._say = say

    @contextmanager
    def locked(self) -> Generator[Self]:
        """Hold the folder's lock, which dies with this process.

        A DVC stage waits for another writer, since a killed DVC leaves its stage alive; a command
        started by hand fails at once. Both say who holds the lock.
        """
        from filelock import FileLock, Timeout

        self.state.mkdir(parents=True, exist_ok=True)
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.state / "lock")
        holder = self.state / "holder.json"
        try:
            lock.acquire(timeout=0)
        except Timeout:
            known = _read(holder, _Holder)
            who = f"process {known.pid} (since {known.since})" if known else "another process"
            if not is_stage():
                raise BrainTeacherError(
                    f"{self.path} is being written by {who}; wait for it, or choose another --out"
                ) from None
            self._say(f"waiting for {who}, which still writes {self.path}")
            lock.acquire()
        try:
            write_json(holder, {"pid": os.getpid(), "since": f"{datetime.now(UTC):%H:%M:%S} UTC"})
            for leftover in self.path.rglob(".part-*"):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            yield self
        finally:
            holder.unlink(missing_ok=True)
            lock.release()

    def is_kept(self, cell: str, made_from: Any) -> bool:
        """Whether `cell` (a file name) is whole and was made from exactly `made_from`."""
        known, path = _read(self.state / f"{cell}.json", _Memory), self.path / cell
        return (
            known is not None
            and known.made_from == made_from
            and path.is_file()
            and known.sha256 == file_digest(path)
        )

    def remember(self, cell: str, made_from: Any) -> None:
        """Note that `cell`, just written, was made from `made_from`."""
        known = {"made_from": made_from, "sha256": file_digest(self.path / cell)}
        write_json(self.state / f"{cell}.json", known)


class _Holder(Said):
    """Who holds the lock."""

    pid: int
    since: str


class _Memory(Said):
    """What a finished cell was made from."""

    made_from: Any
    sha256: str


def _read(path: Path, model: type[M]) -> M | None:
    """What a file of the state says; None where it is missing, broken or of another shape."""
    try:
        return validated(model, parse_json(read_text(path)))
    except (OSError, ValueError):
        return None
