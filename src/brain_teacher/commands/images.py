"""``images``: the shown and the unseen pictures of a data set, from an ImageNet tree."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import yaml
from tqdm import tqdm

from brain_teacher.cells.folder import OutputFolder
from brain_teacher.chain.dataset import DataSet, open_dataset
from brain_teacher.chain.params import Params
from brain_teacher.chain.recorded import training_images
from brain_teacher.commands import Given, Place, Say
from brain_teacher.dataset.description import FILE, Description
from brain_teacher.dataset.ids import split_image_id
from brain_teacher.dataset.images import (
    MISSING_FILE,
    SPLITS,
    UNSEEN_FILE,
    find_shown,
    find_unseen,
    read_unseen_splits,
)
from brain_teacher.dataset.links import VARIABLE, linked_folders
from brain_teacher.dataset.picture_files import strict
from brain_teacher.dataset.pictured import WHOLE, pictured_categories
from brain_teacher.dataset.places import inside
from brain_teacher.dataset.trials import TRAINING
from brain_teacher.errors import BrainTeacherError, UsageError, about
from brain_teacher.files import regular, write_text
from brain_teacher.machine import cores
from brain_teacher.reading.text import parse_yaml
from brain_teacher.sources.imagenet.pictures import Gathered, Wish, gather
from brain_teacher.sources.imagenet.tree import find_pictures, printable
from brain_teacher.sources.recordings.catalogue import GOD

NAMED = 5  # missing pictures that are named on the screen


def images(
    params: Params,
    *,
    folder: Place | None = None,
    tree: Place,
    unseen: int,
    seed: int,
    link: bool = False,
    say: Say = print,
    quiet: bool = False,
) -> pd.DataFrame:
    """Bring the pictures of a data set from an ImageNet tree, each decoded once before it counts.

    What is there already, and the splits that ``unseen.csv`` gives, stay. What is missing is given
    back and listed in ``images/missing.csv`` (``image_id``, ``category``, ``kind``: shown or
    unseen, ``reason``; of a category without any unseen picture one row, of kind category); the
    rest goes on. `unseen` is a number of pictures a category, for validation and test together, of
    which `seed` says which are taken. The tree, a folder or one archive, is only read; its files
    are copied, or linked to. Without a `folder`, see `_own_folder`.
    """
    data, tree = Path(folder or _own_folder(params, say)), Path(tree)
    dataset, named = open_dataset(data), printable(tree)
    if not (tree.is_dir() or tree.is_file()):
        raise UsageError(
            f"there is no folder or file {named}; name an ImageNet tree, or a .tar or .zip of its "
            "pictures, with --from"
        )
    if link and not any(tree.resolve().is_relative_to(each) for each in linked_folders()):
        raise UsageError(
            f"--link makes links out of {data}, which are followed only where you say so: set "
            f"{VARIABLE}={tree.resolve()} in the environment, also of later commands"
        )
    training, seen = _trials(dataset)
    with OutputFolder(data, say).locked():
        with about(data):
            for folder in ("shown", "unseen"):
                inside(data, data / "images" / folder)
            shown, others = find_shown(data), find_unseen(data)
            table = read_unseen_splits(data)
        seen |= shown.keys()
        table = _checked(table, seen, data)
        wishes = [
            Wish(
                category=category,
                shown=mine,
                unseen=unseen,
                listed=_pairs(table, category, "split"),
                there={image_id: shown[image_id] for image_id in mine if image_id in shown}
                | _pairs(others, category, "path"),
            )
            for category, mine in training.items()
        ]
        lying = find_pictures(tree, training)
        for text in _first(lying.skipped, "{} more"):
            say(f"skipped: {text}")
        if not lying.pictures and not any(wish.there for wish in wishes):
            raise BrainTeacherError(
                f"{named} holds no picture of the {len(wishes)} categories of {data} (they are "
                f"called {wishes[0].shown[0]}.JPEG), as a file or in a .tar or .zip, however deep; "
                "unpack what is packed otherwise, name another folder with --from, or another data "
                f"set with --data{''.join(f' ({text})' for text in lying.skipped[:1])}"
            )

        share = params.dataset.validation_share

        def work(wish: Wish) -> Gathered:
            return gather(
                wish, lying.pictures.get(wish.category, {}), data / "images",
                lacks=f"not in {named}", exclude=seen, share=share, seed=seed, link=link,
            )  # fmt: skip

        found = _in_threads(work, wishes, quiet)
        missing = _write_tables(data, found, table, unseen)
        n_training = sum(map(len, training.values()))
        if not any(each.shown for each in found):
            raise BrainTeacherError(
                f"{named} holds none of the {n_training} shown images "
                f"(first: {missing.iloc[0]['reason']}); {data / MISSING_FILE} lists them"
            )
        if not dataset.description.pictures:
            _say_pictures(data, dataset.description)
        with about(data):
            pictured = pictured_categories(data, dataset.stimuli)
    for line in _report(found, missing, pictured, n_training, unseen, data):
        say(line)
    return missing


def _own_folder(params: Params, say: Say) -> Path:
    """The data set of the settings; GOD's, where it is there and that one is simulated.

    A simulated data set has no pictures of ImageNet: who has just fetched GOD does not mean it.
    """
    own, god = Path("data") / params.dataset.name, Path("data") / GOD
    if own == god or not (god / FILE).is_file():
        return own
    if (own / FILE).is_file() and not open_dataset(own).description.simulated:
        return own
    say(f"images: of {god}, since dataset.name is {params.dataset.name}; or name one with --data")
    return god


def _trials(dataset: DataSet) -> tuple[dict[str, list[str]], set[str]]:
    """Each category's training images, sorted, and the ids of all trials of all subjects."""
    for subject, name in dataset.description.subjects.items():
        if not (dataset.folder / name).is_file():
            raise BrainTeacherError(
                f"subject {subject} has no file {dataset.folder / name}; put it there, or take the "
                f"subject out of {FILE}: what any subject saw must not be among the unseen images"
            )
    training, everything = training_images(dataset)
    if not training:
        raise BrainTeacherError(f"{dataset.folder} has no training trials (DataType {TRAINING})")
    with about(dataset.folder):
        for category, mine in training.items():
            for image_id in mine:
                if split_image_id(image_id)[0] != category:
                    raise ValueError(
                        f"image '{image_id}' has category '{category}': its pictures are not "
                        "ImageNet's"
                    )
    return training, everything


