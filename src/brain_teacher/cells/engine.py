"""Run cells: in this process, or side by side in several."""

import os
import pickle
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from brain_teacher.cells.cell import Cell
from brain_teacher.cells.cluster import Cluster
from brain_teacher.errors import BrainTeacherError, UsageError
from brain_teacher.machine import see_only

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

C = TypeVar("C", bound=Cell)


def run_cells(
    cells: Sequence[C],
    *,
    shared: Any,
    workers: int,
    cards: Sequence[str] = (),
    cluster: Cluster | None = None,
    errors: list[Exception] | None = None,
) -> Iterator[tuple[C, Any]]:
    """Yield ``(cell, result)`` as the cells finish, each with one thread; begun in this order.

    One thread a cell makes results repeat to the bit and uses the cores better than many threads
    for one cell (a 0.7 M parameter student: 1.4 times faster on 2 cores).

    A cell that fails costs no other's result: no further cell is begun, those that run beside it
    are finished and yielded, then its error is raised. Where a process died (out of memory,
    killed), what ran at that time is run again, alone: a cell whose process dies then is named by a
    BrainTeacherError, else all goes on.

    Whoever takes the results may put an error into `errors`: it counts as a cell's.

    What all cells need (`shared`) is sent once to each process: large arrays in it are to be opened
    by name. One worker means: in this process. Of several `cards` each process sees one, by turns.
    On a `cluster`, processes are its workers.
    """
    errors = [] if errors is None else errors
    if cluster is not None and cells:
        run_on = _of_dask()
        where: dict[str, Any] = {"workers": workers, "cards": cards}
        yield from run_on(cluster, cells, shared=shared, errors=errors, **where)
        return
    if workers == 1 or len(cells) <= 1:
        for cell in cells:
            yield cell, cell.run(shared)
            if errors:
                raise errors[0]
        return
    left = deque(cells)
    while left:
        again: list[C] = []
        for cell in (yield from _in_pool(left, shared, workers, cards, errors)):
            again += yield from _in_pool(deque([cell]), shared, 1, cards, errors)
        if again:
            raise BrainTeacherError(
                f"the process that made {again[0].name} died, with none beside it (out of memory, "
                "or killed); start again: finished cells are kept"
            )


def _in_pool(
    left: deque[C], shared: Any, workers: int, cards: Sequence[str], errors: list[Exception]
) -> Generator[tuple[C, Any], None, list[C]]:
    """Run what is left, in processes; gives the cells that ran when a process died.

    No more cells are handed out than there are processes: none waits where it can no longer be
    taken back, and what ran when a process died is known.
    """
    running: dict[Future, C] = {}
    died: list[C] = []
    workers = min(workers, len(left))
    with _one_thread_each():
        pool = _pool(workers, shared, cards)
        try:
            while left or running:
                while left and len(running) < workers and not errors and not died:
                    try:
                        future = pool.submit(_run, left[0])
                    except BrokenProcessPool:  # a process died while a result was being written
                        break
                    running[future] = left.popleft()
                if not running:
                    break
                for future in wait(running, None, "FIRST_COMPLETED").done:
                    cell, problem = running.pop(future), future.exception()
                    if problem is None:
                        yield cell, future.result()
                    elif isinstance(problem, BrokenProcessPool):
                        died.append(cell)
                    elif isinstance(problem, Exception):
                        errors.append(problem)
                    else:
                        raise problem
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    if errors:
        raise errors[0]
    return died


def _pool(workers: int, shared: Any, cards: Sequence[str]) -> ProcessPoolExecutor:
    """Processes to come, each with what all cells need, and its card."""
    context = get_context("spawn")
    free = context.SimpleQueue()
    for number in range(workers):
        free.put(cards[number % len(cards)] if cards else None)
    # As a message: reading it may import torch, which must find its card chosen.
    given = (free, pickle.dumps(shared))
    return ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=given
    )


@contextmanager
def _one_thread_each() -> Generator[None]:
    """Processes that start meanwhile compute with one thread."""
    before = {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name in THREAD_VARIABLES:
            del os.environ[name]
        os.environ.update(before)


def _of_dask() -> Callable[..., Iterator]:
    try:
        from brain_teacher.cells.on_cluster import run_on
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--cluster takes a package that is not here ({error.name}): "
            "pip install 'brain-teacher[cluster]'"
        ) from error
    return run_on


_of_worker: dict[str, Any] = {}


def _start_worker(free: Any, shared: bytes) -> None:
    if (card := free.get()) is not None:
        os.environ.update(see_only(card))
    _of_worker["shared"] = pickle.loads(shared)  # noqa: S301 - of the process that started this one

    # A worker whose parent was killed would wait for work for ever: it ends with its parent.
    def end_with_parent() -> None:
        if (parent := parent_process()) is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def _run(cell: Cell) -> Any:
    return cell.run(_of_worker["shared"])
