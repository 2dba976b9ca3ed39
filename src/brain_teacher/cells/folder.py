"""A folder with one writer, which remembers what its finished cells were made from."""

import fnmatch
import os
from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from brain_teacher.errors import BrainTeacherError, UsageError
from brain_teacher.files import PART, file_digest, remove_parts, write_json
from brain_teacher.reading.text import M, Said, parse_json, read_json, read_text, validated

STATE = ".brain-teacher"


# Of folders that are no place for results: a project's, a data set's.
MARKS = (".git", ".dvc", "MLproject", "params.yaml", "dataset.yaml")


def run_folder(command: str, out: str | Path | None = None) -> Path:
    """Where a command writes: `out`, or ``runs/<command>-<UTC time>``, never a DVC output.

    Raises
    ------
    UsageError
        If `out` is a file, or the folder of a project or a data set (`MARKS`).
    """
    folder = Path(out or Path("runs") / f"{command}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out: {folder} is no folder; choose another")
    for mark in MARKS:
        if (folder / mark).exists():
            raise UsageError(f"--out: {folder} holds {mark}: it is no place for results")
    return folder


def listed_in(index: Path, *keys: str) -> set[str]:
    """The files that a folder's own index lists, ``S1_HVC.npz``; none, where it is none.

    `keys` are those of a row of its ``cells`` that make the name.
    """
    try:
        rows = read_json(index)["cells"]
        return {f"{'_'.join(row[key] for key in keys)}.npz" for row in rows}
    except (BrainTeacherError, KeyError, TypeError):
        return set()


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
            remove_parts(self.path.rglob(f"{PART}*"))
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

    def prune(
        self, keep: Collection[str], listed: Iterable[str] = (), *, pattern: str = "*"
    ) -> None:
        """Under DVC, remove files of former settings: the output holds what this stage makes.

        Only what this program wrote goes, never what else lies there: what it remembers, and what
        the folder's own index says (`listed`, of a folder that was pulled). Names are relative to
        the folder; those to `keep` stay, and so do those unlike the `pattern`.
        """
        if not is_stage():
            return
        memories = (path.relative_to(self.state) for path in self.state.rglob("*.json"))
        written = {memory.as_posix().removesuffix(".json") for memory in memories} - {"holder"}
        for name in fnmatch.filter({*written, *listed} - set(keep), pattern):
            path = self.path / name
            # Not through a link, and not out of the folder.
            if path.parent.resolve().is_relative_to(self.path.resolve()) and path.is_file():
                path.unlink()
                self._forget(path)

    def _forget(self, path: Path) -> None:
        """Forget a file that was removed, and take its folder away if it was the last."""
        (self.state / f"{path.relative_to(self.path)}.json").unlink(missing_ok=True)
        if path.parent != self.path and not any(path.parent.iterdir()):
            path.parent.rmdir()


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
