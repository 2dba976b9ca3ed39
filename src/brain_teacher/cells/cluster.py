"""Where cells run but in processes of this one: ``--cluster local``, ``slurm``, or an address."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brain_teacher.errors import BrainTeacherError, UsageError

# Without a worker, so long; ``distributed.scheduler.no-workers-timeout`` of Dask's settings wins.
PATIENCE = "30 minutes"
# Dask's own page, which asks nobody for a key: for this machine, at whatever port is free.
PAGE = "127.0.0.1:0"
SITE = "~/.config/dask/jobqueue.yaml"


@dataclass(frozen=True)
class Kind:
    """A kind of cluster that is started for a command, and ends with it."""

    label: str
    # Of how many workers, and a folder for keys and logs: what Dask's client connects to.
    start: Callable[[int, Path], AbstractContextManager[Any]]
    look_at: str  # when no worker comes
    # Of what was started, and how many workers there still is work for.
    resize: Callable[[Any, int], None] | None = None


@dataclass(frozen=True)
class Cluster:
    """What ``--cluster`` names, and a folder for its keys and logs while it runs."""

    name: str  # of CLUSTERS, or the address of a scheduler
    folder: Path

    @contextmanager
    def scheduler(self, workers: int) -> Generator[Any]:
        """What Dask's client connects to; started, if this is no address, and ended.

        Afterwards of the folder only logs are left, and these only if something failed.
        """
        if self.name not in CLUSTERS:
            yield self.name
            return
        shutil.rmtree(self.folder, ignore_errors=True)  # of one that was killed
        private = self.folder / "private"
        private.mkdir(parents=True, mode=0o700)
        try:
            with CLUSTERS[self.name].start(workers, self.folder) as started:
                yield started
        finally:
            shutil.rmtree(private, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def resize(self, started: Any, workers: int) -> None:
        """Keep so many workers, whatever becomes of them; others' are their own business."""
        if self.name in CLUSTERS and (resize := CLUSTERS[self.name].resize) is not None:
            resize(started, workers)

    @property
    def look_at(self) -> str:
        """Where to look when no worker comes."""
        if self.name not in CLUSTERS:
            return f"start some: dask worker {self.name} --nthreads 1"
        return CLUSTERS[self.name].look_at.format(logs=self.folder / "logs")


@contextmanager
def _local(workers: int, folder: Path) -> Generator[Any]:
    """Processes here, which nobody else of this machine can reach."""
    from distributed import LocalCluster

    settings: dict[str, Any] = {"threads_per_worker": 1, "memory_limit": None, "security": True}
    settings |= {"dashboard_address": PAGE, "silence_logs": "CRITICAL"}
    with LocalCluster(
        n_workers=workers, local_directory=str(folder / "private"), **settings
    ) as started:
        yield started


@contextmanager
def _slurm(workers: int, folder: Path) -> Generator[Any]:
    """Jobs of one core and one process; what else a site wants stands in Dask's own settings."""
    from dask import config
    from dask_jobqueue import SLURMCluster

    if shutil.which("sbatch") is None:
        raise BrainTeacherError(
            "--cluster slurm finds no sbatch: start where SLURM's commands are (a login node)"
        )
    site = config.get("jobqueue.slurm", {})
    if site.get("memory") is None:
        raise UsageError(
            f"Dask's settings do not say how much memory a job takes: write jobqueue.slurm.memory "
            f"into {SITE} (docs/cluster.md has an example)"
        )
    # Relative, as a job starts where this process works: its script cannot hold a blank in a path.
    place = os.path.relpath(folder)
    if " " in place:
        raise UsageError(
            f"{place} holds a blank, which a job's script cannot: choose another --out"
        )
    extra = [*(site.get("worker-extra-args") or []), "--memory-limit", "0", "--no-dashboard"]
    own_lifetime = any("--lifetime" in each for each in extra)
    if not own_lifetime and site.get("walltime") is not None:
        extra += ["--lifetime", f"{_lifetime(str(site['walltime']))}s"]
    keys = _keys(Path(place) / "private")
    settings: dict[str, Any] = {"cores": 1, "processes": 1, "security": keys}
    settings |= {"worker_extra_args": extra, "silence_logs": "CRITICAL"}
    # A site's word goes before.
    scheduler = {"dashboard_address": PAGE} | (site.get("scheduler-options") or {})
    settings |= {"scheduler_options": scheduler}
    settings |= {"python": shlex.quote(sys.executable)} if site.get("python") is None else {}
    settings |= {"log_directory": f"{place}/logs"} if site.get("log-directory") is None else {}
    with SLURMCluster(**settings) as started:
        _try_out(started.job_script())
        _keep_jobs(started, workers)
        yield started


def _keep_jobs(started: Any, jobs: int) -> None:
    """Not `scale`, which does not replace jobs that were cancelled or have ended."""
    started.adapt(minimum_jobs=jobs, maximum_jobs=jobs)


def _keys(folder: Path) -> Any:
    """A key and a certificate of this one command, in files that nobody else may read.

    Whoever reaches a scheduler without them runs code as its owner.
    """
    from distributed import Security

    made, files = Security.temporary(), {}
    texts = {"cert": made.tls_ca_file, "key": made.tls_scheduler_key}
    for name, text in texts.items():
        files[name] = str(folder / f"{name}.pem")
        with open(os.open(files[name], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(str(text))
    roles = ("client", "scheduler", "worker")
    said = {f"tls_{role}_{name}": file for role in roles for name, file in files.items()}
    return Security(tls_ca_file=files["cert"], require_encryption=True, **said)


def _try_out(script: str) -> None:
    """Ask SLURM whether it would take the job: what it refuses would be tried for ever."""
    asked = ["sbatch", "--test-only"]
    answer = subprocess.run(asked, input=script, capture_output=True, text=True, check=False)
    if answer.returncode:
        why = answer.stderr.strip().splitlines()
        raise BrainTeacherError(
            f"SLURM refuses such a job ({why[-1] if why else 'sbatch says nothing'}); correct "
            f"jobqueue.slurm in {SITE}"
        )


def _lifetime(walltime: str) -> int:
    """Seconds after which a worker takes no more cells and ends: well before its job is ended.

    `walltime` is as SLURM writes it: minutes, minutes:seconds, hours:minutes:seconds, or after
    ``days-`` hours, hours:minutes, hours:minutes:seconds.
    """
    try:
        days, _, clock = walltime.rpartition("-")
        parts = [int(part) for part in clock.split(":")]
        if days or len(parts) == 3:
            hours, minutes, seconds = [*parts, 0, 0][:3]
        else:
            hours, (minutes, seconds) = 0, [*parts, 0][:2]
        whole = ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds
    except ValueError:
        raise UsageError(
            f"jobqueue.slurm.walltime is {walltime!r}, which is no time of SLURM's (one is "
            f"'02:00:00'); correct it in {SITE}"
        ) from None
    return whole - min(300, whole // 3)


CLUSTERS = {
    "local": Kind("processes here", _local, "look at this machine's memory and processes"),
    "slurm": Kind(
        "jobs of SLURM", _slurm,
        "look at `squeue -u $USER` (do jobs wait, and for what?) and at the jobs' words in {logs}",
        _keep_jobs,
    ),
}  # fmt: skip
