"""HDF5 and MATLAB files of others: read in a process that may die, or one line that helps."""

import fcntl
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from brain_teacher.dataset import apart
from brain_teacher.dataset.foreign_files import _why_not, read_hdf5, read_mat

NAMES = ("dataset", "metadata")
SECRET = np.arange(6.0)


def refuses(message, path, read=read_hdf5, names=NAMES):
    with pytest.raises(ValueError, match=f"^{message}$") as caught:
        read(path, names)
    assert "\n" not in str(caught.value)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.h5"


@pytest.fixture
def secret(tmp_path):
    """What the person may read, and the file may not bring in."""
    (tmp_path / "elsewhere").mkdir()
    with h5py.File(tmp_path / "elsewhere" / "secret.h5", "w") as file:
        file["numbers"] = SECRET
    SECRET.tofile(tmp_path / "elsewhere" / "secret.raw")
    return tmp_path / "elsewhere"


def test_numbers_and_text_come_as_they_stand(path):
    numbers = {
        "floats": np.arange(12.0).reshape(3, 4), "bytes": np.arange(3, dtype=np.uint8),
        "big": np.arange(3, dtype=">i4"), "flags": np.array([True, False]), "one": np.float32(2.5),
        "none": np.empty((0, 4)),
    }  # fmt: skip
    with h5py.File(path, "w") as file:
        for name, values in numbers.items():
            file[f"metadata/{name}"] = values
        file["metadata/key"] = np.array([b"V1", "gr\u00f6\u00dfe".encode()])
        file["metadata/said"] = "at last"
        file["header/callstack"] = [b"/home/somebody/a.py:1"]
        file["other"] = 1
    content = read_hdf5(path, NAMES)
    assert set(content) == {"metadata", "header"} and content["header"] == ["callstack"]
    metadata = content["metadata"]
    assert metadata.pop("key") == ["V1", "gr\u00f6\u00dfe"] and metadata.pop("said") == "at last"
    assert set(metadata) == set(numbers)
    for name, values in numbers.items():
        np.testing.assert_array_equal(metadata[name], values)


def test_more_than_a_block_comes_whole(path):
    # 70 MiB, in two blocks.
    values = np.arange(70 * 2**20, dtype=np.uint32).astype(np.uint8).reshape(70, 2**20)
    with h5py.File(path, "w") as file:
        file["dataset"] = values
    np.testing.assert_array_equal(read_hdf5(path, NAMES)["dataset"], values)


# Files that read others


def test_links_into_other_files_are_not_followed(path, secret):
    with h5py.File(path, "w") as file:
        file["dataset"] = h5py.ExternalLink(str(secret / "secret.h5"), "numbers")
    target = re.escape(str(secret / "secret.h5"))
    refuses(f"'/dataset' is a link to '{target}': links are not followed", path)
    with h5py.File(path, "w") as file:
        file["metadata/deep/value"] = h5py.ExternalLink("elsewhere/secret.h5", "numbers")
    says = "'/metadata/deep/value' is a link to 'elsewhere/secret.h5': links are not followed"
    refuses(says, path)


def test_links_within_a_file_are_not_followed_either(path):
    with h5py.File(path, "w") as file:
        file["metadata/again"] = h5py.SoftLink("/metadata")
    refuses("'/metadata/again' is a link to 'another place .+': links are not followed", path)


@pytest.mark.parametrize("inside", ["/", "/metadata"])
def test_a_group_that_holds_itself_comes_to_an_end(path, inside):
    with h5py.File(path, "w") as file:
        file["metadata/more"] = 1
        file["metadata/again"] = file[inside]
    refuses("'/metadata/again' stands elsewhere too: links are not followed", path)


