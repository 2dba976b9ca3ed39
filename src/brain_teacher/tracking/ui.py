"""``make ui``: start the MLflow UI on the repository's store; print its address when it answers."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from brain_teacher.tracking.store import repository_root

PATIENCE = 120  # seconds; the server imports for half a minute on a slow machine


def serve(first_port=5000):
    """Run the UI until it is interrupted; the exit code."""
    root = repository_root().absolute()
    if not (root / "mlflow.db").exists() and "MLFLOW_TRACKING_URI" not in os.environ:
        print("Error: there are no MLflow runs yet: run `make demo` first", file=sys.stderr)
        return 1
    store = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlflow.db'}")
    if store.startswith("http"):
        print(f"{store}   (the MLflow server that MLFLOW_TRACKING_URI names)")
        return 0
    port = _free_port(first_port)
    address = f"http://127.0.0.1:{port}"
    # Without job execution the server starts no worker processes that would outlive it.
    env = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = ["mlflow", "ui", "--backend-store-uri", store, "--port", str(port), "--workers", "1"]
    print("starting the MLflow UI ...", flush=True)
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            if not _answers(server, address):
                print(
                    f"Error: the MLflow UI did not start; try {' '.join(command)}", file=sys.stderr
                )
                return 1
            print(f"{address}   (Ctrl-C stops it)", flush=True)
            server.wait()
        except KeyboardInterrupt:
            pass
        finally:
            server.terminate()
    return 0


def _free_port(first):
    for port in range(first, first + 100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    return first


def _answers(server, address):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    return False


if __name__ == "__main__":
    sys.exit(serve())
