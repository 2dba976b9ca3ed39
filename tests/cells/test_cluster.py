"""Workers of a cluster beyond the contract: what is refused, what is waited for, what is left."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from brain_teacher.cells import engine
from brain_teacher.cells.cluster import Cluster, _lifetime
from brain_teacher.cells.engine import run_cells
from brain_teacher.errors import BrainTeacherError, UsageError
from helpers.slurm import wait_until
from helpers.toy_cells import Raise, Tell, cells_of

config = pytest.importorskip("dask.config")
pytest.importorskip("dask_jobqueue")

SRC, TESTS = str(Path(engine.__file__).parents[2]), str(Path(__file__).parents[1])


def run_on(name, cells, folder, shared=None, workers=2):
    how = {"workers": workers, "cluster": Cluster(name, folder / "cluster")}
    return list(run_cells(cells, shared=shared, **how))


@contextmanager
def lab(*workers, folder, scheduler=SRC, kill=None):
    """A scheduler and workers as a lab runs them, each with its PYTHONPATH and options."""
    with ExitStack() as stack:

        def start(what, *options, path=""):
            command = [sys.executable, "-m", "distributed.cli.dask_" + what, *options]
            env = os.environ | {"PYTHONPATH": path}
            where = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
            process = stack.enter_context(subprocess.Popen(command, env=env, **where))
            stack.callback(process.kill)
            return process

        file = folder / "scheduler.json"
        local = ["--host", "127.0.0.1", "--no-dashboard"]
        main = start(
            "scheduler", "--port", "0", "--scheduler-file", str(file), *local, path=scheduler
        )
        for path, *options in workers:
            start("worker", "--scheduler-file", str(file), *local, *options, path=path)
        wait_until(file.exists, "the scheduler")
        wait_until(lambda: '"address"' in file.read_text(), "its address")
        address = re.search('"address": "([^"]+)"', file.read_text())[1]
        yield address if kill is None else (address, main.kill)


ONE = ("--nthreads", "1", "--no-nanny")


def test_a_labs_own_scheduler_and_workers(tmp_path):
    path = os.pathsep.join([SRC, TESTS])
    with lab((path, *ONE), (path, *ONE), folder=tmp_path) as address:
        # A second command on the same workers: nothing is left of the first.
        for _ in range(2):
            told = [result for _, result in run_on(address, cells_of(Tell, *range(8)), tmp_path)]
            assert len({pid for pid, _ in told}) == 2
    assert not (tmp_path / "cluster").exists()


def other_code(folder):
    """This package, but for one number."""
    shutil.copytree(Path(SRC) / "brain_teacher", folder / "brain_teacher")
    file = folder / "helpers" / "toy_cells.py"
    file.parent.mkdir()
    text = (Path(TESTS) / "helpers" / "toy_cells.py").read_text()
    file.write_text(text.replace("time.sleep(0.2)", "time.sleep(0.3)"))
    return str(folder)


def test_a_worker_of_other_code_is_refused(tmp_path):
    with (
        lab((other_code(tmp_path), *ONE), folder=tmp_path) as address,
        pytest.raises(BrainTeacherError) as caught,
    ):
        run_on(address, cells_of(Tell, 0), tmp_path)
    assert re.fullmatch(
        r"a worker on \S+ has other code than this process \(\S+/brain_teacher there\): install "
        "the same version, and start the worker again",
        str(caught.value),
    )


def empty_package(folder):
    """In place of ours; so first on the path."""
    file = folder / "empty" / "brain_teacher" / "__init__.py"
    file.parent.mkdir(parents=True)
    file.touch()
    return str(file.parents[1])


def test_a_worker_without_the_package_is_refused(tmp_path):
    with (
        lab((empty_package(tmp_path), *ONE), folder=tmp_path) as address,
        pytest.raises(BrainTeacherError) as caught,
    ):
        run_on(address, cells_of(Tell, 0), tmp_path)
    assert str(caught.value) == (
        f'a worker at {address} cannot read what cells need (ModuleNotFoundError("No module named '
        "'brain_teacher.cells'\")): install this version of brain-teacher there, and start it again"
    )


def test_a_scheduler_without_the_package_is_refused(tmp_path):
    path = os.pathsep.join([SRC, TESTS])
    with (
        lab((path, *ONE), folder=tmp_path, scheduler=empty_package(tmp_path)) as address,
        pytest.raises(BrainTeacherError, match="the scheduler at tcp://.* cannot read a cell"),
    ):
        run_on(address, cells_of(Tell, 0), tmp_path)


def test_a_worker_of_several_threads_is_refused(tmp_path):
    path = os.pathsep.join([SRC, TESTS])
    with (
        lab((path, "--nthreads", "3", "--no-nanny"), folder=tmp_path) as address,
        pytest.raises(UsageError, match=r"has 3 threads, .* start workers with --nthreads 1"),
    ):
        run_on(address, cells_of(Tell, 0), tmp_path)


def test_nobody_answers(tmp_path):
    with (
        config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(BrainTeacherError, match="no scheduler answers at tcp://127.0.0.1:9"),
    ):
        run_on("tcp://127.0.0.1:9", cells_of(Tell, 0), tmp_path)


def test_without_workers_a_stated_time_is_waited(tmp_path):
    with (
        lab(folder=tmp_path) as address,
        config.set({"distributed.scheduler.no-workers-timeout": "3s"}),
        pytest.raises(BrainTeacherError) as caught,
    ):
        run_on(address, cells_of(Tell, 0), tmp_path)
    assert str(caught.value) == (
        f"no worker came in 0.05 minutes: start some: dask worker {address} --nthreads 1; finished "
        "cells are kept"
    )


def test_a_scheduler_that_is_killed_is_named(tmp_path):
    path = os.pathsep.join([SRC, TESTS])
    with (
        config.set({"distributed.comm.timeouts.connect": "2s"}),
        lab((path, *ONE), (path, *ONE), folder=tmp_path, kill=True) as (address, kill),
    ):
        made = run_cells(
            cells_of(Tell, *range(100)), shared=None, workers=2,
            cluster=Cluster(address, tmp_path / "cluster"),
        )  # fmt: skip
        next(made)
        kill()
        with pytest.raises(BrainTeacherError) as caught:
            list(made)
    assert str(caught.value) == (
        f"the scheduler of --cluster {address} is gone; start again when it is there: finished "
        "cells are kept"
    )


def test_a_file_that_a_worker_lacks_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([SRC, TESTS]))
    for path, words in {
        __file__: "workers need this disk, at the same place",
        "/nowhere": "No such file or directory: '/nowhere'",
    }.items():
        lacks = FileNotFoundError(2, "No such file or directory", path)
        with pytest.raises((BrainTeacherError, FileNotFoundError), match=words):
            run_on("local", cells_of(Raise, 0), tmp_path, lacks)


def test_a_gone_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "brain_teacher.cells.on_cluster", None)
    with pytest.raises(UsageError, match=r"pip install 'brain-teacher\[cluster\]'"):
        run_on("local", cells_of(Tell, 0), tmp_path)


@pytest.mark.parametrize(
    ("walltime", "seconds"),
    [
        ("60", 3600), ("10:30", 630), ("02:00:00", 7200), ("1-12", 129_600),
        ("1-12:30", 131_400), ("2-00:00:10", 172_810),
    ],
)  # fmt: skip
def test_workers_end_well_before_their_job(walltime, seconds):
    # The forms are those of sbatch's --time.
    assert _lifetime(walltime) == seconds - min(300, seconds // 3)


def test_a_walltime_that_is_none_is_named():
    with pytest.raises(UsageError, match="jobqueue.slurm.walltime is 'soon'"):
        _lifetime("soon")


FAKE_SBATCH = """#!/bin/sh
echo 'sbatch: error: Batch job submission failed: Invalid account' >&2
exit 1
"""


def test_what_slurm_wants_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    cells = cells_of(Tell, 0)
    with pytest.raises(BrainTeacherError, match="finds no sbatch: start where SLURM's commands"):
        run_on("slurm", cells, tmp_path)
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text(FAKE_SBATCH.replace("#!/bin/sh", f"#!{shutil.which('sh', path='/bin')}"))
    sbatch.chmod(0o755)
    with pytest.raises(UsageError, match=r"write jobqueue\.slurm\.memory into ~/\.config/dask"):
        run_on("slurm", cells, tmp_path)
    with config.set({"jobqueue.slurm.memory": "1GB"}):
        with pytest.raises(UsageError, match="a b/cluster holds a blank"):
            run_on("slurm", cells, tmp_path / "a b")
        with pytest.raises(BrainTeacherError, match=r"refuses such a job \(.*Invalid account\)"):
            run_on("slurm", cells, tmp_path)
