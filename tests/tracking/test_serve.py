"""``make serve``: which version, the server's answers, and a thousand requests that are wrong."""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from brain_teacher.tracking import MODEL, serve
from helpers.remote_servers import free_port
from helpers.served_models import picture, request, save_model, text
from helpers.stores import make_store

ROOT = Path(__file__).parents[2]
JSON = {"Content-Type": "application/json"}
INVALID = "Invalid input. Ensure that input is a valid JSON formatted string."


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model's folder."""
    place = tmp_path_factory.mktemp("model") / "model"
    save_model(place)
    return place


@pytest.fixture(scope="module")
def app(model):
    return serve.guarded(str(model))


def ask(app, body, headers=JSON):
    """Status and content of an application's answer, without a server."""
    answer, parts = [], [body[start : start + 2**20] for start in range(0, len(body), 2**20)]
    waiting = [
        {"type": "http.request", "body": part, "more_body": n < len(parts) - 1}
        for n, part in enumerate(parts)
    ]

    async def receive():
        return waiting.pop(0)

    async def send(message):
        answer.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/invocations", "query_string": b"",
        "raw_path": b"/invocations", "http_version": "1.1", "scheme": "http", "root_path": "",
        "headers": [(key.lower().encode(), value.encode()) for key, value in headers.items()],
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return answer[0]["status"], json.loads(b"".join(each["body"] for each in answer[1:]))


def post(address, body, headers=JSON):
    """Status, type and content of the answer to a request."""
    asked = urllib.request.Request(f"{address}/invocations", data=body, method="POST")
    asked.headers = dict(headers)
    if "Content-Type" not in headers:  # else urllib gives one
        asked.add_unredirected_header("Content-Type", "")
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.fixture(scope="module")
def store(model, tmp_path_factory):
    """A store whose registered model has a challenger; its environment."""
    import mlflow

    root = tmp_path_factory.mktemp("lab")
    make_store(root / "mlflow.db")
    address = f"sqlite:///{root}/mlflow.db"
    client = mlflow.MlflowClient(address, address)
    client.create_registered_model(MODEL)
    version = client.create_model_version(MODEL, str(model)).version
    client.set_registered_model_alias(MODEL, "challenger", version)
    env = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    return client, env | {
        "MLFLOW_TRACKING_URI": address, "PYTHONPATH": str(ROOT / "src"), "DVC_ROOT": str(root),
        "MLFLOW_DISABLE_TELEMETRY": "true", "HOME": str(root),
    }  # fmt: skip


@pytest.fixture(scope="module")
def server(store, tmp_path_factory):
    """A server of the challenger: its address, what it printed, and its process."""
    log, port = tmp_path_factory.mktemp("server") / "log", free_port()
    command = [sys.executable, "-m", "brain_teacher.tracking.serve", "--port", str(port)]
    with log.open("w") as file:
        process = subprocess.Popen(command, env=store[1], stdout=file, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{address}/ping", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        yield address, log, process
    finally:
        process.terminate()
        assert process.wait(timeout=30) in (0, -15)


@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (b"no JSON", JSON, INVALID),
        (b'{"inputs": "a"', JSON, INVALID),
        (b"[" * 100_000, JSON, "the request cannot be read (RecursionError"),
        (b'{"inputs": [' + b"1" * 5000 + b"]}", JSON, "the request cannot be read (ValueError"),
        (b"[1, 2]", JSON, "Invalid input. The input must be a JSON dictionary"),
        (b'{"images": []}', JSON, "Request payload must be a dictionary with 'inputs' key"),
        (request(text(picture()[:90])), JSON, "inputs[0] cannot be read: image file is truncated"),
        (request("x", params={"top": "many"}), JSON, "Invalid parameters found"),
        (b"\xff\xfe\x00", JSON, INVALID),
        (b"a,b\n1,2\n", {"Content-Type": "text/csv"}, "Failed to parse input as a Pandas"),
        (b"junk", {"Content-Type": "image/png"}, "This predictor only supports the following"),
        (b"{}", {"Content-Type": "application/json; a=b"}, "Unrecognized content type"),
        (b"x" * (serve.MOST_BYTES + 1), JSON, "the request is larger than 33,554,432 bytes"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_answered_400_in_a_line(body, headers, said, app):
    status, answer = ask(app, body, headers)
    assert (status, set(answer)) == (400, {"error_code", "message"})
    assert answer["message"].startswith(said)
    check_line(answer)


def check_line(answer):
    line = answer["message"]
    assert "\n" not in line and "Traceback" not in line and "IMPORTANT" not in line
    assert 0 < len(line) <= serve.LONGEST


def test_a_request_without_a_content_type_is_told_which(app):
    said = "the request has no content type: send application/json"
    assert ask(app, request(text(picture())), {}) == (
        400, {"error_code": "BAD_REQUEST", "message": said}
    )  # fmt: skip


def test_a_right_request_is_answered_as_the_model_answers(app, model):
    import mlflow.pyfunc

    expected = mlflow.pyfunc.load_model(str(model)).predict([picture()], params={"top": 2})
    found = ask(app, request(text(picture()), params={"top": 2}))
    assert found == (200, {"predictions": expected})


def test_a_fault_of_the_model_is_no_fault_of_the_clients(capsys):
    async def fails(scope, receive, send):
        said = {"message": f"{serve.UNEXPECTED}. Verify", "stack_trace": "Traceback: in line 3"}
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(said).encode()})

    said = "the model failed; the server's output says where"
    assert ask(serve.Guard(fails), b"{}") == (500, {"error_code": "ERROR", "message": said})
    assert capsys.readouterr().err == "Traceback: in line 3\n"


