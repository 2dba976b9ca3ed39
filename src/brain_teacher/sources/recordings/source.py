"""What a published recording is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name

from brain_teacher.sources.transport.transfer import RemoteFile


@dataclass(frozen=True)
class Recording:
    """How a published recording is had.

    `terms` are said before the download: what it is, whom to cite, under what terms. `build` makes
    a data set from the `files`: it is given the folder they lie in, and an empty one to fill.
    """

    terms: str
    files: tuple[RemoteFile, ...]
    build: Callable[[Path, Path], None]


def files_at(url: str, *files: tuple[str, int, str]) -> tuple[RemoteFile, ...]:
    """Files below one address, each by its name, its size in bytes and its SHA-256."""
    return tuple(RemoteFile(name, url + name, size, sha256) for name, size, sha256 in files)


@dataclass(frozen=True)
class Source:
    """An entry of ``SOURCES``. The settings that fit it are ``params/<name>.yaml``.

    Attributes
    ----------
    label
        What it is, for people.
    place
        ``module:NAME`` of its `Recording`, loaded when it is asked for; none: its files are a data
        set as they are, and ``fetch`` has a way of its own for them.
    ends_with
        The last command of the chain that it can carry: ``decode`` (it has no pictures), ``plan``
        (which says why its pictures carry no students) or ``compare``; ``images``: ``compare``,
        once that has brought its pictures.
    """

    label: str
    place: str | None = None
    ends_with: str = "decode"

    @property
    def recording(self) -> Recording:
        """The `Recording`."""
        return resolve_name(f"brain_teacher.sources.recordings.{self.place}")
