"""A served student under load, beside torch alone: requests a second, waiting times, memory.

    python benchmarks/serving.py [--seconds S] [--quick] [--write docs/serving.md]

The student is one of the sample's (a quarter-width ResNet18, pictures of 24 pixels, 50 classes; not
trained, which costs the same). A request holds one JPEG of 500 x 375 pixels in base64. Clients are
threads of this process, each with one connection, which ask again as soon as they are answered.
torch alone gets the same picture, decoded and prepared, in the process of this script; so does the
model's function, without a server. Everything runs on the same cores, one after the other.
"""

import base64
import http.client
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import types
from pathlib import Path

import click
import numpy as np
import psutil

CLIENTS = (1, 8, 32)
SIDE, WIDTH, CLASSES, SIZE = 24, 16, 50, (500, 375)
SERVER = """
import sys, uvicorn
from brain_teacher.tracking.serve import guarded
uvicorn.run(guarded(sys.argv[1]), port=int(sys.argv[2]), log_level="warning")
"""
START, END = "<!-- measured -->", "<!-- /measured -->"


def make_model(folder):
    """Save a student as `tracking` does."""
    import mlflow
    import mlflow.pytorch

    from brain_teacher.networks.classifiers import Classifier, build_network
    from brain_teacher.tracking import models

    network = build_network(n_classes=CLASSES, width=WIDTH, image_size=SIDE, seed=0)
    made = types.SimpleNamespace(model_id="m", source_run_id="r")
    card = {"class_id": [f"n{k:08}" for k in range(CLASSES)], "image_size": SIDE}
    models._save_model(mlflow, made, folder, Classifier(network).contiguous(), card)


def jpeg():
    """A textured picture's file."""
    from PIL import Image

    small = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(small).resize(SIZE, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def loop(work, seconds):
    """Milliseconds of each call, for so many seconds after a few that do not count."""
    for _ in range(3):
        work()
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - start))
    return took


def under_load(port, body, clients, seconds):
    """Milliseconds of each request, of all clients."""
    took, wrong = [], []

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

        def ask():
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                wrong.append(answer.status)

        took.extend(loop(ask, seconds))
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]
    return took


def row(name, took, seconds, memory):
    """A row of the table."""
    p50, p99 = np.percentile(took, [50, 99])
    return f"| {name} | {len(took) / seconds:.0f} | {p50:.1f} | {p99:.1f} | {memory / 2**20:.0f} |"


def measure(seconds):
    """The rows of the table."""
    import mlflow.pyfunc
    import mlflow.pytorch
    import torch

    content = jpeg()
    body = json.dumps({"inputs": [base64.b64encode(content).decode()], "params": {"top": 5}})
    own, rows = psutil.Process(), []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "model"
        make_model(place)
        network = mlflow.pytorch.load_model(str(place))
        pixels = torch.full((1, 3, SIDE, SIDE), 128.0)
        with torch.inference_mode():
            took = loop(lambda: network(pixels), seconds)
        rows.append(row("torch alone, a prepared picture", took, seconds, own.memory_info().rss))
        student = mlflow.pyfunc.load_model(str(place))
        took = loop(lambda: student.predict([content], params={"top": 5}), seconds)
        rows.append(row("the model's function, a JPEG", took, seconds, own.memory_info().rss))
        port = free_port()
        server = subprocess.Popen([sys.executable, "-c", SERVER, str(place), str(port)])
        try:
            wait_for(port, server)
            for clients in CLIENTS:
                took = under_load(port, body, clients, seconds)
                memory = psutil.Process(server.pid).memory_info().rss
                name = f"the server, {clients} client{'s' * (clients > 1)}"
                rows.append(row(name, took, seconds, memory))
        finally:
            server.terminate()
            server.wait()
    return rows


def free_port():
    """A port of the loopback that nobody uses."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, server):
    """Wait until the server answers."""
    while server.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/ping")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server did not start")


@click.command(help=__doc__)
@click.option("--seconds", default=10.0, show_default=True, help="Of each row.")
@click.option("--quick", is_flag=True, help="A second a row, to see that it works.")
@click.option("--write", "page", type=click.Path(path_type=Path), help="Put the table there.")
def main(seconds, quick, page):
    """Measure, print, and write."""
    import torch

    load = os.getloadavg()[0]
    rows = measure(1.0 if quick else seconds)
    head = "| what answers | requests/s | p50, ms | p99, ms | memory, MB |\n|---|---|---|---|---|"
    table = "\n".join([head, *rows])
    cores = len(os.sched_getaffinity(0))
    note = (
        f"{cores} cores, no GPU, torch {torch.__version__}, {1.0 if quick else seconds:g} s a row; "
        f"before it began, {load:.1f} processes waited for these cores (load average)."
    )
    print(f"{table}\n\n{note}")
    if page is not None:
        text = page.read_text("utf-8")
        before, after = text.partition(START)[0], text.partition(END)[2]
        page.write_text(f"{before}{START}\n{table}\n\n{note}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
