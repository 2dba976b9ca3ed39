"""One file over HTTP, in as many pieces as it takes."""

import errno
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from brain_teacher.sources.transport.answers import (
    PATIENCE,
    TooSlow,
    in_time,
    in_words,
    retry_after,
    said_by,
    waiting,
    within,
)

if TYPE_CHECKING:
    from requests import Response, Session
    from tqdm import tqdm

TRIES = 5  # without a byte more
WAIT, MOST_WAIT = 0.5, 60.0  # seconds before the next try; that a server may ask to wait
TIMEOUT = (20, 30)  # seconds to connect; between two bytes
MOST = 2**35  # bytes of a file whose size nobody knows
# What of a piece has come when a connection falls silent is lost: small.
CHUNK = 2**14
FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
# Of 4xx, those that another try may change.
BUSY = (408, 425, 429)
# Of who would first see a browser, or nobody: another address may be answered.
TURNED_AWAY = (202, 403)


class DownloadError(ValueError):
    """A file that could not be had; what came of it is kept unless it is wrong."""


@dataclass(frozen=True)
class RemoteFile:
    """A file elsewhere, with its size in bytes and its checksums in hexadecimal, where known.

    `path` says where it goes, relative to the folder; `other` is another address of it, for where
    `url` is not answered.
    """

    path: str
    url: str
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    other: str | None = None


class Partial:
    """A file on its way, and the version of it that the server named.

    `trusted` is a checksum that will show if bytes of two versions were joined.
    """

    def __init__(self, file: RemoteFile, target: Path, *, trusted: str | None = None):
        self.file, self.target, self.trusted = file, target, trusted
        self.path = target.with_name(f".{target.name}.partial")
        self._version = target.with_name(f".{target.name}.version")
        if any(path.is_symlink() or path.is_fifo() for path in (self.path, self._version)):
            self.discard()  # not ours, and what is written there would land elsewhere

    @property
    def size(self) -> int:
        """How many bytes have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def version(self) -> str | None:
        """What ``If-Range`` may ask for; None where the server named nothing that it can be."""
        from brain_teacher.files import regular  # loads numpy, and `--help` lists what there is

        try:
            found = json.loads(regular(self._version).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, str) and found.isascii() and found.isprintable() else None

    def begin(self, version: str | None) -> None:
        """Start anew, from a version."""
        self.discard()
        self._version.write_text(json.dumps(version), "utf-8")
        self.path.touch()

    def discard(self) -> None:
        """Leave nothing."""
        self.path.unlink(missing_ok=True)
        self._version.unlink(missing_ok=True)


@dataclass(frozen=True)
class Refusal:
    """A try that did not bring the file: why, and the seconds that the server asks to wait."""

    said: str
    wait: float | None = None


def fill(partial: Partial, bar: "tqdm", wait: float, stop: Event) -> None:
    """Try until a file has come, or nothing comes any more; `stop` ends it at the next piece.

    Before the second try it waits `wait` seconds, before each further one twice as long.

    Raises
    ------
    DownloadError
        If it cannot be had; what has come is kept.
    """
    tries, most, problem = 0, 0, ""
    while tries < TRIES and not stop.is_set():
        pause = min(wait * 2**tries, MOST_WAIT)
        refusal = _tried(partial, bar, stop)
        if refusal is None:
            return
        problem, pause = refusal.said, pause if refusal.wait is None else refusal.wait
        if pause > MOST_WAIT:
            raise DownloadError(
                f"{partial.file.url}: {problem}, and asks to come back in {waiting(pause)}; fetch "
                f"again then: it goes on at {partial.size:,} bytes"
            )
        # A byte more a time, or what came before once more, is no way to get there.
        tries = 0 if partial.size >= most + CHUNK else tries + 1
        most = max(most, partial.size)
        if tries < TRIES:
            stop.wait(pause)
    if stop.is_set():
        raise DownloadError(f"{partial.target}: stopped, since another file failed")
    raise DownloadError(
        f"{partial.file.url}: {problem}, {TRIES} times; try again later: it goes on at "
        f"{partial.size:,} bytes"
    )


def _tried(partial: Partial, bar: "tqdm", stop: Event) -> Refusal | None:
    """One try; gives what went wrong, where another may go well, or None."""
    import requests
    import urllib3

    try:
        with requests.Session() as session:
            return _once(session, partial, bar, stop)
    except DownloadError:
        raise
    except ValueError as error:  # of an address or a header: the next would be the same
        raise DownloadError(
            f"{partial.file.url}: {in_words(error)}; is the address right?"
        ) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, TooSlow) as error:
        return Refusal(in_words(error))
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DownloadError(
            f"{partial.target}: {FULL[error.errno]}; make room, and fetch again: it goes on "
            f"at {partial.size:,} bytes"
        ) from error


def _once(session: "Session", partial: Partial, bar: "tqdm", stop: Event) -> Refusal | None:
    """One request; gives how the server refused, or None where the file is whole."""
    file, headers = partial.file, {"Accept-Encoding": "identity"}
    # Without a version, and without a checksum that would show it, two versions might be joined.
    if partial.size and (partial.version or partial.trusted):
        headers["Range"] = f"bytes={partial.size}-"
        if partial.version:
            headers["If-Range"] = partial.version
    asked: dict[str, Any] = {"headers": headers, "stream": True, "timeout": TIMEOUT}
    with within(PATIENCE, lambda: session.get(file.url, **asked)) as answer:
        code, said = answer.status_code, said_by(answer)
        if code == 416:  # there is nothing after what has come: it is whole, or another file
            if _total(answer) == partial.size:
                return None
            partial.discard()
            return Refusal("the server answers 416 (another file than before); starting anew", 0.0)
        if code >= 500 or code in BUSY:
            return Refusal(f"the server answers {said}", retry_after(answer))
        if code not in (200, 206):
            return _elsewhere(partial, answer)
        if code == 206 and not _continues(answer, partial):
            partial.discard()
            return Refusal("the server answers with another piece than was asked for", 0.0)
        if code == 200:
            partial.begin(_version_of(answer))
        # Without a length, an answer that breaks off looks like a whole one.
        expected = file.size if _total(answer) is None else _total(answer)
        bar.total = file.size or expected
        _append(answer, partial, bar, stop)
    if stop.is_set():
        return Refusal("nothing more was wanted")
    # Longer than was announced, it is another file, and the rest of it would change nothing.
    longer = partial.size > (MOST if file.size is None else file.size)
    is_whole = longer or expected is None or partial.size >= expected
    return None if is_whole else Refusal("the server answers with less than it said")


def _elsewhere(partial: Partial, answer: "Response") -> Refusal:
    """Turn to a file's other address; raises where there is none, or it would not help."""
    file, said = partial.file, said_by(answer)
    if answer.status_code not in TURNED_AWAY or file.other is None:
        raise DownloadError(
            f"{file.url}: the server answers {said}; is the address right? "
            f"(A file put at {partial.target} by hand is verified and kept.)"
        )
    partial.file = replace(file, url=file.other, other=None)
    return Refusal(f"the server answers {said}", 0.0)


