"""All that is wrong with the pictures of a data set folder, at once."""

from collections import Counter
from collections.abc import Collection
from functools import partial
from pathlib import Path

import pandas as pd

from brain_teacher.dataset import images as pictures
from brain_teacher.dataset.links import foreign_links
from brain_teacher.dataset.pictured import pictured_categories
from brain_teacher.sources.checks.findings import Findings, first_of, listed, listed_rows
from brain_teacher.sources.checks.likeness import Place, check_likeness
from brain_teacher.sources.checks.looks import look_at


def check_pictures(
    found: Findings,
    folder: Path,
    category: pd.Series,
    tested: Collection[str] = (),
    *,
    validation_share: float,
    side: int,
) -> None:
    """Every shown image has a file, every file is a picture, unseen ones are there and unseen.

    `category` is of the training images, by image id; empty where they are not known. `tested` are
    the ids of images that test trials showed. Students see `side` x `side` pixels.
    """
    place = folder / "images"
    files = found.read(folder, pictures.find_shown, folder)
    unseen = found.read(folder, pictures.find_unseen, folder)
    missing = found.read(folder, pictures.read_missing, folder) or set()
    splits = found.read(folder / pictures.UNSEEN_FILE, pictures.read_unseen_splits, folder)
    splits_are_known = splits is not None or not (folder / pictures.UNSEEN_FILE).exists()
    # All that lie there, also where two of them bear one id; but none that lies elsewhere.
    paths = [*sorted(place.glob("shown/[!.]*.*")), *sorted(place.glob("unseen/*/[!.]*.*"))]
    _say_not_read(found, place, paths)
    elsewhere = set(foreign_links(folder, paths))
    looks = _check_decoding(found, [path for path in paths if path not in elsewhere])
    _say_sizes(found, looks, side)
    recorded, divided = set(category), {}
    if not category.empty and files is not None:
        if unseen is not None:
            category = _of_pictured(found, folder, category)
        _check_shown(found, folder / "images" / "shown", category, files, missing)
    if not category.empty and unseen is not None and splits_are_known:
        unseen = unseen[~unseen["category"].isin(recorded - set(category))]
        if len(seen := sorted(set(unseen["image_id"]) & set(tested))):
            found.cautions.append(
                f"{place / 'unseen'}: {len(seen):,} pictures were shown in test trials, which "
                f"'unseen' denies: {listed(seen)}"
            )
        share = validation_share
        divided = _check_unseen(found, folder, category, files or {}, unseen, splits, share)
    check_likeness(found, looks, _places(looks, category, divided))


def _say_not_read(found, place, paths):
    """Files below ``images`` that are taken for no picture."""
    read = {*paths, place.parent / pictures.MISSING_FILE}
    others = sorted(
        path
        for path in place.rglob("*")
        if path not in read and path.is_file() and not path.name.startswith(".")
    )
    if others:
        names = first_of([str(path.relative_to(place)) for path in others])
        found.cautions.append(
            f"{place}: {len(others):,} files are not read, which lie elsewhere than as shown/NAME."
            f"ENDING or unseen/CATEGORY/NAME.ENDING: {names}"
        )


def _of_pictured(found, folder, category):
    """The training images of categories that count; the others are said in one line."""
    table = pd.DataFrame({"image_id": category.index, "category": category.to_numpy()})
    pictured = found.read(folder, pictured_categories, folder, table)
    without = sorted(set(category) - (pictured or set()))
    if not pictured or not without:
        return category
    found.cautions.append(
        f"{len(pictured)} of {category.nunique()} categories have pictures: outputs, chance and "
        f"controls count these; without: {listed(without)}"
    )
    return category[category.isin(pictured)]


def _check_decoding(found, paths):
    """Decode every picture; say of which ones only a part will count. Gives what was seen."""
    looks, wrong = look_at(paths)
    found.problems += wrong
    odd = Counter(text for look in looks for text in look.traits)
    found.cautions += [f"{count:,} pictures {text}" for text, count in sorted(odd.items())]
    found.facts.append(f"{len(looks):,} pictures, each decoded")
    return looks


def _say_sizes(found, looks, side):
    """How large the pictures are, and what of them students see."""
    if not looks:
        return
    sizes = sorted({look.size for look in looks}, key=lambda size: (min(size), size))
    small = sum(min(look.size) < side for look in looks)
    wide = sum(4 * min(look.size) < 3 * max(look.size) for look in looks)
    texts = [
        f"pictures of {_times(sizes[0])}" + f" to {_times(sizes[-1])}" * (len(sizes) > 1),
        f"students see the middle square of each at {_times((side, side))} (distill.image_size)",
        *[f"{small:,} are smaller, and blown up"] * (small > 0),
        *[f"{wide:,} lose more than a quarter of their longer side"] * (wide > 0),
    ]
    found.facts.append("; ".join(texts))


def _times(size):
    return f"{size[0]} x {size[1]}"


def _places(looks, category, splits):
    """What each picture is to the data set, by its path."""
    places = {}
    for path in (look.path for look in looks):
        if path.parent.name == "shown":
            places[path] = Place("shown", category.get(path.stem))
        else:
            places[path] = Place(splits.get(path.stem, "unseen"), path.parent.name)
    return places


def _check_shown(found, place, category, files, missing):
    lost = sorted(set(category.index) - set(files) - missing)
    if lost:
        found.problems.append(
            f"{place}: no picture of {len(lost)} training images: {listed(lost)}; "
            f"{pictures.looked_for(lost[0], files)}"
        )
    if noted := sorted(missing & set(category.index) - set(files)):
        found.cautions.append(
            f"{len(noted)} training images have no picture ({pictures.MISSING_FILE}) and teach "
            "nobody"
        )


def _check_unseen(found, folder, category, shown, unseen, splits, share):
    """What may be wrong with unseen pictures; gives the split of each that has one, by id."""
    place, categories = folder / "images" / "unseen", sorted(category.unique())
    if unseen.empty and splits is None:
        found.cautions.append(
            f"{place}: no pictures: students can be tested on shown ones only (distill.split: "
            "folds)"
        )
        return {}
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
        known = unseen["image_id"].isin(splits["image_id"])
        if left := sorted(unseen["image_id"][~known & unseen["category"].isin(categories)]):
            found.cautions.append(
                f"{folder / pictures.UNSEEN_FILE}: {len(left):,} of {len(unseen):,} unseen "
                f"pictures stand in no row, and are left out: {listed(left)}"
            )
    divide = partial(
        pictures.split_unseen, unseen, shown=shown, splits=splits, validation_share=share
    )
    # One by one, since `split_unseen` stops at the first that is wrong; said once a kind.
    divided, wrong = [], {}
    for each in categories:
        own = Findings()
        divided.append(own.read(place, divide, [each]))
        for text in own.problems:
            kind = text.replace(f"'{each}'", "'{}'").replace(f"unseen/{each}", "unseen/{}")
            wrong.setdefault(kind, []).append(each)
    for text, names in wrong.items():
        more = f" ({len(names)} categories are so: {listed(names)})" if len(names) > 1 else ""
        found.problems.append(text.replace("{}", names[0]) + more)
    if all(part is None for part in divided):
        return {}
    split = pd.concat(divided).set_index("image_id")["split"]
    counts = split.value_counts()
    parts = ", ".join(f"{counts.get(split, 0):,} {split}" for split in pictures.SPLITS)
    found.facts.append(f"unseen images: {parts}")
    return split.to_dict()
