"""Where work runs, as ``--device``, ``--jobs`` and ``--cluster`` ask for it."""

from collections.abc import Sequence
from typing import TypedDict

from brain_teacher.errors import UsageError
from brain_teacher.machine import RunTime


class Where(TypedDict):
    """Where `make_cells` is to make cells."""

    workers: int
    cards: Sequence[str]
    cluster: str | None


def device_for(run_time: RunTime) -> str:
    """The device that ``--device`` asks for; only where it may be a GPU does that load torch.

    Of other machines nothing is known here: they have a GPU if one is asked for by name.
    """
    if run_time.device == "cpu" or (run_time.elsewhere and run_time.device == "auto"):
        return "cpu"
    if run_time.elsewhere:
        return "cuda"
    from brain_teacher.networks.devices import choose_device

    try:
        return choose_device(run_time.device)
    except ValueError as error:
        raise UsageError(str(error)) from error


def where(run_time: RunTime, device: str) -> Where:
    """How work on a device is spread: over cores, cards, or the workers of a cluster."""
    count = 0
    cards: Sequence[str] = ()
    if device == "cuda" and not run_time.elsewhere:
        from brain_teacher.networks.devices import cards_here

        cards = cards_here()
        count = len(cards)
    workers = run_time.workers(count)
    # Alone in this process, or beside others on the only card: nothing is to be chosen.
    return {"workers": workers, "cards": cards[1:] and cards, "cluster": run_time.cluster}


def card_for(run_time: RunTime, device: str) -> str | None:
    """The kind of card that this machine trains on; None on a CPU, or where others train."""
    if device == "cpu" or run_time.elsewhere:
        return None
    from brain_teacher.networks.devices import card_of

    return card_of(device)
