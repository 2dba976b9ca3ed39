"""Downloads from a server that misbehaves in every way."""

import errno
import gc
import gzip
import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from brain_teacher.sources.transport import answers, transfer
from brain_teacher.sources.transport.download import CHECKSUMS, download, forget
from brain_teacher.sources.transport.transfer import DownloadError, RemoteFile
from helpers.serving import answering, kill_once_larger, serving

SRC = Path(__file__).parents[3] / "src"
# Five pieces and a bit: a server that drops every connection after 1 MiB is asked six times.
CONTENT = bytes(range(256)) * 4096 * 5 + b"the end"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(tmp_path):
    (tmp_path / "there" / "bdata").mkdir(parents=True)
    (tmp_path / "there" / "bdata" / "S1.h5").write_bytes(CONTENT)
    with serving(tmp_path / "there") as server:
        yield server


@pytest.fixture
def here(tmp_path):
    return tmp_path / "here"


def file(server, **known):
    return RemoteFile("bdata/S1.h5", f"{server.url}/bdata/S1.h5", **known)


def fetch(files, here):
    return download(files, here, quiet=True, wait=0.01)


def fails(files, here, message):
    with pytest.raises(DownloadError, match=f"^{message}$"):
        fetch(files, here)
    # Never a half file under the final name.
    assert not (here / "bdata" / "S1.h5").exists()


def put_partial(here, content, version=None):
    """What a download of before left behind."""
    partial = here / "bdata" / ".S1.h5.partial"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(content)
    if version is not None:
        partial.with_name(".S1.h5.version").write_text(version)


def left(here):
    return sorted(path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file())


def test_a_file_comes_whole_with_its_checksum_recorded(server, here):
    (path,) = fetch([file(server)], here)
    assert path == here / "bdata" / "S1.h5" and path.read_bytes() == CONTENT
    assert (here / CHECKSUMS).read_text() == f"{SHA256}  bdata/S1.h5\n"
    assert left(here) == ["bdata/S1.h5", CHECKSUMS]
    # sha256sum itself agrees.
    subprocess.run(["sha256sum", "--check", "--quiet", CHECKSUMS], cwd=here, check=True)


def test_what_is_there_and_right_is_not_asked_for_again(server, here):
    fetch([file(server)], here)
    asked = len(server.requests)
    fetch([file(server), file(server, size=len(CONTENT), sha256=SHA256)], here)
    assert len(server.requests) == asked


def test_every_connection_drops_after_a_mebibyte(server, here):
    server.drop_after = 2**20
    (path,) = fetch([file(server)], here)
    assert path.read_bytes() == CONTENT
    starts = [asked for _, asked in server.requests]
    assert starts == [None, *(f"bytes={k * 2**20}-" for k in range(1, 6))]


def test_connections_that_break_early_still_bring_it(server, here):
    server.replace["/bdata/S1.h5"] = content = CONTENT[:200_000]
    server.drop_after = 50_000
    (path,) = fetch([file(server)], here)
    assert path.read_bytes() == content
    assert len(server.requests) <= 5  # urllib3 may lose the last bytes before a break


def test_killed_and_started_again_it_goes_on(server, here):
    server.slow = 0.02
    program = (
        "from brain_teacher.sources.transport.download import download\n"
        "from brain_teacher.sources.transport.transfer import RemoteFile\n"
        f"download([RemoteFile('bdata/S1.h5', {server.url!r} + '/bdata/S1.h5')], {str(here)!r})\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(SRC)},
        stderr=subprocess.DEVNULL,
    )
    come = kill_once_larger(process, here / "bdata" / ".S1.h5.partial", 2**20)
    assert not (here / "bdata" / "S1.h5").exists()
    server.slow = 0.0
    (path,) = fetch([file(server)], here)
    assert path.read_bytes() == CONTENT
    assert server.requests[-1] == ("/bdata/S1.h5", f"bytes={come}-")
    assert left(here) == ["bdata/S1.h5", CHECKSUMS]


@pytest.mark.parametrize("switch", ["knows_ranges", "knows_versions", "says_length"])
def test_servers_that_know_less(server, here, switch):
    setattr(server, switch, False)
    (path,) = fetch([file(server)], here)
    assert path.read_bytes() == CONTENT


def test_a_known_size_shows_a_break_that_the_server_does_not(server, here):
    server.says_length, server.drop_after = False, 2**20
    (path,) = fetch([file(server, size=len(CONTENT))], here)
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == 6


