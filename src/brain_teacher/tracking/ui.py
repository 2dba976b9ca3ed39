"""``make ui``: start the MLflow UI on the repository's store; print its address when it answers."""
# ruff: noqa: T201 - a program of its own, which people start: printing is how it speaks

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

from brain_teacher.tracking.store import repository_root, store_address

PATIENCE = 120  # seconds; the server imports for half a minute on a slow machine
# Every browser takes it for this machine. Under `localhost` and 127.0.0.1 the UI opens MLflow's
# assistant over a quarter of the page, which no setting of the server prevents.
NAME = "brain-teacher.localhost"
OPENS_ON = "distill"  # the students' experiment


def serve(first_port: int = 5000) -> int:
    """Run the UI until it is interrupted; the exit code."""
    store = store_address()
    if not (repository_root() / "mlflow.db").exists() and "MLFLOW_TRACKING_URI" not in os.environ:
        print("Error: there are no MLflow runs yet: run `make demo` first", file=sys.stderr)
        return 1
    if store.startswith("http"):
        print(f"{store}   (the MLflow server that MLFLOW_TRACKING_URI names)")
        return 0
    port = _free_port(first_port)
    address = f"http://127.0.0.1:{port}"
    # Without job execution the server starts no worker processes that would outlive it.
    env = {"MLFLOW_DISABLE_TELEMETRY": "true", **os.environ}
    env |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = ["mlflow", "ui", "--backend-store-uri", store, "--port", str(port), "--workers", "1"]
    hosts = [f"{name}:{port}" for name in (NAME, "127.0.0.1", "localhost")]
    allowed = ["--allowed-hosts", ",".join(hosts), "--cors-allowed-origins", f"http://{hosts[0]}"]
    print("starting the MLflow UI ...", flush=True)
    program, nowhere = [sys.executable, "-m", *command, *allowed], subprocess.DEVNULL
    with subprocess.Popen(program, env=env, stdout=nowhere, stderr=nowhere) as server:
        try:
            if not _answers(server, address):
                print(
                    f"Error: the MLflow UI did not start; try {' '.join(command)}", file=sys.stderr
                )
                return 1
            place = _place(address)
            print(f"http://{NAME}:{port}{place}   (Ctrl-C stops it)", flush=True)
            print(f"where that name is not known: {address}{place}", flush=True)
            server.wait()
        except KeyboardInterrupt:
            pass
        finally:
            server.terminate()
    return 0


def _place(address: str) -> str:
    """Where in the UI the students' runs are; its first page, as long as there are none."""
    asked = f"{address}/api/2.0/mlflow/experiments/get-by-name?experiment_name={OPENS_ON}"
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            found = json.load(answer)["experiment"]["experiment_id"]
    except (OSError, ValueError, KeyError):
        return ""
    return f"/#/experiments/{found}/runs?workflowType=machine_learning"


def _free_port(first: int) -> int:
    for port in range(first, first + 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    return first


def _answers(server: subprocess.Popen[bytes], address: str) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return True
        except OSError:
            time.sleep(0.5)
    return False


if __name__ == "__main__":
    sys.exit(serve())
