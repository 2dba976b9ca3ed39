"""Run cells on workers of Dask. This process alone writes files and tells MLflow."""

import pickle
import time
from collections import Counter, deque
from collections.abc import Collection, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from dask import config
from dask.utils import parse_timedelta
from distributed import Client, Future, KilledWorker, wait
from distributed.client import FuturesCancelledError
from distributed.comm import CommClosedError

from brain_teacher.cells.cell import Cell
from brain_teacher.cells.cluster import CLUSTERS, PATIENCE, Cluster
from brain_teacher.cells.worker import Order, Shared, make
from brain_teacher.errors import BrainTeacherError, UsageError

C = TypeVar("C", bound=Cell)

# A cell that was begun so often, and never finished, will not be.
MOST_BEGUN = 5
# Workers come, go and are replaced: they are counted this often.
TICK_S = 0.5
# A result of a worker that died after it was done is not waited for longer.
RESULT_S = 120


def run_on(
    cluster: Cluster,
    cells: Sequence[C],
    *,
    shared: Any,
    workers: int,
    cards: Sequence[str],
    errors: list[Exception],
) -> Iterator[tuple[C, Any]]:
    """Yield ``(cell, result)`` as the cells finish, begun in this order, as `run_cells` does.

    A worker has one cell at a time, so many workers have one at once: none waits where it can no
    longer be taken back. Where a worker dies its cell goes to another; a cell that ends each worker
    is named by a BrainTeacherError, once all others are finished.
    """
    left, died = deque(cells), Counter[C]()
    with _connected(cluster, min(workers, len(cells)), shared, cards) as crew:
        while (left and not errors) or crew.at_work:
            free = crew.free()
            while left and free and len(crew.at_work) < workers and not errors:
                crew.begin(left.popleft(), free.pop(0))
            crew.resize(min(workers, len(left) + len(crew.at_work)))
            for cell, future in crew.finished():
                try:
                    result = crew.result(cell, future)
                except _Died:
                    died[cell] += 1
                    left.extendleft([cell] * (died[cell] < MOST_BEGUN))
                except Exception as error:  # noqa: BLE001 - raised once what runs is finished
                    errors.append(error)
                else:
                    yield cell, result
        if errors:
            raise errors[0]
    if lost := [cell.name for cell, times in died.items() if times == MOST_BEGUN]:
        raise BrainTeacherError(
            f"{', '.join(lost)}: each of {MOST_BEGUN} workers died or was ended before it was made "
            "(out of memory, killed, or longer than a job may take); give a job more, and start "
            "again: all other cells are finished and kept"
        )


class _Died(Exception):
    """The worker of a cell died or was ended."""


