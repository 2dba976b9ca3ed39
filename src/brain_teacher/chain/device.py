"""Where torch computes, as ``--device`` asks for it."""

from brain_teacher.errors import UsageError
from brain_teacher.machine import RunTime


def device_for(run_time: RunTime) -> str:
    """The device that ``--device`` asks for; only where it may be a GPU does that load torch."""
    if run_time.device == "cpu":
        return "cpu"
    from brain_teacher.networks.devices import choose_device

    try:
        return choose_device(run_time.device)
    except ValueError as error:
        raise UsageError(str(error)) from error
