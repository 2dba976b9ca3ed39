"""Safe writing: whole files or none, one writer a folder, finished cells kept."""

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from brain_teacher.errors import BrainTeacherError, UsageError

STATE = ".brain-teacher"


@contextmanager
def atomic_write(path):
    """Give a temporary path beside `path`; rename it there when the block ends without error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The ending stays last: bdpy and numpy look at it.
    descriptor, name = tempfile.mkstemp(prefix=".part-", suffix=path.suffix, dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path):
    """Give a temporary folder beside `path`; rename it there when the block ends without error.

    Raises
    ------
    UsageError
        If `path` exists and is not an empty folder: nothing is ever overwritten.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path} exists already; choose another folder with --out, or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".part-", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(path, content):
    """Write `content` as JSON, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", "utf-8")


def read_json(path):
    """Read a JSON file; a file that is none is a failure that names it."""
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError:
        raise BrainTeacherError(f"{path} is missing") from None
    except (OSError, ValueError) as error:
        raise BrainTeacherError(f"{path} cannot be read as JSON ({error})") from error


def write_npz(path, **arrays):
    """Write arrays as ``.npz``, whole or not at all; the same arrays give the same bytes."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def file_digest(path):
    """SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(*values):
    """SHA-256 over arrays (dtype, shape, bytes) and anything that JSON can hold."""
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype.str}{value.shape}".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            digest.update(json.dumps(value, sort_keys=True).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def source_fingerprint(places):
    """SHA-256 over the Python files of `places`, folders or files of this package."""
    package = Path(__file__).parent
    files = []
    for place in places:
        path = package / place
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return fingerprint([[str(f.relative_to(package)), file_digest(f)] for f in files])


def run_folder(command):
    """Where a command started by hand writes: ``runs/<command>-<UTC time>``, never a DVC output."""
    return Path("runs") / f"{command}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def remove_stale(folder, names, pattern):
    """Under DVC, remove files of former settings: the output holds what this stage makes.

    `names` are relative to `folder`, as `pattern` is.
    """
    if is_stage():
        for path in Path(folder).glob(pattern):
            if path.relative_to(folder).as_posix() not in names:
                path.unlink()


def is_stage():
    """Whether DVC started this process as a stage."""
    return "DVC_STAGE" in os.environ


class OutputFolder:
    """A folder with one writer, which remembers what its finished cells were made from.

    The memory and the lock lie beside the folder, in ``.brain-teacher/<name>``, so that the folder
    itself (a DVC output) holds nothing that differs from run to run.

    Parameters
    ----------
    path : path-like
    say : callable, optional
        Called with a line of text when there is something to wait for.
    """

    def __init__(self, path, say=print):
        self.path = Path(path)
        whole = Path(os.path.abspath(path))  # "." has no name of its own
        self.state = whole.parent / STATE / whole.name
        self._say = say

    @contextmanager
    def locked(self):
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
            who = self._holder(holder)
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

    @staticmethod
    def _holder(path):
        try:
            content = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            return "another process"
        return f"process {content['pid']} (since {content['since']})"

    def is_kept(self, cell, made_from):
        """Whether `cell` (a file name) is whole and was made from exactly `made_from`."""
        try:
            known = json.loads((self.state / f"{cell}.json").read_text("utf-8"))
        except (OSError, ValueError):
            return False
        path = self.path / cell
        return (
            isinstance(known, dict)
            and known.get("made_from") == made_from
            and path.is_file()
            and known.get("sha256") == file_digest(path)
        )

    def remember(self, cell, made_from):
        """Note that `cell`, just written, was made from `made_from`."""
        known = {"made_from": made_from, "sha256": file_digest(self.path / cell)}
        write_json(self.state / f"{cell}.json", known)