def test_raw_data_of_other_files_is_not_read(path, secret):
    with h5py.File(path, "w") as file:
        raw = [(str(secret / "secret.raw"), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("dataset", (6,), "f8", external=raw)
    refuses("'/dataset' takes its numbers from other files: these are not read", path)


def test_virtual_data_sets_are_not_read(path, secret):
    layout = h5py.VirtualLayout((6,), "f8")
    layout[:] = h5py.VirtualSource(str(secret / "secret.h5"), "numbers", (6,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("metadata/value", layout)
    refuses("'/metadata/value' takes its numbers from other files: these are not read", path)


# Files that declare more than there is


@pytest.mark.parametrize(
    ("shape", "dtype"), [((2**20, 2**20), "f8"), ((2**62,), "i1"), ((100_000, 200_000), "f4")]
)
def test_what_declares_terabytes_is_not_read(path, shape, dtype):
    with h5py.File(path, "w") as file:
        file.create_dataset("dataset", shape, dtype, chunks=True)
    says = r"says at '/dataset' that it holds [\d,.]+ GiB, more than 0.5 GiB, the most that .+"
    refuses(says, path)


def test_a_chunk_larger_than_its_data_set_counts(path):
    with h5py.File(path, "w") as file:
        big = {"chunks": (2**14, 2**14), "maxshape": (None, None), "compression": "gzip"}
        file.create_dataset("dataset", (2, 2), "f4", **big)
    refuses(r"says at '/dataset' that it holds 2\.0 GiB, more than 0\.5 GiB, .+", path)


def test_many_small_ones_count_together(path):
    with h5py.File(path, "w") as file:
        for number in range(3):
            file.create_dataset(f"metadata/{number}", (2**25,), "f8", chunks=True)
    refuses(r"says at '/metadata/2' that it holds 0\.8 GiB, more than 0\.5 GiB, .+", path)


def test_text_that_stands_a_million_times_takes_no_memory(path):
    # One string of 16 MiB on the heap, and 4,096 references to it: 64 GiB.
    with h5py.File(path, "w") as file:
        kind = h5py.string_dtype()
        text = file.create_dataset("metadata/key", (4096,), kind)
        text[0] = "x" * 2**24
        place = text.id.get_offset()
    content = bytearray(path.read_bytes())
    content[place : place + 16 * 4096] = bytes(content[place : place + 16]) * 4096
    path.write_bytes(content)
    refuses(r"is damaged \(.*memory.*\); fetch it again", path)


@pytest.mark.parametrize(
    ("values", "kind"),
    [(np.ones(3) * 1j, "complex128"), (np.ones(3, [("a", "f8"), ("b", "f8")]), r"\[\('a'.+\]")],
)
def test_what_is_no_real_number_is_refused(path, values, kind):
    # Complex numbers lost their imaginary part without a word.
    with h5py.File(path, "w") as file:
        file["dataset"] = values
    refuses(f"'/dataset' holds {kind}, neither real numbers nor text", path)


# What the file is instead


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; fetch it again"),
        (b"\x89HDF\r", "is cut off after 5 bytes; fetch it again"),
        (b"PK\3\4" + bytes(100), "is a zip archive; unpack it"),
        (b"\x1f\x8b" + bytes(100), "is packed by gzip; unpack it"),
        (b"\n<!DOCTYPE html><html>", "is a web page or XML that came .+; fetch it again"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS, .+ brings it"),
        (b"/annex/objects/MD5E-s12--ab.h5\n", "is a pointer of git-annex, .+ brings it"),
        (b"MATLAB 5.0 MAT-file, Platform", "is a MATLAB file; name it .mat"),
        (b"\x93NUMPY\1\0", "is a NumPy array; give it as --voxels, with a table of --trials"),
        (b"Subject,Run\nS1,1\n", r"is not HDF5 \(it begins with b'Subject,'\); choose another .+"),
    ],
)  # fmt: skip
def test_files_of_another_kind_are_called_by_it(path, content, message):
    path.write_bytes(content)
    refuses(message, path)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    for place in (tmp_path / "pipe.h5", tmp_path, Path("/dev/zero")):
        refuses("is no regular file", place)
        refuses("is no regular file", place, read=read_mat)
    refuses(r"cannot be opened \(No such file or directory\)", tmp_path / "b.h5")


def test_a_cut_file_says_how_much_is_there(path):
    with h5py.File(path, "w") as file:
        file["dataset"] = np.arange(10_000.0)
    path.write_bytes(path.read_bytes()[:5000])
    refuses(r"is cut off \(5,000 of 82,048 bytes are there\); fetch it again", path)


def test_a_file_that_is_being_written_is_not_fetched_again(path):
    with h5py.File(path, "w") as file:
        file["dataset"] = SECRET
    with path.open("rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        says = r"is open for writing in another program \(HDF5's lock\); close it there, or wait"
        refuses(says, path)
    np.testing.assert_array_equal(read_hdf5(path, NAMES)["dataset"], SECRET)


def test_a_file_that_was_never_closed_says_so(path):
    code = (
        "import h5py, os, sys; f = h5py.File(sys.argv[1], 'w', libver='latest'); f['dataset'] = 1; "
        "f.flush(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)
    refuses(
        "was never closed by the program that wrote it; close it there, or `h5clear -s` it", path
    )


def test_where_files_cannot_be_locked_the_setting_is_named():
    # What HDF5 says on NFS without a lock daemon (ENOLCK); no such file system is at hand.
    says = "unable to lock file, errno = 37, error message = 'No locks available'"
    assert _why_not(f"[Errno 37] Unable to synchronously open file ({says})") == (
        "cannot be locked, as on NFS and other network file systems; set "
        "HDF5_USE_FILE_LOCKING=FALSE in the environment, or copy it to this machine's disk"
    )


# MATLAB


def test_variables_of_a_matlab_file(tmp_path):
    cell = np.empty((1, 2), object)
    cell[0, :] = "V1", np.array([[1.0, 2]])
    structure = np.array([[("a", 1)], [("b", 2)]], [("name", "O"), ("size", "O")])
    content = {"x": np.eye(2), "text": "abc", "cell": cell, "one": {"k": 3}, "several": structure}
    savemat(tmp_path / "a.mat", content, do_compression=True)
    read = read_mat(tmp_path / "a.mat", [*content, "missing"])
    np.testing.assert_array_equal(read.pop("x"), np.eye(2))
    assert read.pop("text") == "abc" and read.pop("one") == {"k": np.array([[3]])}
    assert read["cell"][0] == "V1" and read["cell"][1].tolist() == [[1, 2]]
    assert [each["name"] for each in read["several"]] == ["a", "b"] and set(read) == {
        "cell", "several",
    }  # fmt: skip


def test_a_matlab_file_that_declares_gigabytes(tmp_path):
    savemat(tmp_path / "a.mat", {"x": np.arange(4.0)})
    content = (tmp_path / "a.mat").read_bytes()
    size = content.index(np.arange(4.0).tobytes()) - 4
    much = content[:size] + struct.pack("<I", 2**31) + content[size + 4 :]
    (tmp_path / "a.mat").write_bytes(much)
    says = r"is damaged \(it takes more memory than it may\); .+"
    refuses(says, tmp_path / "a.mat", read_mat, ["x"])


def test_complex_numbers_of_matlab_are_refused(tmp_path):
    savemat(tmp_path / "a.mat", {"x": np.ones(2) * 1j})
    refuses("x holds complex128, neither .+", tmp_path / "a.mat", read_mat, ["x"])


# The process


def test_a_process_that_dies_is_an_error_and_the_next_file_is_read(path, monkeypatch, tmp_path):
    with h5py.File(path, "w") as file:
        file["dataset"] = SECRET
    child = tmp_path / "child.py"
    monkeypatch.setattr(apart.apart_reader, "__file__", str(child))
    for ends, reason in (
        ("import os; os.abort()", "its library crashed reading it"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "reading it came to no end"),
    ):
        apart._Reader.running().end()
        child.write_text(f"import sys; sys.stdin.readline()\n{ends}\n")
        refuses(rf"is damaged \({reason}\); fetch it again", path)
    monkeypatch.undo()
    np.testing.assert_array_equal(read_hdf5(path, NAMES)["dataset"], SECRET)


def test_no_process_is_left_and_none_is_started_twice(path):
    with h5py.File(path, "w") as file:
        file["dataset"] = SECRET
    code = (
        "import sys; from brain_teacher.dataset import apart\n"
        "for _ in range(2): apart.read_apart(sys.argv[1], 'hdf5', ['dataset'])\n"
        "print(apart._Reader._only.process.pid)"
    )
    call = [sys.executable, "-W", "error::ResourceWarning", "-c", code, path]
    env = os.environ | {"PYTHONPATH": str(Path(apart.__file__).parents[2])}
    said = subprocess.run(call, env=env, capture_output=True, text=True, check=True)
    assert not said.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(said.stdout), 0)
