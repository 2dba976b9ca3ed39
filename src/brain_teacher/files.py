"""Safe writing: whole files or none, one writer a folder, finished cells kept."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from brain_teacher.errors import UsageError


@contextmanager
def atomic_write(path: str | Path) -> Generator[Path]:
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
def atomic_folder(path: str | Path) -> Generator[Path]:
    """Give a temporary folder beside `path`; rename it there when the block ends without error.

    A `path` that exists and is not an empty folder is a UsageError: nothing is ever overwritten.
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
    with Path(path).open("rb") as file:
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
