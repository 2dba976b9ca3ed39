"""Reading arrays that anybody may have written: numbers and text alone, within limits.

Nothing is unpickled, or unpacks without end. What a file must hold is said by the kind and number
of dimensions of each array, and by a pydantic model of its ``meta``.
"""

import math
import zipfile
from collections.abc import Collection, Mapping
from os import PathLike
from typing import IO, Any

import numpy as np
from pydantic import BaseModel

from brain_teacher.errors import cut
from brain_teacher.files import regular
from brain_teacher.reading.text import MOST_TEXT, open_file, parse_json, validated

# What arrays may unpack to, whatever their file's size; above it, so many times that size.
MOST_UNPACKED, MOST_TIMES = 2**30, 8
MOST_MEMBERS = 10_000
# By numpy's kinds: an array's dtype, as a person knows it.
KINDS = {"U": "text", "f": "numbers with a point", "iu": "whole numbers"}


def npz_shape(path: str | PathLike, name: str) -> tuple[int, ...]:
    """The shape of one array of an ``.npz`` file that this project wrote, from its header alone."""
    with zipfile.ZipFile(regular(path)) as archive, archive.open(f"{name}.npy") as stream:
        return _header(stream)[0]


def read_npz(
    path: str | PathLike,
    needed: Collection[str],
    *,
    arrays: Mapping[str, tuple[str, int]],
    meta: type[BaseModel],
    format: int,
    what: str,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All arrays of an ``.npz`` file that must hold some, and its ``meta`` (JSON).

    Parameters
    ----------
    path
    needed
        Names of arrays without which it is no such file.
    arrays
        For every array that is known, needed or not: numpy's kinds of dtype (a key of `KINDS`), and
        how many dimensions it has. A name that ends in ``*`` is of all that begin so.
    meta
        The model that ``meta`` must obey.
    format
        The number of the file's format, in ``meta``.
    what
        What such a file is called.

    Raises
    ------
    ValueError
        If it is broken, or something is missing or of another kind.
    """
    wrong = f"is broken, or not a {what} file ({{}}); fetch it again"
    found = load_arrays(path, wrong=wrong)
    if isinstance(found, np.ndarray):
        raise ValueError(wrong.format("a single array"))
    if missing := {*needed, "meta"} - set(found):
        raise ValueError(f"holds no array {min(missing)!r}: it is not a {what} file")
    for name, array in found.items():
        begun = name.split("_")[0] + "_*"
        kinds, ndim = {"meta": ("U", 0), **arrays}.get(name) or arrays.get(begun, (None, 0))
        if kinds and (array.dtype.kind not in kinds or array.ndim != ndim):
            raise ValueError(
                f"{name} is {array.dtype} of shape {array.shape}, not {KINDS[kinds]} in {ndim} "
                f"dimension{'s' * (ndim != 1)}: it is not a {what} file"
            )
        if array.dtype.kind == "U":
            _check_text(name, array)
    return {name: array for name, array in found.items() if name != "meta"}, _meta(
        found["meta"], meta, format, what
    )


def _meta(array: np.ndarray, model: type[BaseModel], format: int, what: str) -> dict[str, Any]:
    if array.nbytes > 4 * MOST_TEXT:
        raise ValueError(f"meta is larger than {MOST_TEXT / 2**20:g} MiB: it is not a {what} file")
    try:
        content = parse_json(str(array))
        if isinstance(content, dict) and (found := content.get("format")) == format:
            validated(model, content)
            return content
    except ValueError as error:
        raise ValueError(f"meta is not that of a {what} file ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"meta is {cut(content)}: it is not a {what} file")
    raise ValueError(f"has format {cut(found)}; this version reads {format}")


def _check_text(name: str, array: np.ndarray) -> None:
    """Bytes that are no character become text in numpy, and fail wherever that is used."""
    codes = np.atleast_1d(np.ascontiguousarray(array)).view(np.uint32)
    wrong = (codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))
    if wrong.any():
        raise ValueError(f"{name} holds what is no text (character {codes[wrong][0]:#x})")


def load_arrays(
    path: str | PathLike,
    names: Collection[str] | None = None,
    *,
    wrong: str = "is no .npy or .npz of numbers ({})",
) -> np.ndarray | dict[str, np.ndarray]:
    """Load an ``.npy``, or of an ``.npz`` all arrays or some, by name: numbers and text alone.

    Nothing is unpickled. Before an array is read, what its header says is held against the bytes
    there are; an archive may unpack to 1 GiB, or to eight times its own size. `wrong` is said of a
    file that is neither, or broken; ``{}`` becomes the reason.
    """
    with open_file(path) as stream:
        start = stream.read(6)
        size = stream.seek(0, 2)
        stream.seek(0)
        try:
            if start.startswith(b"PK\3\4"):
                return _unpacked(stream, names, size)
            if start.startswith(np.lib.format.MAGIC_PREFIX):
                return _array(stream, size)
            # numpy would advise to load it unsafely.
            raise ValueError("it begins like neither .npy nor .npz")
        except Exception as error:
            # numpy, zipfile, zlib and tokenize have a dozen kinds of them for a broken file.
            reason = cut(error, 240) or type(error).__name__
            raise ValueError(wrong.format(reason)) from error


def _unpacked(stream: IO[bytes], names: Collection[str] | None, size: int) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise ValueError(f"it has {len(members)} members")
        found: dict[str, zipfile.ZipInfo] = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            if found.setdefault(name, member) is not member:
                raise ValueError(f"{cut(name)!r} stands in it twice")
        wanted = {name: found[name] for name in found if names is None or name in names}
        total = sum(member.file_size for member in wanted.values())
        if total > max(MOST_UNPACKED, MOST_TIMES * size):
            raise ValueError(f"it unpacks to {total / 2**30:.1f} GiB")
        arrays = {}
        for name, member in wanted.items():
            with archive.open(member) as packed:
                arrays[name] = _array(packed, member.file_size)
        return arrays


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and dtype of the ``.npy`` that begins here."""
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError("an array of named fields is not read")
    read = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
    shape, _, dtype = read(stream)
    return shape, dtype


def _array(stream: IO[bytes], size: int) -> np.ndarray:
    """The array of an ``.npy`` of so many bytes."""
    shape, dtype = _header(stream)
    if dtype.kind not in "biufUS" or (dtype.kind in "iuf" and dtype.itemsize > 8):
        raise ValueError(f"an array of {dtype} is not read; give real numbers or text")
    if math.prod(shape) * max(dtype.itemsize, 1) > size:
        raise ValueError(f"it is cut off: there are {size} bytes of an array of shape {shape}")
    stream.seek(0)
    array = np.lib.format.read_array(stream, allow_pickle=False)
    return array.astype(dtype.newbyteorder("="), copy=False)
