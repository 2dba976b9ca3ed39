"""A data set folder from one's own BData files, of the field's older and newer kinds."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from brain_teacher.dataset.bdata import read_recording, read_table, write_bdata, write_table
from brain_teacher.dataset.labels import TYPES, WORDS, contradiction
from brain_teacher.dataset.stimuli import GODS_NAME, STIMULI_FILE, name_labels
from brain_teacher.dataset.trials import DATA_TYPES, run_numbers
from brain_teacher.errors import about
from brain_teacher.files import regular
from brain_teacher.sources.formats.writing import write_stimuli

LABELS = ("stimulus_id", "Run", "DataType", "Session", "Block")
# What BData.save adds of whoever saves: paths, and the source code that was running.
OF_ITS_MAKER = {"callstack", "callstack_code"}
# What an image of the category stands for: dog_12s, cat-3.
NUMBERED = re.compile(r"(.+?)[-_]?\d+[a-z]?")

Files = dict[str, list[Path]]


def from_bdata(folder: Path, files: Files) -> tuple[dict[str, str], list[str], list[str]]:
    """Make subjects' BData files, and ``stimuli.csv`` where a value map names the images.

    A subject's only file is copied as it is, but for its maker's call stack. Several are joined:
    where they do not say their DataType, the first holds training trials, the second test, the
    third imagery. Joined ones, those that are not HDF5 and those whose images a value map names
    are written anew.

    Parameters
    ----------
    folder
        An empty one, to be filled.
    files
        One file or several for each subject.

    Returns
    -------
    subjects : dict of str to str
        The file in the folder by subject.
    rois : list of str
        That every subject has, in the order of the first's.
    notes : list of str
        What was understood, converted or left out.

    Raises
    ------
    ValueError
        If a file is no BData, a subject's files have not the same voxels, value maps contradict
        one another, or the subjects share no ROI; the files are named.
    """
    (folder / "bdata").mkdir()
    read = {subject: _read(paths) for subject, paths in files.items()}
    every = [pair for pairs in read.values() for pair in pairs]
    notes = [f"{file}: {text}" for file, recording in every for text in recording.said]
    if are_named := any("image_id" in recording.labels.columns for _, recording in every):
        _compare_maps(every)
        number_of, said = _number_images(folder, every)
        notes += said
        read = {subject: _by_number(pairs, number_of) for subject, pairs in read.items()}
    subjects, rois = {}, []
    for subject, pairs in read.items():
        subjects[subject] = f"bdata/{subject}.h5"
        file, whole = joined(pairs)
        as_it_is = not are_named and len(pairs) == 1 and not whole.labels.is_type_assumed
        if as_it_is and file.suffix == ".h5":
            notes += _copy(file, folder / subjects[subject], whole.header)
        else:
            labels = whole.labels.columns
            labels = {key: labels[key] for key in LABELS if key in labels}
            write_bdata(folder / subjects[subject], whole.voxels, rois=whole.rois, labels=labels)
            notes.append(f"{subject}: voxels, ROIs and labels were written anew, nothing else")
        own = [name for name, mask in whole.rois.items() if mask.any()]
        rois = own if len(subjects) == 1 else [name for name in rois if name in own]
        notes += [f"{file}: ROI {name} is not in all files" for name in own if name not in rois]
    if not rois:
        raise ValueError(f"no ROI is in all of {', '.join(str(file) for file, _ in every)}")
    return subjects, rois, notes


def _copy(file, place, header):
    """Copy a recording, but for what it says of its maker; gives notes on that."""
    if not OF_ITS_MAKER & set(header):
        shutil.copyfile(regular(file), place)
        return []
    write_table(place, read_table(file))
    return [f"{file}: its header, with the call stack and source code of its maker, was left out"]


def _read(paths):
    """Each file with its content; the first is of training trials, where it does not say so."""
    pairs, types = [], dict(enumerate(DATA_TYPES))
    for number, file in enumerate(paths):
        with about(file):
            recording = read_recording(file, data_type=types.get(number))
            if recording.labels.is_type_assumed:
                _hold_to_name(file, types[number])
            pairs.append((file, recording))
    return pairs


def _hold_to_name(file, data_type):
    """A file that is called test.h5 is not taken for training because it was named first."""
    name = file.stem.lower()
    called = [TYPES[kind] for word, kind in WORDS.items() if re.search(f"(?<![a-z]){word}", name)]
    if called and TYPES[data_type] not in called:
        raise ValueError(
            f"is called after {' and '.join(called)}, but taken for {TYPES[data_type]}, by its "
            "place: give TRAINING,TEST,IMAGERY in this order, or rename"
        )


def _compare_maps(every):
    """Files that name images by the same numbers must name the same ones."""
    maps = [(file, recording.labels.image_of) for file, recording in every]
    for number, (file, names) in enumerate(maps):
        for other, theirs in maps[:number]:
            if (code := contradiction(theirs, names)) is not None:
                raise ValueError(
                    f"stimulus {code:.15g} is '{theirs[code]}' by the value map of {other}, "
                    f"but '{names[code]}' by that of {file}; correct one of them"
                )


def _number_images(folder, every):
    """Image -> its number, written with its category; and notes on what the categories are."""
    category = {}
    for file, recording in every:
        names = _image_names(file, recording.labels.columns)
        shows = recording.labels.columns.get("category", map(category_in, names))
        for row, (image, shown) in enumerate(zip(names, shows, strict=True)):
            if category.setdefault(image, shown) != shown:
                raise ValueError(
                    f"{file}: row {row}: image '{image}' shows '{shown}', elsewhere "
                    f"'{category[image]}'; correct one of the value maps"
                )
    number_of = {image: number for number, image in enumerate(sorted(category), start=1)}
    write_stimuli(folder, ((number, image, category[image]) for image, number in number_of.items()))
    unknown = [image for image in number_of if not category[image]]
    if unknown:
        return number_of, [
            f"{STIMULI_FILE}: what '{unknown[0]}' shows is not known ({len(unknown):,} of "
            f"{len(category):,} images are so); write it there"
        ]
    first = next(iter(number_of))
    return number_of, [
        f"{STIMULI_FILE}: {len(number_of):,} images; '{first}' shows '{category[first]}'"
    ]


def _by_number(pairs, number_of):
    """The same, its images by the numbers of ``stimuli.csv``."""
    found = []
    for file, recording in pairs:
        labels = recording.labels
        numbers = [number_of[image] for image in _image_names(file, labels.columns)]
        columns = labels.columns | {"stimulus_id": np.array(numbers, dtype=np.float64)}
        found.append((file, replace(recording, labels=replace(labels, columns=columns))))
    return found


def _image_names(file, columns):
    """The image of each trial, by a value map or by GOD's numbers."""
    if "image_id" in columns:
        return columns["image_id"]
    with about(file):
        return name_labels(columns, None)["image_id"]