def test_without_ranges_each_try_begins_anew(server, here):
    server.knows_ranges, server.drop_after = False, 2**20
    fails(
        [file(server)],
        here,
        f"{server.url}/bdata/S1.h5: the connection broke, 5 times; try again later: it goes on at "
        "1,048,576 bytes",
    )


def test_without_a_version_pieces_are_joined_only_under_a_checksum(server, here):
    server.knows_versions, server.drop_after = False, 2**20
    (path,) = fetch([file(server, sha256=SHA256)], here)
    assert path.read_bytes() == CONTENT
    path.unlink()
    (here / CHECKSUMS).unlink(missing_ok=True)
    fails([file(server)], here, r".*: the connection broke, 5 times; .*")


def test_two_versions_are_never_joined(server, here):
    server.drop_after = 2**20
    put_partial(here, b"an older version" * 1000, version='"\\"older\\""')
    (path,) = fetch([file(server)], here)
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in server.requests][:2] == ["bytes=16000-", f"bytes={2**20}-"]


def test_versions_are_not_joined_by_a_server_that_ignores_if_range_either(server, here):
    server.heeds_if_range, server.drop_after = False, 2**20
    put_partial(here, b"an older version" * 1000, version='"\\"older\\""')
    (path,) = fetch([file(server)], here)
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in server.requests][:3] == ["bytes=16000-", None, f"bytes={2**20}-"]


def test_a_packed_file_stays_packed_whatever_the_server_says_of_it(server, here):
    server.replace["/bdata/S1.h5"] = packed = gzip.compress(b"voxels" * 1000)
    server.encoding = "gzip"
    (path,) = fetch([file(server, sha256=hashlib.sha256(packed).hexdigest())], here)
    assert path.read_bytes() == packed


def test_a_connection_that_falls_silent_is_given_up_and_resumed(server, here, monkeypatch):
    monkeypatch.setattr(transfer, "TIMEOUT", (5, 0.2))
    server.stall_after = 2**20
    (path,) = fetch([file(server)], here)
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [None, f"bytes={2**20}-"]


def test_silence_is_called_so(server, here, monkeypatch):
    monkeypatch.setattr(transfer, "TIMEOUT", (5, 0.2))
    monkeypatch.setattr(transfer, "TRIES", 1)
    server.stall_after = 100
    fails([file(server)], here, r".*: the server sends nothing more \(timeout\), 1 times; .*")


def test_a_partial_file_longer_than_the_file_is_another_one(server, here):
    put_partial(here, CONTENT + b"more")
    (path,) = fetch([file(server, sha256=SHA256)], here)
    assert path.read_bytes() == CONTENT


def test_a_partial_file_that_is_whole_is_enough(server, here):
    put_partial(here, CONTENT)
    (path,) = fetch([file(server, sha256=SHA256)], here)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("known", "says"),
    [
        ({"size": 7}, r"has more than [\d,]+ bytes, not 7"),
        ({"size": 10**9}, r"has 5,242,887 bytes, not 1,000,000,000"),
        ({"sha256": "0" * 64}, rf"has SHA-256 {SHA256}, not {'0' * 64} \(pinned\)"),
        ({"md5": "0" * 32}, rf"has MD5 {hashlib.md5(CONTENT).hexdigest()}, not {'0' * 32}"),
    ],
)
def test_wrong_sizes_and_wrong_bytes(server, here, known, says):
    message = rf".*/here/bdata/S1\.h5 {says}; it was thrown away; fetch again"
    fails([file(server, **known)], here, message)
    assert left(here) == []


def test_a_file_longer_than_announced_is_not_read_to_its_end(server, here):
    # It was asked for in pieces of 16 KB, one a second: 20 requests in 19 s.
    (server.folder / "long.bin").write_bytes(bytes(320_000))
    long = RemoteFile("long.bin", f"{server.url}/long.bin", size=7)
    message = f"{here}/long.bin has more than 16,384 bytes, not 7; it was thrown away; fetch again"
    fails([long], here, message)
    assert server.requests == [("/long.bin", None)] and left(here) == []


