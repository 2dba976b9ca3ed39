"""One file over HTTP, in as many pieces as it takes."""

import errno
import json
import time
from dataclasses import dataclass

TRIES = 5  # without a byte more
WAIT, MOST_WAIT = 1.0, 60.0  # seconds before the next try; of a server's Retry-After at most
TIMEOUT = (20, 60)  # seconds to connect; between two bytes
# What of a piece has come when a connection falls silent is lost: small.
CHUNK = 2**14
FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
# Of 4xx, those that another try may change.
BUSY = (408, 425, 429)


class DownloadError(ValueError):
    """A file that could not be had; what came of it is kept unless it is wrong."""


@dataclass(frozen=True)
class RemoteFile:
    """A file elsewhere.

    Attributes
    ----------
    path : str
        Where it goes, relative to the folder.
    url : str
    size : int or None
        In bytes, where it is known.
    sha256, md5 : str or None
        In hexadecimal, where they are known.
    """

    path: str
    url: str
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None


class Partial:
    """A file on its way, and the version of it that the server named."""

    def __init__(self, target):
        self.target = target
        self.path = target.with_name(f".{target.name}.partial")
        self._version = target.with_name(f".{target.name}.version")

    @property
    def size(self):
        """How many bytes have come."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def version(self):
        """What ``If-Range`` may ask for; None where the server named nothing."""
        try:
            return json.loads(self._version.read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def begin(self, version):
        """Start anew, from a version."""
        self.discard()
        self._version.write_text(json.dumps(version), "utf-8")
        self.path.touch()

    def discard(self):
        """Leave nothing."""
        self.path.unlink(missing_ok=True)
        self._version.unlink(missing_ok=True)


def fill(partial, file, bar, wait, stop, *, trusted):
    """Try until a file has come, or nothing comes any more.

    Parameters
    ----------
    partial : Partial
    file : RemoteFile
    bar : tqdm
    wait : float
        Seconds before the second try; each further try waits twice as long.
    stop : threading.Event
        Ends it at the next piece.
    trusted : str or None
        A checksum that will show if bytes of two versions were joined.

    Raises
    ------
    DownloadError
        If it cannot be had; what has come is kept.
    """
    import requests
    import urllib3

    tries, problem = 0, ""
    while tries < TRIES and not stop.is_set():
        before = partial.size
        pause = min(wait * 2**tries, MOST_WAIT)
        try:
            with requests.Session() as session:
                done, asked = _once(session, partial, file, bar, stop, trusted)
            if done:
                return
            problem = f"the server answers {asked.status}"
            pause = asked.wait if asked.wait is not None else pause
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            problem = _in_words(error)
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise DownloadError(
                f"{partial.target}: {FULL[error.errno]}; make room, and fetch again: it goes on "
                f"at {partial.size:,} bytes"
            ) from error
        tries = 0 if partial.size > before else tries + 1
        if tries < TRIES:
            stop.wait(pause)
    if stop.is_set():
        raise DownloadError(f"{partial.target}: stopped, since another file failed")
    raise DownloadError(
        f"{file.url}: {problem}, {TRIES} times; try again later: it goes on at "
        f"{partial.size:,} bytes"
    )


@dataclass(frozen=True)
class Refusal:
    """An answer without the file: what the server said, and how long it asks to wait."""

    status: str
    wait: float | None


def _once(session, partial, file, bar, stop, trusted):
    """One request; gives whether the file is whole, and else how the server refused."""
    headers = {"Accept-Encoding": "identity"}
    # Without a version, and without a checksum that would show it, two versions might be joined.
    if partial.size and (partial.version or trusted):
        headers["Range"] = f"bytes={partial.size}-"
        if partial.version:
            headers["If-Range"] = partial.version
    with session.get(file.url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        code = answer.status_code
        if code == 416:  # there is nothing after what has come: it is whole, or another file
            if _total(answer) == partial.size:
                return True, None
            partial.discard()
            return False, Refusal("416 (another file than before); starting anew", 0.0)
        if code >= 500 or code in BUSY:
            return False, Refusal(f"{code} {answer.reason}", retry_after(answer))
        if code not in (200, 206):
            raise DownloadError(
                f"{file.url}: the server answers {code} {answer.reason}; is the address right? "
                f"(A file put at {partial.target} by hand is verified and kept.)"
            )
        if code == 206 and not _continues(answer, partial):
            partial.discard()
            return False, Refusal("with another piece than was asked for", 0.0)
        if code == 200:
            partial.begin(_version_of(answer))
        # Without a length, an answer that breaks off looks like a whole one.
        expected = file.size if _total(answer) is None else _total(answer)
        bar.total = file.size or expected
        bar.n = partial.size
        bar.refresh()
        _append(answer, partial, bar, stop, most=file.size)
    if stop.is_set():
        return False, Refusal("nothing", None)
    # Longer than was announced, it is another file, and the rest of it would change nothing.
    longer = file.size is not None and partial.size > file.size
    is_over = longer or expected is None or partial.size >= expected
    return is_over, Refusal("with less than it said", None)


def _append(answer, partial, bar, stop, *, most):
    with partial.path.open("ab") as stream:
        # The bytes as they lie there: some servers call what is packed encoded, and requests would
        # unpack it.
        for chunk in answer.raw.stream(CHUNK, decode_content=False):
            stream.write(chunk)
            bar.update(len(chunk))
            if stop.is_set() or (most is not None and stream.tell() > most):
                return


def _continues(answer, partial):
    """Whether a piece is the next one of the same version; not all servers heed ``If-Range``."""
    version = _version_of(answer)
    # What a piece does not name, If-Range has asked for (RFC 9110, 15.3.7).
    is_same = None in (version, partial.version) or version == partial.version
    return is_same and _start(answer) == partial.size


def _version_of(answer):
    """A strong ETag, or a date: what ``If-Range`` takes."""
    tag = answer.headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")


def _start(answer):
    """The first byte of a piece, from ``Content-Range: bytes 100-199/200``."""
    span = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(span) if span.isdecimal() else None


def _total(answer):
    """The size of the whole file, where the server says it."""
    if "Content-Range" in answer.headers:
        total = answer.headers["Content-Range"].rpartition("/")[2]
    else:
        total = answer.headers.get("Content-Length", "")
    return int(total) if total.isdecimal() else None


def retry_after(answer):
    """Seconds that the server asks to wait (RFC 9110, 10.2.3), a minute at most."""
    from email.utils import parsedate_to_datetime

    value = answer.headers.get("Retry-After")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(0.0, seconds), MOST_WAIT)  # in this order "nan" is 0


def _in_words(error):
    """What went wrong with a connection, without the library's own names."""
    import requests
    import urllib3

    for kind, words in (
        (requests.exceptions.ProxyError, "the proxy cannot be reached"),
        (requests.exceptions.SSLError, "the server's certificate is not accepted"),
        (requests.exceptions.ConnectTimeout, "the server cannot be reached (timeout)"),
        (requests.exceptions.ReadTimeout, "the server sends nothing more (timeout)"),
        (urllib3.exceptions.ReadTimeoutError, "the server sends nothing more (timeout)"),
        (urllib3.exceptions.HTTPError, "the connection broke"),
        (requests.exceptions.ConnectionError, "the server cannot be reached, or hangs up"),
    ):
        if isinstance(error, kind):
            return words
    return str(error)
