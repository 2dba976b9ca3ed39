"""``check``: all that is wrong with a data set folder, at once."""

from pathlib import Path

from brain_teacher.errors import BrainTeacherError, UsageError
from brain_teacher.sources.checks.dataset import check_dataset


def check(params, *, data, say=print):
    """Look at a data set, and say what is there and what is wrong.

    Parameters
    ----------
    params : Params
        ``dataset.validation_share``.
    data : path-like
    say : callable

    Raises
    ------
    BrainTeacherError
        If anything is wrong; all of it has been said.
    """
    data = Path(data)
    if not data.is_dir():
        raise UsageError(f"there is no data set folder {data}")
    found = check_dataset(data, validation_share=params.dataset.validation_share)
    for line in found.facts:
        say(line)
    for line in found.cautions:
        say(f"caution: {line}")
    if found.problems:
        count = len(found.problems)
        raise BrainTeacherError(
            f"{count} problem{'s' * (count > 1)} in {data}:\n  " + "\n  ".join(found.problems)
        )
    say(f"{data}: nothing is wrong")
