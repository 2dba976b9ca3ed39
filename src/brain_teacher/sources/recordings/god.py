"""GOD, the Generic Object Decoding data set: its published files, and whether they are whole.

The files lie on figshare, whose numbers for them have changed (Subject1.h5 was 15049646 until July
2020, then 24080120); so they are found by name in the article's listing, which gives size and MD5.
Neither the listing nor the files could be reached where this was written: addresses and the
listing's layout are figshare's documented ones (API v2), not verified. The article itself lists up
to 10 of its files, and GOD has 12 or more (5 for Python, 5 for Matlab, the images' features); so it
is asked for its files, a page of which may hold 1,000.

References
----------
.. [1] Horikawa & Kamitani (2017), Nat. Commun. 8:15037.
"""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.dataset.description import Description
from brain_teacher.dataset.stimuli import name_trials
from brain_teacher.dataset.trials import IMAGERY, TEST, TRAINING
from brain_teacher.files import regular
from brain_teacher.sources.transport.listing import read_listing
from brain_teacher.sources.transport.transfer import DownloadError, RemoteFile

LISTING = "https://api.figshare.com/v2/articles/7387130/files?page_size=1000"
PAGE = "https://figshare.com/articles/Generic_Object_Decoding/7387130"
SUBJECTS = {f"S{number}": f"Subject{number}.h5" for number in range(1, 6)}
FEATURES = "ImageFeatures.h5"
ROIS = ["V1", "V2", "V3", "V4", "LOC", "FFA", "PPA", "LVC", "HVC", "VC"]
# By DataType: trials, categories, images, how often each image (or category) comes.
DESIGN = {TRAINING: (1200, 150, 1200, 1), TEST: (1750, 50, 50, 35), IMAGERY: (500, 50, 50, 10)}
NAMES = {TRAINING: "training", TEST: "test", IMAGERY: "imagery"}
# Voxels of VC of subject 1 by the software that prepared the files.
VERSIONS = {4466: "SPM", 3444: "fMRIPrep"}
BY_HAND = f"download the files by hand from {PAGE}, to bdata/Subject1.h5 and so on in the data set"
TERMS = f"""\
Generic Object Decoding: 5 subjects, 150 training and 50 test categories ({PAGE}). Cite
Horikawa & Kamitani (2017), Nat. Commun. 8:15037. The licence stands on that page; the raw
recordings are OpenNeuro ds001246 (CC0). The pictures are ImageNet's and do not come with
it."""


class _Entry(BaseModel):
    """What is taken of a file in the listing."""

    name: str
    download_url: Annotated[str, Field(pattern="^https?://")]
    size: Annotated[int, Field(ge=0)]
    supplied_md5: str | None = None
    computed_md5: str | None = None


# Entries of another shape are passed over.
_LISTED = TypeAdapter(list[_Entry | Any])


def bdata_paths(subjects: Iterable[str]) -> dict[str, str]:
    """Subject -> its file in the data set."""
    return {name: f"bdata/{SUBJECTS[name]}" for name in subjects}


def paths(subjects: Iterable[str], features: bool = False) -> list[str]:
    """Where the files of some subjects lie in the data set."""
    return [*bdata_paths(subjects).values()] + [FEATURES] * features


def list_files(
    *, subjects: Iterable[str] = SUBJECTS, features: bool = False, base_url: str | None = None
) -> list[RemoteFile]:
    """The files of some subjects; with `features`, also ``ImageFeatures.h5``.

    `base_url` is a mirror's folder that holds the files by their names; sizes and checksums are
    then those recorded before, if any.

    Raises
    ------
    DownloadError
        If figshare's listing cannot be read, or lacks a file.
    """
    places = {Path(path).name: path for path in paths(subjects, features)}
    if base_url is not None:
        return [RemoteFile(path, f"{base_url.rstrip('/')}/{name}") for name, path in places.items()]
    listed = {entry["name"]: entry for entry in _listing()}
    if missing := [name for name in places if name not in listed]:
        raise DownloadError(
            f"{LISTING} lists no file {missing[0]} (it has {', '.join([*listed][:20])}); give a "
            f"mirror with --base-url, or {BY_HAND}"
        )
    files = []
    for name, path in places.items():
        known = listed[name]
        md5 = known.get("supplied_md5") or known.get("computed_md5") or None
        files.append(RemoteFile(path, known["download_url"], size=known["size"], md5=md5))
    return files


