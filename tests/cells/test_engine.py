"""Cells in processes of this one, beyond the contract of `test_contract.py`: and no orphans."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from brain_teacher.cells import engine
from brain_teacher.cells.engine import THREAD_VARIABLES, run_cells
from brain_teacher.errors import BrainTeacherError
from helpers.toy_cells import Kill, Tell, Work, cells_of, numbers_of

SRC = str(Path(engine.__file__).parents[2])


class Looks:
    """As a message it looks which cards there are when it is read, as importing torch may."""

    def __reduce__(self):
        return os.getenv, ("CUDA_VISIBLE_DEVICES",)


class Give(Work):
    def run(self, shared):
        time.sleep(0.5)
        return shared


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


def test_the_threads_of_this_process_are_as_they_were(monkeypatch):
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
    # This process's own are as they were.
    assert {name: os.environ.get(name) for name in THREAD_VARIABLES} == before
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize(("number", "cards"), [(4, {"2", "GPU-5"}), (1, {None})])
def test_each_process_sees_one_card_by_turns(number, cards, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    how = {"shared": None, "workers": 2, "cards": ("2", "GPU-5", "7")}
    told = [said for _, (_, said) in run_cells(cells_of(Tell, *range(number)), **how)]
    assert {said["CUDA_VISIBLE_DEVICES"] for said in told} == cards


def test_what_is_read_may_look_for_cards_once_they_are_chosen():
    made = run_cells(cells_of(Give, 0, 1), shared=Looks(), workers=2, cards=("5", "6"))
    assert {result for _, result in made} == {"5", "6"}


@pytest.mark.parametrize(("number", "workers"), [(3, 1), (1, 4)])
def test_one_process_or_one_cell_stays_in_this_process(number, workers):
    told = list(run_cells(cells_of(Tell, *range(number)), shared=None, workers=workers))
    assert {pid for _, (pid, _) in told} == {os.getpid()}


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


def test_a_process_that_dies_while_a_result_is_written_costs_nothing(tmp_path):
    made = []
    for cell, _ in run_cells(cells_of(Kill, 0, 2, 0, 0), shared=tmp_path, workers=2):
        made.append(cell.number)
        time.sleep(2)  # what is written is large
    assert sorted(made) == [0, 0, 0, 2]


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
