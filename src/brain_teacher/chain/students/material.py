"""What students are taught with: images, who sees which, and what the brain says of them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brain_teacher.cells.folder import STATE
from brain_teacher.chain.dataset import DataSet
from brain_teacher.chain.params import Params
from brain_teacher.chain.students.cells import TRAINING, Material
from brain_teacher.chain.students.soft_labels import common_folds, read_brain
from brain_teacher.dataset import images as pictures
from brain_teacher.dataset.csv_tables import read_csv_table
from brain_teacher.dataset.ids import rows_of
from brain_teacher.dataset.image_cache import image_file
from brain_teacher.dataset.images import SPLITS
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.errors import BrainTeacherError, UsageError, about
from brain_teacher.files import fingerprint
from brain_teacher.report.words import WITHOUT_PICTURE

IMAGE_CACHE = Path("outputs") / STATE / "images"
# Pictures read at a time.
CHUNK = 512


@dataclass(frozen=True)
class Part:
    """Which images teach, choose and report, and what the brain says of the first."""

    fold: int | None  # of the shown images that report; None: unseen images do
    image_id: dict[str, np.ndarray]  # by ``training``, ``validation`` and ``test``
    brain: SoftLabels  # of the training images


def gather(
    params: Params,
    dataset: DataSet,
    soft_labels: Path,
    origin: dict[str, Any],
    limit: int | None = None,
) -> tuple[Material, list[Part]]:
    """Load the images, and say which teach, which choose and which report.

    There is one part for unseen test images; one a fold, if shown images are tested.

    In the methods
    --------------
    {% if distill.split == "folds" %}Students were tested on pictures that were shown in the
    scanner, each by students who learnt from the other folds alone; the soft labels that they
    learnt from came from decoders that saw neither the tested nor the validation pictures.{% else
    %}Students were tested on pictures that no subject saw: {{ made.validation }} were for
    validation and {{ made.test }} for the test.{% endif %}
    Validation chose, the test reported.
    """
    brain, data = read_brain(origin, dataset, soft_labels), dataset.folder
    category = dataset.category_of(brain.image_id)
    with about(data):
        brain, table = _with_pictures(data, brain, category)
        if params.distill.split == "folds":
            parts = _folds(brain, origin, dataset, soft_labels)
        else:
            unseen = pictures.split_unseen(
                pictures.find_unseen(data),
                table["category"].unique(),
                shown=table["image_id"],
                splits=pictures.read_unseen_splits(data),
                validation_share=params.dataset.validation_share,
            )
            by_split = {TRAINING: brain.image_id}
            for split in SPLITS:
                by_split[split] = unseen["image_id"][unseen["split"] == split].to_numpy(dtype=str)
            table, parts = pd.concat([table, unseen]), [Part(None, by_split, brain)]
        if limit is not None:
            parts = [_limited(part, table, limit) for part in parts]
            used = {image for part in parts for ids in part.image_id.values() for image in ids}
            table = table[table["image_id"].isin(used)]
        labels = _labels(table, brain.class_id)
        pixels = image_file(list(table["path"]), params.distill.image_size, IMAGE_CACHE)
    image_id = table["image_id"].to_numpy(dtype=str)
    return Material(pixels.absolute(), labels, image_id, brain.class_id), parts


def _labels(table: pd.DataFrame, class_id: np.ndarray) -> np.ndarray:
    """The number of each picture's category among the classes of the soft labels."""
    unknown = table[~table["category"].isin(class_id)]
    for picture in unknown.itertuples():
        raise BrainTeacherError(
            f"{picture.path} shows category '{picture.category}', of which the soft labels know "
            f"nothing ({len(unknown)} of {len(table)} pictures are so); correct the category in "
            "stimuli.csv, or decode again"
        )
    return rows_of(table["category"], class_id, lacks="there is no class '{}'")


def _with_pictures(
    data: Path, brain: SoftLabels, category: np.ndarray
) -> tuple[SoftLabels, pd.DataFrame]:
    """The rows of images that have a file; ``meta`` counts the others, which teach nobody."""
    files, known = pictures.find_shown(data), pictures.read_missing(data)
    there = np.isin(brain.image_id, list(files))
    # `brain-teacher images` said of some that they are missing: the rest goes on.
    missing = [image for image in brain.image_id[~there] if image not in known or not there.any()]
    if missing:
        raise BrainTeacherError(
            f"image '{missing[0]}' of the soft labels has no file in {data / 'images' / 'shown'} "
            f"({len(missing)} of {len(brain.image_id)} are missing): "
            f"{pictures.looked_for(missing[0], files)}"
        )
    if not there.all():
        meta = brain.meta | {WITHOUT_PICTURE: int((~there).sum())}
        brain = replace(brain.take(brain.image_id[there]), meta=meta)
    paths = [files[image] for image in brain.image_id]
    columns = {"image_id": brain.image_id, "category": category[there], "path": paths}
    return brain, pd.DataFrame(columns)


