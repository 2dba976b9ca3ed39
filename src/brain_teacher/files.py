"""Safe writing: whole files or none, one writer a folder, finished cells kept."""

import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import MAGIC_PREFIX

from brain_teacher.errors import BrainTeacherError, UsageError


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


def read_json(path: str | Path) -> Any:
    """Read a JSON file; a file that is none is a failure that names it."""
    try:
        return json.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError:
        raise BrainTeacherError(f"{path} is missing") from None
    except (OSError, ValueError) as error:
        raise BrainTeacherError(f"{path} cannot be read as JSON ({error})") from error


def write_npz(path: str | Path, *, compress: bool = True, **arrays: Any) -> None:
    """Write arrays as ``.npz``, whole or not at all; the same arrays give the same bytes.

    Noise does not compress: of voxels, 8% of the size would cost 50 times the time.
    """
    save = np.savez_compressed if compress else np.savez
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        save(file, allow_pickle=False, **arrays)


def npz_shape(path: str | Path, name: str) -> tuple[int, ...]:
    """The shape of one array of an ``.npz`` file that this project wrote, from its header alone."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
        np.lib.format.read_magic(stream)
        return np.lib.format.read_array_header_1_0(stream)[0]


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


def read_npz(
    path: str | Path, names: Collection[str], *, what: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All arrays of an ``.npz`` file that must hold some `names`, and its ``meta`` (JSON)."""
    wrong = f"is broken, or not a {what} file ({{}}); fetch it again"
    arrays = load_arrays(path, wrong=wrong)
    if isinstance(arrays, np.ndarray):
        raise ValueError(wrong.format("a single array"))
    if missing := {*names, "meta"} - set(arrays):
        raise ValueError(f"holds no array {min(missing)!r}: it is not a {what} file")
    meta = json.loads(str(arrays.pop("meta")))
    if not isinstance(meta, dict):
        raise ValueError(f"meta is {meta!r}: it is not a {what} file")
    return arrays, meta


def load_arrays(
    path: str | Path,
    names: Collection[str] | None = None,
    *,
    wrong: str = "is no .npy or .npz of numbers ({})",
) -> np.ndarray | dict[str, np.ndarray]:
    """Load an ``.npy``, or of an ``.npz`` all arrays or some, by name; nothing is unpickled.

    `wrong` is said of a file that is neither, or broken; ``{}`` becomes the reason.
    """
    # Opened here: np.load leaves a file open that turns out to be broken.
    with Path(path).open("rb") as stream:
        if not stream.read(6).startswith((MAGIC_PREFIX, b"PK\3\4")):
            # Before numpy sees it, which would advise to load it unsafely.
            raise ValueError(wrong.format("it begins like neither .npy nor .npz"))
        stream.seek(0)
        try:
            content = np.load(stream, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return content
            wanted = [name for name in content.files if names is None or name in names]
            # A member of the archive that is no array comes as bytes.
            return {name: np.asarray(content[name]) for name in wanted}
        except Exception as error:
            # numpy, zipfile, zlib and tokenize have a dozen kinds of them for a broken file.
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(wrong.format(reason)) from error


def write_text(path: str | Path, text: str) -> None:
    """Write a text as it is, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, "utf-8", newline="")
