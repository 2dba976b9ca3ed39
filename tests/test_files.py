"""Safe writing: whole files or none, one writer a folder, finished cells kept."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from brain_teacher import files
from brain_teacher.cells.folder import OutputFolder, listed_in, run_folder
from brain_teacher.errors import BrainTeacherError, UsageError
from brain_teacher.files import (
    atomic_folder,
    atomic_write,
    file_digest,
    fingerprint,
    regular,
    write_json,
    write_npz,
)
from brain_teacher.reading.arrays import load_arrays
from brain_teacher.reading.text import read_json

SRC = str(Path(files.__file__).parents[1])


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "table.csv"
    with atomic_write(path) as temporary:
        assert temporary.parent == path.parent and temporary.suffix == ".csv"
        assert temporary.name.startswith(".part-")
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert names(tmp_path) == ["new", "new/table.csv"]


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
def test_after_an_error_the_old_file_is_intact_and_nothing_else_is_there(fault, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(fault), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise fault
    with pytest.raises(fault), atomic_write(tmp_path / "other.csv"):
        raise fault
    assert names(tmp_path) == ["table.csv"] and path.read_text() == "old"


def test_a_folder_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "sample"
    with atomic_folder(path) as temporary:
        (temporary / "a").write_text("1")
        assert not path.exists()
    assert names(tmp_path) == ["new", "new/sample", "new/sample/a"]


@pytest.mark.parametrize(("mask", "file", "folder"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)])
def test_modes_are_what_the_umask_leaves(mask, file, folder, tmp_path):
    before = os.umask(mask)
    try:
        write_json(tmp_path / "a.json", 1)
        with atomic_folder(tmp_path / "b"):
            pass
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a.json", "b")] == [file, folder]


def test_after_an_error_there_is_no_folder(tmp_path):
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "sample") as temporary:
        (temporary / "a").write_text("1")
        raise RuntimeError
    assert names(tmp_path) == []


def test_an_empty_folder_may_be_filled(tmp_path):
    with atomic_folder(tmp_path / "sample"):
        pass
    with atomic_folder(tmp_path / "sample") as temporary:
        (temporary / "a").write_text("1")
    assert names(tmp_path) == ["sample", "sample/a"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_there_is_never_overwritten(kind, tmp_path):
    path = tmp_path / "sample"
    if kind == "folder":
        path.mkdir()
        (path / "a").write_text("1")
    else:
        path.write_text("1")
    before = names(tmp_path)
    with pytest.raises(UsageError) as caught, atomic_folder(path):
        pytest.fail("must not start")
    assert str(caught.value) == (
        f"{path} exists already; choose another folder with --out, or remove it"
    )
    assert names(tmp_path) == before


def test_json_is_written_and_read_back(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 0.5, None], "ü": "ö"})
    assert read_json(tmp_path / "a.json") == {"b": [1, 0.5, None], "ü": "ö"}


def test_nan_is_no_json(tmp_path):
    with pytest.raises(ValueError, match="^Out of range float values are not JSON compliant"):
        write_json(tmp_path / "a.json", {"b": float("nan")})
    assert names(tmp_path) == []


def test_a_missing_or_broken_json_file_is_named(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(BrainTeacherError) as caught:
        read_json(path)
    assert str(caught.value) == f"{path} is missing"
    path.write_text("{")
    with pytest.raises(BrainTeacherError) as caught:
        read_json(path)
    assert str(caught.value) == (
        f"{path} cannot be read as JSON (Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1))"
    )


def test_the_same_arrays_give_the_same_bytes_at_any_time(tmp_path, monkeypatch):
    arrays = {"a": np.arange(5.0), "names": np.array(["x", "yy"])}
    write_npz(tmp_path / "one.npz", **arrays)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    write_npz(tmp_path / "two.npz", **arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz", allow_pickle=False) as read:
        assert sorted(read.files) == ["a", "names"]
        np.testing.assert_array_equal(read["a"], arrays["a"])
        np.testing.assert_array_equal(read["names"], arrays["names"])


def test_nothing_is_pickled(tmp_path):
    with pytest.raises(ValueError, match="^Object arrays cannot be saved when allow_pickle=False$"):
        write_npz(tmp_path / "a.npz", a=np.array([{}], dtype=object))
    assert names(tmp_path) == []


def test_a_digest_is_sha_256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_digest(tmp_path / "a") == expected


ARRAYS = hnp.arrays(
    dtype=st.sampled_from(["f4", "f8", "i4", "u1"]),
    shape=hnp.array_shapes(max_dims=3, max_side=4),
    elements=st.integers(0, 9),
)


@settings(max_examples=50, deadline=None)
@given(ARRAYS)
def test_a_fingerprint_is_of_values_not_of_memory(array):
    assert fingerprint(array) == fingerprint(np.asfortranarray(array.copy()))
    doubled = np.repeat(array, 2, axis=0)[::2]
    assert fingerprint(array) == fingerprint(doubled)


@settings(max_examples=100, deadline=None)
@given(ARRAYS, ARRAYS)
def test_arrays_have_one_fingerprint_only_if_they_are_the_same(one, other):
    same = one.dtype == other.dtype and one.shape == other.shape and (one == other).all()
    assert (fingerprint(one) == fingerprint(other)) == same


def test_a_fingerprint_sees_dtype_shape_and_order():
    array = np.arange(6, dtype=np.int32)
    others = [
        array.astype(np.int64),
        array.astype(">i4"),
        array.view(np.uint32),
        array.reshape(2, 3),
        array.reshape(3, 2),
        array[::-1],
        array.tolist(),
    ]
    found = [fingerprint(value) for value in (array, *others)]
    assert len(set(found)) == len(found)
    assert fingerprint(array, "a") != fingerprint("a", array) != fingerprint(array)
    assert fingerprint(np.array(["a", "b"])) != fingerprint(np.array(["a", "c"]))


def test_a_fingerprint_of_settings_sees_values_but_not_the_order_of_keys():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    assert fingerprint([1, 2]) != fingerprint([2, 1])
    assert fingerprint(1, 2) != fingerprint(12)
    assert fingerprint(1) != fingerprint("1")


def test_what_json_cannot_hold_has_no_fingerprint():
    with pytest.raises(TypeError):
        fingerprint({1, 2})


def test_a_run_folder_carries_the_command_and_the_time():
    before = datetime.now(UTC).replace(microsecond=0)
    folder = run_folder("decode")
    assert folder.parent == Path("runs")
    stamp = datetime.strptime(folder.name, "decode-%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert before <= stamp <= datetime.now(UTC)


@pytest.mark.parametrize("mark", ["params.yaml", "dataset.yaml", ".git"])
def test_results_go_into_no_project_and_no_data_set(mark, tmp_path):
    (tmp_path / mark).touch()
    with pytest.raises(UsageError) as caught:
        run_folder("decode", tmp_path)
    assert str(caught.value) == f"--out: {tmp_path} holds {mark}: it is no place for results"
    with pytest.raises(UsageError, match="^--out: .* is no folder; choose another$"):
        run_folder("decode", tmp_path / mark)
    assert run_folder("decode", tmp_path / "new") == tmp_path / "new"


@pytest.fixture
def output(tmp_path):
    folder = OutputFolder(tmp_path / "out")
    folder.path.mkdir()
    return folder


def test_a_cell_is_kept_if_its_file_and_what_it_was_made_from_are_the_same(output):
    (output.path / "a.npz").write_bytes(b"1")
    assert not output.is_kept("a.npz", ["x", 1])
    output.remember("a.npz", ["x", 1])
    assert output.is_kept("a.npz", ["x", 1])
    assert not output.is_kept("a.npz", ["x", 2])
    assert not output.is_kept("b.npz", ["x", 1])


def test_a_changed_or_lost_file_is_not_kept(output):
    (output.path / "a.npz").write_bytes(b"1")
    output.remember("a.npz", "x")
    (output.path / "a.npz").write_bytes(b"2")
    assert not output.is_kept("a.npz", "x")
    (output.path / "a.npz").unlink()
    assert not output.is_kept("a.npz", "x")
    (output.path / "a.npz").write_bytes(b"1")
    assert output.is_kept("a.npz", "x")


@pytest.mark.parametrize("content", ["", "{", "{}", None])
def test_without_a_whole_memory_nothing_is_kept(content, output):
    (output.path / "a.npz").write_bytes(b"1")
    output.remember("a.npz", "x")
    memory = output.state / "a.npz.json"
    if content is None:
        memory.unlink()
    else:
        memory.write_text(content)
    assert not output.is_kept("a.npz", "x")


def test_the_memory_lies_beside_the_folder_and_not_in_it(output, tmp_path):
    (output.path / "cell").mkdir()
    (output.path / "cell" / "a.npz").write_bytes(b"1")
    with output.locked():
        output.remember("cell/a.npz", "x")
        assert names(output.path) == ["cell", "cell/a.npz"]
    assert output.is_kept("cell/a.npz", "x")
    assert (tmp_path / ".brain-teacher" / "out" / "cell" / "a.npz.json").is_file()


HALF = """
import sys
from brain_teacher.files import atomic_folder, atomic_write
with atomic_write(sys.argv[1] + "/a.npz"), atomic_folder(sys.argv[1] + "/cell/b") as folder:
    (folder / "c").touch()
    print("half", flush=True)
    sys.stdin.readline()
