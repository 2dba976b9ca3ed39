"""Pictures brought from an ImageNet tree into a data set: whole ones, and which are unseen."""

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import methodcaller
from pathlib import Path

from brain_teacher.dataset.images import SPLITS, is_too_large
from brain_teacher.files import atomic_write, regular
from brain_teacher.sources.imagenet.tree import list_pictures

# What ImageNet's files are, whatever they are called. Not PIL's whole list: it starts other
# programs for some formats.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")


@dataclass(frozen=True)
class Wish:
    """What is wanted of one category, a synset."""

    category: str
    # Ids of its pictures that were shown in the scanner.
    shown: list[str]
    # How many others.
    unseen: int
    # Those of ``unseen.csv``, with their split: they stay.
    listed: dict[str, str]
    # Pictures that the data set has already, shown and unseen.
    there: dict[str, Path]


@dataclass
class Gathered:
    """What there is of one category now."""

    category: str
    shown: list[str] = field(default_factory=list)
    # Id -> split.
    unseen: dict[str, str] = field(default_factory=dict)
    # (image_id, kind, reason) of shown pictures that are not there, and of unseen ones that were
    # passed over because they are broken.
    missing: list[tuple[str, str, str]] = field(default_factory=list)


def gather(
    wish: Wish,
    places: list[Path],
    images: Path,
    *,
    exclude: Iterable[str],
    share: float,
    seed: int,
    link: bool,
) -> Gathered:
    """Put the pictures of one category in their places; those that are there and whole stay.

    `places` are the synset's folders and tar files, from `find_synsets`; `images` is the data set's
    folder. Ids in `exclude` were shown to anybody: they are never unseen. The order in which unseen
    pictures are taken comes from the `seed`; a `share` of them is for validation. With `link`,
    files of the tree are linked instead of copied; what lies in a tar file is copied.
    """
    pictures, broken = list_pictures(wish.category, places)
    result = Gathered(wish.category)

    def put(image_id, folder):
        why = "; ".join(broken) or (
            f"not in {', '.join(map(str, places))}" if places else "its synset is not in the tree"
        )
        found = pictures.get(image_id)
        return _put(image_id, folder, wish.there.get(image_id), found, why=why, link=link)

    for image_id in wish.shown:
        if reason := put(image_id, images / "shown"):
            result.missing.append((image_id, "shown", reason))
        else:
            result.shown.append(image_id)
    others = {*pictures, *wish.there} - {*exclude, *wish.listed}
    chosen = []
    for image_id in [*wish.listed, *hash_order(others, seed)]:
        if len(chosen) >= wish.unseen and image_id not in wish.listed:
            break
        if reason := put(image_id, images / "unseen" / wish.category):
            result.missing.append((image_id, "unseen", reason))
        else:
            chosen.append(image_id)
    result.unseen = split_in_order(chosen, wish.listed, share)
    return result


def hash_order(image_ids: Iterable[str], seed: int) -> list[str]:
    """Ids in the order of SHA-256 of seed and id: what else is there does not change it.

    Examples
    --------
    >>> hash_order(["n01443537_1", "n01443537_2", "n01443537_3"], 0)
    ['n01443537_3', 'n01443537_2', 'n01443537_1']
    """
    return sorted(image_ids, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())


def split_in_order(
    image_ids: Iterable[str], listed: dict[str, str], share: float
) -> dict[str, str]:
    """Deal pictures to validation and test, one by one, so that more of them change no split.

    Splits that are `listed` stand already. Validation gets the next picture whenever it has less
    than its `share`.

    Examples
    --------
    >>> split_in_order("abcde", {}, 0.25)
    {'a': 'validation', 'b': 'test', 'c': 'test', 'd': 'test', 'e': 'validation'}
    """
    validation, test = SPLITS
    splits, count = {}, 0
    for position, image_id in enumerate(image_ids, start=1):
        split = listed.get(image_id) or (validation if count < share * position else test)
        count += split == validation
        splits[image_id] = split
    return splits


def picture_error(data: bytes) -> str | None:
    """Why bytes are no picture that can be decoded to its end; None if they are one.

    A picture of more pixels than PIL's limit (`is_too_large`) is none.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        # Opened twice: `verify` checks sums and leaves nothing to load.
        for check in (methodcaller("verify"), methodcaller("load")):
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if is_too_large(image):
                    return f"too large a picture ({image.width} x {image.height} pixels)"
                check(image)
    except UnidentifiedImageError:
        return "not a picture"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return "too large a picture"
    except (OSError, SyntaxError, ValueError) as error:
        return f"cannot be decoded ({error})"
    return None


def _put(image_id, folder, there, picture, *, why, link):
    """See to it that a whole picture lies in `folder`; why there is none, or None."""
    if there is not None:
        _, error = _read(lambda: regular(there).read_bytes())
        if error is None:
            return None
        why = f"{there}: {error}"
    if picture is None:
        return why
    data, error = _read(picture.read)
    if error is not None:
        return f"{picture.path}: {error}"
    if there is not None:
        there.unlink()
    path = folder / f"{image_id}{picture.suffix}"
    if link and picture.span is None:
        folder.mkdir(parents=True, exist_ok=True)
        path.symlink_to(picture.path.resolve())
    else:
        with atomic_write(path) as temporary:
            temporary.write_bytes(data)
    return None


def _read(read):
    """The bytes of a picture, and what is wrong with them."""
    try:
        data = read()
    except OSError as error:
        return None, f"cannot be read ({error.strerror})"
    return data, picture_error(data)
