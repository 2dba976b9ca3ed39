"""``make ui``: its server ends with it, whatever ends it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
# In MLflow's place: it answers at once, and says who it is.
SERVER = """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

port = int(sys.argv[sys.argv.index("--port") + 1])
Path("pid").write_text(str(os.getpid()))
HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_ended_by_a_signal_it_takes_its_server_with_it(tmp_path):
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "__init__.py").touch()
    (tmp_path / "mlflow" / "__main__.py").write_text(SERVER)
    env = os.environ | {
        "PYTHONPATH": f"{tmp_path}:{ROOT / 'src'}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'mlflow.db'}",
    }
    command = [sys.executable, "-m", "brain_teacher.tracking.ui"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout.readline() == "starting the MLflow UI ...\n"
        assert "Ctrl-C stops it" in program.stdout.readline()
        server = int((tmp_path / "pid").read_text())
        assert is_alive(server)
        program.send_signal(signal.SIGTERM)
        assert program.wait(60) == 0
    for _ in range(100):
        if not is_alive(server):
            return
        time.sleep(0.1)
    os.kill(server, signal.SIGKILL)
    raise AssertionError("its server is still there")