def _checked(table: pd.DataFrame | None, seen: set[str], data: Path) -> pd.DataFrame:
    """The table ``unseen.csv`` as it stands; empty, if there is none."""
    if table is None:
        return pd.DataFrame(columns=["image_id", "category", "split"])
    wrong = table["image_id"].isin(seen)
    if wrong.any():
        row = wrong.idxmax()
        raise BrainTeacherError(
            f"{data / UNSEEN_FILE} row {row + 2}: image '{table['image_id'][row]}' was shown in "
            "the scanner; take it out"
        )
    return table


def _pairs(table: pd.DataFrame, category: str, column: str) -> dict:
    """A column of one category's rows, by image id."""
    return table[table["category"] == category].set_index("image_id")[column].to_dict()


def _in_threads(work: Callable, wishes: list[Wish], quiet: bool) -> list[Gathered]:
    # Threads: PIL decodes, and files are read, without the interpreter's lock.
    pool = ThreadPoolExecutor(cores())
    bar: Given = {"total": len(wishes), "unit": "category", "disable": quiet or None}
    with strict():
        try:
            return list(tqdm(pool.map(work, wishes), **bar))
        finally:
            pool.shutdown(cancel_futures=True)


def _write_tables(
    data: Path, found: list[Gathered], table: pd.DataFrame, wanted: int
) -> pd.DataFrame:
    """Write ``unseen.csv`` and ``images/missing.csv``; gives the second."""
    new = [(image, each.category, split) for each in found for image, split in each.unseen.items()]
    unseen = pd.DataFrame(new, columns=["image_id", "category", "split"])
    others = table[~table["category"].isin([each.category for each in found])]
    if len(others):
        unseen = pd.concat([unseen, others])
    lost = [(image, each.category, *why) for each in found for image, *why in each.missing]
    lost += [
        (each.category, each.category, WHOLE, "no unseen picture")
        for each in found
        if wanted and not each.unseen
    ]
    missing = pd.DataFrame(lost, columns=["image_id", "category", "kind", "reason"])
    for path, content in ((data / UNSEEN_FILE, unseen), (data / MISSING_FILE, missing)):
        if len(content):
            write_text(path, content.to_csv(index=False))
        else:
            path.unlink(missing_ok=True)
    return missing


def _say_pictures(data: Path, description: Description) -> None:
    """Write ``pictures: true``; the rest of the file, comments included, stays."""
    text = regular(data / FILE).read_text("utf-8")
    text = re.sub(r"(?m)^pictures:[ \t]*\w+", "pictures: true", text)
    if parse_yaml(text).get("pictures") is not True:  # one line, in braces
        content = description.model_dump(exclude_defaults=True) | {"pictures": True}
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    write_text(data / FILE, text)


def _report(
    found: list[Gathered],
    missing: pd.DataFrame,
    pictured: set[str],
    n_training: int,
    unseen: int,
    data: Path,
) -> Iterator[str]:
    """What is there and what is missing, in lines; of categories without pictures one."""
    n_shown = sum(len(each.shown) for each in found)
    splits = [split for each in found for split in each.unseen.values()]
    counts = ", ".join(f"{splits.count(split):,} {split}" for split in SPLITS)
    broken = (missing["kind"] == "unseen").sum()
    with_unseen = sum(bool(each.unseen) for each in found)
    yield (
        f"images: {n_shown:,} of {n_training:,} shown ({n_training - n_shown:,} missing), "
        f"{len(splits):,} unseen of {with_unseen} categories ({counts}; {broken:,} passed over) "
        f"-> {data}"
    )
    there = [each for each in found if each.category in pictured]
    if len(there) < len(found):
        yield (
            f"{len(there)} of {len(found)} categories have pictures: outputs, chance and controls "
            f"count these; the others are in {data / MISSING_FILE}"
        )
    rows = missing[missing["category"].isin(pictured) & (missing["kind"] != WHOLE)]
    texts = [f"{row.kind} {row.image_id} ({row.reason})" for row in rows.itertuples()]
    for text in _first(texts, f"{{}} more, in {data / MISSING_FILE}"):
        yield f"missing: {text}"
    few = [f"{each.category} {len(each.unseen)}" for each in there if len(each.unseen) < unseen]
    if few:
        named = ", ".join(few[:NAMED]) + ", ..." * (len(few) > NAMED)
        few_of = f"{len(few)} of {len(there)} categories"
        yield f"{few_of} have fewer than {unseen} unseen images ({named})"


def _first(texts: list[str], more: str) -> list[str]:
    """The first few of some texts, and how many more there are."""
    return texts[:NAMED] + [more.format(f"{len(texts) - NAMED:,}")] * (len(texts) > NAMED)
