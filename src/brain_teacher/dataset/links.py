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
    """See to it that none of some paths in ``images/`` leads out of the data set by a link.

    ``images`` itself may be a link; links may lead into DVC's cache, and into the folders that the
    environment's ``BRAIN_TEACHER_LINKS`` names.

    Raises
    ------
    ValueError
        If one does; the first is named.
    """
    homes = [Path(os.path.realpath(home)) for home in (folder, Path(folder) / "images")]
    homes += linked_folders()
    leads = {path: Path(os.path.realpath(path)) for path in paths}
    foreign = [
        path
        for path, real in leads.items()
        if not any(real.is_relative_to(home) for home in homes)
        and not _DVC_CACHE.search(real.as_posix())
    ]
    if foreign:
        first = foreign[0].relative_to(folder)
        raise ValueError(
            f"{first} is a link out of the data set, to {leads[foreign[0]]} ({len(foreign)} are "
            f"so); copy the pictures, or name their folder in the environment's {VARIABLE}"
        )


def linked_folders() -> list[Path]:
    """The folders that ``BRAIN_TEACHER_LINKS`` names, links resolved."""
    named = os.environ.get(VARIABLE, "").split(os.pathsep)
    return [Path(os.path.realpath(name)) for name in named if name]
