"""Independent pieces of work: the same results in one process and in several, and no orphans."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from brain_teacher.cells import engine as cells
from brain_teacher.cells.engine import THREAD_VARIABLES, run_cells
from brain_teacher.errors import BrainTeacherError
from brain_teacher.machine import cores

SRC = str(Path(cells.__file__).parents[2])


def work(shared, cell):
    rng = np.random.default_rng(cell)
    return cell, shared @ rng.normal(size=shared.shape[1])


def tell(shared, cell):
    time.sleep(0.2)  # so that one process cannot take all cells
    return os.getpid(), {name: os.environ.get(name) for name in THREAD_VARIABLES}


def die(shared, cell):
    if cell == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return cell


def fail(shared, cell):
    raise ValueError(f"cell {cell} of {shared}")


def test_one_and_two_processes_give_the_same_results():
    shared = np.random.default_rng(0).normal(size=(20, 30))
    results = []
    for processes in (1, 2):
        found = dict(run_cells(work, [0, 1, 2, 3, 4], shared=shared, processes=processes))
        assert sorted(found) == [0, 1, 2, 3, 4]
        assert all(found[cell][0] == cell for cell in found)
        results.append([found[cell][1].tobytes() for cell in range(5)])
    assert results[0] == results[1]


def test_processes_work_side_by_side_with_one_thread_each(monkeypatch):
    for name, value in zip(THREAD_VARIABLES, ("7", None, "3"), strict=True):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards, whatever happens
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    told = [result for _, result in run_cells(tell, [0, 1, 2, 3], shared=None, processes=2)]
    pids = {pid for pid, _ in told}
    assert len(pids) == 2 and os.getpid() not in pids
    assert all(threads == dict.fromkeys(THREAD_VARIABLES, "1") for _, threads in told)
    # This process's own are as they were.
    assert {name: os.environ.get(name) for name in THREAD_VARIABLES} == before
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize(("number", "processes"), [(3, 1), (1, 4)])
def test_one_process_or_one_cell_stays_in_this_process(number, processes):
    told = list(run_cells(tell, list(range(number)), shared=None, processes=processes))
    assert {pid for _, (pid, _) in told} == {os.getpid()}


def test_no_cells_are_no_work():
    assert list(run_cells(work, [], shared=None, processes=4)) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_the_error_of_a_cell_is_raised_as_it_is(processes):
    with pytest.raises(ValueError) as caught:
        list(run_cells(fail, [5, 5], shared="all", processes=processes))
    assert str(caught.value) == "cell 5 of all"


def test_a_killed_worker_is_a_failure_with_a_remedy():
    with pytest.raises(BrainTeacherError) as caught:
        list(run_cells(die, [1, 1, 1], shared=None, processes=2))
    assert str(caught.value) == (
        "a worker process died (out of memory, or killed); start again: finished cells are kept"
    )
    assert caught.value.exit_code == 1


def test_cores_are_those_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 8})
    assert cores() == 3


ORPHANS = """
import os, sys, time
from pathlib import Path
from brain_teacher.cells.engine import run_cells

def work(folder, cell):
    Path(folder, str(os.getpid())).touch()
    time.sleep(cell)

if __name__ == "__main__":
    for _ in run_cells(work, [0.0, 100.0], shared=sys.argv[1], processes=2):
        pass
"""


def is_alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_no_worker_outlives_a_killed_parent(tmp_path):
    # One worker waits for work, the other is in the middle of it.
    script, folder = tmp_path / "orphans.py", tmp_path / "pids"
    script.write_text(ORPHANS)
    folder.mkdir()
    env = os.environ | {"PYTHONPATH": SRC}
    with subprocess.Popen([sys.executable, script, folder], env=env) as parent:
        children = []
        try:
            assert wait_until(lambda: list(folder.iterdir()), 30)
            time.sleep(0.5)
            children = psutil.Process(parent.pid).children(recursive=True)
            busy = {int(path.name) for path in folder.iterdir()}
            assert len(children) >= 2 and busy <= {child.pid for child in children}
            assert all(map(is_alive, children))
            parent.kill()
            parent.wait(timeout=10)
            assert wait_until(lambda: not any(map(is_alive, children)), 5)
        finally:
            for process in [parent, *filter(is_alive, children)]:
                process.kill()
