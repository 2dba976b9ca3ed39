"""``images``: the shown and the unseen pictures of a data set, from an ImageNet tree."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import yaml
from tqdm import tqdm

from brain_teacher.cells.folder import OutputFolder
from brain_teacher.chain.dataset import open_dataset
from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.dataset.description import FILE
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
from brain_teacher.files import atomic_write
from brain_teacher.machine import cores
from brain_teacher.sources.imagenet.pictures import Wish, gather
from brain_teacher.sources.imagenet.tree import find_synsets

NAMED = 5  # missing pictures that are named on the screen


def images(params, *, data, tree, unseen, seed, link=False, say=print, quiet=False):
    """Bring the pictures of a data set from an ImageNet tree, each decoded once before it counts.

    What is there already, and the splits that ``unseen.csv`` gives, stay. What is missing is listed
    in ``images/missing.csv``; the rest goes on.

    Parameters
    ----------
    params : Params
    data : path-like
        A data set folder whose images are ImageNet's.
    tree : path-like
        The ImageNet tree; only read.
    unseen : int
        Pictures a category that no subject saw, for validation and test together.
    seed : int
        Which of them are taken.
    link : bool
        Link to the tree's files instead of copying them.
    say : callable
    quiet : bool
        No progress bar.

    Returns
    -------
    DataFrame
        What is missing: ``image_id``, ``category``, ``kind`` (shown, unseen), ``reason``.
    """
    data, tree = Path(data), Path(tree)
    dataset = open_dataset(data)
    description = dataset.description
    if not tree.is_dir():
        raise UsageError(f"there is no folder {tree}; name an ImageNet tree with --from")
    training, seen = _trials(dataset)
    with OutputFolder(data, say).locked():
        with about(data):
            shown, others = find_shown(data), find_unseen(data)
            table = read_unseen_splits(data)
        seen |= shown.keys()
        table = _checked(table, seen, data)
        wishes = _wishes(training, shown, others, table, unseen)
        places = find_synsets(tree)
        if not any(wish.category in places for wish in wishes):
            raise BrainTeacherError(
                f"{tree} holds none of the {len(wishes)} synsets, as a folder "
                f"({wishes[0].category}) or a file ({wishes[0].category}.tar), however deep; "
                "unpack ILSVRC2012_img_train.tar or fall11_whole.tar there, or name another folder"
            )

        def work(wish):
            return gather(
                wish,
                places.get(wish.category, []),
                data / "images",
                exclude=seen,
                share=params.dataset.validation_share,
                seed=seed,
                link=link,
            )

        found = list(_in_threads(work, wishes, quiet))
        missing = _write_tables(data, found, table)
        n_shown = sum(len(each.shown) for each in found)
        if not n_shown:
            raise BrainTeacherError(
                f"{tree} holds none of the {len(training)} shown images "
                f"(first: {missing.iloc[0]['reason']}); {data / MISSING_FILE} lists them"
            )
        if not description.pictures:
            _say_pictures(data, description)
    for line in _report(found, missing, len(training), unseen, data):
        say(line)
    return missing


def _trials(dataset):
    """The training images, id -> category, and the ids of all trials of all subjects."""
    training, everything = {}, set()
    for subject, name in dataset.description.subjects.items():
        file = dataset.folder / name
        if not file.is_file():
            raise BrainTeacherError(
                f"subject {subject} has no file {file}; put it there, or take the subject out of "
                f"{FILE}: what any subject saw must not be among the unseen images"
            )
        with about(file):
            _, _, labels = read_bdata(file)
            trials = name_trials(
                labels["stimulus_id"], dataset.stimuli, data_type=labels["DataType"]
            )
            everything.update(trials["image_id"])
            trained = trials[labels["DataType"] == TRAINING]
            for image_id, category in zip(trained["image_id"], trained["category"], strict=True):
                if split_image_id(image_id)[0] != category:
                    raise ValueError(
                        f"image '{image_id}' has category '{category}': its pictures are not "
                        "ImageNet's"
                    )
                training[image_id] = category
    if not training:
        raise BrainTeacherError(f"{dataset.folder} has no training trials (DataType {TRAINING})")
    return training, everything


def _checked(table, seen, data):
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


def _wishes(training, shown, others, table, unseen):
    """What is wanted of each category, what is there of it, and what is listed."""
    wishes = []
    for category in sorted(set(training.values())):
        listed, there = (each[each["category"] == category] for each in (table, others))
        mine = sorted(image_id for image_id, of in training.items() if of == category)
        wishes.append(
            Wish(
                category=category,
                shown=mine,
                unseen=unseen,
                listed=dict(zip(listed["image_id"], listed["split"], strict=True)),
                there={image_id: shown[image_id] for image_id in mine if image_id in shown}
                | dict(zip(there["image_id"], there["path"], strict=True)),
            )
        )
    return wishes


def _in_threads(work, wishes, quiet):
    # Threads: PIL decodes, and files are read, without the interpreter's lock.
    pool = ThreadPoolExecutor(cores())
    try:
        yield from tqdm(
            pool.map(work, wishes), total=len(wishes), unit="category", disable=quiet or None
        )
    finally:
        pool.shutdown(cancel_futures=True)


def _write_tables(data, found, table):
    """Write ``unseen.csv`` and ``images/missing.csv``; gives the second."""
    new = [
        (image_id, each.category, split)
        for each in found
        for image_id, split in each.unseen.items()
    ]
    new = pd.DataFrame(new, columns=["image_id", "category", "split"])
    others = table[~table["category"].isin([each.category for each in found])]
    unseen = pd.concat([new, others]) if len(others) else new
    missing = [
        (image_id, each.category, kind, reason)
        for each in found
        for image_id, kind, reason in each.missing
    ]
    missing = pd.DataFrame(missing, columns=["image_id", "category", "kind", "reason"])
    for path, content in ((data / UNSEEN_FILE, unseen), (data / MISSING_FILE, missing)):
        if len(content):
            with atomic_write(path) as temporary:
                content.to_csv(temporary, index=False)
        else:
            path.unlink(missing_ok=True)
    return missing


def _say_pictures(data, description):
    """Write ``pictures: true``; the rest of the file, comments included, stays."""
    text = (data / FILE).read_text("utf-8")
    text = re.sub(r"(?m)^pictures:[ \t]*\w+", "pictures: true", text)
    if yaml.safe_load(text).get("pictures") is not True:  # one line, in braces
        content = description.model_dump(exclude_defaults=True) | {"pictures": True}
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    with atomic_write(data / FILE) as temporary:
        temporary.write_text(text, "utf-8")


def _report(found, missing, n_training, unseen, data):
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
