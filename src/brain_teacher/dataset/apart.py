"""HDF5 and MATLAB files from elsewhere, read in a process that may die of them.

Damaged files end the process that reads them (SIGSEGV in libhdf5 and in scipy), or keep it for
ever; so another one reads them (`brain_teacher.dataset.apart_reader`), with a limit to its memory
and its time, and this one is told what stands there, as numbers and text. It is started once, and
anew when it has died.
"""

import atexit
import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from brain_teacher.dataset import apart_reader

# What a file may say that it holds, and what its reader may take besides, however small it is; and
# how often its own size: zeros are packed to a thousandth, recordings to a half.
LEAST_BYTES, TIMES = 2**29, 64
# Processor time of a reader, and as much again for each so many bytes; and how much longer it may
# be where others have the processors.
SECONDS, BYTES_A_SECOND, PATIENCE = 3, 2**20, 20
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_reading = threading.Lock()


class DamagedError(ValueError):
    """A file that its library could not read."""


def read_apart(path: str | PathLike, kind: str, names: Sequence[str]) -> dict[str, Any]:
    """What stands in a file under some names.

    Parameters
    ----------
    path
        A regular file.
    kind : {"hdf5", "mat"}
    names
        Of groups and data sets at its top, or of variables. One that is not there is left out.

    Returns
    -------
    dict
        Nested as in the file: mappings, lists, text, and ndarrays of numbers.

    Raises
    ------
    DamagedError
        If the library cannot read it, or dies of it, or takes more than it may.
    ValueError
        If it is refused: it reads other files, or says that it holds more than it may.
    """
    size = Path(path).stat().st_size
    most = max(LEAST_BYTES, TIMES * size)
    seconds = SECONDS + size // BYTES_A_SECOND
    request = {
        "path": str(Path(path).absolute()), "kind": kind, "names": list(names),
        "most_bytes": most, "memory": 2 * LEAST_BYTES + 8 * size, "seconds": seconds,
    }  # fmt: skip
    with _reading:
        return _Reader.running().ask(request, PATIENCE * seconds)


class _Told(Exception):
    """The error that the process told, to the end: it can be asked again."""

    def __init__(self, error: ValueError):
        self.error = error


class _Reader:
    """The process, and what is said to it."""

    _only: "_Reader | None" = None

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.process = subprocess.Popen(
            # -P: the modules beside that file are not to be found by their bare names.
            [sys.executable, "-P", apart_reader.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | ONE_THREAD,
        )
        self.stdin = cast(BinaryIO, self.process.stdin)
        self.stdout = cast(BinaryIO, self.process.stdout)
        atexit.register(self.end)

    @classmethod
    def running(cls) -> "_Reader":
        """The one of this process; a new one where there is none, or it has died."""
        only = cls._only
        if only is None or only.owner != os.getpid() or only.process.poll() is not None:
            if only is not None:
                only.end()
            cls._only = only = cls()
        return only

    def ask(self, request: dict[str, Any], patience: float) -> dict[str, Any]:
        """Its answer."""
        watch = threading.Timer(patience, self.process.kill)
        watch.start()
        try:
            self.stdin.write(json.dumps(request).encode() + b"\n")
            self.stdin.flush()
            answer = json.loads(self._frame())
            arrays = [self._array(**each) for each in answer["arrays"]]
            return _with_arrays(answer["content"], arrays)
        except _Told as told:
            raise told.error from None
        except (EOFError, BrokenPipeError):
            raise DamagedError(_why_it_ended(self.end())) from None
        except BaseException:
            # Whatever it was about to say would be taken for the next answer.
            self.end()
            raise
        finally:
            watch.cancel()

    def end(self) -> int | None:
        """End the process, if it is this one's, and say how it ended."""
        atexit.unregister(self.end)
        for stream in (self.stdin, self.stdout):
            with contextlib.suppress(OSError):
                stream.close()
        if self.owner != os.getpid():
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        self.process.kill()
        return self.process.wait()

    def _frame(self) -> bytes:
        if size := struct.unpack("<Q", self._exactly(8))[0]:
            return self._exactly(size)
        told = json.loads(self._exactly(struct.unpack("<Q", self._exactly(8))[0]))
        kind = ValueError if told["refused"] else DamagedError
        raise _Told(kind(" ".join(told["error"].split())))

    def _array(self, dtype: str, shape: Sequence[int]) -> np.ndarray:
        array = np.empty(shape, np.dtype(dtype))
        content, place = array.reshape(-1).view(np.uint8), 0
        while place < len(content):
            block = self._frame()
            content[place : place + len(block)] = np.frombuffer(block, np.uint8)
            place += len(block)
        return array

    def _exactly(self, size: int) -> bytes:
        content = self.stdout.read(size)
        if len(content) < size:
            raise EOFError
        return content


def _with_arrays(content: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(content, list):
        return [_with_arrays(each, arrays) for each in content]
    if not isinstance(content, dict):
        return content
    if content.keys() == {""}:
        return arrays[content[""]]
    return {name: _with_arrays(each, arrays) for name, each in content.items()}


def _why_it_ended(status: int | None) -> str:
    too_long = [-getattr(signal, name, 0) for name in ("SIGKILL", "SIGXCPU")]
    return "reading it came to no end" if status in too_long else "its library crashed reading it"
