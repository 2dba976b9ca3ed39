"""One look at each picture of a data set: whether it can be decoded, and what is odd about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from brain_teacher.dataset.picture_files import (
    decoded,
    each_picture,
    is_transparent,
    open_picture,
    orientation,
    picture_digest,
)

# The side of what is kept of each picture: all of it, a pixel the mean of a part.
SIDE = 16


@dataclass(frozen=True)
class Look:
    """What there is to see at a glance."""

    path: Path
    # SHA-256 of the file.
    digest: str
    # Width and height as people see it.
    size: tuple[int, int]
    # What `decoded` leaves out of it, or adds, in words.
    traits: tuple[str, ...]
    # (SIDE, SIDE, 3), uint8.
    pixels: np.ndarray


def look_at(paths: Sequence[Path]) -> tuple[list[Look], list[str]]:
    """A look at each picture that can be decoded, and what is wrong with the others."""
    found = each_picture(_look, paths)
    looks = [each for each in found if isinstance(each, Look)]
    return looks, [each for each in found if isinstance(each, str)]


def _look(path):
    try:
        digest = picture_digest(path)
        with open_picture(path) as image:
            width, height = image.size  # before a JPEG is decoded in small
            # Not nearly as small: JPEG's own halving moves edges by a part of a pixel.
            whole = decoded(image, least=4 * SIDE)
            small = whole.resize((SIDE, SIDE), Image.Resampling.HAMMING)
            size = (height, width) if orientation(image) > 4 else (width, height)
            return Look(path, digest, size, _traits(image), np.asarray(small))
    except ValueError as error:
        return str(error)


def _traits(image):
    kinds = {
        "are animated: the first frame counts": getattr(image, "is_animated", False),
        "have 16 bits: the upper 8 count": image.mode.startswith("I;16"),
        "are CMYK: they are read as RGB without a colour profile": image.mode == "CMYK",
        "are turned as their EXIF orientation says": orientation(image) > 1,
        "are transparent in parts, which are laid on white": is_transparent(image),
        "have a colour profile that is not sRGB, which is not applied": _has_other_colours(image),
    }
    return tuple(text for text, is_so in kinds.items() if is_so)


def _has_other_colours(image):
    profile = image.info.get("icc_profile") or b"sRGB"
    # Names are in ASCII, or in UTF-16.
    return image.mode != "CMYK" and b"sRGB" not in profile.replace(b"\0", b"")
