"""``make ui``: where it opens, and that nothing of it stays."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing

import pytest

from brain_teacher.tracking import ui
from helpers.stores import make_store


def test_without_a_students_experiment_it_opens_on_the_first_page():
    assert ui._place("http://127.0.0.1:9") == ""


@pytest.mark.full
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_opens_on_the_students_and_ends_with_its_children(ending, tmp_path):
    store = tmp_path / "mlflow.db"
    make_store(store)
    with closing(sqlite3.connect(store)) as database:
        database.execute(
            "insert into experiments (experiment_id, name, lifecycle_stage, artifact_location) "
            "values (7, 'distill', 'active', '')"
        )
        database.commit()
    env = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{store}", "PYTHONUNBUFFERED": "1"}
    # Of a shell's background job SIGINT would be ignored, and that be inherited.
    default = "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); "
    started = "runpy.run_module('brain_teacher.tracking.ui', run_name='__main__')"
    call = [sys.executable, "-c", default + started]
    with subprocess.Popen(call, env=env, cwd=tmp_path, text=True, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        said = [server.stdout.readline() for _ in range(3)]
        try:
            place = r"/#/experiments/7/runs\?workflowType=machine_learning"
            (port,) = re.findall(rf"http://brain-teacher.localhost:(\d+){place}", said[1])
            assert re.search(rf"http://127.0.0.1:{port}{place}", said[2])
            for host in (f"brain-teacher.localhost:{port}", f"127.0.0.1:{port}"):
                asked = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": host})
                assert urllib.request.urlopen(asked, timeout=30).status == 200
        finally:
            server.send_signal(ending)
            server.wait(30)
    deadline = time.monotonic() + 30
    while answers(int(port)):
        assert time.monotonic() < deadline, "the server was left behind"
        time.sleep(0.5)


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