def test_what_is_too_large_is_not_kept():
    kept = []

    async def app(scope, receive, send):
        kept.append(await receive())

    assert ask(serve.Guard(app, most_bytes=10), b"x" * 11)[0] == 400
    assert kept == []


class Store:
    """A registry with some aliases, as `find_version` asks it."""

    def __init__(self, **aliases):
        from mlflow import exceptions
        from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

        self.missing = RESOURCE_DOES_NOT_EXIST

        self.aliases, self.exceptions = aliases, exceptions

    def MlflowClient(self):
        return self

    def get_model_version_by_alias(self, name, alias):
        if alias not in self.aliases:
            raise self.exceptions.MlflowException("not found", error_code=self.missing)
        return self.aliases[alias]


@pytest.mark.parametrize(
    ("aliases", "wanted", "found", "said"),
    [
        ({"champion": 1, "challenger": 2}, None, ("champion", 1), "the champion"),
        ({"challenger": 2}, None, ("challenger", 2), "the challenger; there is no champion"),
        ({"champion": 1, "challenger": 2}, "challenger", ("challenger", 2), "the challenger"),
        ({"brain-taught": 3}, "brain-taught", ("brain-taught", 3), "the brain-taught"),
    ],
)
def test_the_champion_is_served_or_else_the_challenger(aliases, wanted, found, said):
    store = Store(**aliases)
    assert serve.find_version(store, wanted) == found
    assert serve._said(found[0], wanted) == said


@pytest.mark.parametrize(
    ("wanted", "named"), [(None, "@champion or @challenger"), ("brain-taught", "@brain-taught")]
)
def test_without_a_version_it_says_what_to_do(wanted, named):
    with pytest.raises(LookupError) as caught:
        serve.find_version(Store(), wanted)
    assert str(caught.value) == f"{MODEL} has no version {named}: run `brain-teacher promote` first"


def wrong_request(rng):
    """A request with something wrong; its body and type."""
    good = picture(rng.randrange(10), (rng.randrange(4, 60), rng.randrange(4, 60)))
    number = rng.choice([1e308, -1, 256, float("nan"), float("inf"), 10**400, 0.5, "7", None])
    body = rng.choice([
        # Truncated, changed, or no pictures.
        lambda: request(text(good[: rng.randrange(len(good) - 20)])),
        lambda: request(text(good), text(good[: rng.randrange(40)])),
        lambda: request(text(rng.randbytes(rng.randrange(3000)))),
        lambda: request(text(good)[:-1] + rng.choice("!é\u202e")),
        lambda: request(rng.choice(["", "cat.png", "../../etc", "\x00", "\ud800", "é" * 999])),
        # Wrong shapes, NaN, huge.
        lambda: request([[number] * 4] * 4),
        lambda: request([[[number] * rng.randrange(1, 6)] * 4] * 4),
        lambda: request([[0] * n for n in (3, 4, 5)]),
        lambda: request([[[[number]]]]),
        lambda: b'{"inputs": ' + b"[" * rng.randrange(5, 3000),
        lambda: b'{"inputs": [' + b"[" * (n := rng.randrange(5, 900)) + b"]" * n + b"]}",
        lambda: request(*[[[1e999] * 300] * 300]),
        lambda: request(*["x"] * rng.randrange(1001, 3000)),
        lambda: b'{"inputs": [' + b"9" * rng.randrange(4301, 9000) + b"]}",
        lambda: request("A" * rng.randrange(10**5, 10**6)),
        # Text, and JSON of other shapes.
        lambda: rng.randbytes(rng.randrange(200)),
        lambda: rng.choice([b"", b"null", b"[]", b"1", b'"a"', b"{}", b"NaN", b'{"inputs": NaN}']),
        lambda: request(text(good))[: -rng.randrange(1, 30)],
        lambda: json.dumps({rng.choice(["inputs", "instances", "dataframe_split", "x"]): rng.choice(
            [None, 1, "a", {}, {"a": 1}, [], [None], [{}], [[]], {"columns": [1]}])}).encode(),
        lambda: request(text(good), params=rng.choice([1, [], "a", {"top": "a"}, {"top": -3}])),
        lambda: json.dumps({"inputs": [text(good)], "params": {"top": 1.5}}).encode(),
    ])()  # fmt: skip
    kind = rng.choice(
        ["application/json"] * 16
        + [
            "text/csv",
            "application/vnd.apache.parquet",
            "text/plain",
            "",
            ";;=",
            "application/json;",
        ]
    )
    return body, {"Content-Type": kind}


@pytest.mark.full
def test_a_thousand_wrong_requests_are_all_answered_400_in_a_line(server):
    address, log, process = server
    rng = random.Random(23)
    wrong = [wrong_request(rng) for _ in range(1000)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda each: post(address, *each), wrong))
    others = [(a, w[0][:80], w[1]) for a, w in zip(answers, wrong, strict=True) if a[0] != 400]
    assert not others, others[:5]
    for _, answer in answers:
        check_line(answer)
    # It lives, and answers as before.
    assert process.poll() is None and "Traceback" not in log.read_text()
    assert post(address, request(text(picture())))[0] == 200


@pytest.mark.full
def test_it_serves_the_challenger_and_says_that_there_is_no_champion(server):
    address, log, _ = server
    said = log.read_text().splitlines()
    assert f"loading {MODEL} version 1 (the challenger; there is no champion) ..." in said
    assert f"{address}/invocations   (Ctrl-C stops it)" in said
    status, answer = post(address, request(text(picture()), params={"top": 1}))
    assert status == 200
    (((best,),),) = answer.values()
    assert best.keys() == {"class_id", "name", "log_prob"}
