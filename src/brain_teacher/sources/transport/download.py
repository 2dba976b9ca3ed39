"""Downloads that can be trusted: resumed, verified, whole files or none.

A file grows as ``.<name>.partial`` beside its place and is renamed once its size and checksums are
right. What the server said of its version (``ETag`` or ``Last-Modified``) lies beside the partial
file: bytes of two versions are never joined. A checksum that nobody pinned is recorded at the first
download, in ``checksums.txt`` (as ``sha256sum`` writes it), and holds from then on.
"""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from os import PathLike
from pathlib import Path
from threading import Event, Lock

from brain_teacher.files import atomic_write, file_digest, regular
from brain_teacher.sources.transport.transfer import WAIT, DownloadError, Partial, RemoteFile, fill

CHECKSUMS = "checksums.txt"


def download(
    files: Iterable[RemoteFile], folder: str | PathLike, *, quiet: bool = False, wait: float = WAIT
) -> list[Path]:
    """Bring files into a folder, four at once; those that are there and right stay.

    Proxies are those of the environment (``HTTPS_PROXY``, ``NO_PROXY``). Before the second try it
    waits `wait` seconds, before each further one twice as long.

    Raises
    ------
    DownloadError
        If a file cannot be had, or what came is not what was asked for; the first one is named.
    """
    folder, stop = Path(folder), Event()
    checksums = Checksums(folder)
    with ThreadPoolExecutor(4) as pool:
        coming = [
            pool.submit(_bring, file, folder, checksums, number, quiet, wait, stop)
            for number, file in enumerate(files)
        ]
        try:
            for each in as_completed(coming):
                each.result()
        finally:
            stop.set()  # the others end at their next piece; what they have is kept
            pool.shutdown(cancel_futures=True)
        return [each.result() for each in coming]


def forget(folder: str | PathLike, paths: Iterable[str]) -> None:
    """Forget the recorded checksums of files that turned out not to be what was asked for."""
    checksums = Checksums(Path(folder))
    for path in paths:
        checksums.forget(path)


class Checksums:
    """The recorded SHA-256 of a folder's files."""

    def __init__(self, folder: Path):
        self._path, self._lock = folder / CHECKSUMS, Lock()
        # A line that makes no sense is of no file.
        known = regular(self._path).read_text("utf-8", "replace") if self._path.exists() else ""
        lines = known.splitlines()
        self._known = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}

    def of(self, file: RemoteFile) -> str | None:
        """What is pinned, or else what was recorded; None if neither."""
        return file.sha256 or self._known.get(file.path)

    def record(self, file: RemoteFile, digest: str) -> None:
        """Remember the checksum of a file that has come."""
        with self._lock:
            self._known[file.path] = digest
            self._write()

    def forget(self, path: str) -> None:
        """Whatever comes next may be recorded."""
        if self._known.pop(path, None):
            self._write()

    def _write(self) -> None:
        lines = [f"{value}  {name}\n" for name, value in sorted(self._known.items())]
        with atomic_write(self._path) as temporary:
            temporary.write_text("".join(lines), "utf-8")


def _bring(
    file: RemoteFile,
    folder: Path,
    checksums: Checksums,
    number: int,
    quiet: bool,
    wait: float,
    stop: Event,
) -> Path:
    from tqdm import tqdm

    target = folder / file.path
    if target.exists():
        _check(target, file, checksums, "remove it, and fetch again")
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Partial(file, target, trusted=checksums.of(file) or file.md5)
    with tqdm(
        desc=target.name,
        total=file.size,
        initial=partial.size,
        position=number,
        unit="B",
        unit_scale=True,
        disable=True if quiet else None,
    ) as bar:
        fill(partial, bar, wait, stop)
    try:
        _check(partial.path, file, checksums, "it was thrown away; fetch again")
    except DownloadError:
        partial.discard()
        raise
    partial.path.replace(target)
    partial.discard()
    return target


def _check(path: Path, file: RemoteFile, checksums: Checksums, remedy: str) -> None:
    """Raise unless a file is the one that was asked for; records what nobody pinned."""
    name = path.with_name(Path(file.path).name)
    size = regular(path).stat().st_size
    if file.size is not None and size != file.size:
        much = "more than " if size > file.size else ""
        raise DownloadError(f"{name} has {much}{size:,} bytes, not {file.size:,}; {remedy}")
    if file.md5 is not None:
        with regular(path).open("rb") as stream:
            found = hashlib.file_digest(stream, "md5").hexdigest()
        if found != file.md5:
            raise DownloadError(f"{name} has MD5 {found}, not {file.md5}; {remedy}")
    found, known = file_digest(path), checksums.of(file)
    if known is None:
        checksums.record(file, found)
    elif found != known:
        place = "pinned"
        if not file.sha256:
            place = f"recorded in {CHECKSUMS}"
            remedy += f"; if it has been published anew, take its line out of {CHECKSUMS}"
        raise DownloadError(f"{name} has SHA-256 {found}, not {known} ({place}); {remedy}")
