"""Miyawaki's figure images: V1 of one subject, 5 letters in 3 styles, 12x12 pictures.

The recording's file keeps its pictures transposed, calls run numbers labels, and splits trials at
random over runs. Which trial is which picture stands in two small tables (``miyawaki_figures``):
they were made by joining the file to the events of OpenNeuro ds000255 (PDDL). The shapes of the
recording are left out: each is there in one version only.

References
----------
.. [1] Miyawaki et al. (2008), Neuron 60:915.
"""

import csv
import io
from importlib.resources import files
from pathlib import Path

import numpy as np

from brain_teacher.dataset.description import Description
from brain_teacher.dataset.images import UNSEEN_FILE
from brain_teacher.files import regular
from brain_teacher.sources.formats.writing import write_rows, write_stimuli, write_subject
from brain_teacher.sources.recordings.letters import CELL, write_letters
from brain_teacher.sources.recordings.source import Recording, files_at

SUBJECT, ROI, FILE = "S1", "V1", "miyawaki_structured_28x28.mat"
FILES = files_at(
    "https://raw.githubusercontent.com/braindecoding/LDM/be7005595088c2f71489013ca2a0cfe5505c9eb5/"
    "data/",
    (FILE, 1670160, "aea138f10f70e539eb27c935e9154a0127e4b442f020efec780bf27d30f53484"),
)
TERMS = """\
Miyawaki's figure images: one subject, V1, letters e n o r u in 3 styles. From
braindecoding/LDM (GPL-3.0), made from ATR's preprocessed file, whose terms were not found;
the raw recordings are OpenNeuro ds000255 (PDDL). Cite Miyawaki et al. (2008), Neuron
60:915."""


def read_trials(raw):
    """The trials that showed letters.

    Returns
    -------
    voxels : ndarray of shape (79, 967)
        Z-scored over trials by the laboratory.
    pictures : ndarray of shape (79, 28, 28)
        As in the recording's file, upright.
    rows : list of dict
        ``image_id``, ``identity`` (the letter), ``style``, ``run``, ... of each.
    """
    from scipy.io import loadmat

    names = ["fmriTrn", "fmriTest", "stimTrn", "stimTest"]
    arrays = loadmat(regular(Path(raw) / FILE), variable_names=names)
    rows = _letters("trials.csv")
    split = {"train": "Trn", "test": "Test"}
    place = [(split[row["mat_split"]], int(row["mat_row"])) for row in rows]
    voxels = np.stack([arrays[f"fmri{split}"][at] for split, at in place])
    pictures = np.stack([arrays[f"stim{split}"][at].reshape(28, 28).T for split, at in place])
    return voxels, pictures, rows


def read_patterns():
    """Image id -> (12, 12) pattern of zeros and ones, letters only."""
    return {
        row["image_id"]: np.array(list(row["pattern_12x12"]), dtype=np.uint8).reshape(12, 12)
        for row in _letters("images.csv")
    }


def _letters(name):
    place = files("brain_teacher.sources.recordings") / "miyawaki_figures" / name
    rows = csv.DictReader(io.StringIO(place.read_text("utf-8")))
    return [row for row in rows if row["style"] != "shape"]


def build(raw, folder, *, trials_as_images=False):
    """Make the data set: 15 pictures; students are judged on printed letters.

    With `trials_as_images` each trial is an image of its own, so that a decoder's trials can be
    counted; then without pictures.
    """
    voxels, _, rows = read_trials(raw)
    ids = sorted({row["image_id"] for row in rows})
    if trials_as_images:
        numbers = np.arange(1, len(rows) + 1)
        names = [f"{row['image_id']}_{n}" for n, row in zip(numbers, rows, strict=True)]
    else:
        numbers = np.array([ids.index(row["image_id"]) + 1 for row in rows])
        names = [row["image_id"] for row in rows]
        _draw_patterns(folder / "images" / "shown")
        unseen = write_letters(folder / "images" / "unseen")
        write_rows(folder / UNSEEN_FILE, ("image_id", "category", "split"), unseen)
    shows = [(row["identity"], row["style"]) for row in rows]
    stimuli = {(n, name, *what) for n, name, what in zip(numbers, names, shows, strict=True)}
    write_stimuli(folder, sorted(stimuli), groups=["style"])
    run = np.array([int(row["run"]) for row in rows])
    file = write_subject(folder, SUBJECT, {ROI: voxels}, stimulus_id=numbers, run=run)
    Description(
        name="miyawaki-trials" if trials_as_images else "miyawaki-figures",
        simulated=False,
        subjects={SUBJECT: file},
        roi=[ROI],
        pictures=not trials_as_images,
        source="Miyawaki et al. 2008, figure-image runs, letters; OpenNeuro ds000255 (PDDL)",
    ).write(folder)


def _draw_patterns(folder):
    """The 15 real pictures, white on black, each cell 2x2 pixels."""
    from PIL import Image

    folder.mkdir(parents=True)
    for name, pattern in read_patterns().items():
        cells = np.kron(pattern * 255, np.ones((CELL, CELL), np.uint8))
        Image.fromarray(cells).save(folder / f"{name}.png")


RECORDING = Recording(TERMS, FILES, build)