def test_what_was_recorded_holds(server, here):
    fetch([file(server)], here)
    (here / "bdata" / "S1.h5").unlink()
    server.replace["/bdata/S1.h5"] = b"another file"
    other = hashlib.sha256(b"another file").hexdigest()
    fails(
        [file(server)],
        here,
        rf".*S1\.h5 has SHA-256 {other}, not {SHA256} \(recorded in checksums\.txt\); it was "
        r"thrown away; fetch again; if it has been published anew, take its line out of "
        r"checksums\.txt",
    )
    forget(here, ["bdata/S1.h5"])
    (path,) = fetch([file(server)], here)
    assert path.read_bytes() == b"another file"


def test_a_damaged_file_that_is_there_is_not_overwritten(server, here):
    (path,) = fetch([file(server)], here)
    path.write_bytes(b"damaged")
    with pytest.raises(
        DownloadError, match=r"S1\.h5 has SHA-256 .*; remove it, and fetch again; if .*"
    ):
        fetch([file(server)], here)
    assert path.read_bytes() == b"damaged"


def test_redirects_are_followed(server, here):
    server.redirect["/bdata/S1.h5"] = "/elsewhere"
    server.replace["/elsewhere"] = CONTENT
    server.drop_after = 2**20
    (path,) = fetch([file(server)], here)
    assert path.read_bytes() == CONTENT


def test_not_found_is_said_at_once(server, here):
    missing = RemoteFile("bdata/S1.h5", f"{server.url}/nothing")
    message = (
        f"{server.url}/nothing: the server answers 404 Not Found; is the address right? (A file "
        f"put at {here}/bdata/S1.h5 by hand is verified and kept.)"
    )
    fails([missing], here, re.escape(message))
    assert len(server.requests) == 1


def test_an_empty_answer_of_a_firewall_is_no_file(server, here):
    # As figshare.com answers scripts at some of its addresses.
    server.refuse = [(202, {"x-amzn-waf-action": "challenge"})]
    fails([file(server)], here, r".*: the server answers 202 Accepted; is the address right\? .*")
    assert left(here) == []


def test_a_file_put_there_by_hand_is_verified_and_recorded(server, here):
    (here / "bdata").mkdir(parents=True)
    (here / "bdata" / "S1.h5").write_bytes(CONTENT)
    fetch([file(server, size=len(CONTENT), md5=hashlib.md5(CONTENT).hexdigest())], here)
    assert server.requests == []
    assert (here / CHECKSUMS).read_text() == f"{SHA256}  bdata/S1.h5\n"


def test_a_busy_server_is_waited_for_as_long_as_it_asks(server, here):
    server.refuse = [(503, {"Retry-After": "0.4"}), (429, {}), (500, {})]
    start = time.monotonic()
    (path,) = fetch([file(server)], here)
    assert path.read_bytes() == CONTENT
    assert time.monotonic() - start > 0.4


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ("7", 7.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("1e9", 1e9),
        ("-1", 0.0),
        ("nan", 0.0),
        ("soon", None),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("", None),
    ],
)
def test_what_a_busy_server_may_ask(asked, waited):
    answer = requests.Response()
    answer.headers["Retry-After"] = asked
    assert answers.retry_after(answer) == waited


def test_a_server_that_stays_busy(server, here):
    server.refuse = [(503, {})] * 5
    message = "the server answers 503 Service Unavailable, 5 times; try again later: it goes on at"
    fails([file(server)], here, rf".*: {message} 0 bytes")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("600", "10 minutes"),
        ("86400", "24 hours"),
        ("Fri, 31 Dec 9999 23:59:59 GMT", "days or years"),
        ("1e300", "days or years"),
    ],
)
def test_who_is_to_come_back_much_later_is_told_so_at_once(server, here, asked, said):
    server.refuse = [(503, {"Retry-After": asked})]
    message = (
        f".*S1.h5: the server answers 503 Service Unavailable, and asks to come back in {said}; "
        "fetch again then: it goes on at 0 bytes"
    )
    fails([file(server)], here, message)
    assert len(server.requests) == 1


@pytest.mark.parametrize("part", ["head", "body", "chunks"])
def test_a_byte_now_and_then_is_too_slow(part, here, monkeypatch):
    monkeypatch.setattr(transfer, "PATIENCE", 0.3)
    monkeypatch.setattr(transfer, "TRIES", 2)
    head = {
        "head": b"HTTP/1.1 100 Continue\r\n\r\n" * 9,
        "body": b"HTTP/1.1 200 OK\r\n\r\n" + bytes(99),
        "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 99,
    }[part]
    with answering(head, slow=0.01) as server:
        says = r".*: the server sends too slowly, 2 times; try again later: it goes on at 0 bytes"
        fails([RemoteFile("bdata/S1.h5", server.url)], here, says)


