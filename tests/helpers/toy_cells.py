"""Cells of little work, which processes and workers of a cluster can import."""

import os
import signal
import time
from dataclasses import dataclass

import numpy as np

from brain_teacher.cells.cell import Cell
from brain_teacher.cells.engine import THREAD_VARIABLES


@dataclass(frozen=True, eq=False, kw_only=True)
class Work(Cell):
    number: int

    def run(self, shared):
        rng = np.random.default_rng(self.number)
        return shared @ rng.normal(size=shared.shape[1])


class Tell(Work):
    """Its process, its threads, its card."""

    def run(self, shared):
        time.sleep(0.2)  # so that one process cannot take all cells
        names = (*THREAD_VARIABLES, "CUDA_VISIBLE_DEVICES")
        return os.getpid(), {name: os.environ.get(name) for name in names}


class Fail(Work):
    """Fails if its number is odd; else it takes long enough for another to fail meanwhile."""

    def run(self, shared):
        (shared / f"{self.number}").touch()
        if self.number % 2:
            raise ValueError(f"cell {self.number}")
        time.sleep(1)
        return self.number


class Kill(Work):
    """Its process dies: of an odd number always, of an even one once, of 0 never."""

    def run(self, shared):
        mark = shared / f"{self.number}"
        if self.number and (self.number % 2 or not mark.exists()):
            mark.touch()
            time.sleep(1)  # after others that began with it
            os.kill(os.getpid(), signal.SIGKILL)
        return self.number


class Slow(Work):
    """Leaves a mark each time that it is begun, and takes two seconds."""

    def run(self, shared):
        with (shared / f"{self.number}").open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(2)
        return self.number


class Wait(Work):
    """Takes ten seconds for each of its number."""

    def run(self, shared):
        time.sleep(10 * self.number)


class Raise(Work):
    def run(self, shared):
        raise shared


def cells_of(kind, *numbers):
    return [kind(name=f"cell {n}", number=n) for n in numbers]


def numbers_of(made):
    return [cell.number for cell, _ in made]
