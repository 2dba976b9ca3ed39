"""Pictures as people have them: in folders of any depth, among other files."""

import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from unicodedata import normalize

from brain_teacher.dataset.labels import ENDINGS
from brain_teacher.files import regular


def copy_shown(folder: Path, source: str | Path, image_ids: Collection[str] | None) -> list[str]:
    """Copy the shown pictures, of any depth below `source`, to ``images/shown/IMAGE_ID.ext``.

    `image_ids` are those of the trials, where these say; a picture of another is left out. Gives
    notes on what is missing, and on what was left out.

    Raises
    ------
    ValueError
        If two pictures bear one id.
    """
    found = _by_stem(_pictures(Path(source)))
    if image_ids is None:
        _copy(found, folder / "images" / "shown")
        return []
    # macOS codes accents in file names otherwise than tables do.
    ours = {normalize("NFC", name): name for name in image_ids}
    found = {ours.get(normalize("NFC", name), name): path for name, path in found.items()}
    wanted = {name: found[name] for name in image_ids if name in found}
    _copy(wanted, folder / "images" / "shown")
    notes = []
    if lost := [name for name in image_ids if name not in found]:
        notes.append(
            f"{source}: no picture of {len(lost)} of {len(image_ids)} images: looked for "
            f"{lost[0]}.png (or {', '.join(sorted(ENDINGS - {'.png'}))}) in any folder below"
            f"{_with_zeros(lost[0], found)}"
        )
    if len(found) > len(wanted):
        other = next(path for name, path in found.items() if name not in wanted)
        notes.append(
            f"{source}: {len(found) - len(wanted)} pictures of no trial are left out, {other.name} "
            "for one"
        )
    return notes


def _with_zeros(image_id: str, found: Collection[str]) -> str:
    """What helps where a spreadsheet took the zeros before a number away."""
    others = [name for name in found if name.lstrip("0") == image_id.lstrip("0")]
    if not others:
        return ""
    return f"; there is {others[0]!r}: did a spreadsheet take the zeros of the ids away?"


def copy_unseen(folder: Path, source: str | Path, categories: Collection[str] = ()) -> None:
    """Copy the unseen pictures, of any depth in a category's folder, to ``images/unseen/CATEGORY``.

    `categories` are those of the trials, whose accents may be coded otherwise than the folders'.

    Raises
    ------
    ValueError
        If a picture lies in no category's folder, or two of a category bear one id.
    """
    source = Path(source)
    for path in _pictures(source):
        if path.parent == source:
            raise ValueError(
                f"{path} lies in no category's folder: put it into {source / 'CATEGORY'}"
            )
    ours = {normalize("NFC", name): name for name in categories}
    for category in sorted(each for each in source.iterdir() if each.is_dir()):
        found = _by_stem(_pictures(category))
        name = ours.get(normalize("NFC", category.name), category.name)
        _copy(found, folder / "images" / "unseen" / name)


def _pictures(source: Path) -> Iterator[Path]:
    """Files with a picture's ending, hidden ones apart, in the order of their names."""
    for place, folders, names in os.walk(source):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in ENDINGS:
                yield Path(place, name)


def _by_stem(paths: Iterator[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        if found.setdefault(path.stem, path) != path:
            raise ValueError(
                f"{found[path.stem]} and {path} are both image {path.stem!r}: take one away, or "
                "give each an id of its own"
            )
    return found


def _copy(paths: dict[str, Path], place: Path) -> None:
    """Copy pictures by their ids."""
    place.mkdir(parents=True, exist_ok=True)
    for name, path in paths.items():
        if path.exists() and not path.is_file():
            raise OSError(f"{path} is no regular file")
        try:
            shutil.copyfile(regular(path), place / f"{name}{path.suffix}")
        except OSError as error:
            raise OSError(f"{path} cannot be copied ({error})") from error
