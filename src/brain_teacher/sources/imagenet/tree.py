"""An ImageNet tree: where each synset's pictures lie, in folders or in tar files.

Taken are ``n01443537/n01443537_22563.JPEG`` and ``n01443537.tar`` with such members, in the folder
given or in any below it (ILSVRC 2012's ``train``, the fall 2011 release). The picture's name is its
id, whatever the zeros before its number, the case of its letters, and its ending.
"""

import os
import re
import tarfile
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from brain_teacher.files import regular

# A number of up to six digits: what GOD's stimulus_id can hold.
_PICTURE = re.compile(r"n(\d{8})_0*(\d{1,6})\.(jpeg|jpg|png)", re.IGNORECASE)
_SYNSET = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class Picture:
    """Where a picture lies: a file, or a span of a tar file."""

    image_id: str
    path: Path
    suffix: str  # ``.JPEG`` or ``.png``
    span: tuple[int, int] | None = None  # its first byte in the tar file, and how many there are

    def read(self) -> bytes:
        """The picture's bytes."""
        if self.span is None:
            return regular(self.path).read_bytes()
        start, size = self.span
        with regular(self.path).open("rb") as file:
            file.seek(start)
            return file.read(size)


def find_synsets(root: str | PathLike) -> dict[str, list[Path]]:
    """The folders and tar files of each synset in a tree, in the order of their paths.

    Folders that are a synset's are not looked into; links are followed, but none in a circle.
    """
    found, visited = {}, set()
    for folder, names, file_names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:
            names.clear()
            continue
        visited.add(real)
        places = [name for name in names if _SYNSET.fullmatch(name)]
        places += [name for name in file_names if _SYNSET.fullmatch(name.removesuffix(".tar"))]
        for name in places:
            found.setdefault(name.removesuffix(".tar"), []).append(Path(folder, name))
        names[:] = [name for name in names if not _SYNSET.fullmatch(name)]
    return {synset: sorted(places) for synset, places in found.items()}


def list_pictures(synset: str, places: list[Path]) -> tuple[dict[str, Picture], list[str]]:
    """The pictures of one synset by image id, from the places that `find_synsets` gave.

    One that lies there twice is taken where it comes first. With them come the words for what is
    wrong with a place that could be read in part or not at all.
    """
    pictures, broken = {}, []
    for place in places:
        try:
            for name, path, span in _folder(place) if place.is_dir() else _tar(place):
                match = _PICTURE.fullmatch(name)
                if match is None or f"n{match[1]}" != synset:
                    continue
                image_id = f"{synset}_{int(match[2])}"
                suffix = ".png" if match[3].lower() == "png" else ".JPEG"
                pictures.setdefault(image_id, Picture(image_id, path, suffix, span))
        except (OSError, tarfile.TarError) as error:
            broken.append(f"{place} is broken ({error})")
    return pictures, broken


def _folder(place):
    for name in sorted(os.listdir(place)):
        yield name, place / name, None


def _tar(place):
    # "r:": not compressed, so that a picture is a span of the file, which any thread can read.
    with tarfile.open(regular(place), "r:") as tar:
        for member in tar:
            if member.isreg() and not member.issparse():
                yield Path(member.name).name, place, (member.offset_data, member.size)
