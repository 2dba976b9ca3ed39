"""Picture files, which anybody may have made: opened in this one place, by what they hold.

Read are JPEG, PNG, GIF, BMP, TIFF and WebP, whatever a file is called; for other formats PIL may
start other programs (Ghostscript, for EPS). All come out as people see them: turned as EXIF says,
on white where they are transparent.
"""

import hashlib
import stat
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

import numpy as np

from brain_teacher.machine import cores

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
# A file of 256 MiB; a picture of 8,600 x 5,800 or so. Decoded it takes four bytes a pixel, several
# times over.
MOST_BYTES, MOST_PIXELS = 2**28, 50_000_000
# Larger ones are decoded one at a time, however many threads there are.
LARGE = 2**23
# What is under the transparent parts: white, as on a page.
BACKGROUND = (255, 255, 255)
# The longest reason that is said of a file; PIL quotes whole headers.
_LONGEST = 200
_large = threading.Lock()


class Unreadable(ValueError):
    """What is no picture, or cannot be decoded: it says which file, and `reason` why."""

    def __init__(self, path: object, reason: object):
        self.reason = str(reason)
        super().__init__(f"{path} cannot be read as an image ({reason})")


@contextmanager
def strict() -> Generator[None]:
    """Use PIL as it is meant here, whatever a notebook has set; its warnings are errors or nothing.

    Not inside threads: both are settings of the whole process.
    """
    from PIL import ImageFile

    was = ImageFile.LOAD_TRUNCATED_IMAGES
    with catch_warnings():
        simplefilter("ignore")  # of broken EXIF, of the sizes that `open_picture` looks at
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = was


def each_picture(
    work: Callable[[Any], Any], pictures: Iterable, workers: int | None = None
) -> list[Any]:
    """`work` of each picture, in their order; `workers` threads, one a core if not given.

    Threads: PIL decodes and resizes without the interpreter's lock. The first error ends it.
    """
    with strict(), ThreadPoolExecutor(workers or cores()) as pool:
        return list(pool.map(work, pictures))


@contextmanager
def open_picture(source: str | PathLike | IO[bytes]) -> Generator["Image.Image"]:
    """Open a picture, by path or as a stream; its pixels are decoded when they are asked for.

    Raises
    ------
    Unreadable
        If it is no picture of `FORMATS`, is larger than `MOST_BYTES` or `MOST_PIXELS` (or PIL's own
        limit, where that is less), or whatever is asked of it inside the block fails.
    """
    is_path = isinstance(source, str | PathLike)
    try:
        with (
            _stream(source) if is_path else nullcontext(source) as stream,
            _opened(stream) as image,
        ):
            large = image.width * image.height > LARGE
            with _large if large else nullcontext():
                yield image
    except Exception as error:
        # A dozen kinds, of PIL's plugins, struct and zlib.
        reason = " ".join(str(error).split())[:_LONGEST] or type(error).__name__
        raise Unreadable(source if is_path else "it", reason) from error


def picture_digest(path: str | PathLike) -> str:
    """SHA-256 of a picture's file, in hexadecimal; `Unreadable` if it is no file."""
    try:
        with _stream(path) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise Unreadable(path, error) from error


def _stream(path):
    """A file as a stream, if it is a file, and not too large: a pipe would be waited for."""
    kind = Path(path).stat()
    if not stat.S_ISREG(kind.st_mode):
        raise ValueError("not a regular file")
    if kind.st_size > MOST_BYTES:
        raise ValueError(f"{kind.st_size:,} bytes are too many, at most {MOST_BYTES:,} are read")
    return Path(path).open("rb")


@contextmanager
def _opened(stream):
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(stream, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ValueError("not a JPEG, PNG, GIF, BMP, TIFF or WebP picture") from error
    with image:
        most = min(Image.MAX_IMAGE_PIXELS or MOST_PIXELS, MOST_PIXELS)
        if image.width * image.height > most:
            raise ValueError(
                f"{image.width} x {image.height} pixels are too many, at most {most:,} are read"
            )
        yield image


def decoded(image: "Image.Image", least: int | None = None) -> "Image.Image":
    """The pixels of an opened picture as RGB, upright, on white where it is transparent.

    With `least` a JPEG is decoded at a half, a quarter or an eighth of its sides, if the shorter
    one keeps so many pixels; the others whole. Of animated ones the first picture, of 16 bits a
    pixel the upper 8, CMYK without a colour profile.
    """
    from PIL import Image, ImageOps

    if least:
        image.draft(None, (least, least))  # does nothing to other files than JPEG
    image.load()
    image = ImageOps.exif_transpose(image) if orientation(image) > 1 else image
    if image.mode.startswith("I;16"):  # PIL would cut all above 255 off
        image = _upper_bits(image)
    elif image.mode in ("I", "F"):
        raise ValueError(f"its pixels are of 32 bits ({image.mode}); save it with 8 or 16")
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, BACKGROUND)
        ground.alpha_composite(image.convert("RGBA"))
        image = ground
    return image if image.mode == "RGB" else image.convert("RGB")


def _upper_bits(image):
    """A grey picture of 16 bits as one of 8; its transparent value, if it has one, stays so."""
    from PIL import Image

    values = np.asarray(image)
    grey = Image.fromarray((values >> 8).astype(np.uint8))
    if (clear := image.info.get("transparency")) is not None:
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return grey


def orientation(image: "Image.Image") -> int:
    """How EXIF says that a picture is to be turned: 1 (not at all) to 8.

    What cannot be read, or is none of these, is 1, as viewers take it.
    """
    from PIL import ExifTags

    try:
        said = image.getexif().get(ExifTags.Base.Orientation)
    except (ArithmeticError, LookupError, OSError, SyntaxError, TypeError, ValueError):
        return 1
    return said if isinstance(said, int) and 1 <= said <= 8 else 1


def is_transparent(image: "Image.Image") -> bool:
    """Whether any pixel of a loaded picture lets through what is under it."""
    if not image.has_transparency_data:
        return False
    if image.mode.startswith("I;16"):
        return True
    return bool((np.asarray(image.convert("RGBA").getchannel("A")) < 255).any())
