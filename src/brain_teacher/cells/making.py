"""Making the cells of an output folder that are new, and keeping the finished ones."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tqdm import tqdm

from brain_teacher.cells.cell import Cell
from brain_teacher.cells.cluster import Cluster
from brain_teacher.cells.engine import C, run_cells
from brain_teacher.cells.folder import OutputFolder
from brain_teacher.cells.source import source_fingerprint

# Seconds between two lines of a log, where no terminal shows a bar.
EVERY = 60.0


def made_from(cell: Cell) -> list[str]:
    """What a cell's files are remembered as: everything that makes it new, and the code."""
    return [cell.fingerprint(), source_fingerprint(*cell.makers)]


def new_cells(cells: Sequence[C], folder: OutputFolder) -> list[C]:
    """Those whose files are not there, not whole, or made from something else."""
    new = []
    for cell in cells:
        kept = [file for file in cell.files if folder.is_kept(file, made_from(cell))]
        if len(kept) < len(cell.files):
            new.append(cell.without(kept))
    return new


def make_cells(
    command: str,
    cells: Sequence[Cell],
    folder: OutputFolder,
    *,
    write: Callable[[Any, Any], Iterable[str]],
    workers: int,
    cards: Sequence[str] = (),
    cluster: str | None = None,
    shared: Any = None,
    new: Sequence[Cell] | None = None,
    after: Callable[[Any, Any], None] | None = None,
    what: str = "{} cells",
    forecast: Callable[[Sequence[Any], int], str] | None = None,
    unit: str = "cell",
    say: Callable[[str], None],
    quiet: bool,
) -> int:
    """Make the new cells and remember them; says beforehand how many are new, and how many kept.

    Returns how many were new: those named `new`, or else `new_cells` of the locked folder. Of each
    cell and its result `write` makes the cell's files, each whole or not at all, and gives a file's
    name before it begins the next; `after` is called once they are remembered. `what` says how all
    of the cells are called, with ``{}`` for their number, `unit` what one is called, `forecast`
    what the new ones will take with these workers. Where they run is as in `run_cells`; keys and
    logs of a `cluster` lie beside the folder, in its state.
    """
    new = new_cells(cells, folder) if new is None else new
    text = f"{command}: {what.format(len(cells))}, {len(new)} new, {len(cells) - len(new)} kept"
    say(text + (forecast(new, workers) if forecast and new else ""))
    where: dict[str, Any] = {"workers": workers, "cards": cards}
    if cluster is not None:
        where["cluster"] = Cluster(cluster, folder.state / "cluster")
    with tqdm(total=len(new), unit=unit, disable=True if quiet else None) as bar:
        silent = quiet or not bar.disable
        progress = _Log(command, unit, len(new), (lambda _: None) if silent else say)
        errors: list[Exception] = []
        for cell, result in run_cells(new, shared=shared, errors=errors, **where):
            try:
                for file in write(cell, result):
                    folder.remember(file, made_from(cell))
                if after is not None:
                    after(cell, result)
            except Exception as error:  # noqa: BLE001 - raised when what runs beside it is written
                errors.append(error)
            bar.update()
            progress.tell()
    return len(new)


class _Log:
    """How far it is, in a line every so often, where the bar has no terminal to be drawn on."""

    def __init__(self, command: str, unit: str, total: int, say: Callable[[str], None]) -> None:
        self._what, self._total, self._say = f"{command}: {{}} of {total} {unit}s", total, say
        self._start = self._last = time.monotonic()
        self._done = 0

    def tell(self) -> None:
        """Count one more; say so if the last line is old."""
        self._done += 1
        now = time.monotonic()
        if now - self._last < EVERY or self._done == self._total:
            return
        self._last, gone = now, now - self._start
        left = gone / self._done * (self._total - self._done)
        said = tqdm.format_interval(gone), tqdm.format_interval(left)
        self._say(f"{self._what.format(self._done)} in {said[0]}, about {said[1]} left")
