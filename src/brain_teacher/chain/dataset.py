"""Opening a data set, with the errors that a person's mistake deserves."""

from pathlib import Path

from brain_teacher.dataset.description import FILE, read_description
from brain_teacher.dataset.stimuli import STIMULI_FILE, read_stimuli
from brain_teacher.errors import BrainTeacherError, UsageError, about, nearest

# What preprocess lists its voxel files in; where decode and compare put their figures.
INDEX, METRICS = "index.json", "metrics.json"


def open_dataset(folder):
    """The description of a data set folder.

    Raises
    ------
    BrainTeacherError
        If the folder is missing or its ``dataset.yaml`` is wrong.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BrainTeacherError(
            f"there is no data set folder {folder}: `dvc pull data.dvc` brings the sample, "
            "`brain-teacher simulate` makes one, or name yours with --data or dataset.name"
        )
    try:
        with about(folder / FILE):
            return read_description(folder)
    except FileNotFoundError:
        raise BrainTeacherError(f"{folder} has no {FILE}: it is not a data set folder") from None


def open_stimuli(folder):
    """The data set's ``stimuli.csv``, or None where its ids follow GOD's rule."""
    with about(Path(folder) / STIMULI_FILE):
        return read_stimuli(folder)


def choose(wanted, known, where):
    """The wanted names (``all``: every known one), each checked; `where` is the setting's name."""
    if wanted == "all":
        return list(known)
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"{where}: there is no {name!r}{nearest(name, known)} (known: {', '.join(known)})"
            )
    return list(dict.fromkeys(wanted))
