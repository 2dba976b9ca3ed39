"""``new-dataset``: a data set folder from one's own recordings."""

from pathlib import Path

from brain_teacher.dataset.description import Description
from brain_teacher.dataset.ids import NAME
from brain_teacher.errors import BrainTeacherError, UsageError
from brain_teacher.files import atomic_folder
from brain_teacher.sources.formats.own_arrays import copy_pictures, from_arrays, from_bdata


def new_dataset(
    folder,
    *,
    bdata=(),
    voxels=(),
    trials=(),
    images=None,
    unseen=None,
    simulated=False,
    say=print,
):
    """Make a data set folder, whole or not at all.

    Parameters
    ----------
    folder : path-like
        Its name becomes the data set's.
    bdata : sequence of str
        ``SUBJECT=FILE``, BData files.
    voxels, trials : sequence of str
        ``SUBJECT=FILE`` in place of BData: arrays, and a table of trials for each.
    images, unseen : path-like or None
        Folders of pictures; without, everything up to ``decode`` works.
    simulated : bool
        Whether the recordings are; it is said wherever numbers from them appear.
    say : callable

    Returns
    -------
    Path
    """
    folder = Path(folder)
    if not NAME.fullmatch(folder.name):
        raise UsageError(f"{folder.name!r}: a data set's name may hold letters, digits and '-'")
    if folder.exists():
        raise UsageError(f"{folder} exists already; choose another name, or remove it")
    bdata, voxels, trials = (
        _by_subject(name, values)
        for name, values in (("bdata", bdata), ("voxels", voxels), ("trials", trials))
    )
    if bool(bdata) == bool(voxels or trials):
        raise UsageError("give --bdata SUBJECT=FILE, or --voxels and --trials, for each subject")
    if voxels.keys() != trials.keys():
        lacking = min(voxels.keys() ^ trials.keys())
        raise UsageError(f"subject {lacking!r} has not both --voxels and --trials")
    for option, place in (("images", images), ("unseen", unseen)):
        if place is not None and not Path(place).is_dir():
            raise UsageError(f"--{option}: there is no folder {place}")
    if unseen is not None and images is None:
        raise UsageError("--unseen needs --images: students learn from the pictures shown")
    notes = []
    try:
        with atomic_folder(folder) as new:
            if bdata:
                subjects, rois, notes = from_bdata(new, bdata)
            else:
                subjects, rois = from_arrays(new, voxels, trials)
            copy_pictures(new, shown=images, unseen=unseen)
            known = {"subjects": subjects, "roi": rois, "pictures": images is not None}
            Description(name=folder.name, simulated=simulated, **known).write(new)
    except ValueError as error:
        raise BrainTeacherError(str(error)) from error
    except OSError as error:
        raise BrainTeacherError(f"{folder} was not made: {error}") from error
    for note in notes:
        say(f"note: {note}")
    say(f"{folder}: {len(subjects)} subjects, ROIs {', '.join(rois)}")
    say(f"next: brain-teacher check {folder}; then set dataset.name: {folder.name} in params.yaml")
    return folder


def _by_subject(option, values):
    files = {}
    for value in values:
        subject, separator, file = value.partition("=")
        if not separator or not NAME.fullmatch(subject):
            raise UsageError(f"--{option} {value}: give SUBJECT=FILE, such as S1=recording.h5")
        if subject in files:
            raise UsageError(f"--{option}: subject {subject} stands twice")
        if not Path(file).is_file():
            raise UsageError(f"--{option}: there is no file {file}")
        files[subject] = Path(file)
    return files
