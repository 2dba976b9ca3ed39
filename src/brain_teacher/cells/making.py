"""Making the cells of an output folder that are new, and keeping the finished ones."""

from tqdm import tqdm

from brain_teacher.cells.engine import run_cells


def make_cells(
    command, cells, folder, *, source, work, shared, processes, write, unit="cell", say, quiet
):
    """Make the new cells and remember them; says beforehand how many are new, and how many kept.

    Parameters
    ----------
    command : str
        Who speaks.
    cells : list of dict
        With ``name``, the cell's file, and ``fingerprint``.
    folder : OutputFolder
    source : str
        Fingerprint of the code that makes them.
    work, shared
        As for `run_cells`.
    processes : callable
        New cells -> how many are made side by side.
    write : callable
        ``(path, result)``: writes the cell's file, whole or not at all.
    unit : str
        What a cell is called.
    say : callable
    quiet : bool
        No progress bar.
    """
    new = [c for c in cells if not folder.is_kept(c["name"], [c["fingerprint"], source])]
    say(f"{command}: {len(cells)} {unit}s, {len(new)} new, {len(cells) - len(new)} kept")
    bar = tqdm(total=len(new), unit=unit, disable=True if quiet else None)
    for cell, result in run_cells(work, new, shared=shared, processes=processes(new)):
        write(folder.path / cell["name"], result)
        folder.remember(cell["name"], [cell["fingerprint"], source])
        bar.update()
    bar.close()
