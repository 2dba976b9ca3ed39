"""Names that a person reads as one, and a program as two."""

import re
from collections.abc import Iterable
from pathlib import Path
from unicodedata import normalize

from brain_teacher.dataset.images import find_shown, find_unseen
from brain_teacher.sources.checks.findings import Findings, first_of


def check_names(
    found: Findings, folder: Path, categories: Iterable[str], image_ids: Iterable[str]
) -> None:
    """Hold the names of trials and of pictures' files against one another."""
    try:
        files = [*find_shown(folder)]
        unseen = find_unseen(folder)
    except ValueError:
        return  # `check_pictures` says why
    check_alike(found, "categories", {*categories, *unseen["category"]})
    check_alike(found, "images", {*image_ids, *files, *unseen["image_id"]})


def check_alike(found: Findings, what: str, names: Iterable[str]) -> None:
    """Say which names differ by case, blanks, ``_`` or ``-``, or by how accents are coded."""
    groups: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        groups.setdefault(read_as(name), []).append(name)
    alike = [group for group in groups.values() if len(group) > 1]
    if alike:
        texts = [" and ".join(map(_shown, group)) for group in alike]
        found.cautions.append(
            f"{what} that read alike, but are not the same: {first_of(texts)}; is one meant? write "
            "it the same way everywhere"
        )


def read_as(name: str) -> str:
    """What a name is to a person.

    Examples
    --------
    >>> read_as("Hot dog ") == read_as("hot_dog"), read_as("cafe\u0301") == read_as("caf\xe9")
    (True, True)
    """
    return " ".join(re.split(r"[\s_-]+", normalize("NFKC", name).casefold())).strip()


def _shown(name):
    """In quotes; accents as codes, where they could be coded otherwise."""
    return f"'{name}'" if name.isascii() else ascii(name)
