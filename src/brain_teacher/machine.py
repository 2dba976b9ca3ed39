"""What this machine gives a process."""

import os


def cores():
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))
