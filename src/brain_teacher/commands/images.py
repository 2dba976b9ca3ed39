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
from brain_teacher.commands import Given, Place, Say
from brain_teacher.dataset.bdata import read_bdata
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
from brain_teacher.dataset.stimuli import name_trials
from brain_teacher.dataset.trials import TRAINING
from brain_teacher.errors import BrainTeacherError, UsageError, about
from brain_teacher.files import write_text
from brain_teacher.machine import cores
from brain_teacher.reading.text import parse_yaml
from brain_teacher.sources.imagenet.pictures import Gathered, Wish, gather
from brain_teacher.sources.imagenet.tree import find_synsets

NAMED = 5  # missing pictures that are named on the screen


def images(
    params: Params,
    *,
    data: Place,
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
    unseen, ``reason``); the rest goes on. `unseen` is a number of pictures a category, for
    validation and test together, of which `seed` says which are taken. The tree is only read; its
    files are copied, or linked to.
    """
    data, tree = Path(data), Path(tree)
    dataset = open_dataset(data)
    if not tree.is_dir():
        raise UsageError(f"there is no folder {tree}; name an ImageNet tree with --from")
    training, seen = _trials(dataset)
    with OutputFolder(data, say).locked():
        with about(data):
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
        places = find_synsets(tree)
        if not any(wish.category in places for wish in wishes):
            raise BrainTeacherError(
                f"{tree} holds none of the {len(wishes)} synsets, as a folder "
                f"({wishes[0].category}) or a file ({wishes[0].category}.tar), however deep; "
                "unpack ILSVRC2012_img_train.tar or fall11_whole.tar there, or name another folder"
            )

        share = params.dataset.validation_share

        def work(wish: Wish) -> Gathered:
            return gather(
                wish, places.get(wish.category, []), data / "images",
                exclude=seen, share=share, seed=seed, link=link,
            )  # fmt: skip

        found = _in_threads(work, wishes, quiet)
        missing = _write_tables(data, found, table)
        n_training = sum(map(len, training.values()))
        if not any(each.shown for each in found):
            raise BrainTeacherError(
                f"{tree} holds none of the {n_training} shown images "
                f"(first: {missing.iloc[0]['reason']}); {data / MISSING_FILE} lists them"
            )
        if not dataset.description.pictures:
            _say_pictures(data, dataset.description)
    for line in _report(found, missing, n_training, unseen, data):
        say(line)
    return missing


def _trials(dataset: DataSet) -> tuple[dict[str, list[str]], set[str]]:
    """Each category's training images, sorted, and the ids of all trials of all subjects."""
    training: dict[str, str] = {}
    everything: set[str] = set()
    for subject, name in dataset.description.subjects.items():
        file = dataset.folder / name
        if not file.is_file():
            raise BrainTeacherError(
                f"subject {subject} has no file {file}; put it there, or take the subject out of "
                f"{FILE}: what any subject saw must not be among the unseen images"
            )
        with about(file):
            _, _, labels = read_bdata(file)
            kinds = labels["DataType"]
            trials = name_trials(labels["stimulus_id"], dataset.stimuli, data_type=kinds)
            everything.update(trials["image_id"])
            trained = trials[kinds == TRAINING]
            for image_id, category in zip(trained["image_id"], trained["category"], strict=True):
                if split_image_id(image_id)[0] != category:
                    raise ValueError(
                        f"image '{image_id}' has category '{category}': its pictures are not "
                        "ImageNet's"
                    )
                training[image_id] = category
    if not training:
        raise BrainTeacherError(f"{dataset.folder} has no training trials (DataType {TRAINING})")
    mine: dict[str, list[str]] = {category: [] for category in sorted(set(training.values()))}
    for image_id in sorted(training):
        mine[training[image_id]].append(image_id)
    return mine, everything


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
    try:
        return list(tqdm(pool.map(work, wishes), **bar))
    finally:
        pool.shutdown(cancel_futures=True)


def _write_tables(data: Path, found: list[Gathered], table: pd.DataFrame) -> pd.DataFrame:
    """Write ``unseen.csv`` and ``images/missing.csv``; gives the second."""
    new = [(image, each.category, split) for each in found for image, split in each.unseen.items()]
    unseen = pd.DataFrame(new, columns=["image_id", "category", "split"])
    others = table[~table["category"].isin([each.category for each in found])]
    if len(others):
        unseen = pd.concat([unseen, others])
    lost = [(image, each.category, *why) for each in found for image, *why in each.missing]
    missing = pd.DataFrame(lost, columns=["image_id", "category", "kind", "reason"])
    for path, content in ((data / UNSEEN_FILE, unseen), (data / MISSING_FILE, missing)):
        if len(content):
            write_text(path, content.to_csv(index=False))
        else:
            path.unlink(missing_ok=True)
    return missing


def _say_pictures(data: Path, description: Description) -> None:
    """Write ``pictures: true``; the rest of the file, comments included, stays."""
    text = (data / FILE).read_text("utf-8")
    text = re.sub(r"(?m)^pictures:[ \t]*\w+", "pictures: true", text)
    if parse_yaml(text).get("pictures") is not True:  # one line, in braces
        content = description.model_dump(exclude_defaults=True) | {"pictures": True}
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    write_text(data / FILE, text)


def _report(
    found: list[Gathered], missing: pd.DataFrame, n_training: int, unseen: int, data: Path
) -> Iterator[str]:
    """What is there and what is missing, in lines."""
    n_shown = sum(len(each.shown) for each in found)
    splits = [split for each in found for split in each.unseen.values()]
    counts = ", ".join(f"{splits.count(split):,} {split}" for split in SPLITS)
    broken = (missing["kind"] == "unseen").sum()
    yield (
        f"images: {n_shown:,} of {n_training:,} shown ({n_training - n_shown:,} missing), "
        f"{len(splits):,} unseen of {len(found)} categories ({counts}; {broken:,} passed over) "
        f"-> {data}"
    )
    for row in missing[:NAMED].itertuples():
        yield f"missing: {row.kind} {row.image_id} ({row.reason})"
    if len(missing) > NAMED:
        yield f"missing: {len(missing) - NAMED:,} more, in {data / MISSING_FILE}"
    few = {each.category: len(each.unseen) for each in found if len(each.unseen) < unseen}
    if few:
        named = ", ".join(f"{category} {count}" for category, count in list(few.items())[:NAMED])
        yield (
            f"{len(few)} of {len(found)} categories have fewer than {unseen} unseen images "
            f"({named}{', ...' if len(few) > NAMED else ''})"
        )
