"""What a published recording is."""

from collections.abc import Callable
from dataclasses import dataclass

from brain_teacher.sources.transport.transfer import RemoteFile


@dataclass(frozen=True)
class Source:
    """A published recording.

    Attributes
    ----------
    terms : str
        What is said before the download: what it is, whom to cite, under what terms.
    files : tuple of RemoteFile
        With size and SHA-256.
    build : callable
        ``(raw, folder)``: makes the data set `folder`, which is empty, from the files in `raw`.
    settings : str
        The file of settings that fits it.
    ends_with : str
        The last command of the chain that it can carry: ``decode`` (it has no pictures), ``plan``
        (which says why its pictures carry no students) or ``compare``.
    """

    terms: str
    files: tuple[RemoteFile, ...]
    build: Callable
    settings: str
    ends_with: str = "decode"
