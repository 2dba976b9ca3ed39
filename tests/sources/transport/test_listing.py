"""Listings that end, whatever the server sends."""

import gzip
import json

import pytest

from brain_teacher.sources.transport import listing
from brain_teacher.sources.transport.listing import read_listing
from brain_teacher.sources.transport.transfer import DownloadError
from helpers.serving import answering

OK = b"HTTP/1.1 200 OK\r\n\r\n"


def test_a_listing_is_read():
    with answering(OK + b'[{"name": "a"}]') as server:
        assert read_listing(server.url) == [{"name": "a"}]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (OK + b"[" * 100_000, "it is no JSON"),
        (OK + b"<html>", "it is no JSON"),
        (OK + b"\xff", "it is no JSON"),
        (OK + b" " * 300_000, "it has more than 200,000 bytes"),
        # Packed, it would be 3 GB of brackets; it is not unpacked.
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"[" * 10**7),
            "it is no JSON",
        ),
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "the server answers 404 Not Found",
        ),
        (b"nonsense\r\n\r\n", "the server cannot be reached, or hangs up"),
        (b"HTTP/1.1 302 Found\r\nLocation: gopher://x\r\n\r\n", "its answer makes no sense .*"),
    ],
)
def test_what_is_no_listing_says_why(answer, said, monkeypatch):
    monkeypatch.setattr(listing, "MOST", 200_000)
    with answering(answer) as server, pytest.raises(DownloadError, match=f"^{said}$"):
        read_listing(server.url)


def test_a_listing_without_end_has_one(monkeypatch):
    monkeypatch.setattr(listing, "PATIENCE", 0.3)
    answer = OK + json.dumps(["a"] * 100).encode()
    with (
        answering(answer, slow=0.01) as server,
        pytest.raises(DownloadError, match="^the server sends too slowly$"),
    ):
        read_listing(server.url)
