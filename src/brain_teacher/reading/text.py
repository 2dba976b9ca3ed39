"""Reading text, JSON and YAML that anybody may have written: within limits, or one line why.

Nothing that is read can run code, or say one thing twice. What a file must hold is said by a
pydantic model (`validated`).
"""

import json
from collections import Counter
from os import PathLike
from typing import IO, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from brain_teacher.errors import BrainTeacherError, cut
from brain_teacher.files import regular

# What a table, a JSON and a YAML file, and a ``meta`` may have: far more than any of ours.
MOST_TEXT, MOST_YAML = 2**25, 2**20
MOST_DEPTH = 50

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
    if content.startswith(b"PK\3\4"):
        raise ValueError("is a zip archive, as .xlsx and .npz are: save it as text, a table as CSV")
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


def open_file(path: str | PathLike) -> IO[bytes]:
    """Open a file to be read: everything that others may have written is opened here."""
    return regular(path).open("rb")
