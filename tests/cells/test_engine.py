"""Independent pieces of work: the same results in one process and in several, and no orphans."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from brain_teacher.cells import engine
from brain_teacher.cells.cell import Cell
from brain_teacher.cells.engine import THREAD_VARIABLES, run_cells
from brain_teacher.errors import BrainTeacherError

SRC = str(Path(engine.__file__).parents[2])


@dataclass(frozen=True, eq=False, kw_only=True)
class Work(Cell):
    number: int

    def run(self, shared):
        rng = np.random.default_rng(self.number)
        return shared @ rng.normal(size=shared.shape[1])


class Tell(Work):
    def run(self, shared):
        time.sleep(0.2)  # so that one process cannot take all cells
        return os.getpid(), {name: os.environ.get(name) for name in THREAD_VARIABLES}


class Fail(Work):
    """Fails if its number is odd; else it takes long enough for another to fail meanwhile."""

    def run(self, shared):
        (shared / f"{self.number}").touch()
        if self.number % 2:
            raise ValueError(f"cell {self.number}")
        time.sleep(1)
        return self.number


class Die(Work):
    """Its process dies; of an even number only where another works beside it, of 0 never."""

    def run(self, shared):
        beside = psutil.Process().parent().children()
        alive = [each for each in beside if is_alive(each)]
        workers = [each for each in alive if "spawn_main" in " ".join(each.cmdline())]
        if self.number and (self.number % 2 or len(workers) > 1):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.2)  # so that one process cannot take all cells
        return self.number


def cells_of(kind, *numbers):
    return [kind(name=f"cell {number}", number=number) for number in numbers]


def numbers_of(made):
    return [cell.number for cell, _ in made]


def test_one_and_two_processes_give_the_same_results():
    shared = np.random.default_rng(0).normal(size=(20, 30))
    results = []
    for workers in (1, 2):
        made = list(run_cells(cells_of(Work, 0, 1, 2, 3, 4), shared=shared, workers=workers))
        found = {cell.number: result for cell, result in made}
        assert sorted(found) == [0, 1, 2, 3, 4]
        assert all(np.array_equal(found[c.number], c.run(shared)) for c, _ in made)
        results.append([found[number].tobytes() for number in range(5)])
    assert results[0] == results[1]


def test_processes_work_side_by_side_with_one_thread_each(monkeypatch):
    for name, value in zip(THREAD_VARIABLES, ("7", None, "3"), strict=True):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards, whatever happens
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    made = run_cells(cells_of(Tell, 0, 1, 2, 3), shared=None, workers=2)
    told = [result for _, result in made]
    pids = {pid for pid, _ in told}
    assert len(pids) == 2 and os.getpid() not in pids
    assert all(threads == dict.fromkeys(THREAD_VARIABLES, "1") for _, threads in told)
    # This process's own are as they were.
    assert {name: os.environ.get(name) for name in THREAD_VARIABLES} == before
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize(("number", "workers"), [(3, 1), (1, 4)])
def test_one_process_or_one_cell_stays_in_this_process(number, workers):
    told = list(run_cells(cells_of(Tell, *range(number)), shared=None, workers=workers))
    assert {pid for _, (pid, _) in told} == {os.getpid()}


def test_no_cells_are_no_work():
    assert list(run_cells([], shared=None, workers=4)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_the_error_of_a_cell_is_raised_as_it_is(workers, tmp_path):
    with pytest.raises(ValueError) as caught:
        list(run_cells(cells_of(Fail, 5, 5), shared=tmp_path, workers=workers))
    assert str(caught.value) == "cell 5"


def test_what_runs_beside_a_failing_cell_is_finished_and_nothing_more_is_begun(tmp_path):
    made = []
    with pytest.raises(ValueError, match="cell 1"):
        for cell, result in run_cells(cells_of(Fail, 2, 1, 4, 6, 8), shared=tmp_path, workers=2):
            assert result == cell.number
            made.append(cell.number)
    assert made == [2]
    # A cell that was begun in the failing one's place would have been seen.
    assert {path.name for path in tmp_path.iterdir()} == {"1", "2"}


def test_of_several_errors_the_first_is_raised(tmp_path):
    with pytest.raises(ValueError, match=r"cell (1|3)$"):
        list(run_cells(cells_of(Fail, 1, 3, 2), shared=tmp_path, workers=2))


def test_what_ran_beside_a_dying_process_is_made_again_and_all_goes_on(tmp_path):
    cells = cells_of(Die, 0, 2, 0, 4, 0, 0)
    made = numbers_of(run_cells(cells, shared=tmp_path, workers=2))
    assert sorted(made) == [0, 0, 0, 0, 2, 4]


def test_a_cell_whose_process_dies_again_is_named_and_costs_no_other(tmp_path):
    made = []
    with pytest.raises(BrainTeacherError) as caught:
        for cell, _ in run_cells(cells_of(Die, 0, 0, 1, 0), shared=tmp_path, workers=2):
            made.append(cell.number)
    assert str(caught.value) == (
        "the process that made cell 1 died, with none beside it (out of memory, or killed); start "
        "again: finished cells are kept"
    )
    assert caught.value.exit_code == 1 and len(made) >= 2


class Late(Work):
    """Dies a second after it began, once."""

    def run(self, shared):
        mark = shared / f"{self.number}"
        if self.number and not mark.exists():
            mark.touch()
            time.sleep(1)
            os.kill(os.getpid(), signal.SIGKILL)
        return self.number


def test_a_process_that_dies_while_a_result_is_written_costs_nothing(tmp_path):
    made = []
    for cell, _ in run_cells(cells_of(Late, 0, 1, 0, 0), shared=tmp_path, workers=2):
        made.append(cell.number)
        time.sleep(2)  # what is written is large
    assert sorted(made) == [0, 0, 0, 1]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_whoever_takes_the_results_counts_as_a_cells(workers, tmp_path):
    errors, made = [], []
    with pytest.raises(OSError, match="disk full"):
        for cell, _ in run_cells(
            cells_of(Fail, 2, 4, 6, 8), shared=tmp_path, workers=workers, errors=errors
        ):
            made.append(cell.number)
            errors.append(OSError("disk full"))
    assert len(made) == workers


ORPHANS = """
import os, sys, time
from pathlib import Path
from dataclasses import dataclass
from brain_teacher.cells.cell import Cell
from brain_teacher.cells.engine import run_cells

@dataclass(frozen=True, eq=False, kw_only=True)
class Work(Cell):
    seconds: float

    def run(self, folder):
        Path(folder, str(os.getpid())).touch()
        time.sleep(self.seconds)

if __name__ == "__main__":
    cells = [Work(name=str(s), seconds=s) for s in (0.0, 100.0)]
    for _ in run_cells(cells, shared=sys.argv[1], workers=2):
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
            parent.wait(timeout=120)
            assert wait_until(lambda: not any(map(is_alive, children)), 5)
        finally:
            for process in [parent, *filter(is_alive, children)]:
                process.kill()