def _append(answer: "Response", partial: Partial, bar: "tqdm", stop: Event) -> None:
    bar.n = partial.size
    bar.refresh()
    most = MOST if partial.file.size is None else partial.file.size
    # The bytes as they lie there: some servers call what is packed encoded, and requests would
    # unpack it.
    chunks: Iterator[bytes] = answer.raw.stream(CHUNK, decode_content=False)
    with partial.path.open("ab") as stream:
        for chunk in in_time(PATIENCE, chunks):
            stream.write(chunk)
            bar.update(len(chunk))
            if stop.is_set() or stream.tell() > most:
                return


def _continues(answer: "Response", partial: Partial) -> bool:
    """Whether a piece is the next one of the same version; not all servers heed ``If-Range``."""
    version = _version_of(answer)
    # What a piece does not name, If-Range has asked for (RFC 9110, 15.3.7).
    is_same = None in (version, partial.version) or version == partial.version
    # Of "bytes 100-199/200", 100.
    start = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return is_same and start == str(partial.size)


def _version_of(answer: "Response") -> str | None:
    """A strong ETag, or a date: what ``If-Range`` takes."""
    tag = answer.headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")


def _total(answer: "Response") -> int | None:
    """The size of the whole file, where the server says it."""
    length = answer.headers.get("Content-Length", "")
    total = answer.headers.get("Content-Range", length).rpartition("/")[2]
    return int(total) if total.isdecimal() and len(total) < 16 else None
