"""A real SLURM of two nodes on this machine, from Debian's packages, unpacked and not installed."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

PACKAGES = (
    "slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins",
    "munge", "libmunge2", "libhwloc15", "liblua5.1-0",
)  # fmt: skip
QUIETLY = {"capture_output": True, "text": True}
NODES = ("n1", "n2")
# Without systemd and cgroups, as a container has it.
SETTINGS = """\
ClusterName=test
SlurmUser=root
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
PluginDir={libraries}/slurm-wlm
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=2
ReturnToService=2
KillWait=2
NodeName={nodes} NodeHostname={host} NodeAddr=127.0.0.1 Port=[{ports[1]}-{ports[2]}] CPUs=2
PartitionName=main Nodes=ALL Default=YES MaxTime=60 State=UP
"""
# What a site writes into Dask's settings; the nodes here count no memory.
SITE = {
    "jobqueue.slurm.memory": "2GB",
    "jobqueue.slurm.job-directives-skip": ["--mem"],
    "jobqueue.slurm.death-timeout": 10,
}


class NoSlurm(Exception):
    """Why there is none to be had here."""


def unpacked(folder):
    """Debian's packages, unpacked; NoSlurm says why not."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise NoSlurm(f"{tool} is not here")
    if os.geteuid() != 0:
        raise NoSlurm("its daemons want root")
    folder.mkdir()
    got = subprocess.run(
        ["apt-get", "download", *PACKAGES], cwd=folder, timeout=120, check=False, **QUIETLY
    )
    if got.returncode:
        raise NoSlurm(f"apt-get download: {got.stderr.strip().splitlines()[-1]}")
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder / "root"], check=True)
    return folder / "root"


def free_ports():
    """One port, and two in a row."""
    for first in range(20_000 + os.getpid() % 10_000, 40_000, 3):
        with ExitStack() as stack:
            try:
                for port in range(first, first + 3):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first, first + 1, first + 2
    raise NoSlurm("no free ports")


@contextmanager
def slurm():
    """SLURM while it is needed; gives the environment that its commands and jobs want."""
    # Short, since munge's socket lies in it.
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    try:
        root = unpacked(folder / "packages")
        libraries = next((root / "usr/lib").glob("*-linux-gnu"))
        host = socket.gethostname().split(".")[0]
        names = {"host": host, "nodes": f"n[1-{len(NODES)}]", "ports": free_ports()}
        config = folder / "slurm.conf"
        config.write_text(SETTINGS.format(folder=folder, libraries=libraries, **names))
        env = {
            "SLURM_CONF": str(config),
            "PATH": os.pathsep.join([f"{root}/usr/bin", os.environ["PATH"]]),
            "LD_LIBRARY_PATH": f"{libraries}:{libraries}/slurm-wlm",
        }
        with started(folder, root / "usr/sbin", config, os.environ | env):
            yield env
    finally:
        shutil.rmtree(folder)


@contextmanager
def started(folder, programs, config, env):
    """The daemons, each in the foreground."""
    key = folder / "munge.key"
    key.write_bytes(os.urandom(256))
    key.chmod(0o400)
    munge = {"key-file": key, "socket": folder / "munge.socket", "pid-file": folder / "munge.pid"}
    munge |= {"seed-file": folder / "munge.seed", "log-file": folder / "munge.log"}
    commands = [
        [programs / "munged", "--foreground", "--force", *(f"--{k}={v}" for k, v in munge.items())],
        [programs / "slurmctld-wlm", "-D", "-f", config],
    ]
    step = programs / "slurmstepd-wlm"
    commands += [[programs / "slurmd-wlm", "-D", "-N", n, "-f", config, "-d", step] for n in NODES]
    (folder / "state").mkdir()
    daemons = []
    try:
        for number, command in enumerate(commands):
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            daemons.append(subprocess.Popen(list(map(str, command)), env=env, **quiet))
            if number == 0:
                wait_until((folder / "munge.socket").exists, "munged's socket")
        idle = ["sinfo", "-h", "-N", "-t", "idle", "-o", "%N"]
        wait_until(lambda: len(asked(idle, env).split()) == len(NODES), "two idle nodes")
        yield
    finally:
        asked(["scancel", "--me"], env)
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)


def asked(command, env=None):
    """What one of SLURM's commands prints."""
    return subprocess.run(command, env=env, timeout=60, check=False, **QUIETLY).stdout


def wait_until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.2)


@pytest.fixture(scope="session")
def slurm_env():
    """SLURM's environment; skips, with the reason, where none can be had."""
    with ExitStack() as stack:
        try:
            env = stack.enter_context(slurm())
        except NoSlurm as reason:
            pytest.skip(f"no SLURM: {reason}")
        yield env