def category_in(image_id: str) -> str:
    """What an image shows, by its name; empty where the name does not say.

    Examples
    --------
    >>> [category_in(name) for name in ("n01443537_22563", "dog_12s", "cat-3", "n01443537", "sky")]
    ['n01443537', 'dog', 'cat', 'n01443537', '']
    """
    if GODS_NAME.fullmatch(image_id):
        return image_id.split("_")[0]
    match = NUMBERED.fullmatch(image_id)
    return match[1] if match else ""


def joined(pairs):
    """A subject's files as one recording, with the first: its trials, then those of the next.

    `pairs` are files and what was read of each. Runs that begin anew in the next file become those
    of another session.

    Raises
    ------
    ValueError
        If they have not the same voxels and ROIs.
    """
    (first, whole), *others = pairs
    for file, recording in others:
        if [*recording.rois] != [*whole.rois] or any(
            not np.array_equal(mask, whole.rois[name]) for name, mask in recording.rois.items()
        ):
            raise ValueError(f"{first} and {file} have not the same voxels and ROIs")
    if not others:
        return first, whole
    recordings = [recording for _, recording in pairs]
    columns = [recording.labels.columns for recording in recordings]
    if any("Session" in each for each in columns):
        # That of a file without sessions is one of its own.
        columns = [{"Session": np.zeros(len(each["Run"]))} | each for each in columns]
    shared = [key for key in LABELS if all(key in each for each in columns)]
    labels = {key: np.concatenate([each[key] for each in columns]) for key in shared}
    of_file = np.repeat(np.arange(len(columns)), [len(each["Run"]) for each in columns])
    session = labels.get("Session", np.zeros(len(of_file)))
    runs = labels["DataType"], session, labels["Run"]
    if run_numbers(*runs, of_file).max() > run_numbers(*runs).max():
        # Run 1 of the first file is no run of the second.
        labels["Session"] = 1.0 + run_numbers(of_file, session)
    voxels = np.concatenate([recording.voxels for recording in recordings])
    return first, replace(whole, voxels=voxels, labels=replace(whole.labels, columns=labels))
