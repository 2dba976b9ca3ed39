"""``make serve``: the champion behind MLflow's scoring server; the challenger where there is none.

It is the server of ``mlflow models serve``, with the same addresses and answers. In front of it
stands a guard: whatever a client gets wrong is a short line with status 400, and what is too large
is refused while it arrives. (By itself MLflow answers some of it with 500, and quotes the request.)
"""
# ruff: noqa: T201 - a program of its own, which people start: printing is how it speaks

import argparse
import json
import os
import re
import sys
import traceback
from typing import Any

from brain_teacher.errors import cut, one_line, plain
from brain_teacher.tracking.registry import MODEL
from brain_teacher.tracking.store import first_line, import_mlflow

# Tried in turn.
ALIASES = ("champion", "challenger")
MOST_BYTES = 2**25  # of a request
LONGEST = 300  # characters of an answer's line
UNEXPECTED = "Encountered an unexpected error while evaluating the model"
# What MLflow adds to its lines: advice on versions, and the request.
NOISE = (
    re.compile(r"\s*IMPORTANT: The MLflow Model scoring protocol.*", re.DOTALL),
    re.compile(r"^Failed to predict data .*\nError: ", re.DOTALL),
    re.compile(r"\nInput:.*", re.DOTALL),
)


class Guard:
    """An ASGI application before MLflow's: reads requests within a limit, and shortens errors."""

    def __init__(self, app: Any, most_bytes: int = MOST_BYTES) -> None:
        self._app, self._most_bytes = app, most_bytes

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await self._body(receive)
        if body is None:
            await _send(send, 400, f"the request is larger than {self._most_bytes:,} bytes")
            return
        if scope["method"] == "POST" and not any(
            key == b"content-type" for key, _ in scope["headers"]
        ):
            await _send(send, 400, "the request has no content type: send application/json")
            return
        waiting = [{"type": "http.request", "body": body, "more_body": False}]
        answer: list[dict] = []

        async def given() -> dict:
            return waiting.pop() if waiting else await receive()

        async def kept(message: dict) -> None:
            answer.append(message)

        try:
            await self._app(scope, given, kept)
        except Exception as error:  # noqa: BLE001 - MLflow's parsing: of depth, of numbers, of memory
            await _send(send, 400, f"the request cannot be read ({type(error).__name__}: {error})")
            return
        status = answer[0]["status"]
        if status < 400:
            for message in answer:
                await send(message)
            return
        said = b"".join(message.get("body", b"") for message in answer[1:])
        await _send(send, *_shortened(status, said.decode("utf-8", "replace")))

    async def _body(self, receive: Any) -> bytes | None:
        """The whole request; None where it is too large. What is left is not kept."""
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            size += len(message.get("body", b""))
            if size <= self._most_bytes:
                parts.append(message.get("body", b""))
            else:
                parts = []
            if not message.get("more_body"):
                return b"".join(parts) if size <= self._most_bytes else None


def _shortened(status: int, said: str) -> tuple[int, str]:
    """A status and a line for what MLflow answered: without the request, without a traceback."""
    trace = None
    try:
        content = json.loads(said)
        said, trace = str(content["message"]), content.get("stack_trace")
    except (ValueError, KeyError, TypeError):
        pass  # not all of its answers are JSON
    if said.startswith(UNEXPECTED):  # ours to mend, and no fault of the client's
        print(trace, file=sys.stderr)
        return 500, "the model failed; the server's output says where"
    for noise in NOISE:
        said = noise.sub("", said)
    return (status if status in (404, 405, 504) else 400), said


async def _send(send: Any, status: int, text: str) -> None:
    content = {"error_code": "BAD_REQUEST" if status < 500 else "ERROR"}
    body = json.dumps(content | {"message": cut(plain(text), LONGEST)})
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{body}\n".encode()})


def guarded(uri: str) -> Guard:
    """The application that serves a model."""
    from mlflow.pyfunc import load_model, scoring_server

    return Guard(scoring_server.init(load_model(uri)))


def find_version(mlflow: Any, alias: str | None) -> tuple[str, Any]:
    """The alias that is served, and its version; `LookupError` where there is none."""
    client = mlflow.MlflowClient()
    for name in ALIASES if alias is None else (alias,):
        try:
            return name, client.get_model_version_by_alias(MODEL, name)
        except mlflow.exceptions.MlflowException as error:
            if error.error_code not in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
                raise
    wanted = " or ".join(f"@{name}" for name in (ALIASES if alias is None else (alias,)))
    raise LookupError(f"{MODEL} has no version {wanted}: run `brain-teacher promote` first")


def serve(arguments: list[str] | None = None) -> int:
    """Serve until it is interrupted; the exit code."""
    parser = argparse.ArgumentParser(prog="make serve", description=__doc__)
    parser.add_argument("--alias", help="of the version; default: champion, else challenger")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5002)
    given = parser.parse_args(arguments)
    try:
        mlflow = import_mlflow()
        alias, version = find_version(mlflow, given.alias)
        print(f"loading {MODEL} version {version.version} ({_said(alias, given.alias)}) ...")
        app = guarded(f"models:/{MODEL}@{alias}")
    except Exception as error:  # noqa: BLE001 - whatever the store raises
        print(f"Error: {one_line(first_line(error))}", file=sys.stderr)
        if "BRAIN_TEACHER_DEBUG" in os.environ:
            traceback.print_exc()
        return 1
    import uvicorn

    print(f"http://{given.host}:{given.port}/invocations   (Ctrl-C stops it)", flush=True)
    # Limited: each may hold a request of the largest size.
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning", limit_concurrency=128)
    return 0


def _said(alias: str, wanted: str | None) -> str:
    """Which version it is, in words: a challenger is no champion."""
    none = wanted is None and alias != ALIASES[0]
    return f"the {alias}; there is no {ALIASES[0]}" if none else f"the {alias}"


if __name__ == "__main__":
    sys.exit(serve())
