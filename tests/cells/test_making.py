"""One loop makes the cells that are new, for every command."""

import os
import time
from dataclasses import dataclass, replace

import pytest

from brain_teacher.cells.cell import Cell
from brain_teacher.cells.folder import OutputFolder
from brain_teacher.cells.making import made_from, make_cells, new_cells


@dataclass(frozen=True, eq=False, kw_only=True)
class Text(Cell):
    text: str
    fails: bool = False

    @property
    def files(self):
        return (f"{self.name}/one.txt", f"{self.name}/two.txt")

    def run(self, shared):
        if self.fails and shared is not None:
            raise ValueError(f"{self.name} failed")
        time.sleep(0.5 * self.fails)
        return self.text


def make(cells, path, *, shared=None, workers=1, quiet=True, **options):
    said, written = [], []

    def write(cell, result):
        written.append(cell.name)
        for file in cell.files:
            (path / file).parent.mkdir(exist_ok=True)
            (path / file).write_text(result)
            yield file

    with OutputFolder(path).locked() as folder:
        try:
            make_cells(
                "toy", cells, folder, shared=shared, workers=workers, write=write,
                say=said.append, quiet=quiet, **options,
            )  # fmt: skip
        finally:
            left = [cell.name for cell in new_cells(cells, folder)]
    return said, written, left


CELLS = [Text(name=name, text=f"text of {name}") for name in "abc"]


def test_what_is_finished_is_kept(tmp_path):
    said, written, left = make(CELLS, tmp_path / "out")
    assert (said, written, left) == (["toy: 3 cells, 3 new, 0 kept"], ["a", "b", "c"], [])
    said, written, _ = make(CELLS, tmp_path / "out")
    assert (said, written) == (["toy: 3 cells, 0 new, 3 kept"], [])


def test_a_log_is_told_how_far_it_is(tmp_path, monkeypatch):
    # No terminal here: there is nothing to draw a bar on.
    assert make(CELLS, tmp_path / "soon", quiet=False)[0] == ["toy: 3 cells, 3 new, 0 kept"]
    monkeypatch.setattr("brain_teacher.cells.making.EVERY", 0)
    said, *_ = make(CELLS, tmp_path / "long", quiet=False)
    assert said[1:] == [f"toy: {done} of 3 cells in 00:00, about 00:00 left" for done in (1, 2)]
    assert make(CELLS, tmp_path / "quiet")[0] == ["toy: 3 cells, 3 new, 0 kept"]


def test_only_what_changed_is_made(tmp_path):
    make(CELLS, tmp_path / "out")
    (tmp_path / "out" / "b" / "two.txt").write_text("another")  # of its two files, one
    changed = [*CELLS[:2], replace(CELLS[2], text="new")]
    said, written, _ = make(changed, tmp_path / "out")
    assert written == ["b", "c"] and said == ["toy: 3 cells, 2 new, 1 kept"]


def test_another_meaning_of_the_code_makes_all_new(tmp_path, monkeypatch):
    make(CELLS, tmp_path / "out")
    monkeypatch.setattr("brain_teacher.cells.making.source_fingerprint", lambda run: "other")
    assert make(CELLS, tmp_path / "out")[1] == ["a", "b", "c"]


def test_what_follows_a_finished_cell_finds_it_remembered(tmp_path):
    path, seen = tmp_path / "out", []

    def after(cell, result):
        folder = OutputFolder(path)
        seen.append((result, all(folder.is_kept(f, made_from(cell)) for f in cell.files)))

    make(CELLS, path, after=after)
    assert seen == [(cell.text, True) for cell in CELLS]


def test_what_new_cells_will_take_is_said_beforehand(tmp_path):
    words = {"what": "{} texts of 2 kinds", "forecast": lambda new, workers: f"; {len(new)} long"}
    assert make(CELLS, tmp_path / "out", **words)[0] == [
        "toy: 3 texts of 2 kinds, 3 new, 0 kept; 3 long"
    ]
    assert make(CELLS, tmp_path / "out", **words)[0] == ["toy: 3 texts of 2 kinds, 0 new, 3 kept"]


def test_a_failing_cell_costs_no_neighbour_its_result(tmp_path):
    path = tmp_path / "out"
    cells = [CELLS[0], replace(CELLS[1], fails=True), CELLS[2]]
    with pytest.raises(ValueError, match="b failed"):
        make(cells, path, shared="yes", workers=3)
    there = {file.parent.name for file in path.glob("*/one.txt")}
    assert "b" not in there
    # Mended, what is missing is made, and no more.
    said, written, left = make([CELLS[0], cells[1], CELLS[2]], path)
    assert "b" in written and not left and set(written) == set("abc") - there
    assert os.listdir(path / "b") and f"{len(there)} kept" in said[0]


def test_a_result_that_cannot_be_written_costs_no_neighbour_its_own(tmp_path):
    path = tmp_path / "out"
    (path / "a").mkdir(parents=True)
    (path / "a" / "one.txt").mkdir()  # where its file should be
    cells = [CELLS[0], replace(CELLS[1], fails=True)]  # which takes half a second
    with pytest.raises(IsADirectoryError):
        make(cells, path, workers=2)
    assert (path / "b" / "two.txt").read_text() == "text of b"
    assert new_left(cells, path) == ["a"]


def new_left(cells, path):
    return [cell.name for cell in new_cells(cells, OutputFolder(path))]
