"""Where the files of a data set may lie: in its folder, whatever names and links say."""

import os
import re
from pathlib import Path, PurePath

# DVC's own links (`cache.type symlink`) lead to files of its cache, named by their MD5.
_CACHED = re.compile(r".*/files/md5/[0-9a-f]{2}/[0-9a-f]{30}")


def check_relative(name: str) -> str:
    """The name of a file that a data set gives, if it is one below the data set's folder.

    Raises
    ------
    ValueError
        If it is absolute, or leads up.
    """
    path = PurePath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ValueError(f"{name!r} leads out of the data set; name a file below its folder")
    return name


def check_name(path: Path) -> None:
    """Raise where a file's name is not UTF-8: its id could be written into no table."""
    try:
        path.name.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{str(path)!r}: its name is not UTF-8; rename it") from None


def inside(folder: str | os.PathLike, path: Path) -> Path:
    """The path, if no link on its way leads out of a data set's folder.

    The folder itself may be a link, and DVC's links to its cache are followed.

    Raises
    ------
    ValueError
        If one does: what is read there is not the data set's, and what is written is lost to it.
    """
    real = os.path.realpath(path)
    if Path(real).is_relative_to(os.path.realpath(folder)) or _CACHED.fullmatch(real):
        return path
    raise ValueError(f"{path} is a link that leads out of the data set; put a copy in its place")
