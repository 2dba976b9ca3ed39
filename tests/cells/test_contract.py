"""One contract for whatever runs cells: this process, a pool, workers of Dask, jobs of SLURM."""

import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from brain_teacher.cells.cluster import Cluster
from brain_teacher.cells.engine import THREAD_VARIABLES, run_cells
from brain_teacher.errors import BrainTeacherError
from helpers.slurm import SITE, slurm_env  # noqa: F401 - a fixture
from helpers.toy_cells import Fail, Kill, Tell, Work, cells_of, numbers_of

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Engine:
    workers: int
    cluster: str | None
    folder: Path

    def run(self, cells, shared, errors=None):
        cluster = self.cluster and Cluster(self.cluster, self.folder / "cluster")
        return run_cells(cells, shared=shared, workers=self.workers, cluster=cluster, errors=errors)


ENGINES = {
    "serial": (1, None),
    "pool": (2, None),
    "local": (2, "local"),
    "slurm": (2, "slurm"),
}
HEAVY = {"slurm": pytest.mark.full}


def engines(*names):
    return pytest.mark.parametrize(
        "engine", [pytest.param(name, marks=HEAVY.get(name, ())) for name in names], indirect=True
    )


each_engine = engines(*ENGINES)
side_by_side = engines("pool", "local", "slurm")
on_clusters = engines("local", "slurm")


@pytest.fixture
def engine(request, tmp_path_factory, monkeypatch):
    workers, cluster = ENGINES[request.param]
    site = nullcontext()
    if cluster is not None:
        config = pytest.importorskip("dask.config")
        pytest.importorskip("dask_jobqueue")
        site = config.set(SITE)
        packages = [str(Path(run_cells.__code__.co_filename).parents[2]), str(TESTS)]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(packages))
    if cluster == "slurm":
        for name, value in request.getfixturevalue("slurm_env").items():
            monkeypatch.setenv(name, value)
    folder = tmp_path_factory.mktemp("engine")
    monkeypatch.chdir(folder)
    with site:
        yield Engine(workers, cluster, folder)
    if cluster is not None:
        assert not (folder / "cluster" / "private").exists()


@each_engine
def test_results_are_those_of_the_cells_alone_to_the_bit(engine):
    shared = np.random.default_rng(0).normal(size=(20, 30))
    cells = cells_of(Work, 0, 1, 2, 3, 4)
    found = {cell.number: result for cell, result in engine.run(cells, shared)}
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert all(found[c.number].tobytes() == c.run(shared).tobytes() for c in cells)
    # As from here, they can be written on.
    assert all(result.flags.writeable for result in found.values())


@each_engine
def test_no_cells_are_no_work(engine):
    assert list(engine.run([], None)) == []


@side_by_side
def test_processes_work_side_by_side_with_one_thread_each(engine):
    told = [result for _, result in engine.run(cells_of(Tell, *range(12)), None)]
    pids = {pid for pid, _ in told}
    assert len(pids) == 2 and os.getpid() not in pids
    expected = dict.fromkeys(THREAD_VARIABLES, "1")
    assert all(said.items() >= expected.items() for _, said in told)


@each_engine
def test_the_error_of_a_cell_is_raised_as_it_is(engine, tmp_path):
    with pytest.raises(ValueError) as caught:
        list(engine.run(cells_of(Fail, 5, 5), tmp_path))
    assert str(caught.value) == "cell 5"


@side_by_side
def test_what_runs_beside_a_failing_cell_is_finished_and_nothing_more_is_begun(engine, tmp_path):
    made = []
    with pytest.raises(ValueError, match="cell 1"):
        for cell, result in engine.run(cells_of(Fail, 2, 1, 4, 6, 8), tmp_path):
            assert result == cell.number
            made.append(cell.number)
    assert made == [2]
    # A cell that was begun in the failing one's place would have been seen.
    assert {path.name for path in tmp_path.iterdir()} == {"1", "2"}


@side_by_side
def test_of_several_errors_the_first_is_raised(engine, tmp_path):
    with pytest.raises(ValueError, match=r"cell (1|3)$"):
        list(engine.run(cells_of(Fail, 1, 3, 2), tmp_path))


@each_engine
def test_an_error_of_whoever_takes_the_results_counts_as_a_cells(engine, tmp_path):
    errors, made = [], []
    with pytest.raises(OSError, match="disk full"):
        for cell, _ in engine.run(cells_of(Fail, 2, 4, 6, 8), tmp_path, errors):
            made.append(cell.number)
            errors.append(OSError("disk full"))
    assert len(made) == engine.workers


@side_by_side
def test_what_ran_on_a_process_that_died_is_made_again(engine, tmp_path):
    cells = cells_of(Kill, 0, 2, 0, 4, 0, 0)
    assert sorted(numbers_of(engine.run(cells, tmp_path))) == [0, 0, 0, 0, 2, 4]


@on_clusters
def test_a_cell_that_always_kills_is_named_and_all_others_are_finished(engine, tmp_path):
    made = []
    with pytest.raises(BrainTeacherError) as caught:
        for cell, _ in engine.run(cells_of(Kill, 0, 1, 2, 0, 0), tmp_path):
            made.append(cell.number)
    assert str(caught.value) == (
        "cell 1: each of 5 workers died or was ended before it was made (out of memory, killed, or "
        "longer than a job may take); give a job more, and start again: all other cells are "
        "finished and kept"
    )
    assert sorted(made) == [0, 0, 0, 2]
