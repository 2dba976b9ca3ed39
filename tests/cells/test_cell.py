"""What a cell is made from: its declared fields, and nothing else."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from brain_teacher.cells.cell import Cell, FileInput, of_no_consequence


@dataclass(frozen=True, eq=False, kw_only=True)
class Toy(Cell):
    number: int
    array: np.ndarray
    settings: dict
    file: FileInput | None = None
    nothing: object = of_no_consequence(default=None)


TOY = Toy(name="a", number=1, array=np.arange(3), settings={"x": [1, 2], "y": None})


@pytest.mark.parametrize(
    "change",
    [
        {"number": 2},
        {"array": np.arange(4)},
        {"array": np.arange(3, dtype=np.int32)},
        {"array": np.arange(3).reshape(3, 1)},
        {"settings": {"x": [2, 1], "y": None}},
        {"settings": {"x": [1, 2]}},
        {"file": FileInput(path=Path("a"), sha256="0" * 64)},
    ],
)
def test_every_field_makes_it_new(change):
    assert replace(TOY, **change).fingerprint() != TOY.fingerprint()


def test_its_name_and_what_is_of_no_consequence_do_not():
    same = replace(TOY, name="b", nothing=object(), settings={"y": None, "x": [1, 2]})
    assert same.fingerprint() == TOY.fingerprint()


def test_another_kind_of_cell_is_another_cell():
    class Other(Toy):
        pass

    fields = {"number": 1, "array": np.arange(3), "settings": {"x": [1, 2], "y": None}}
    assert Other(name="a", **fields).fingerprint() != TOY.fingerprint()


def test_values_do_not_run_into_each_other():
    @dataclass(frozen=True, eq=False, kw_only=True)
    class Two(Cell):
        a: object
        b: object

    pairs = [(np.arange(2), np.arange(3)), (np.arange(3), np.arange(2)), (None, "x"), ("x", None)]
    assert len({Two(name="t", a=a, b=b).fingerprint() for a, b in pairs}) == 4


def test_a_file_is_its_content_not_its_place(tmp_path):
    for name, content in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).write_text(content)
    a, b, c = (replace(TOY, file=FileInput.of(tmp_path / name)).fingerprint() for name in "abc")
    assert a == b != c


def test_a_bare_path_is_refused():
    with pytest.raises(TypeError, match="settings is a path"):
        replace(TOY, settings=Path("x")).fingerprint()
