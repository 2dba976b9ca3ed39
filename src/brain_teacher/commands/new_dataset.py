"""``new-dataset``: a data set folder from one's own recordings."""

import os
from collections.abc import Sequence
from pathlib import Path

from brain_teacher.commands import Place, Say
from brain_teacher.dataset.description import Description
from brain_teacher.dataset.ids import NAME
from brain_teacher.dataset.stimuli import STIMULI_FILE, read_stimuli
from brain_teacher.errors import BrainTeacherError, UsageError, flat
from brain_teacher.files import atomic_folder
from brain_teacher.sources.formats.bids import Derivative, from_bids
from brain_teacher.sources.formats.own_arrays import from_arrays, from_labels
from brain_teacher.sources.formats.own_pictures import copy_shown, copy_unseen
from brain_teacher.sources.formats.own_recordings import from_bdata

# A column of a table of trials: what the control ``semantic`` goes by.
SUPERCLASS = "superclass"


def new_dataset(
    folder: Place,
    *,
    bdata: Sequence[str] = (),
    voxels: Sequence[str] = (),
    trials: Sequence[str] = (),
    images: Place | None = None,
    unseen: Place | None = None,
    simulated: bool = False,
    labels: Place | None = None,
    bids: Place | None = None,
    events: Place | None = None,
    task: str | None = None,
    space: str | None = None,
    roi: Sequence[str] = (),
    category: str = "trial_type",
    image: str | None = None,
    without: Sequence[str] | None = None,
    merge: float = 0.0,
    window: tuple[float, float] | None = None,
    confounds: Sequence[str] | None = None,
    say: Say = print,
) -> Path:
    """Make a data set folder, whole or not at all; its name becomes the data set's.

    `bdata` are ``SUBJECT=FILE`` or ``SUBJECT=TRAINING,TEST``; or `voxels`, arrays, and `trials`, a
    table of trials for each; or `bids`, a derivative, of which the others say what is wanted
    (`Derivative`); or no recordings at all, and `labels` says what the pictures show.
    `images` and `unseen` are folders of pictures; without, everything up to ``decode`` works.
    Whether recordings are `simulated` is said wherever numbers from them appear.
    """
    folder = Path(folder)
    if not NAME.fullmatch(folder.name):
        raise UsageError(f"{folder.name!r}: a data set's name may hold letters, digits and '-'")
    if folder.exists():
        raise UsageError(f"{folder} exists already; choose another name, or remove it")
    given = {"bdata": bdata, "voxels": voxels, "trials": trials}
    files = {option: _by_subject(option, values) for option, values in given.items()}
    kinds = (bool(bdata), bool(voxels or trials), bids is not None, labels is not None)
    _check_given(kinds, files, labels, images)
    _check_pictures(images, unseen)
    masks, derivative = _by_name(roi), None
    if bids is not None:
        derivative = Derivative(
            folder=Path(bids), events=None if events is None else Path(events), task=task,
            space=space, rois=masks, category=category, image=image, without=tuple(without or ()),
            merge=merge, window=window, confounds=tuple(confounds or ()),
        )  # fmt: skip
    try:
        with atomic_folder(folder) as new:
            if bdata:
                subjects, rois, notes = from_bdata(new, files["bdata"])
            elif derivative is not None:
                subjects, rois, notes = from_bids(new, derivative)
            elif labels is not None:
                subjects, rois, notes = from_labels(new, Path(labels))
            else:
                arrays, tables = _only(files["voxels"]), _only(files["trials"])
                subjects, rois, notes = from_arrays(new, arrays, tables, masks)
            notes += _copy_pictures(new, images, unseen)
            Description(
                name=folder.name, simulated=simulated, subjects=subjects, roi=rois,
                pictures=images is not None, superclasses=_superclasses(new) if voxels else {},
            ).write(new)  # fmt: skip
    except ValueError as error:
        raise BrainTeacherError(error) from error
    except OSError as error:
        raise BrainTeacherError(f"{folder} was not made: {error}") from error
    for note in notes:
        say(flat(f"note: {note}"))
    has = f"{len(subjects)} subjects, ROIs {', '.join(rois)}" if subjects else "pictures alone"
    say(f"{folder}: {has}")
    say(f"next: brain-teacher check {folder}; then set dataset.name: {folder.name} in params.yaml")
    return folder


