"""Reading what anybody may have written: within limits, or one line."""

import io
import json
import zipfile

import numpy as np
import pytest

from brain_teacher.errors import BrainTeacherError
from brain_teacher.reading import arrays as arrays_module
from brain_teacher.reading.arrays import load_arrays, read_npz
from brain_teacher.reading.text import (
    Said,
    parse_json,
    parse_yaml,
    read_json,
    read_record,
    read_text,
)


class Thing(Said):
    name: str
    cells: list[int]


def refuses(message, function, *arguments, **options):
    with pytest.raises(ValueError, match=message):
        function(*arguments, **options)


# YAML


def test_plain_yaml_is_what_it_was():
    text = "a: 1\nb: [x, 'y', 2.5, null, true]\nc: {d: {}}\n'1': e\n"
    assert parse_yaml(text) == {
        "a": 1, "b": ["x", "y", 2.5, None, True], "c": {"d": {}}, "1": "e",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "^line 3: key 'a' stands twice$"),
        ("a: {b: 1, b: 2}\n", "^line 1: key 'b' stands twice$"),
        ("simulated: true\n'simulated': false\n", "^line 2: key 'simulated' stands twice$"),
        ("1: a\n", "^line 1: a key is no text; put it in quotes$"),
        ("a: {no: 1}\n", "^line 1: a key is no text; put it in quotes$"),
        ("? [a]\n: 1\n", "^line 1: a key is no text; put it in quotes$"),
        ("a: &x 1\nb: *x\n", r"^line 2: '\*x' is a reference; write out what it means$"),
        ("a: !!int ''\n", "^line 1: tag 'tag:yaml.org,2002:int' is not read; put text in quotes$"),
        ("a: !mine b\n", "^line 1: tag '!mine' is not read; put text in quotes$"),
        (f"a: {'[' * 60}", "^line 1: is nested too deeply$"),
        (f"a: {'[' * 100_000}", "^is not YAML: .* exceeded maximum nesting depth"),
        ("a: 2026-99-99\n", "^month must be in 1..12$"),
        ("a: 0x_\n", "^invalid literal for int"),
        (f"a: {'9' * 5000}\n", "^Exceeds the limit"),
        ("a: [b\n", "^is not YAML: .*line"),
        ("a: 1\n---\na: 2\n", "^is not YAML: expected a single document"),
        ("<<: 3\n", "."),
        ("#" * (2**20 + 1), "^is longer than 1 MiB, which no such file is$"),
    ],
)
def test_what_yaml_may_not_say(text, message):
    refuses(message, parse_yaml, text)


# JSON


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "^key 'a' stands twice$"),
        ('{"a": NaN}', "^NaN is no number$"),
        ("[-Infinity]", "^-Infinity is no number$"),
        ("[" * 100_000, "^is nested too deeply$"),
        ("1" * 5000, "^Exceeds the limit"),
        ("{", "^Expecting property name"),
    ],
)
def test_what_json_may_not_say(text, message):
    refuses(message, parse_json, text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "top level: Input should be a valid dictionary or instance of Thing"),
        ({"cells": []}, "name: Field required"),
        ({"name": 3, "cells": []}, "name: Input should be a valid string"),
        ({"name": "a", "cells": [1, "2"]}, "cells.1: Input should be a valid integer"),
    ],
)
def test_a_record_of_another_shape_is_one_line_with_its_remedy(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BrainTeacherError) as caught:
        read_record(path, Thing, remedy="make it again")
    assert str(caught.value) == f"{path}: {message}; make it again"


def test_text_is_utf8_without_nul_and_of_some_size(tmp_path):
    path = tmp_path / "a.txt"
    for content, message in (
        (b"ab\xff", "^byte 2 is not UTF-8: save it in UTF-8$"),
        ("ab".encode("utf-16"), "^byte 0 is not UTF-8"),
        ("ab".encode("utf-16-le"), "^holds NUL bytes, as UTF-16 has: save it in UTF-8$"),
        (b"x" * (2**20 + 1), "^is larger than 1 MiB, which no such file is$"),
    ):
        path.write_bytes(content)
        refuses(message, read_text, path, most=2**20)
    path.write_bytes("\ufeffä\n".encode())
    assert read_text(path) == "ä\n"
    path.write_bytes(b"\xff")
    with pytest.raises(BrainTeacherError, match="cannot be read as JSON"):
        read_json(path)


# Arrays


