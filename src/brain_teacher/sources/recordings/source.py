"""What a published recording is."""

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name

from brain_teacher.sources.transport.transfer import RemoteFile


@dataclass(frozen=True)
class Recording:
    """How a published recording is had.

    Attributes
    ----------
    terms : str
        What is said before the download: what it is, whom to cite, under what terms.
    files : tuple of RemoteFile
        With size and SHA-256.
    build : callable
        ``(raw, folder)``: makes the data set `folder`, which is empty, from the files in `raw`.
    """

    terms: str
    files: tuple[RemoteFile, ...]
    build: Callable


@dataclass(frozen=True)
class Source:
    """An entry of ``SOURCES``. The settings that fit it are ``params/<name>.yaml``.

    Attributes
    ----------
    label : str
        What it is, for people.
    place : str, optional
        ``module:NAME`` of its `Recording`, loaded when it is asked for; none: its files are a data
        set as they are, and ``fetch`` has a way of its own for them.
    ends_with : str
        The last command of the chain that it can carry: ``decode`` (it has no pictures), ``plan``
        (which says why its pictures carry no students) or ``compare``.
    """

    label: str
    place: str | None = None
    ends_with: str = "decode"

    @property
    def recording(self):
        """The `Recording`."""
        return resolve_name(f"brain_teacher.sources.recordings.{self.place}")
