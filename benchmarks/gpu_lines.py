"""What the rows of `gpu.py` are made of: pieces of work, timed in turns, and how they are said.

A row is a function of ``quick`` and a device that yields lines: dicts with ``work``, ``ours`` and
``unit``; with ``peer_work``, ``peer`` and the ratio's median, lowest and highest where something
else does the same work in turns with it.
"""

import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Work:
    """A piece of work, or a part of it."""

    name: str  # says so where only a part is done
    do: Callable[[], object]
    times: float = 1.0  # so many such parts are the whole

    def seconds(self, device):
        """Seconds of the whole, by proportion; ended when the device is done."""
        finish(device)
        start = time.perf_counter()
        self.do()
        finish(device)
        return self.times * (time.perf_counter() - start)


def finish(device):
    """Wait until the device has done what it was asked for."""
    if device == "cuda":
        torch.cuda.synchronize()


def in_turns(ours, peer, turns, device):
    """A line for each `Work` of `ours`, all of which take turns with the peer's."""
    taken = [[work.seconds(device) for work in (peer, *ours)] for _ in range(turns)]
    theirs, *all_ours = zip(*taken, strict=True)
    lines = []
    for work, mine in zip(ours, all_ours, strict=True):
        ratios = [their / own for their, own in zip(theirs, mine, strict=True)]
        lines.append(
            line(work.name, statistics.median(mine))
            | {"peer_work": peer.name, "peer": statistics.median(theirs), "turns": turns}
            | {"ratio": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
        )
    return lines


def line(work, ours, unit="s"):
    """A line without a peer."""
    return {"work": work, "ours": ours, "unit": unit}


def describe(line):
    """One line as text."""
    text = f"{line['work']}: {line['ours']:.4g} {line['unit']}".rstrip()
    if "peer" in line:
        text += (
            f"; {line['peer_work']}: {line['peer']:.4g} {line['unit']}, ratio {line['ratio']:.1f} "
            f"({line['low']:.1f} to {line['high']:.1f}, {line['turns']} turns)"
        )
    return text


def markdown(rows, names, card):
    """The rows by name, those of `names`, as a table that names the card."""
    text = []
    if rows:
        said = [str(card["name"])]
        said += [f"{key} {value}" for key, value in card.items() if key not in ("name", "quick")]
        text = [", ".join(said) + ":", ""]
    text += ["| work | ours | peer | its figure | peer / ours |", "|---|---|---|---|---|"]
    for name in names:
        text += [f"| {' | '.join(_cells(each))} |" for each in rows.get(name, {}).get("lines", ())]
        if name not in rows or "failed" in rows[name]:
            text.append(f"| {name}{' (the rest)' if name in rows else ''} | not measured | | | |")
    return "\n".join(text)


def _cells(line):
    cells = [line["work"], f"{line['ours']:.4g} {line['unit']}".rstrip(), "", "", ""]
    if "peer" in line:
        figure, spread = f"{line['peer']:.4g} {line['unit']}", (line["low"], line["high"])
        ratio = f"{line['ratio']:.1f} ({spread[0]:.1f} to {spread[1]:.1f})"
        cells[2:] = [line["peer_work"], figure, ratio]
    return cells


def card_of(device):
    """What computes: the card, its driver, torch's and cuDNN's versions."""
    if device == "cpu":
        return {"name": platform.machine(), "torch": torch.__version__}
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[0]
    return {
        "name": torch.cuda.get_device_name(),
        "driver": driver,
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version(),
    }
