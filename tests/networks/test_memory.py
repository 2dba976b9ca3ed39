"""Memory that is kept: counted by the system's page faults, in processes of their own."""

import platform
import subprocess
import sys

import pytest

# 40 MB, beyond glibc's 32; ru_minflt counts the pages that the system had to find. The first
# steps are left out: small arrays cut pieces from the large ones until there is enough of both.
FAULTS = """
import resource, torch
torch.set_num_threads(1)
from brain_teacher.networks.memory import keep_freed_memory
{call}
def steps(count):
    for _ in range(count):
        x = torch.empty(10_000_000).fill_(1)
        (x + 1) * 2
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(-steps(100) + steps(10))
"""


@pytest.mark.alone
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_a_steps_memory_is_there_for_the_next():
    usual, kept = (
        int(subprocess.check_output([sys.executable, "-c", FAULTS.format(call=call)]))
        for call in ("", "keep_freed_memory()")
    )
    # 10 steps of 3 arrays of 9,765 pages of 4 kB.
    assert kept < 0.05 * usual


def test_another_c_library_is_left_alone(monkeypatch):
    from brain_teacher.networks import memory

    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(memory.ctypes, "CDLL", None)
    assert memory.keep_freed_memory() is False
