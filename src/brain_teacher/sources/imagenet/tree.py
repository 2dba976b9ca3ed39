"""An ImageNet tree: where pictures lie, in folders, in tar files, in zip files, however deep.

A picture is a file called ``n01443537_22563.JPEG``, wherever it lies: in a folder of its synset
(ILSVRC 2012's ``train``), flat with all others (as the authors of GOD send them), in a tar file of
its synset (the fall 2011 release), in such a tar file within another one, in a zip file. Its name
is its id, whatever the zeros before its number, the case of its letters, its ending, and the synset
said again behind (Hugging Face's ``n01443537_22563_n01443537.JPEG``). Nothing is unpacked, and
names inside archives lead nowhere: of each only the last part is looked at.
"""

import os
import re
import struct
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import IO, Any

# A number of up to six digits: what GOD's stimulus_id can hold.
_PICTURE = re.compile(r"n(\d{8})_0*(\d{1,6})(?:_n\1)?\.(jpeg|jpg|png|webp|bmp)", re.IGNORECASE)
_SYNSET_TAR = re.compile(r"(n\d{8})\.tar")
_PACKED = re.compile(r".*\.(tar\.\w+|tgz|tbz2?|txz)", re.IGNORECASE)
# The largest picture of ImageNet has 15 MB.
MOST_BYTES = 2**25
# Of a header of a tar file; names of pictures are short, and parsing takes the square of it.
MOST_HEADER = 2**13
# What Python's readers raise of a file that is broken, or made to break them.
BROKEN = (
    OSError, ValueError, ArithmeticError, LookupError, RuntimeError, TypeError, EOFError,
    MemoryError, struct.error, zlib.error, tarfile.TarError, zipfile.BadZipFile,
)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """Where a picture lies: a file, a span of a tar file, or a member of a zip file."""

    path: Path
    suffix: str  # ``.JPEG``, ``.png``, ``.webp`` or ``.bmp``
    span: tuple[int, int] | None = None  # its first byte in the tar file, and how many there are
    member: tuple[zipfile.ZipFile, zipfile.ZipInfo] | None = None

    @property
    def is_file(self) -> bool:
        """Whether it is a file of its own, that can be linked to."""
        return self.span is None and self.member is None

    def read(self) -> bytes:
        """The picture's bytes.

        Raises
        ------
        ValueError
            If they cannot be read, in words, or are more than `MOST_BYTES`.
        """
        try:
            with self._opened() as (file, size):
                if size > MOST_BYTES:
                    raise ValueError(f"{size:,} bytes are no picture")
                return file.read(size)
        except BROKEN as error:
            raise ValueError(f"cannot be read ({in_words(error)})") from error

    @contextmanager
    def _opened(self) -> Generator[tuple[IO[bytes], int]]:
        """A file where the picture begins, and how many bytes it has."""
        if self.member is not None:
            archive, info = self.member
            with archive.open(info) as file:
                yield file, info.file_size
        else:
            check_regular(self.path)
            with self.path.open("rb") as file:
                start, size = self.span or (0, self.path.stat().st_size)
                file.seek(start)
                yield file, size


@dataclass
class Found:
    """What there is of some synsets in a tree."""

    # Synset -> image id -> where it lies; in the first place first.
    pictures: dict[str, dict[str, list[Picture]]] = field(default_factory=dict)
    # Folders and archives that could be read in part or not at all, and why.
    skipped: list[str] = field(default_factory=list)

    def add(self, name: str, synsets: Collection[str], path: Path, **inside: Any) -> None:
        """Note what lies in a place, if its name is that of a picture of these synsets."""
        match = _PICTURE.fullmatch(name)
        if match is None or (synset := f"n{match[1]}") not in synsets:
            return
        suffix = ".JPEG" if match[3].lower() in ("jpeg", "jpg") else f".{match[3].lower()}"
        of_synset = self.pictures.setdefault(synset, {})
        places = of_synset.setdefault(f"{synset}_{int(match[2])}", [])
        places.append(Picture(path, suffix, **inside))


def find_pictures(root: str | PathLike, synsets: Collection[str]) -> Found:
    """The pictures of some synsets in a tree, which may also be a single tar or zip file.

    Links are followed, but none in a circle; a folder that two names lead to is looked into once.
    Names are those below `root`, wherever links lead. An archive of another synset
    (``SYNSET.tar``) is not opened. What cannot be read is noted in `Found.skipped`, and the rest
    goes on.
    """
    found, synsets = Found(), set(synsets)
    for path in _files(Path(root), found):
        name = path.name.lower()
        if _PICTURE.fullmatch(path.name):
            found.add(path.name, synsets, path)
        elif name.endswith((".tar", ".zip")):
            look = _look_into_tar if name.endswith(".tar") else _look_into_zip
            try:
                check_regular(path)
                look(path, synsets, found)
            except BROKEN as error:
                found.skipped.append(f"{printable(path)} is broken ({in_words(error)})")
        elif _PACKED.fullmatch(name):
            found.skipped.append(f"{printable(path)} is packed as a whole: unpack it")
    return found


