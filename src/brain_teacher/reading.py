"""Reading what anybody may have written: text, JSON, YAML, arrays; within limits, or one line why.

Nothing that is read can run code, unpack without end or say one thing twice. What a file must hold
is said by a pydantic model (`validated`), or by kind and number of dimensions of each array.
"""

import json
import math
import zipfile
from collections import Counter
from collections.abc import Collection, Mapping
from os import PathLike
from typing import IO, Any, TypeVar

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from brain_teacher.errors import BrainTeacherError, cut
from brain_teacher.files import regular

# What a table, a JSON and a YAML file, and a ``meta`` may have: far more than any of ours.
MOST_TEXT, MOST_YAML = 2**25, 2**20
MOST_DEPTH = 50
# What arrays may unpack to, whatever their file's size; above it, so many times that size.
MOST_UNPACKED, MOST_TIMES = 2**30, 8
MOST_MEMBERS = 10_000
# By numpy's kinds: an array's dtype, as a person knows it.
KINDS = {"U": "text", "f": "numbers with a point", "iu": "whole numbers"}

M = TypeVar("M", bound=BaseModel)


class Said(BaseModel):
    """What a file says of itself: what is read must be as declared; more may be there."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


def validated(model: type[M], content: Any) -> M:
    """`content` as a model; ``ValueError`` with the first key that is wrong."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ValueError(wrong_keys(error)[0]) from error


def wrong_keys(error: ValidationError) -> list[str]:
    """Every key that a pydantic ``ValidationError`` is about, and what is wrong with it."""
    return [
        f"{'.'.join(map(cut, each['loc'])) or 'top level'}: "
        f"{each['msg'].removeprefix('Value error, ')}"
        for each in error.errors()
    ]


def read_text(path: str | PathLike, *, most: int = MOST_TEXT) -> str:
    """The text of a UTF-8 file of at most so many bytes; ``ValueError`` if it is none."""
    with open_file(path) as stream:
        return text_of(stream, most=most)


def text_of(stream: Any, *, most: int = MOST_TEXT) -> str:
    """The text of an open file of bytes, also one that unpacks as it is read."""
    content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"is larger than {most / 2**20:g} MiB, which no such file is")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8: save it in UTF-8") from None
    if "\0" in text:
        raise ValueError("holds NUL bytes, as UTF-16 has: save it in UTF-8")
    return text


def parse_json(text: str) -> Any:
    """JSON, in which no key stands twice and every number is finite."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"key {cut(twice)!r} stands twice")
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def read_json(path: str | PathLike) -> Any:
    """Read a JSON file; a file that is none is a failure that names it."""
    try:
        return parse_json(read_text(path))
    except FileNotFoundError:
        raise BrainTeacherError(f"{path} is missing") from None
    except (OSError, ValueError) as error:
        raise BrainTeacherError(f"{path} cannot be read as JSON ({error})") from error


def read_record(path: str | PathLike, model: type[M], *, remedy: str) -> M:
    """Read a JSON file of this program's; another content is a failure that says the remedy."""
    content = read_json(path)
    try:
        return validated(model, content)
    except ValueError as error:
        raise BrainTeacherError(f"{path}: {error}; {remedy}") from error


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Plain YAML: a key is text, and stands once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict:
        seen: set[str] = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag != "tag:yaml.org,2002:str":
                raise ValueError(f"line {line}: a key is no text; put it in quotes")
            if key.value in seen:
                raise ValueError(f"line {line}: key {cut(key.value)!r} stands twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def parse_yaml(text: str) -> Any:
    """YAML of plain text, numbers, lists and blocks: no key twice, no tags, no references.

    Raises
    ------
    ValueError
        If it is anything else; the line is given.
    """
    if len(text) > MOST_YAML:
        raise ValueError(f"is longer than {MOST_YAML / 2**20:g} MiB, which no such file is")
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            _check_plain(event, depth)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ValueError(f"is not YAML: {' '.join(str(error).split())}") from error


def _check_plain(event: Any, depth: int) -> None:
    line = f"line {event.start_mark.line + 1}"
    if depth > MOST_DEPTH:
        raise ValueError(f"{line}: is nested too deeply")
    if isinstance(event, yaml.AliasEvent):
        raise ValueError(f"{line}: '*{cut(event.anchor)}' is a reference; write out what it means")
    if (tag := getattr(event, "tag", None)) is not None:
        raise ValueError(f"{line}: tag '{cut(tag)}' is not read; put text in quotes")


def read_yaml(path: str | PathLike) -> Any:
    """Read a YAML file, as `parse_yaml` does."""
    return parse_yaml(read_text(path, most=MOST_YAML))


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


def open_file(path: str | PathLike) -> IO[bytes]:
    """Open a file to be read: everything that others may have written is opened here."""
    return regular(path).open("rb")