def _folds(
    brain: SoftLabels, origin: dict[str, Any], dataset: DataSet, soft_labels: Path
) -> list[Part]:
    """Students tested on shown images: the brain saw neither test fold nor validation fold."""
    folder = soft_labels / "nested"
    if not folder.is_dir():
        raise BrainTeacherError(
            "students are tested on shown images (distill.split: folds), which takes nested soft "
            f"labels, and {folder} is missing. First `brain-teacher plan "
            f"--discordant 0.15` says what {len(brain.image_id)} images can show; where they are "
            "too few nothing can be learnt from students. Else decode with `--nested true`"
        )
    fold, known, parts = common_folds(brain, origin, soft_labels), set(brain.image_id), []
    for test in np.unique(fold):
        nested = read_brain(origin, dataset, folder, f"_fold{test}")
        nested = nested.take([image for image in nested.image_id if image in known])
        held_out = known - set(nested.image_id)
        tested = set(brain.image_id[fold == test])
        if not tested < held_out:
            raise BrainTeacherError(
                f"{folder}: the tables of fold {test} hold images of that fold, or "
                "none for validation; decode again with `--nested true`"
            )
        ids = {"test": np.array(sorted(tested)), "validation": np.array(sorted(held_out - tested))}
        parts.append(Part(int(test), {TRAINING: nested.image_id} | ids, nested))
    return parts


def _limited(part: Part, table: pd.DataFrame, limit: int) -> Part:
    """At most about `limit` images a split, at least 2 of each category: a smoke run."""
    category = dict(zip(table["image_id"], table["category"], strict=True))
    kept = {}
    for split, ids in part.image_id.items():
        rows = pd.DataFrame({"image_id": ids, "category": [category[i] for i in ids]})
        each = max(2, limit // rows["category"].nunique())
        kept[split] = rows.groupby("category").head(each)["image_id"].to_numpy(dtype=str)
    return replace(part, image_id=kept, brain=part.brain.take(kept[TRAINING]))


def digest_of_inputs(material: Material, rows: dict[str, np.ndarray]) -> str:
    """SHA-256 over the images, labels and ids of each split, and the classes."""
    images = material.images
    said: list[Any] = [material.class_id]
    for split in (TRAINING, *SPLITS):
        if split in rows:
            each = rows[split]
            said += [split, material.labels[each], material.image_id[each]]
            # In parts: the pictures may be larger than the memory.
            parts = np.split(each, range(CHUNK, len(each), CHUNK))
            said += [fingerprint(images[part]) for part in parts]
    return fingerprint(*said)


def similarity_of(
    params: Params, superclasses: dict[str, str], class_id: np.ndarray
) -> pd.DataFrame | None:
    """How alike two classes are: same superclass, or the user's table; None if neither is there.

    In the methods
    --------------
    {% if "semantic" in made.teachers %}How alike words make two categories was {% if
    distill.similarity == "superclass" %}whether they share a superclass{% else %}read from the
    table {{ distill.similarity }}{% endif %}.{% endif %}
    """
    source = params.distill.similarity
    if source != "superclass":
        part = read_square(source, class_id, place="distill.similarity", what="class")
        _check_similarity(part, source)
        return part
    if any(name not in superclasses for name in class_id):
        return None
    group = np.array([superclasses[name] for name in class_id])
    same = (group[:, None] == group).astype(float)
    return pd.DataFrame(same, index=class_id, columns=class_id)


def read_square(source: str, ids: np.ndarray, *, place: str, what: str) -> pd.DataFrame:
    """A person's CSV of numbers between all pairs of some ids, in their order; joined by id.

    `place` is the setting that names the file, `what` what an id is of.
    """
    try:
        table = read_csv_table(source, (), index=True)
    except (OSError, ValueError) as error:
        raise UsageError(f"{place}: {source} is no table ({error})") from error
    with about(f"{source} ({place})"):
        rows = rows_of(ids, table.iloc[:, 0], lacks=f"lacks {what} '{{}}'")
        columns = 1 + rows_of(ids, table.columns[1:], lacks=f"lacks {what} '{{}}'")
    part = table.iloc[rows, columns].apply(pd.to_numeric, errors="coerce").astype(float)
    if not np.isfinite(part).all(axis=None):
        raise BrainTeacherError(f"{source} ({place}) has entries that are no numbers")
    return part.set_axis(list(ids))


def _check_similarity(table: pd.DataFrame, source: str) -> None:
    """A class that is less like itself than like another: the table holds distances."""
    values = table.to_numpy()
    for name, own, row in zip(table.index, values.diagonal(), values, strict=True):
        if own < row.max():
            raise BrainTeacherError(
                f"{source} (distill.similarity): class '{name}' is less like itself ({own:g}) than "
                f"like '{table.columns[row.argmax()]}' ({row.max():g}), so these are distances; "
                "give similarities (1 minus a distance, say)"
            )
