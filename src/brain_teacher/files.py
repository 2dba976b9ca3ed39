"""Safe reading and writing: regular files alone, whole files or none."""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from brain_teacher.errors import UsageError

# What is on its way is called so, and locked as long as its process lives.
PART = ".part-brain-teacher-"
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def regular(path: str | os.PathLike) -> Path:
    """The path of a file that can be read to its end: everything that reads one asks here first.

    Opening a pipe may wait for ever, and a device may never end.

    Raises
    ------
    OSError
        If there is no such file, or something else by that name.
    """
    path = Path(path)
    kind = stat.S_IFMT(path.stat().st_mode)
    if kind != stat.S_IFREG:
        raise OSError(f"{path} is {_KINDS.get(kind, 'no file')}, where a file is to be read")
    return path


@contextmanager
def atomic_write(path: str | Path) -> Generator[Path]:
    """Give a temporary path beside `path`; rename it there when the block ends without error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _part(path.parent, path.suffix, _new_file) as temporary:
        yield temporary
        os.replace(temporary, path)


@contextmanager
def atomic_folder(path: str | Path) -> Generator[Path]:
    """Give a temporary folder beside `path`; rename it there when the block ends without error.

    A `path` that exists and is not an empty folder is a UsageError: nothing is ever overwritten.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(f"{path} exists already; choose another folder with --out, or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    with _part(path.parent, "", os.mkdir) as temporary:
        yield temporary
        os.replace(temporary, path)


@contextmanager
def _part(parent: Path, suffix: str, make: Callable[[Path], None]) -> Generator[Path]:
    """Something on its way, with the modes that the umask leaves; it goes when the block ends."""
    _sweep_once(parent)
    while True:
        # The ending stays last: bdpy and numpy look at it.
        temporary = parent / f"{PART}{secrets.token_hex(4)}{suffix}"
        make(temporary)
        with _locked(temporary):
            if not temporary.exists():  # swept away before it was locked
                continue
            try:
                yield temporary
            finally:
                _remove(temporary)
            return


def _new_file(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


@contextmanager
def _locked(path: Path) -> Generator[bool]:
    """Hold a lock on a file or folder, which dies with this process; gives whether it is held."""
    # NFS locks only what may be written; a folder never may.
    mode = os.O_RDONLY if path.is_dir() else os.O_RDWR
    descriptor = os.open(path, mode | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another process lives, or the disk knows no locks
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


@cache
def _sweep_once(folder: Path) -> None:
    remove_parts(folder.glob(f"{PART}*"))


def remove_parts(paths: Iterable[Path]) -> None:
    """Remove of some parts (`PART`) those whose process died; another's, alive, is left alone."""
    for path in paths:
        with suppress(OSError), _locked(path) as is_left:
            if is_left:
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as JSON, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", "utf-8")


def write_npz(path: str | Path, *, compress: bool = True, **arrays: Any) -> None:
    """Write arrays as ``.npz``, whole or not at all; the same arrays give the same bytes.

    Noise does not compress: of voxels, 8% of the size would cost 50 times the time.
    """
    save = np.savez_compressed if compress else np.savez
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        save(file, allow_pickle=False, **arrays)


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with regular(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(*values: Any) -> str:
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


def write_text(path: str | Path, text: str) -> None:
    """Write a text as it is, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, "utf-8", newline="")
