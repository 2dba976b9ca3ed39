"""A real SLURM: jobs that end in every way, a driver that is killed, and nothing lost or twice."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml

from brain_teacher.cells import engine
from helpers.slurm import SITE, asked, slurm_env, wait_until  # noqa: F401 - a fixture

pytestmark = pytest.mark.full
PACKAGES = os.pathsep.join([str(Path(engine.__file__).parents[2]), str(Path(__file__).parents[1])])
DRIVER = """
import sys
from pathlib import Path
from brain_teacher.cells.folder import OutputFolder
from brain_teacher.cells.making import make_cells
from helpers import toy_cells

def write(cell, result):
    with open("written", "a") as file:
        file.write(f"{cell.name}\\n")
    Path("out", cell.name).write_text(str(result))
    yield cell.name

cells = toy_cells.cells_of(getattr(toy_cells, sys.argv[2]), *range(int(sys.argv[1])))
with OutputFolder("out").locked() as folder:
    how = {"workers": 2, "cluster": "slurm", "shared": Path("begun").absolute()}
    make_cells("toy", cells, folder, write=write, say=print, quiet=True, **how)
"""


class Driver:
    """A command in a folder of its own, and what it has done."""

    def __init__(self, folder, env, **site):
        self.folder = folder
        (folder / "begun").mkdir()
        (folder / "dask").mkdir()
        settings = {name.rpartition(".")[2]: value for name, value in SITE.items()} | site
        content = {"jobqueue": {"slurm": settings}}
        (folder / "dask" / "jobqueue.yaml").write_text(yaml.safe_dump(content))
        (folder / "driver.py").write_text(DRIVER)
        self.env = os.environ | env
        self.env |= {"PYTHONPATH": PACKAGES, "DASK_CONFIG": str(folder / "dask")}

    def start(self, cells, kind="Slow"):
        command = [sys.executable, "driver.py", str(cells), kind]
        with open(self.folder / "log", "a") as log:
            where = {"cwd": self.folder, "env": self.env}
            return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, **where)

    def written(self):
        file = self.folder / "written"
        return file.read_text().splitlines() if file.exists() else []

    def jobs(self):
        return asked(["squeue", "-h", "-o", "%i"], self.env).split()

    def check(self, process, cells):
        """It ends well; every cell was written, once; no job, key or log is left."""
        assert process.wait(240) == 0, (self.folder / "log").read_text()
        assert sorted(self.written()) == sorted(f"cell {number}" for number in range(cells))
        assert not (self.folder / ".brain-teacher" / "out" / "cluster").exists()
        wait_until(lambda: not self.jobs(), "the jobs' end")


def test_all_jobs_are_cancelled_in_the_middle(tmp_path, slurm_env):  # noqa: F811
    driver = Driver(tmp_path, slurm_env)
    process = driver.start(10)
    wait_until(lambda: len(driver.written()) >= 2, "two cells")
    first = driver.jobs()
    subprocess.run(["scancel", *first], env=driver.env, check=True)
    wait_until(lambda: set(driver.jobs()) - set(first), "new jobs")
    driver.check(process, 10)


def test_jobs_that_no_cell_is_left_for_are_let_go(tmp_path, slurm_env):  # noqa: F811
    driver = Driver(tmp_path, slurm_env)
    process = driver.start(3, "Wait")
    wait_until(lambda: len(driver.written()) == 2, "the shorter cells")
    wait_until(lambda: len(driver.jobs()) == 1, "one job", seconds=9)
    assert process.poll() is None and len(driver.written()) == 2
    driver.check(process, 3)


def test_the_driver_is_killed_and_started_again(tmp_path, slurm_env):  # noqa: F811
    driver = Driver(tmp_path, slurm_env)
    process = driver.start(8)
    wait_until(lambda: len(driver.written()) >= 2, "two cells")
    process.kill()
    process.wait()
    private = tmp_path / ".brain-teacher" / "out" / "cluster" / "private"
    keys = list(private.glob("*.pem"))
    assert [oct(key.stat().st_mode)[-3:] for key in keys] == ["600", "600"]
    wait_until(lambda: not driver.jobs(), "the end of jobs without a driver")
    kept = driver.written()
    driver.check(driver.start(8), 8)
    assert f"8 new, 0 kept\ntoy: 8 cells, {8 - len(kept)} new" in (tmp_path / "log").read_text()


def test_more_work_than_a_jobs_time(tmp_path, slurm_env):  # noqa: F811
    driver = Driver(tmp_path, slurm_env, walltime="00:01:00")
    started = time.monotonic()
    process, seen = driver.start(60), set()
    while process.poll() is None:
        seen.update(driver.jobs())
        time.sleep(1)
    driver.check(process, 60)
    assert time.monotonic() - started > 60 and len(seen) >= 4
    # What a job could not finish was begun once more, and no cell more often than that.
    begun = Counter(len(path.read_text().split()) for path in (tmp_path / "begun").iterdir())
    assert set(begun) <= {1, 2} and begun[1] > 50