def _listing():
    try:
        entries = _LISTED.validate_python(read_listing(LISTING))
    except ValueError as error:
        why = "it is no list of files" if isinstance(error, ValidationError) else error
        raise DownloadError(
            f"{LISTING}: figshare's listing cannot be read ({why}); try later, give a mirror with "
            f"--base-url, or {BY_HAND}"
        ) from error
    return [entry.model_dump() for entry in entries if isinstance(entry, _Entry)]


def describe(subjects: Iterable[str]) -> Description:
    """What ``dataset.yaml`` says of these subjects; pictures come with `brain-teacher images`."""
    return Description(
        name="god",
        simulated=False,
        subjects=bdata_paths(subjects),
        roi=ROIS,
        pictures=False,
        source="Generic Object Decoding; Horikawa & Kamitani (2017), Nat. Commun. 8:15037",
    )


def examine(path: str | PathLike) -> tuple[str, list[str], list[str]]:
    """Whether a subject's file is GOD's, and what is in it.

    Gives a line of facts (trials by type, voxels of VC), all problems, and cautions: what is odd,
    and harms nothing.
    """
    try:
        voxels, rois, labels = read_bdata(path)
        seen = labels["stimulus_id"][labels["DataType"] != IMAGERY]
        if seen.size and (seen == np.float32(seen)).all():
            return "", ["stimulus_id has the precision of float32: which image it was is lost"], []
        trials = name_trials(labels["stimulus_id"], None, data_type=labels["DataType"])
    except ValueError as error:
        return "", [str(error)], []
    kind, problems, counts = labels["DataType"], [], []
    for data_type in DESIGN:
        rows = trials[kind == data_type]
        counts.append(f"{len(rows):,} {NAMES[data_type]}")
        problems += _wrong_design(rows, data_type)
    seen = {t: set(trials["category"][kind == t]) for t in DESIGN}
    if both := seen[TRAINING] & seen[TEST]:
        problems.append(f"category {min(both)} is among training and test images")
    for name in ROIS:
        if name not in rois or not rois[name].any():
            problems.append(f"has no voxels of ROI {name}")
        elif "VC" in rois and (outside := rois[name] & ~rois["VC"]).any():
            problems.append(f"{outside.sum()} voxels of {name} are not in VC")
    if not np.isfinite(voxels).all():
        row = np.argwhere(~np.isfinite(voxels))[0, 0]
        problems.append(f"row {row}: a voxel is not finite")
    size = int(rois["VC"].sum()) if "VC" in rois else 0
    made = f" (as the {VERSIONS[size]} version of subject 1)" if size in VERSIONS else ""
    cautions = _cautions(labels)
    with h5py.File(regular(path)) as file:
        if "dataSet" in file:
            cautions.append("has the layout of 2016 (dataSet, metaData); it is read all the same")
    return f"{', '.join(counts)} trials; VC {size:,} voxels{made}", problems, cautions


def _wrong_design(rows, data_type):
    """How the trials of one type differ from the published design."""
    n_trials, n_categories, n_images, times = DESIGN[data_type]
    name, found = NAMES[data_type], []
    if len(rows) != n_trials:
        found.append(f"{len(rows):,} {name} trials, not {n_trials:,}")
    images = rows["image_id"].value_counts()
    if len(images) != n_images:
        found.append(f"{len(images):,} {name} images, not {n_images:,}")
    elif (images != times).any():
        image = images.index[(images != times).to_numpy()][0]
        found.append(f"{name} image {image} comes {images[image]} times, not {times}")
    if rows["category"].nunique() != n_categories:
        found.append(f"{rows['category'].nunique()} {name} categories, not {n_categories}")
    return found


def _cautions(labels):
    """A category number that contradicts the ids: the files before figshare's version 5."""
    numbers = labels.get("category_index")
    if numbers is None:
        return []
    synset = np.floor(labels["stimulus_id"])
    for data_type in (TRAINING, TEST):
        rows = labels["DataType"] == data_type
        pairs = np.unique(np.stack([synset[rows], numbers[rows]]), axis=1).shape[1]
        if not pairs == len(np.unique(synset[rows])) == len(np.unique(numbers[rows])):
            return [
                "category_index contradicts stimulus_id, as in files before figshare's version 5; "
                "categories are taken from stimulus_id, so nothing depends on it"
            ]
    return []
