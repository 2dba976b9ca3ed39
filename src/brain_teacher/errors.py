"""The errors that carry an exit code.

::

    BrainTeacherError      a failure: exit code 1
      UsageError           what was asked for does not exist or cannot be: exit code 2

Pure functions raise ``ValueError``; a command adds which file it was about (`about`) and raises
one of these. Messages say what is wrong, where, and what to do.
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from difflib import get_close_matches


class BrainTeacherError(Exception):
    """A failure that a person can mend; shown as one line, without a traceback."""

    exit_code = 1


class UsageError(BrainTeacherError):
    """A command, option or setting that cannot be carried out as it was given."""

    exit_code = 2


@contextmanager
def about(place: object, kind: type[BrainTeacherError] = BrainTeacherError) -> Generator[None]:
    """Turn a ``ValueError`` from a pure function into a failure that names `place`."""
    try:
        yield
    except ValueError as error:
        raise kind(f"{place}: {error}") from error


def nearest(name: object, names: Iterable[object]) -> str:
    """``; did you mean 'HVC'?`` for a mistyped `name`; nothing where no name is like it."""
    close = get_close_matches(str(name), map(str, names), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def cut(text: object, most: int = 60) -> str:
    """A stranger's text in one line, no longer than a message can bear."""
    text = " ".join(str(text).split())
    return text if len(text) <= most else f"{text[: most - 3]}..."