def check_regular(path: Path) -> None:
    """Raise ``ValueError`` for a pipe, a device, a dead link: reading them may never end."""
    if not path.is_file():
        raise ValueError("no regular file, or a link that leads nowhere")


def in_words(error: BaseException) -> str:
    """An error in one line; its kind, where it has no words."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return printable(words) or type(error).__name__


def printable(text: object) -> str:
    """A name in one line that a terminal and a CSV can hold, whatever bytes it is made of."""
    safe = str(text).encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in safe)


def _files(root: Path, found: Found) -> Iterator[Path]:
    """Everything below a folder that is none, in the order of the names."""
    if not root.is_dir():
        yield root
        return
    stack, visited = [root], set()
    while stack:
        folder = stack.pop()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                here = sorted((entry.name, _is_folder(entry)) for entry in entries)
        except OSError as error:
            found.skipped.append(f"{printable(folder)} cannot be read ({in_words(error)})")
            continue
        yield from (folder / name for name, is_folder in here if not is_folder)
        stack += reversed([folder / name for name, is_folder in here if is_folder])


def _is_folder(entry: os.DirEntry) -> bool:
    # Only links are looked up, of a million entries none; one that leads to itself is no error.
    return os.path.isdir(entry) if entry.is_symlink() else entry.is_dir(follow_symlinks=False)


def _look_into_zip(path: Path, synsets: set[str], found: Found) -> None:
    # Left open: pictures are read from it later, by any thread.
    archive, closed = zipfile.ZipFile(path), Counter()
    for info in archive.infolist():
        name = info.filename.replace("\\", "/").rpartition("/")[2]
        if info.flag_bits & 1:
            closed["encrypted: unpack it with its password"] += bool(_PICTURE.fullmatch(name))
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            why = f"packed by method {info.compress_type}: unpack it"
            closed[why] += bool(_PICTURE.fullmatch(name))
        else:
            found.add(name, synsets, path, member=(archive, info))
    for why, count in (+closed).items():
        found.skipped.append(f"{printable(path)}: {count:,} pictures are {why}")


def _look_into_tar(path: Path, synsets: set[str], found: Found) -> None:
    own = _SYNSET_TAR.fullmatch(path.name)
    if own is not None and own[1] not in synsets:
        return
    with path.open("rb") as file:
        inner = []
        for name, span in _members(file, 0):
            within = _SYNSET_TAR.fullmatch(name)
            if within is None:
                found.add(name, synsets, path, span=span)
            elif within[1] in synsets:
                inner.append((name, span[0]))
        for synset_tar, start in inner:
            try:
                for name, span in _members(file, start):
                    found.add(name, synsets, path, span=span)
            except BROKEN as error:
                said = f"{printable(path)}: {synset_tar} in it is broken ({in_words(error)})"
                found.skipped.append(said)


def _members(file: IO[bytes], start: int) -> Generator[tuple[str, tuple[int, int]]]:
    """Last part of the name, and the span, of each regular file in a tar file that begins there."""
    file.seek(start)
    # Not compressed, so that a picture is a span of the file, which any thread can read.
    with tarfile.TarFile(fileobj=_Headers(file)) as tar:  # ty: ignore[invalid-argument-type]
        end = start
        while (member := tar.next()) is not None:
            if tar.offset <= end:
                raise tarfile.ReadError("a member has a size below 0")
            end = tar.offset
            # Else it keeps a million of them.
            tar.members.clear()  # ty: ignore[missing-attribute]
            if member.isreg() and not member.issparse():
                yield member.name.rpartition("/")[2], (member.offset_data, member.size)
        file.seek(end)
        if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError(f"no header where one must begin, at byte {end:,}")


@dataclass
class _Headers:
    """A file of which nothing but headers is read, so that none fills the memory."""

    file: IO[bytes]

    def read(self, size: int) -> bytes:
        """The next bytes."""
        if not 0 <= size <= MOST_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self.file.read(size)

    def seek(self, place: int) -> int:
        """Go to a place."""
        return self.file.seek(place)

    def tell(self) -> int:
        """Where it is."""
        return self.file.tell()
