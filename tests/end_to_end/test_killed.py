"""Killed in the middle: whole cells or none, nothing lost, never two writers."""

import json
import os
import re
import shutil
import signal
import time

import pytest

from helpers.cloning import Clone, dvc

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
    wait_until(lambda: finished(clone) >= students, process, log)
    return process


def wait_until(is_so, process, log):
    deadline = time.monotonic() + 120
    while not is_so():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def test_dvc_alone_is_killed_and_its_stage_lives_on(clone, tmp_path):
    process = start_and_wait_for(clone, 2, tmp_path / "log")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    holder = clone.path / "outputs" / ".brain-teacher" / "students" / "holder.json"
    stage = json.loads(holder.read_text())["pid"]
    os.kill(stage, signal.SIGSTOP)  # however fast the machine, it is met while it writes
    try:
        # By hand, the same folder fails at once and says who holds it.
        said = clone.brain_teacher("distill", "--out", "outputs/students", code=1)
        who = rf"process {stage} \(since .* UTC\)"
        assert re.search(
            rf"Error: outputs/students is being written by {who}; wait for it, "
            r"or choose another --out\n",
            said,
        )
        again_log = tmp_path / "again"
        again = clone.start(*dvc(), "repro", log=again_log)
        waits = f"waiting for {who}, which still writes"
        wait_until(lambda: re.search(waits, again_log.read_text()), again, again_log)
    finally:
        os.kill(stage, signal.SIGCONT)
    assert again.wait(timeout=1800) == 0
    assert "21 students of 7 teachers, 0 new, 21 kept" in again_log.read_text()
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