@dataclass
class _Crew:
    """The workers, as this process knows them."""

    client: Client
    cluster: Cluster
    scheduler: Any  # as it was started, or its address
    size: int  # how many there shall be
    shared: str  # the name of what they hold
    at_work: dict[Future, tuple[Any, str]] = field(default_factory=dict, init=False)
    _there: Collection[str] = field(default=(), init=False)
    _asked: float = field(default=float("-inf"), init=False)
    _seen: float = field(default_factory=time.monotonic, init=False)

    def free(self) -> list[str]:
        """Which workers have no cell; a BrainTeacherError if for long there was none at all."""
        if time.monotonic() - self._asked > TICK_S:
            self._look()
        busy = {address for _, address in self.at_work.values()}
        return [address for address in self._there if address not in busy]

    def _look(self) -> None:
        with _reached(self.cluster):
            self._there = self.client.nthreads()
        self._asked = time.monotonic()
        for address, threads in self._there.items():
            if threads > 1:
                raise UsageError(
                    f"the worker at {address} has {threads} threads, and a cell takes a process "
                    "for itself: start workers with --nthreads 1"
                )
        patience = _patience()
        if self._there:
            self._seen = self._asked
        elif self._asked - self._seen > patience:
            raise BrainTeacherError(
                f"no worker came in {patience / 60:.3g} minutes: {self.cluster.look_at}; finished "
                "cells are kept"
            )

    def begin(self, cell: Cell, worker: str) -> None:
        """Send a cell to a worker.

        To it alone: only so is it known what ran where when a worker died, and a scheduler would
        blame the cells that merely waited there.
        """
        order = Order.of(cell, self.shared)
        future = self.client.submit(
            make, order, key=f"{self.shared}-{uuid4().hex}", pure=False, workers=[worker]
        )
        self.at_work[future] = (cell, worker)

    def resize(self, size: int) -> None:
        """Let those go that no cell is left for: a site has others who wait."""
        if size != self.size:
            self.cluster.resize(self.scheduler, size)
            self.size = size

    def finished(self) -> list[tuple[Any, Future]]:
        """What is done, or has lost its worker; waits a moment for one."""
        if not self.at_work:
            time.sleep(TICK_S)
        else:
            with _reached(self.cluster), suppress(TimeoutError):
                wait(list(self.at_work), TICK_S, "FIRST_COMPLETED")
        over = [
            future
            for future, (_, worker) in self.at_work.items()
            if future.done() or worker not in self._there
        ]
        return [(self.at_work.pop(future)[0], future) for future in over]

    def result(self, cell: Cell, future: Future) -> Any:
        """What a worker made of a cell."""
        if not future.done():
            future.cancel()
            raise _Died
        try:
            return pickle.loads(future.result(RESULT_S))  # noqa: S301 - of our own workers
        except (KilledWorker, CancelledError, TimeoutError) as error:
            future.cancel()
            raise _Died from error
        except RuntimeError as error:
            if "deserialization of the task graph" not in str(error):
                raise
            raise BrainTeacherError(
                f"the scheduler at {self.cluster.name} cannot read a cell: install this version of "
                "brain-teacher there, too, and start it again"
            ) from error
        except FileNotFoundError as error:
            if error.filename is None or not Path(error.filename).exists():
                raise
            raise BrainTeacherError(
                f"{cell.name}: its worker finds no {error.filename}, which is there for this "
                "process: workers need this disk, at the same place"
            ) from error


@contextmanager
def _connected(
    cluster: Cluster, workers: int, shared: Any, cards: Sequence[str]
) -> Generator[_Crew]:
    """Start the cluster, if it is not there, and give each worker what all cells need."""
    held = Shared(f"brain-teacher-{uuid4().hex}", shared, cards if cluster.name == "local" else ())
    with cluster.scheduler(workers) as scheduler, _client(cluster, scheduler) as client:
        try:
            client.register_plugin(held)
        except Exception as error:
            raise BrainTeacherError(
                f"a worker at {cluster.name} cannot read what cells need ({error}): install this "
                "version of brain-teacher there, and start it again"
            ) from error
        yield _Crew(client, cluster, scheduler, workers, held.name)
        # Of others the workers end now. After a failure nobody waits for a lab's to answer.
        if cluster.name not in CLUSTERS:
            with _reached(cluster):
                client.unregister_worker_plugin(held.name)


def _client(cluster: Cluster, scheduler: Any) -> Client:
    try:
        return Client(scheduler)
    except (OSError, TimeoutError, ValueError) as error:
        raise BrainTeacherError(
            f"no scheduler answers at {cluster.name} ({error}): start `dask scheduler`, and give "
            "--cluster the address that it says"
        ) from error


@contextmanager
def _reached(cluster: Cluster) -> Generator[None]:
    """Say which scheduler is gone."""
    try:
        yield
    except (CommClosedError, FuturesCancelledError, TimeoutError) as error:
        raise BrainTeacherError(
            f"the scheduler of --cluster {cluster.name} is gone; start again when it is there: "
            "finished cells are kept"
        ) from error


def _patience() -> float:
    """Seconds that are waited for a worker."""
    return parse_timedelta(config.get("distributed.scheduler.no-workers-timeout") or PATIENCE)
