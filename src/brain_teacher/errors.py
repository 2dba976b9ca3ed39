"""The errors that carry an exit code.

::

    BrainTeacherError      a failure: exit code 1
      UsageError           what was asked for does not exist or cannot be: exit code 2

Pure functions raise ``ValueError``; a command adds which file it was about (`about`) and raises
one of these. Messages say what is wrong, where, and what to do.
"""

import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from difflib import get_close_matches

LONGEST = 60  # of a stranger's words in a message


class BrainTeacherError(Exception):
    """A failure that a person can mend; shown as one line, without a traceback.

    What it quotes may hold line breaks, which stand as their code. `lines` are a list below it.
    """

    exit_code = 1

    def __init__(self, text: object = "", lines: Iterable[str] = ()):
        super().__init__("\n  ".join(map(flat, (text, *lines))))


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


def plain(text: str) -> str:
    """What is shown of a text, whoever wrote it: what would steer a terminal stands as its code.

    Line breaks and tabs stay.

    Examples
    --------
    >>> print(plain("an id of \\x1b]0;owned\\x07, \\udcff and \\u202e"))
    an id of \\x1b]0;owned\\x07, \\udcff and \\u202e
    """
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode()
        for each in text
    )


def flat(text: object) -> str:
    """The same in one line, whatever a stranger's name holds.

    Examples
    --------
    >>> print(flat("image 'a\\n  all is well' stands twice"))
    image 'a\\n  all is well' stands twice
    """
    return plain(str(text)).replace("\n", r"\n")


def one_line(text: str) -> str:
    """The same of a message, which is one line, or a list below it with two blanks before each."""
    return re.sub(r"\n(?!  )", r"\\n", plain(text))


def nearest(name: object, names: Iterable[object]) -> str:
    """``; did you mean 'HVC'?`` for a mistyped `name`; nothing where no name is like it."""
    close = get_close_matches(str(name), map(str, names), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def cut(text: object, most: int = LONGEST) -> str:
    """A stranger's text in one line, no longer than a message can bear."""
    text = " ".join(str(text).split())
    return text if len(text) <= most else f"{text[: most - 3]}..."