def _check_given(
    kinds: Sequence[bool],
    files: dict[str, dict[str, list[Path]]],
    labels: Place | None,
    images: Place | None,
) -> None:
    """One kind of recording, or none and pictures; of arrays, a table for each subject."""
    if kinds.count(True) != 1:
        raise UsageError(
            "give --bdata SUBJECT=FILE, or --voxels and --trials, for each subject; or --bids DIR; "
            "or, of pictures without recordings, --labels CSV"
        )
    if labels is not None and images is None:
        raise UsageError("--labels needs --images: without recordings there are pictures alone")
    for lacking in sorted(files["voxels"].keys() ^ files["trials"].keys()):
        raise UsageError(f"subject {lacking!r} has not both --voxels and --trials")


def _by_name(values: Sequence[str]) -> dict[str, str]:
    rois = {}
    for value in values:
        name, separator, place = value.partition("=")
        if not separator or not NAME.fullmatch(name) or name in rois:
            raise UsageError(f"--roi {value}: give NAME=MASK once each, such as V1=V1.nii.gz")
        rois[name] = os.path.expanduser(place)
    return rois


def _superclasses(new: Path) -> dict[str, str]:
    """Of each category, where the stimuli have such a column, and a category has one."""
    stimuli = read_stimuli(new)
    if stimuli is None or SUPERCLASS not in stimuli:
        return {}
    pairs = stimuli[["category", SUPERCLASS]].drop_duplicates()
    several = pairs["category"][pairs["category"].duplicated()]
    if len(several):
        raise ValueError(
            f"category {several.iloc[0]!r} has several superclasses: give each one, or call the "
            f"column {SUPERCLASS!r} otherwise"
        )
    return dict(pairs.itertuples(index=False))


def _copy_pictures(new: Path, images: Place | None, unseen: Place | None) -> list[str]:
    """Bring the pictures; gives notes."""
    # Categories that the images' names do not say are the person's to write.
    stimuli = read_stimuli(new) if images and (new / STIMULI_FILE).exists() else None
    if unseen is not None:
        copy_unseen(new, unseen, () if stimuli is None else stimuli["category"].unique())
    if images is None:
        return []
    return copy_shown(new, images, None if stimuli is None else list(stimuli["image_id"].unique()))


def _check_pictures(images: Place | None, unseen: Place | None) -> None:
    for option, place in (("images", images), ("unseen", unseen)):
        if place is not None and not Path(place).is_dir():
            raise UsageError(f"--{option}: there is no folder {place}")
    if unseen is not None and images is None:
        raise UsageError("--unseen needs --images: students learn from the pictures shown")


def _by_subject(option: str, values: Sequence[str]) -> dict[str, list[Path]]:
    files = {}
    for value in values:
        subject, separator, file = value.partition("=")
        if not separator or not NAME.fullmatch(subject):
            raise UsageError(f"--{option} {value}: give SUBJECT=FILE, such as S1=recording.h5")
        if subject in files:
            raise UsageError(f"--{option}: subject {subject} stands twice")
        # Training and test trials may lie in files of their own; names may hold commas.
        several = option == "bdata" and not Path(file).is_file()
        # No shell knows a home behind SUBJECT=.
        parts = file.split(",") if several else [file]
        files[subject] = [Path(os.path.expanduser(part)) for part in parts]
        for part in files[subject]:
            if not part.is_file():
                raise UsageError(f"--{option}: there is no file {part}")
    return files


def _only(files: dict[str, list[Path]]) -> dict[str, Path]:
    return {subject: file for subject, (file,) in files.items()}
