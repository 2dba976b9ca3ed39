"""Labels of a recording's trials, whatever its laboratory calls them."""

import re
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from brain_teacher.dataset.trials import IMAGERY, TEST, TRAINING

NEEDED = ("stimulus_id", "Run", "DataType")
# What the field calls them besides, in small letters without ``_``.
ALIASES = {"run": "Run", "session": "Session", "ses": "Session", "datatype": "DataType"}
TRIAL_TYPE = "trialtype"
TYPES = {TRAINING: "training", TEST: "test", IMAGERY: "imagery"}
WORDS = {"train": TRAINING, "test": TEST, "imag": IMAGERY}
# Labels whose value map names the image, the first that is there; what it shows.
NAME_KEYS = ("stimulus_name", "image_name", "image_id", "stimulus", "image", "stimulus_id")
CATEGORY_KEYS = ("category_name", "category", "category_id", "category_index", "concept")
NUMBER_KEY = "image_index"
# Images of another DataType are counted anew by ``image_index``: theirs are numbered from here on.
OTHERS_FROM = 1_000_000
REMEDIES = {
    "DataType": "; `new-dataset --bdata S1=training.h5,test.h5` takes it from the files' order"
}
# Of files that are taken for pictures where folders hold others, too.
ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True, eq=False)
class Labels:
    """The `columns` that the project reads, by its names.

    ``stimulus_id``, ``Run``, ``DataType`` and, where they are there, ``Session`` and ``Block`` are
    float64, (n_trials,); ``image_id`` and ``category`` are text, where a value map names them.
    `image_of` is that map, whole: code -> image id. `is_type_assumed` where the file does not say
    its DataType. `said` tells what was taken for what.
    """

    columns: dict[str, np.ndarray]
    image_of: dict[float, str]
    is_type_assumed: bool
    said: list[str]


def standard_labels(
    columns: dict[str, np.ndarray],
    maps: dict[str, dict[float, str]],
    *,
    data_type: int | None = None,
) -> Labels:
    """The labels of a BData file by the names that the project reads them by.

    Runs may be called ``run``, sessions ``session``; without a ``DataType`` the value map of
    ``trial_type`` says it, or else `data_type`. The image is named by a label with a value map
    (``stimulus_name`` and its like, `NAME_KEYS`; else the only one that is left), or is a number:
    ``stimulus_id``, or ``image_index``, which counts the images of each DataType.

    Parameters
    ----------
    columns : dict of str to ndarray of shape (n_trials,), float64
        Every label of the file.
    maps : dict of str to dict of float to str
        Its value maps.
    data_type : {1, 2, 3}, optional
        Of all trials, where the file does not say it.

    Raises
    ------
    ValueError
        If a label is missing, a row has none, or a code is not in its value map.
    """
    found, said = _by_our_names(columns), []
    if "DataType" not in found and (kinds := _trial_types(columns, maps)) is not None:
        found["DataType"] = kinds
    is_type_assumed = "DataType" not in found and data_type is not None
    if is_type_assumed:
        found["DataType"] = np.full(len(next(iter(columns.values()), ())), float(data_type))
        said.append(f"has no DataType: its trials are taken for {TYPES[data_type]}")
    key, image_of = _key_of_names(columns, maps), {}
    if key is not None:
        found.setdefault("stimulus_id", columns[key])
        image_of = _image_ids(maps[key])
        said.append(f"images are named by the value map of {key}")
    elif "stimulus_id" not in found and {NUMBER_KEY, "DataType"} <= set(found):
        found["stimulus_id"] = found[NUMBER_KEY] + OTHERS_FROM * (found["DataType"] - TRAINING)
        said.append(f"images are numbered by {NUMBER_KEY}, test images from {OTHERS_FROM:,} on")
    _hold_to_needed(found, columns)
    if key is not None:
        found["image_id"] = _named(columns[key], image_of, key)
        if shows := [name for name in CATEGORY_KEYS if name in columns and maps.get(name)]:
            found["category"] = _named(columns[shows[0]], maps[shows[0]], shows[0])
    return Labels(found, image_of, is_type_assumed, said)


def _by_our_names(columns):
    """The columns, and those again that have one of the `ALIASES`."""
    found = dict(columns)
    for key, values in columns.items():
        if name := ALIASES.get(_small(key)):
            found.setdefault(name, values)
    return found


def _hold_to_needed(found, columns):
    for key in NEEDED:
        if key not in found:
            known = f"(it has {', '.join(sorted(columns))})"
            raise ValueError(f"has no column {key!r} {known}{REMEDIES.get(key, '')}")
        wrong = ~np.isfinite(found[key])
        if wrong.any():
            raise ValueError(f"row {wrong.argmax()}: {key} is {found[key][wrong][0]}")


def _image_ids(names):
    """Code -> image id, which two names may not share: cat.jpg and cat.png are two pictures."""
    image_of = {code: without_ending(name) for code, name in names.items()}
    first = {}
    for code, image in image_of.items():
        if first.setdefault(image, names[code]) != names[code]:
            raise ValueError(
                f"{first[image]!r} and {names[code]!r} of a value map are both image {image!r}; "
                "call one otherwise"
            )
    return image_of


def contradiction(names: dict[float, str], others: dict[float, str]) -> float | None:
    """The first code that two value maps name differently, if they are of the same images.

    Maps without a common name number images of their own each, as those of training and of test
    images may.

    Examples
    --------
    >>> contradiction({1: "a", 2: "b"}, {1: "a", 2: "c"}), contradiction({1: "a"}, {1: "c"})
    (2, None)
    """
    if not set(names.values()) & set(others.values()):
        return None
    shared = sorted(names.keys() & others.keys())
    return next((code for code in shared if names[code] != others[code]), None)


def without_ending(name: str) -> str:
    """An image's name without the ending of a picture's file.

    Examples
    --------
    >>> without_ending("n01443537_22563.JPEG"), without_ending("v1.2")
    ('n01443537_22563', 'v1.2')
    """
    ending = PurePath(name).suffix
    return name.removesuffix(ending) if ending.lower() in ENDINGS else name


def _small(key):
    return re.sub("[^a-z]", "", key.lower())


def _trial_types(columns, maps):
    """DataType by the words of ``trial_type``; None without such a label, or such words."""
    for key in columns:
        if _small(key) == TRIAL_TYPE and key in maps:
            words = _named(columns[key], maps[key], key).tolist()
            kinds = [next((k for w, k in WORDS.items() if word.lower().startswith(w)), 0)
                     for word in words]  # fmt: skip
            if not any(kinds):
                continue
            if 0 in kinds:
                row = kinds.index(0)
                raise ValueError(f"row {row}: {key} is {words[row]!r}, not training, test, imagery")
            return np.array(kinds, dtype=np.float64)
    return None


def _key_of_names(columns, maps):
    """The label whose value map names the images; None without one."""
    mapped = [key for key in columns if maps.get(key)]
    for key in NAME_KEYS:
        if key in mapped:
            return key
    others = {*ALIASES, TRIAL_TYPE, "block", *map(_small, CATEGORY_KEYS)}
    left = [key for key in mapped if _small(key) not in others]
    return left[0] if len(left) == 1 and "stimulus_id" not in columns else None


def _named(codes, names, key):
    """The name of each code."""
    known = np.array([code in names for code in codes.tolist()], dtype=bool)
    if not known.all():
        row = int(known.argmin())
        raise ValueError(f"row {row}: {key} is {codes[row]}, which its value map does not name")
    return np.array([names[code] for code in codes.tolist()], dtype=str)
