"""What a server answers, in words, and within a time."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from queue import Empty, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from requests import Response

# Seconds for an answer's head, for each piece and for a whole listing: a byte now and then is never
# a timeout, and never ends.
PATIENCE = 30.0
# Pieces that may have come and wait to be written.
AHEAD = 64
T = TypeVar("T")


class TooSlow(Exception):
    """Something came, but too little."""


def retry_after(answer: "Response") -> float | None:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3)."""
    value = answer.headers.get("Retry-After")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds)  # in this order "nan" is 0


def waiting(seconds: float) -> str:
    """A time to wait, for people."""
    minutes = seconds / 60
    if minutes < 100:
        return f"{minutes:.0f} minutes"
    return f"{minutes / 60:.0f} hours" if minutes < 6000 else "days or years"


def said_by(answer: "Response") -> str:
    """A status as the server words it, of which it may say pages."""
    return f"{answer.status_code} {(answer.reason or '')[:60]}".strip()


def in_time(seconds: float, pieces: Iterator[T]) -> Iterator[T]:
    """The same pieces, none of which may take longer: a thread takes them, and is left then.

    Raises
    ------
    TooSlow
        If one takes longer.
    """
    came: Queue = Queue(AHEAD)
    gone = Event()

    def take() -> None:
        try:
            for piece in pieces:
                came.put((piece, None))
                if gone.is_set():
                    return
            came.put((None, StopIteration))
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            came.put((None, error))

    Thread(target=take, daemon=True).start()
    try:
        while True:
            piece, end = came.get(timeout=seconds)
            if end is StopIteration:
                return
            if end is not None:
                raise end
            yield piece
    except Empty:
        raise TooSlow from None
    finally:
        gone.set()
        with suppress(Empty):  # whoever waits to put a piece sees that nobody takes it
            while True:
                came.get_nowait()


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` gives, if it takes no longer; else `TooSlow` is raised."""
    return next(in_time(seconds, (work() for _ in range(1))))


def in_words(error: Exception) -> str:
    """What went wrong with a connection, without the library's own names."""
    import requests
    import urllib3

    words = {
        TooSlow: "the server sends too slowly",
        requests.exceptions.ProxyError: "the proxy cannot be reached",
        requests.exceptions.SSLError: "the server's certificate is not accepted",
        requests.exceptions.ConnectTimeout: "the server cannot be reached (timeout)",
        requests.exceptions.ReadTimeout: "the server sends nothing more (timeout)",
        urllib3.exceptions.ReadTimeoutError: "the server sends nothing more (timeout)",
        urllib3.exceptions.HTTPError: "the connection broke",
        requests.exceptions.ConnectionError: "the server cannot be reached, or hangs up",
    }
    known = next((said for kind, said in words.items() if isinstance(error, kind)), None)
    return known or f"its answer makes no sense ({type(error).__name__})"