"""


def test_half_files_are_removed_once_their_process_was_killed_and_no_sooner(output):
    for name in (".part-of-another-program", "whole.npz"):
        (output.path / name).write_bytes(b"1")
    mine = [".part-of-another-program", "cell", "whole.npz"]
    with start(HALF, output.path) as process:
        assert process.stdout.readline() == "half\n"
        there = names(output.path)
        assert len(there) == len(mine) + 3
        with output.locked():
            assert names(output.path) == there
        process.kill()
        process.wait(timeout=300)
        with output.locked():
            assert names(output.path) == mine


def test_what_a_killed_process_left_goes_with_the_next_file_that_is_written_there(output):
    with start(HALF, output.path) as process:
        assert process.stdout.readline() == "half\n"
        process.kill()
        process.wait(timeout=300)
    write_json(output.path / "new.json", 1)
    assert [name for name in names(output.path) if "/" not in name] == ["cell", "new.json"]


HOLD = """
import sys, time
from brain_teacher.cells.folder import OutputFolder
with OutputFolder(sys.argv[1]).locked() as folder:
    print("held", flush=True)
    sys.stdin.readline()
    (folder.path / "first").write_text("done")
"""
ENTER = """
import sys
from brain_teacher.errors import BrainTeacherError
from brain_teacher.cells.folder import OutputFolder
say = lambda text: print(text, flush=True)
try:
    with OutputFolder(sys.argv[1], say).locked() as folder:
        say("entered, first is " + ("done" if (folder.path / "first").exists() else "not done"))
