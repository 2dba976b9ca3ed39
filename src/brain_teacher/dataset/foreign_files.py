"""HDF5 and MATLAB files as people have them: what stands there, or why not and what helps."""

import re
import stat
from collections.abc import Sequence
from errno import EAGAIN
from os import PathLike
from pathlib import Path
from typing import Any

from brain_teacher.dataset.apart import DamagedError, read_apart

HDF5, USER_BLOCKS = b"\x89HDF\r\n\x1a\n", (0, 512, 1024, 2048)
MATLAB_HDF5 = "is of MATLAB 7.3; save it again in MATLAB with save(..., '-v7')"
AGAIN = "fetch it again"
# How files begin that are none of the kind that was asked for, and what helps.
OTHERS = (
    (b"PK\3\4", "is a zip archive; unpack it"),
    (b"\x1f\x8b", "is packed by gzip; unpack it"),
    (b"\x93NUMPY", "is a NumPy array; give it as --voxels, with a table of --trials"),
    (b"MATLAB 5.0", "is a MATLAB file; name it .mat"),
    (b"MATLAB 7.3", MATLAB_HDF5),
    (b"<", f"is a web page or XML that came in the file's place; {AGAIN}"),
    (b"version https://git-lfs", "is a pointer of Git LFS, not the file; `git lfs pull` brings it"),
    (b"/annex/objects", "is a pointer of git-annex, not the file; `datalad get` brings it"),
)


def read_hdf5(path: str | PathLike, names: Sequence[str]) -> dict[str, Any]:
    """What stands in an HDF5 file under some names, as `read_apart` gives it.

    Links, raw data and virtual data sets that lie elsewhere are never followed; a file that
    declares more than 512 MiB and 64 times its own size, in float64, is not read.

    Raises
    ------
    ValueError
        If the file is of another kind, cut off, damaged or locked, each with what helps.
    """
    start, size = _beginning(path)
    if not _is_hdf5(start):
        if HDF5.startswith(start):
            raise ValueError(f"is cut off after {size} bytes; {AGAIN}")
        _say_what_it_is(start, "HDF5")
    try:
        return read_apart(path, "hdf5", names)
    except DamagedError as error:
        raise ValueError(_why_not(str(error))) from error


def read_mat(path: str | PathLike, names: Sequence[str]) -> dict[str, Any]:
    """Variables of a MATLAB file up to version 7, as `read_apart` gives them.

    Raises
    ------
    ValueError
        If the file is of another kind, or damaged.
    """
    start, _ = _beginning(path)
    if _is_hdf5(start) and not start.startswith(HDF5):
        raise ValueError(MATLAB_HDF5)
    if not start.startswith(b"MATLAB 5.0"):
        _say_what_it_is(start, "of MATLAB 5 to 7")
    try:
        return read_apart(path, "mat", names)
    except DamagedError as error:
        raise ValueError(f"is damaged ({error}); {AGAIN}, or save it anew in MATLAB") from error


def _beginning(path):
    """The first bytes of a regular file, and its size."""
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("is no regular file")
        with Path(path).open("rb") as stream:
            start = stream.read(USER_BLOCKS[-1] + len(HDF5))
    except OSError as error:
        raise ValueError(f"cannot be opened ({error.strerror})") from error
    if not start:
        raise ValueError(f"is empty; {AGAIN}")
    return start, status.st_size


def _is_hdf5(start):
    return any(start.startswith(HDF5, place) for place in USER_BLOCKS)


def _say_what_it_is(start, wanted):
    for beginning, what in OTHERS:
        if start.lstrip().startswith(beginning):
            raise ValueError(what)
    if start.startswith(HDF5):
        raise ValueError("is an HDF5 file; name it .h5")
    raise ValueError(f"is not {wanted} (it begins with {start[:8]!r}); choose another file")


def _why_not(reason):
    """What is said, and helps, where HDF5 gives a reason."""
    if lock := re.search(r"unable to lock file, errno = (\d+)", reason):
        if int(lock[1]) == EAGAIN:
            return "is open for writing in another program (HDF5's lock); close it there, or wait"
        return (
            "cannot be locked, as on NFS and other network file systems; set "
            "HDF5_USE_FILE_LOCKING=FALSE in the environment, or copy it to this machine's disk"
        )
    if "already open for" in reason:
        return "was never closed by the program that wrote it; close it there, or `h5clear -s` it"
    if cut := re.search(r"truncated file: eof = (\d+), .*stored_eof = (\d+)", reason):
        return f"is cut off ({int(cut[1]):,} of {int(cut[2]):,} bytes are there); {AGAIN}"
    return f"is damaged ({reason}); {AGAIN}"
