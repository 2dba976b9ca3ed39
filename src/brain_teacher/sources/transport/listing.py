"""Listings of files: small documents over HTTP."""

import json
from typing import Any

from brain_teacher.sources.transport.answers import PATIENCE, TooSlow, in_words, said_by, within
from brain_teacher.sources.transport.transfer import TIMEOUT, DownloadError

MOST = 2**23  # bytes
WAIT = 0.5  # seconds before the second try; before each further one twice as long


def read_listing(url: str) -> Any:
    """A JSON document of a server: of `MOST` bytes at most, within `PATIENCE` seconds.

    It is read as it comes, never unpacked. Where the server is busy, it is asked four times in 3 s,
    whatever ``Retry-After`` says: the command can be given again.

    Raises
    ------
    DownloadError
        If it cannot be had, or is none; it says why.
    """
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter

    again = urllib3.Retry(
        3, backoff_factor=WAIT, status_forcelist=(429, 500, 502, 503, 504),
        respect_retry_after_header=False,
    )  # fmt: skip

    def read() -> bytes:
        with requests.Session() as session:
            for kind in ("https://", "http://"):
                session.mount(kind, HTTPAdapter(max_retries=again))
            headers = {"Accept-Encoding": "identity"}
            with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
                if answer.status_code != 200:
                    raise DownloadError(f"the server answers {said_by(answer)}")
                return answer.raw.read(MOST + 1, decode_content=False)

    try:
        content = within(PATIENCE, read)
        if len(content) > MOST:
            raise DownloadError(f"it has more than {MOST:,} bytes")
        return json.loads(content)
    except DownloadError:
        raise
    except (requests.RequestException, urllib3.exceptions.HTTPError, TooSlow) as error:
        raise DownloadError(in_words(error)) from error
    except (ValueError, RecursionError) as error:
        raise DownloadError("it is no JSON") from error