except BrainTeacherError as error:
    say(error)
"""


def start(code, folder, **env):
    clean = {name: value for name, value in os.environ.items() if name != "DVC_STAGE"}
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        env=clean | {"PYTHONPATH": SRC} | env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def holder(output):
    """Another process that writes the folder until it gets a line."""
    with start(HOLD, output.path) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_writer_by_hand_fails_at_once_and_names_the_first(holder, output):
    with start(ENTER, output.path) as second:
        said = second.communicate(timeout=300)[0]
    since = read_json(output.state / "holder.json")["since"]
    assert said == (
        f"{output.path} is being written by process {holder.pid} (since {since}); wait for it, "
        "or choose another --out\n"
    )
    assert datetime.strptime(since, "%H:%M:%S UTC")
    assert holder.poll() is None


def test_a_stage_waits_for_the_first_writer_and_says_so(holder, output):
    with start(ENTER, output.path, DVC_STAGE="decode") as second:
        since = read_json(output.state / "holder.json")["since"]
        assert second.stdout.readline() == (
            f"waiting for process {holder.pid} (since {since}), which still writes {output.path}\n"
        )
        time.sleep(0.3)
        assert second.poll() is None
        holder.communicate("go on\n", timeout=300)
        assert second.communicate(timeout=300)[0] == "entered, first is done\n"


def test_a_lock_dies_with_its_process(holder, output):
    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=300)
    assert (output.state / "holder.json").exists()
    with OutputFolder(output.path).locked():
        assert json.loads((output.state / "holder.json").read_text())["pid"] == os.getpid()
    assert not (output.state / "holder.json").exists()


def test_a_holder_without_a_name_is_another_process(holder, output):
    (output.state / "holder.json").unlink()
    with start(ENTER, output.path) as second:
        said = second.communicate(timeout=300)[0]
    assert said == (
        f"{output.path} is being written by another process; wait for it, or choose another --out\n"
    )


def test_the_lock_is_given_back_after_an_error(output):
    with pytest.raises(RuntimeError), output.locked():
        raise RuntimeError
    with OutputFolder(output.path).locked():
        pass


def test_two_folders_have_two_locks(tmp_path):
    with OutputFolder(tmp_path / "a").locked(), OutputFolder(tmp_path / "b").locked():
        pass


@pytest.fixture(params=[True, False], ids=["stage", "by hand"])
def stage(request, monkeypatch):
    monkeypatch.delenv("DVC_STAGE", raising=False)
    if request.param:
        monkeypatch.setenv("DVC_STAGE", "decode")
    return request.param


def written(output, *files):
    """Files that the program wrote and remembers."""
    for name in files:
        (output.path / name).parent.mkdir(exist_ok=True)
        (output.path / name).touch()
        output.remember(name, None)


def test_former_cells_are_removed_by_their_place_and_under_dvc_only(stage, output):
    written(output, "a.npz", "b.npz", "figures/c.png", "nested/a.npz", "nested/b.npz", "old/a.npz")
    output.prune({"a.npz", "nested/b.npz"}, pattern="*.npz")
    kept = ["a.npz", "figures", "figures/c.png", "nested", "nested/b.npz"]
    former = ["b.npz", "nested/a.npz", "old", "old/a.npz"]
    assert names(output.path) == (kept if stage else sorted([*kept, *former]))


def test_what_this_program_did_not_write_is_never_removed(output, monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_STAGE", "rivals")
    for name in ("thesis.npz", "dataset.yaml", "holder"):
        (output.path / name).touch()
    written(output, "former.npz")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    written(output, "nested/a.npz")
    (output.path / "nested").rename(elsewhere / "nested")
    (output.path / "nested").symlink_to(elsewhere / "nested")
    (tmp_path / "beside.npz").touch()
    output.prune((), ["../beside.npz", f"{tmp_path}/beside.npz"])
    assert names(output.path) == ["dataset.yaml", "holder", "nested", "thesis.npz"]
    assert (tmp_path / "beside.npz").exists() and (elsewhere / "nested" / "a.npz").exists()


def test_of_a_folder_that_was_pulled_its_own_index_says_what_was_written(output, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "preprocess")
    for name in ("S1_V1.npz", "S1_V2.npz", "mine.npz"):
        (output.path / name).touch()
    index = output.path / "index.json"
    write_json(index, {"cells": [{"subject": "S1", "roi": roi} for roi in ("V1", "V2")]})
    output.prune({"S1_V2.npz", "index.json"}, listed_in(index, "subject", "roi"))
    assert names(output.path) == ["S1_V2.npz", "index.json", "mine.npz"]
    index.write_text("[1, {}]")
    assert listed_in(index, "subject", "roi") == set()


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "socket"])
def test_only_files_are_read_and_nothing_waits(kind, tmp_path):
    path = tmp_path / "a.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
    said = f"{path} is a {kind}, where a file is to be read"
    for read in (regular, file_digest, load_arrays):
        with pytest.raises(OSError, match=f"^{said}$"):
            read(path)
    with pytest.raises(BrainTeacherError, match=f"^{path} cannot be read as JSON \\({said}\\)$"):
        read_json(path)
    assert not OutputFolder(tmp_path / "out").is_kept("a.json", None)


def test_links_in_a_circle_are_no_file(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        regular(tmp_path / "a")
