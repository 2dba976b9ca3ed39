"""All that is wrong with the pictures of a data set folder, at once."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pandas as pd
from PIL import Image

from brain_teacher.dataset import images as pictures
from brain_teacher.files import regular
from brain_teacher.machine import cores
from brain_teacher.sources.checks.findings import Findings, listed, listed_rows

# The side at which pictures are decoded to see whether they can be.
SIDE = 16


def check_pictures(
    found: Findings, folder: Path, category: pd.Series, *, validation_share: float
) -> None:
    """Every shown image has a file, every file is a picture, unseen ones are there and unseen.

    `category` is of the training images, by image id; empty where they are not known.
    """
    files = found.read(folder, pictures.find_shown, folder)
    unseen = found.read(folder, pictures.find_unseen, folder)
    missing = found.read(folder, pictures.read_missing, folder) or set()
    splits = found.read(folder / pictures.UNSEEN_FILE, pictures.read_unseen_splits, folder)
    splits_are_known = splits is not None or not (folder / pictures.UNSEEN_FILE).exists()
    # All that lie there, also where two of them bear one id.
    paths = sorted((folder / "images").glob("shown/[!.]*.*"))
    _check_decoding(found, paths + sorted((folder / "images").glob("unseen/*/[!.]*.*")))
    if category.empty:
        return
    if files is not None:
        _check_shown(found, folder / "images" / "shown", category, files, missing)
    if unseen is not None and splits_are_known:
        _check_unseen(found, folder, category, files or {}, unseen, splits, validation_share)


def _check_decoding(found, paths):
    """Decode every picture; say of which ones only a part will count."""
    with ThreadPoolExecutor(cores()) as pool:
        looks = list(pool.map(_look, paths))
    wrong = [text for text, _ in looks if text]
    found.problems += wrong
    odd = Counter(text for _, texts in looks for text in texts)
    found.cautions += [f"{count:,} pictures {text}" for text, count in sorted(odd.items())]
    found.facts.append(f"{len(paths) - len(wrong):,} pictures, each decoded")


def _look(path):
    """Why a picture cannot be decoded, or None; and what `load_images` leaves out of it."""
    try:
        pictures.load_images([path], SIDE, workers=1)
    except ValueError as error:
        return str(error), []
    with Image.open(regular(path)) as image:
        kinds = {
            "are animated: the first frame counts": getattr(image, "is_animated", False),
            "have 16 bits: the upper 8 count": image.mode.startswith("I;16"),
            "are CMYK: they are read as RGB without a colour profile": image.mode == "CMYK",
        }
    return None, [text for text, is_so in kinds.items() if is_so]


def _check_shown(found, place, category, files, missing):
    lost = sorted(set(category.index) - set(files) - missing)
    if lost:
        found.problems.append(f"{place}: no picture of {len(lost)} training images: {listed(lost)}")
    if noted := sorted(missing & set(category.index) - set(files)):
        found.cautions.append(
            f"{len(noted)} training images have no picture ({pictures.MISSING_FILE}) and teach "
            "nobody"
        )


def _check_unseen(found, folder, category, shown, unseen, splits, share):
    place, categories = folder / "images" / "unseen", sorted(category.unique())
    if unseen.empty and splits is None:
        found.cautions.append(
            f"{place}: no pictures: students can be tested on shown ones only (distill.split: "
            "folds)"
        )
        return
    if len(others := sorted(set(unseen["category"]) - set(categories))):
        found.cautions.append(
            f"{place}: {listed(others)}: no training image is of these categories: left out"
        )
    if splits is not None:
        lost = pictures.without_file(splits, unseen, categories)
        if lost.any():
            found.problems.append(
                f"{folder / pictures.UNSEEN_FILE}: {listed_rows(lost, first=2)}: no such picture "
                "under images/unseen/CATEGORY"
            )
        splits = splits[~lost]
    divide = partial(
        pictures.split_unseen, unseen, shown=shown, splits=splits, validation_share=share
    )
    # One by one: `split_unseen` stops at the first that is wrong.
    divided = [found.read(place, divide, [each]) for each in categories]
    if any(part is not None for part in divided):
        counts = pd.concat(divided)["split"].value_counts()
        parts = ", ".join(f"{counts.get(split, 0):,} {split}" for split in pictures.SPLITS)
        found.facts.append(f"unseen images: {parts}")
