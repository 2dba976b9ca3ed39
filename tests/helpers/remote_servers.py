"""Real servers on loopback ports, each over a folder of its own."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(command, port, log):
    """A server, once it answers; ended at the end."""
    with open(log, "w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                ended = process.poll() is not None
                assert not ended and time.monotonic() < deadline, Path(log).read_text()
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextmanager
def s3(folder):
    """Moto's S3 server with a bucket; yields the environment that finds it."""
    import boto3

    port = free_port()
    env = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, port, folder / "s3.log"):
        client = boto3.client(
            "s3",
            endpoint_url=env["AWS_ENDPOINT_URL"],
            aws_access_key_id="a",
            aws_secret_access_key="b",
            region_name="us-east-1",
        )
        client.create_bucket(Bucket="my-lab")
        yield env, client
        client.close()


@contextmanager
def ssh(folder):
    """OpenSSH's server; yields an environment whose ``~/.ssh/config`` knows it as ``gpu-box``."""
    home, port = folder / "home", free_port()
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    for name in ("host", "user"):
        key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / ".ssh" / name]
        subprocess.run(key, check=True)
    authorized = home / ".ssh" / "authorized_keys"
    authorized.write_bytes((home / ".ssh" / "user.pub").read_bytes())
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/.ssh/host\nStrictModes no\n"
        f"AuthorizedKeysFile {authorized}\nPasswordAuthentication no\nUsePAM no\n"
        f"PidFile none\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n"
    )
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    (home / ".ssh" / "config").write_text(
        f"Host gpu-box\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n"
        f"  IdentityFile {home}/.ssh/user\n"
    )
    if os.geteuid() == 0:  # where sshd keeps the part of itself without rights
        Path("/run/sshd").mkdir(exist_ok=True)
    command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
    with running(command, port, folder / "sshd.log"):
        yield {"HOME": str(home)}


@contextmanager
def http(folder):
    """Python's web server over a folder, to read; yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with running([*command, "--directory", str(folder)], port, folder.parent / "http.log"):
        yield f"http://127.0.0.1:{port}"
