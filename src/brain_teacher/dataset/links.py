"""Links among a data set's pictures, which may lead to any file of the machine."""

import os
import re
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

# Where links of ``images/`` may lead to beside the data set: folders, as in PATH.
VARIABLE = "BRAIN_TEACHER_LINKS"
# DVC's cache, of whose files nobody else can know the names (``dvc config cache.type symlink``).
_DVC_CACHE = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")


def refuse_foreign_links(folder: str | PathLike, paths: Iterable[Path]) -> None:
    """See to it that none of some paths in ``images/`` is one of `foreign_links`.

    Raises
    ------
    ValueError
        If one is; the first is named.
    """
    if foreign := foreign_links(folder, paths):
        raise ValueError(
            f"{foreign[0].relative_to(folder)} is a link out of the data set, to "
            f"{os.path.realpath(foreign[0])} ({len(foreign)} are so); copy the pictures, or name "
            f"their folder in the environment's {VARIABLE}"
        )


def foreign_links(folder: str | PathLike, paths: Iterable[Path]) -> list[Path]:
    """Those of some paths in ``images/`` that lead out of the data set by a link.

    ``images`` itself may be a link; links may lead into DVC's cache, and into the folders that the
    environment's ``BRAIN_TEACHER_LINKS`` names.
    """
    homes = [Path(os.path.realpath(home)) for home in (folder, Path(folder) / "images")]
    homes += linked_folders()

    def is_foreign(path):
        real = Path(os.path.realpath(path))
        inside = any(real.is_relative_to(home) for home in homes)
        return not inside and not _DVC_CACHE.search(real.as_posix())

    return [path for path in paths if is_foreign(path)]


def linked_folders() -> list[Path]:
    """The folders that ``BRAIN_TEACHER_LINKS`` names, links resolved."""
    named = os.environ.get(VARIABLE, "").split(os.pathsep)
    return [Path(os.path.realpath(name)) for name in named if name]
