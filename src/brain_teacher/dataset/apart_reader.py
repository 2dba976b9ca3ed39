"""The process that reads HDF5 and MATLAB files of others, and may die of them.

The libraries that read such files end the process, or never end, where a damaged file leads them
astray. `brain_teacher.dataset.apart` starts this file as a program of its own, which imports
nothing of the package. A request is a line of JSON; an answer is a frame of JSON (the content, in
which ``{"": k}`` stands for array k), then each array's bytes, in frames; a frame is preceded by
its length, and a length of 0 by an error instead of what was still to come.
"""

import json
import math
import os
import struct
import sys
from contextlib import suppress
from importlib import import_module

import numpy as np

NUMBERS = "fiub"
# Of an HDF5 file, however small: a vmap has an object a picture.
MOST_OBJECTS = 100_000
BLOCK = 2**26  # bytes of an array that are read at once


class Refused(Exception):
    """What the file is, is told in words for people."""


def read_hdf5(h5py, path, names, most_bytes):
    """All that stands in the file under some `names`; of a ``header`` only what it has.

    Nothing is read before all of it was looked at: links and raw data that lie elsewhere are
    refused, and so is more than `most_bytes`, as it says of itself, in float64.
    """
    with h5py.File(path, rdcc_nbytes=BLOCK) as file:
        look_through(h5py, file, most_bytes)
        content = {name: _content(h5py, file[name]) for name in names if name in file}
        if isinstance(file.get("header"), h5py.Group):
            content["header"] = list(file["header"])
        yield content


def look_through(h5py, file, most_bytes):
    """Refuse what leads elsewhere, or says that it holds more than `most_bytes` in float64."""
    waiting, groups, objects, total = [file], {h5py.h5o.get_info(file.id).addr}, 0, 0
    while waiting:
        group = waiting.pop()
        for name in group:
            place = f"{group.name.rstrip('/')}/{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                target = getattr(link, "filename", "another place in the file")
                raise Refused(f"{place!r} is a link to {target!r}: links are not followed")
            item = group[name]
            objects += 1
            if objects > MOST_OBJECTS:
                raise Refused(f"holds more than {MOST_OBJECTS:,} objects, the most that is read")
            if isinstance(item, h5py.Group):
                address = h5py.h5o.get_info(item.id).addr
                if address in groups:
                    raise Refused(f"{place!r} stands elsewhere too: links are not followed")
                groups.add(address)
                waiting.append(item)
            elif isinstance(item, h5py.Dataset):
                total += _size_of(item, place)
                if total > most_bytes:
                    raise Refused(
                        f"says at {place!r} that it holds {total / 2**30:,.1f} GiB, more than "
                        f"{most_bytes / 2**30:,.1f} GiB, the most that a file of its size may"
                    )


def _size_of(item, place):
    """The bytes of a dataset as float64, or those of one chunk of it, if these are more."""
    if item.is_virtual or item.external:
        raise Refused(f"{place!r} takes its numbers from other files: these are not read")
    shapes = (item.shape or (0,), item.chunks or (0,))
    return max(item.dtype.itemsize, 8) * max(math.prod(shape) for shape in shapes)


def _content(h5py, item):
    if isinstance(item, h5py.Group):
        return {name: _content(h5py, item[name]) for name in item}
    if item.shape is not None and h5py.check_string_dtype(item.dtype):
        texts = item[()]
        return _text(texts) if np.ndim(texts) == 0 else [_text(each) for each in np.ravel(texts)]
    if item.shape is None or item.dtype.kind not in NUMBERS:
        raise Refused(f"{item.name!r} holds {item.dtype}, neither real numbers nor text")
    return item


def _text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def read_mat(scipy_io, path, names, most_bytes):  # noqa: ARG001 - the process's memory is limited
    """Variables of a MATLAB file up to version 7, as far as it has them.

    A structure of one element is a mapping, of several a list of them; a cell array is a list.
    """
    variables = scipy_io.loadmat(path, variable_names=names)
    yield {name: _plain(variables[name], name) for name in names if name in variables}


def _plain(value, place):
    if isinstance(value, np.ndarray) and value.dtype.names:
        each = [
            {name: _plain(element[name], f"{place}.{name}") for name in value.dtype.names}
            for element in value.ravel()
        ]
        return each[0] if len(each) == 1 else each
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return [_plain(element, f"{place}{{{k}}}") for k, element in enumerate(value.ravel())]
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        texts = value.ravel().tolist()
        return texts[0] if len(texts) == 1 else texts
    if isinstance(value, np.ndarray) and value.dtype.kind in NUMBERS:
        return value
    kind = value.dtype if isinstance(value, np.ndarray) else type(value).__name__
    raise Refused(f"{place} holds {kind}, neither real numbers nor text")


READERS = {"hdf5": ("h5py", read_hdf5), "mat": ("scipy.io", read_mat)}


def _serve(request, send):
    library, read = READERS[request["kind"]]
    library = import_module(library)
    _limit(request["memory"], request["seconds"])
    # To the end of the loop, the file stays open.
    for content in read(library, request["path"], request["names"], request["most_bytes"]):
        arrays = []
        tree = _without_arrays(content, arrays)
        kinds = [{"dtype": each.dtype.str, "shape": each.shape} for each in arrays]
        send(json.dumps({"content": tree, "arrays": kinds}).encode())
        for array in arrays:
            for block in _blocks(array):
                send(block)


def _without_arrays(content, arrays):
    """The same as JSON can hold it; its arrays are added to `arrays`."""
    if isinstance(content, dict):
        return {name: _without_arrays(each, arrays) for name, each in content.items()}
    if isinstance(content, list):
        return [_without_arrays(each, arrays) for each in content]
    if isinstance(content, str):
        return content
    arrays.append(content)
    return {"": len(arrays) - 1}


def _blocks(array):
    if not array.shape:
        yield np.asarray(array[()]).tobytes()
        return
    rows = array.shape[0]
    size = max(1, BLOCK // max(1, array.dtype.itemsize * math.prod(array.shape[1:])))
    for start in range(0, rows, size):
        if block := np.asarray(array[start : start + size]).tobytes():
            yield block


def _limit(memory, seconds):
    """What this process may take from now on, where the system can say so."""
    try:
        import resource
    except ImportError:  # Windows
        return
    # Without this file the system is not Linux, where alone the limit is kept.
    with suppress(OSError, ValueError), open("/proc/self/statm") as file:
        _lower(resource, "RLIMIT_AS", int(file.read().split()[0]) * resource.getpagesize() + memory)
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource, "RLIMIT_CPU", int(used.ru_utime + used.ru_stime) + 1 + seconds)


def _lower(resource, name, most):
    hard = resource.getrlimit(getattr(resource, name))[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(getattr(resource, name), (most, hard))


def main():
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer

    def send(content):
        answers.write(struct.pack("<Q", len(content)) + content)

    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            _serve(request, send)
        # Whatever the libraries raise is said of the file, and the process goes on.
        except Exception as error:  # noqa: BLE001
            text = "it takes more memory than it may" * isinstance(error, MemoryError)
            text = text or str(error) or type(error).__name__
            send(b"")
            send(json.dumps({"error": text, "refused": isinstance(error, Refused)}).encode())
        answers.flush()


if __name__ == "__main__":
    main()