def test_a_byte_a_connection_is_no_way_to_get_there(here):
    with answering(b"HTTP/1.1 206 OK\r\nContent-Length: 9\r\n\r\nx") as server:
        fails([RemoteFile("bdata/S1.h5", server.url)], here, ".*, 5 times; try again later: .*")
        assert len(server.requests) == 5


def test_a_file_without_end_has_one(here, monkeypatch):
    monkeypatch.setattr(transfer, "MOST", 100_000)
    with answering(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2**20)) as server:
        (path,) = fetch([RemoteFile("a", server.url)], here)
    assert 100_000 < path.stat().st_size < 120_000


# urllib3 leaves the socket of a length that it refuses to be collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"\x1b]0;owned\x07\r\n\r\n", "the server cannot be reached, or hangs up, 5 times; .*"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n", ".*is the address right.*"),
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", "its answer makes no .*"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx", ".*"),
        (b"HTTP/1.1 503 " + b"no " * 9000 + b"\r\n\r\n", r"the server answers 503 (no ){19}no, .*"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", ".*5 times; .*"),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_line(answer, said, here):
    with answering(answer) as server:
        with pytest.raises(DownloadError, match=rf"^{server.url}/a: {said}$") as caught:
            fetch([RemoteFile("a", f"{server.url}/a")], here)
        assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)
    gc.collect()


def test_a_length_without_sense_is_none(here):
    head = b"HTTP/1.1 200 OK\r\nContent-Range: bytes 0-1/" + b"9" * 5000
    with answering(head + b"\r\n\r\nxy") as server:
        (path,) = fetch([RemoteFile("a", f"{server.url}/a")], here)
    assert path.read_bytes() == b"xy"


@pytest.mark.parametrize("ending", ["partial", "version"])
def test_nothing_is_written_through_a_link_that_lies_in_wait(ending, server, here, tmp_path):
    (here / "bdata").mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (here / "bdata" / f".S1.h5.{ending}").symlink_to(victim)
    (path,) = fetch([file(server)], here)
    assert path.read_bytes() == CONTENT and not path.is_symlink()
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"no digest", b"\n\n"])
def test_checksums_that_make_no_sense_are_of_no_file(content, server, here):
    here.mkdir()
    (here / CHECKSUMS).write_bytes(content)
    fetch([file(server)], here)
    assert f"{SHA256}  bdata/S1.h5" in (here / CHECKSUMS).read_text("utf-8", "replace")


def test_no_server_at_all(here):
    nobody = RemoteFile("bdata/S1.h5", "http://127.0.0.1:9/S1.h5")
    fails([nobody], here, r".*: the server cannot be reached, or hangs up, 5 times; .*")


def test_the_proxy_of_the_environment_is_asked(server, here, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.replace["http://example.invalid/S1.h5"] = CONTENT
    (path,) = fetch([RemoteFile("bdata/S1.h5", "http://example.invalid/S1.h5")], here)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "the disk quota is used up")],
)
def test_a_full_disk_keeps_what_has_come(server, here, monkeypatch, number, words):
    real = Path.open

    class Full:
        def __init__(self, stream):
            self._stream = stream

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._stream.close()

        def tell(self):
            return self._stream.tell()

        def write(self, chunk):
            if self.tell() > 2**20:
                raise OSError(number, os.strerror(number))
            return self._stream.write(chunk)

    def full(path, mode="r", *arguments, **options):
        stream = real(path, mode, *arguments, **options)
        return Full(stream) if mode == "ab" else stream

    monkeypatch.setattr(Path, "open", full)
    message = rf".*S1\.h5: {words}; make room, and fetch again: it goes on at [\d,]+ bytes"
    fails([file(server)], here, message)
    monkeypatch.undo()
    (path,) = fetch([file(server)], here)
    assert path.read_bytes() == CONTENT
    assert re.fullmatch(r"bytes=1\d{6}-", server.requests[-1][1])


def test_one_failure_stops_the_others_and_keeps_what_they_have(server, here):
    server.slow = 0.05
    files = [file(server), RemoteFile("bdata/S2.h5", f"{server.url}/nothing")]
    with pytest.raises(DownloadError, match="404 Not Found"):
        fetch(files, here)
    server.slow = 0.0
    (path,) = fetch(files[:1], here)
    assert path.read_bytes() == CONTENT
