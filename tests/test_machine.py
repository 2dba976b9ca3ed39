"""How many processes: what the machine has, what a person says, what a GPU bears."""

import os

import joblib

from brain_teacher.machine import RunTime, cores


def test_cores_are_those_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 8})
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    assert cores() == 3


def test_a_containers_quota_is_seen(monkeypatch):
    # Two of 16 cores by cgroup, as a container is given them.
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))
    loky = joblib.externals.loky.backend.context
    monkeypatch.setattr(loky, "_cpu_count_cgroup", lambda count: 2)
    assert cores() == 2


def test_workers():
    assert RunTime(jobs=5).workers() == RunTime(jobs=5).workers(cards=2) == 5
    assert RunTime().workers() == cores()
    assert RunTime().workers(cards=2) == 2
