"""A small HTTP server over a folder, on a loopback port, whose faults are switches."""

import hashlib
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler


class Server(ThreadingHTTPServer):
    """Serves files with ranges and ETags; the attributes below make it misbehave."""

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = Path(folder)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.drop_after = None  # bytes of each answer, then the connection ends
        self.slow = 0.0  # seconds before each piece of 64 KiB
        self.refuse = []  # (status, headers) of the next answers
        self.turns_away = {}  # path -> status, without a word
        self.redirect = {}  # path -> path
        self.replace = {}  # path -> bytes sent in the file's place
        self.says_length = True
        self.knows_ranges = True
        self.knows_versions = True
        self.heeds_if_range = True
        self.stall_after = None  # bytes of the next answer, then nothing comes for a second
        self.encoding = None  # what answers say of their bytes, as Apache does of .gz
        self.requests = []  # (path, Range) of all that were asked

    def handle_error(self, request, client_address):
        """A client that hangs up is none of the server's business."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    def do_GET(self):
        server, path = self.server, self.path
        asked = self.headers.get("Range")
        server.requests.append((path, asked))
        if server.refuse:
            status, headers = server.refuse.pop(0)
            self._empty(status, headers)
            return
        if path in server.turns_away:
            self._empty(server.turns_away[path], {})
            return
        if path in server.redirect:
            self._empty(302, {"Location": server.redirect[path]})
            return
        file = server.folder / path.lstrip("/")
        if path not in server.replace and not file.is_file():
            self._empty(404, {})
            return
        content = server.replace.get(path) or file.read_bytes()
        self._send(content, asked if server.knows_ranges else None)

    def _empty(self, status, headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, content, asked):
        server, start = self.server, 0
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        same = self.headers.get("If-Range") in (None, tag) or not server.heeds_if_range
        if asked and same:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self._empty(416, {"Content-Range": f"bytes */{len(content)}"})
                return
        self.send_response(206 if asked and same else 200)
        if asked and same:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", span)
        if server.knows_versions:
            self.send_header("ETag", tag)
        if server.encoding:
            self.send_header("Content-Encoding", server.encoding)
        if server.says_length:
            self.send_header("Content-Length", str(len(content) - start))
        else:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        rest = content[start:]
        if server.drop_after is not None and len(rest) > server.drop_after:
            rest = rest[: server.drop_after]
            self.close_connection = True
        pause = threading.Event()
        if server.stall_after is not None:
            self.wfile.write(rest[: server.stall_after])
            rest, server.stall_after = b"", None
            self.close_connection = True
            pause.wait(1.0)
        for place in range(0, len(rest), 2**16):
            pause.wait(server.slow)
            self.wfile.write(rest[place : place + 2**16])


class Raw(Server):
    """Answers every request with the same bytes, whatever they are; `slow` seconds before each."""

    def __init__(self, answer, slow):
        super().__init__(".")
        self.RequestHandlerClass = RawHandler
        self.answer, self.slow = answer, slow


class RawHandler(StreamRequestHandler):
    def handle(self):
        self.server.requests.append(self.rfile.readline())
        while self.rfile.readline().strip():
            pass
        if not self.server.slow:
            self.wfile.write(self.server.answer)
            return
        for place in range(len(self.server.answer)):
            time.sleep(self.server.slow)
            self.wfile.write(self.server.answer[place : place + 1])


@contextmanager
def serving(folder):
    """A server that answers while the block lasts."""
    with Server(folder) as server, _at_work(server):
        yield server


@contextmanager
def answering(answer, slow=0.0):
    """A server that gives any bytes for an answer while the block lasts."""
    with Raw(answer, slow) as server, _at_work(server):
        yield server


@contextmanager
def _at_work(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def kill_once_larger(process, path, size):
    """Kill a process (-9) as soon as a file that it writes has `size` bytes; gives how many."""
    deadline = time.monotonic() + 60
    while not path.exists() or path.stat().st_size < size:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    return path.stat().st_size
