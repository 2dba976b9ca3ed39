"""Killed in the middle: whole cells or none, nothing lost, never two writers."""

import os
import re
import shutil
import signal
import time

import pytest

from cloning import Clone, dvc

pytestmark = pytest.mark.full


@pytest.fixture
def clone(chain, tmp_path):
    """A copy of the chain whose distill stage lasts long enough to be killed in it."""
    shutil.copytree(chain.path, tmp_path / "clone", symlinks=True)
    clone = Clone(tmp_path / "clone")
    shutil.rmtree(clone.path / "outputs" / "students")
    clone.change_params(distill={"epochs": 12, "seeds": 3})
    # Its draws are as many as the seeds: made now, they do not come between kill and repro.
    clone.run(*dvc(), "repro", "controls")
    return clone


def finished(clone):
    return len(list((clone.path / "outputs" / "students").glob("*/student.npz")))


def start_and_wait_for(clone, students, log):
    process = clone.start(*dvc(), "repro", "distill", log=log)
    deadline = time.monotonic() + 120
    while finished(clone) < students:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return process


def test_dvc_alone_is_killed_and_its_stage_lives_on(clone, tmp_path):
    process = start_and_wait_for(clone, 2, tmp_path / "log")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    # The stage still writes: by hand, the same folder fails at once and says who holds it.
    said = clone.brain_teacher("distill", "--out", "outputs/students", code=1)
    assert re.search(
        r"Error: outputs/students is being written by process \d+ \(since .* UTC\); wait for it, "
        r"or choose another --out\n",
        said,
    )
    said = clone.run(*dvc(), "repro")
    assert re.search(r"waiting for process \d+ \(since .* UTC\), which still writes", said)
    assert "21 students of 7 teachers, 0 new, 21 kept" in said
    assert "up to date" in clone.run(*dvc(), "status")


def test_the_whole_group_is_killed(clone, tmp_path):
    process = start_and_wait_for(clone, 2, tmp_path / "log")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = finished(clone)
    said = clone.run(*dvc(), "repro")
    kept = int(re.search(r"21 students of .* new, (\d+) kept", said)[1])
    assert 2 <= kept <= before < 21
    assert finished(clone) == 21
    assert "up to date" in clone.run(*dvc(), "status")
    assert not list((clone.path / "outputs").rglob(".part-*"))