def packed(path, **members):
    """An archive of members given as arrays or bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            stream = io.BytesIO()
            if isinstance(content, bytes):
                stream.write(content)
            else:
                np.save(stream, content)
            archive.writestr(f"{name}.npy", stream.getvalue())
    return path


def header(text):
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_arrays_beside_those_read_are_not_unpacked(tmp_path):
    path = packed(tmp_path / "a.npz", a=np.arange(3), bomb=b"no array")
    assert list(load_arrays(path, ["a"])) == ["a"]
    refuses("is no .npy or .npz of numbers", load_arrays, path)


def test_an_archive_that_unpacks_without_end_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays_module, "MOST_UNPACKED", 2**20)
    path = packed(tmp_path / "a.npz", a=np.zeros(2**18))
    refuses(r"\(it unpacks to 0.0 GiB\)$", load_arrays, path)
    # One that was not packed may have any size.
    np.savez(tmp_path / "b.npz", a=np.zeros(2**18))
    assert load_arrays(tmp_path / "b.npz")["a"].shape == (2**18,)


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        ("'|O'", "an array of object is not read; give real numbers or text"),
        ("'<c16'", "an array of complex128 is not read; give real numbers or text"),
        (
            "[('a', '<f8')]",
            r"an array of \[\('a', '<f8'\)\] is not read; give real numbers or text",
        ),
        ("'<M8[s]'", r"an array of datetime64\[s\] is not read; give real numbers or text"),
        ("'<f16'", "an array of float128 is not read; give real numbers or text"),
        ("'<f8'", "it is cut off: there are .* bytes of an array of "),
        ("'<U0'", "it is cut off: there are .* bytes of an array of "),
    ],
)
@pytest.mark.parametrize("pack", [False, True])
def test_headers_are_held_against_what_is_there(tmp_path, dtype, message, pack):
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': (1000000, 1000000)}}\n"
    content = header(text) + bytes(64)
    path = tmp_path / "a.npy"
    if pack:
        packed(path, a=content)
    else:
        path.write_bytes(content)
    refuses(rf"^is no .npy or .npz of numbers \({message}", load_arrays, path)


def test_an_array_that_stands_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name in ("a.npy", "a"):
            archive.writestr(name, b"")
    refuses(r"\('a' stands in it twice\)$", load_arrays, tmp_path / "a.npz")


def test_other_byte_orders_are_read_as_this_machines(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.arange(3, dtype=">f4"), b=np.array(["ä"], dtype=">U1"))
    arrays = load_arrays(tmp_path / "a.npz")
    assert arrays["a"].dtype == np.float32 and arrays["a"].tolist() == [0, 1, 2]
    assert arrays["b"].dtype == "U1" and arrays["b"].tolist() == ["ä"]


FORM = {"x": ("f", 2), "id": ("U", 1), "group_*": ("U", 1)}
WHOLE = {"x": np.zeros((2, 3)), "id": np.array(["a", "b"])}
META = {"format": 1, "name": "n", "cells": []}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": np.array("a")}, r"^id is <U1 of shape \(\), not text in 1 dimension: it is not"),
        ({"id": np.array([["a"]])}, r"^id is <U1 of shape \(1, 1\), not text in 1 dimension"),
        ({"id": np.array([1, 2])}, r"^id is int64 of shape \(2,\), not text in 1 dimension"),
        ({"x": np.zeros((2, 3), int)}, r"^x is int64 .*, not numbers with a point in 2 dimensions"),
        ({"group_a": np.array([1])}, "^group_a is int64"),
        ({"meta": np.array(["{}"])}, r"^meta is <U2 of shape \(1,\), not text in 0 dimensions"),
        ({"meta": np.array(3)}, "^meta is int64"),
        ({"meta": np.array("[" * 9000)}, r"^meta is not that of a t file \(is nested too"),
        ({"meta": np.array('{"format": 1}')}, r"^meta is not that of a t file \(name: Field req"),
        ({"meta": np.array('{"format": 1, "name": 3}')}, "name: Input should be a valid string"),
        ({"meta": np.array("3")}, "^meta is 3: it is not a t file$"),
        ({"meta": np.array('{"format": 2}')}, "^has format 2; this version reads 1$"),
        ({"id": np.array(["a", "b"]).view("<u4") + 2**31}, "^id is uint32"),
    ],
)  # fmt: skip
def test_arrays_of_another_shape_are_one_line(tmp_path, changes, message):
    arrays = WHOLE | {"meta": np.array(json.dumps(META))} | changes
    np.savez(tmp_path / "a.npz", **arrays)
    how = {"arrays": FORM, "meta": Thing, "format": 1, "what": "t"}
    refuses(message, read_npz, tmp_path / "a.npz", ["x", "id"], **how)


def test_codes_that_are_no_character_are_refused(tmp_path):
    for code in (0x110000, 0xD800):
        ids = np.array([code, 97], dtype=np.uint32).view("<U1")
        np.savez(tmp_path / "a.npz", **WHOLE | {"id": ids}, meta=np.array(json.dumps(META)))
        how = {"arrays": FORM, "meta": Thing, "format": 1, "what": "t"}
        message = f"^id holds what is no text .character {code:#x}.$"
        refuses(message, read_npz, tmp_path / "a.npz", ["x", "id"], **how)
