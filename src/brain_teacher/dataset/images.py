"""Image files: the ones shown in the scanner, and the unseen ones that students are judged on."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from itertools import product
from os import PathLike
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from brain_teacher.dataset.csv_tables import read_csv_table
from brain_teacher.dataset.links import refuse_foreign_links
from brain_teacher.dataset.picture_files import decoded, each_picture, open_picture
from brain_teacher.dataset.places import check_name, inside
from brain_teacher.dataset.rules import hold_to

SPLITS = ("validation", "test")
UNSEEN_FILE = "unseen.csv"
MISSING_FILE = "images/missing.csv"
# The least side that a JPEG is decoded at, in sides of the picture wanted.
DECODED = 1.4


def find_shown(folder):
    """Image id -> file of the images shown in the scanner (``images/shown/<image_id>.<ext>``).

    Raises
    ------
    ValueError
        If an image has two files, or one lies outside the data set (`refuse_foreign_links`).
    """
    place = Path(folder) / "images" / "shown"
    files = sorted(place.glob("[!.]*.*"))
    refuse_foreign_links(folder, [place, *files])
    shown = {file.stem: file for file in files}
    for file in files:
        check_name(file)
        if shown[file.stem] != file:
            raise ValueError(f"image '{file.stem}' has more than one file under images/shown")
    return shown


def looked_for(image_id, files):
    """What was looked for of an image that has no file, and what to do; `files` are by id.

    Examples
    --------
    >>> looked_for("cat-0.png", {"cat-0": "shown/cat-0.png"})
    'looked for cat-0.png.*, and there is cat-0.png: give ids without their ending'
    """
    plain = PurePosixPath(image_id.replace("\\", "/"))
    for stem, remedy in ((plain.stem, "without their ending"), (plain.name, "without a folder")):
        if stem != image_id and stem in files:
            there = Path(files[stem]).name
            return f"looked for {image_id}.*, and there is {there}: give ids {remedy}"
    return f"looked for {image_id}.*; put it there"


def read_missing(folder, kind="shown"):
    """Ids of the images of a kind that ``brain-teacher images`` looked for and did not find."""
    table = _table(folder, MISSING_FILE, ("image_id", "kind"))
    return set() if table is None else set(table["image_id"][table["kind"] == kind])


def _table(folder, name, columns):
    """A CSV of the folder, whose errors name it; None where there is none."""
    path = Path(folder) / name
    try:
        return read_csv_table(inside(folder, path), columns) if path.exists() else None
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error


def find_unseen(folder):
    """The images that no subject saw (``images/unseen/<category>/<image_id>.<ext>``).

    Gives columns ``image_id``, ``category``, ``path``, in the order of the ids.

    Raises
    ------
    ValueError
        As of `find_shown`.
    """
    place = Path(folder) / "images" / "unseen"
    files = sorted(place.glob("*/[!.]*.*"))
    refuse_foreign_links(folder, [place, *place.glob("*"), *files])
    for file in files:
        check_name(file.parent)
        check_name(file)
    rows = [(file.stem, file.parent.name, file) for file in files]
    table = pd.DataFrame(rows, columns=["image_id", "category", "path"])
    twice = table["image_id"].duplicated()
    if twice.any():
        image = table["image_id"][twice].iloc[0]
        raise ValueError(f"image {image!r} has more than one file under images/unseen")
    return table.sort_values("image_id", ignore_index=True)


def read_unseen_splits(folder):
    """Read ``unseen.csv`` (image_id, category, split), if the data set has one."""
    table = _table(folder, UNSEEN_FILE, ("image_id", "category", "split"))
    if table is None:
        return None
    split = table["split"]
    rules = [
        (split == wrong, f"split is {wrong!r}, not 'validation' or 'test'")
        for wrong in split[~split.isin(SPLITS)].unique()
    ]
    rules.append((table["image_id"].duplicated(), "this image stands in an earlier row too"))
    hold_to(rules, first=2, file=f"{UNSEEN_FILE} ")
    return table


def split_unseen(
    unseen: pd.DataFrame,
    categories: Iterable[str],
    *,
    shown: Collection[str] = (),
    splits: pd.DataFrame | None = None,
    validation_share: float,
) -> pd.DataFrame:
    """Say which unseen images choose (validation) and which report (test), in a column ``split``.

    `unseen` is from `find_unseen`; images without a split, or of others than the students'
    `categories`, are left out. None of the ids `shown` in the scanner is unseen. `splits` are from
    `read_unseen_splits`; without them, the first `validation_share` of each category, in the order
    of a hash of the id, is for validation.

    Raises
    ------
    ValueError
        If an image was shown, a category has no image on a side, or a listed image has no file.

    In the methods
    --------------
    {% if distill.split == "unseen" and not made.listed %}For validation were {{
    dataset.validation_share|percent }} of each category's unseen pictures, drawn by a hash of
    their names.{% elif distill.split == "unseen" %}Which of them were for validation was fixed in
    the data set.{% endif %}
    """
    unseen = unseen[unseen["category"].isin(list(categories))]
    known = unseen["image_id"].isin(list(shown))
    if known.any():
        raise ValueError(
            f"image '{unseen['image_id'][known].iloc[0]}' is under images/unseen and under "
            f"images/shown ({known.sum()} are): students would be tested on what they learnt from"
        )
    if splits is not None:
        for row in splits[without_file(splits, unseen, categories)].itertuples():
            raise ValueError(
                f"{UNSEEN_FILE}: image {row.image_id!r} has no file under "
                f"images/unseen/{row.category}"
            )
        table = unseen.merge(splits, on=["image_id", "category"], validate="one_to_one")
    else:
        table = unseen.copy()
        order = table["image_id"].map(lambda name: hashlib.sha256(name.encode()).hexdigest())
        rank = order.groupby(table["category"]).rank(method="first")
        count = table.groupby("category")["image_id"].transform("size")
        first = rank <= (validation_share * count).round()
        table["split"] = np.where(first, *SPLITS)
    there = set(zip(table["category"], table["split"], strict=True))
    for category, split in product(sorted(categories), SPLITS):
        if (category, split) not in there:
            raise ValueError(
                f"category '{category}' has no {split} image: put images under "
                f"images/unseen/{category}, or correct {UNSEEN_FILE}"
            )
    return table.reset_index(drop=True)


def without_file(splits, unseen, categories):
    """Which rows of ``unseen.csv`` are of categories that count, but of no file."""
    found = splits.merge(unseen, on=["image_id", "category"], how="left")
    return (found["path"].isna() & found["category"].isin(list(categories))).to_numpy()


def load_images(
    paths: Sequence[str | PathLike], size: int, *, workers: int | None = None
) -> np.ndarray:
    """Decode image files into one array, each resized on its shorter side and centre-cropped.

    What is read, and how, says `picture_files`. A JPEG is decoded at a half or a quarter of its
    side, which libjpeg does on the way, where that leaves 1.4 times `size` or more. The result then
    differs from that of the whole picture by less than 1 grey level (of 255) in the mean, at most 5
    in 99% of the pixels (measured on textured pictures of 500 x 375, at 24 to 128 pixels).

    Gives RGB, uint8 of shape (n_images, size, size, 3). `workers` threads decode, one a core if not
    given; the result is the same.

    Raises
    ------
    ValueError
        If a file is no image, or more of one than is read; the first one is named.
    """
    images = np.empty((len(paths), size, size, 3), dtype=np.uint8)

    def load(row):
        images[row] = _load_image(paths[row], size)

    each_picture(load, range(len(paths)), workers)
    return images


def _load_image(path, size):
    from PIL import Image, ImageOps

    with open_picture(path) as image:
        # Not at an eighth: the pixels are then means of blocks, and the result would differ by 2
        # grey levels.
        rgb = decoded(image, least=max(int(DECODED * size), min(image.size) // 4))
        return np.asarray(ImageOps.fit(rgb, (size, size), Image.Resampling.BICUBIC))


def usual_side(paths: Iterable[str | PathLike], *, most: int) -> int:
    """The median of pictures' shorter sides, at most `most`: what they need not be blown up to."""

    def side(path):
        with open_picture(path) as image:
            return min(image.size)

    return min(most, int(np.median(each_picture(side, paths))))
