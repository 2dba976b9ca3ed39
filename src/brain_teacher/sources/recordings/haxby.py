"""The Haxby slice: half an axial slice of one subject, 8 categories, 12 runs, no pictures.

References
----------
.. [1] Haxby et al. (2001), Science 293:2425.
"""

from pathlib import Path

import numpy as np

from brain_teacher.dataset.description import Description
from brain_teacher.files import regular
from brain_teacher.sources.formats.nifti import read_nifti
from brain_teacher.sources.formats.writing import write_stimuli, write_subject
from brain_teacher.sources.recordings.source import Recording, files_at

SUBJECT, ROI = "haxby", "slice"
ATTRIBUTES, BOLD, MASK = "attributes_literal.txt", "bold.nii.gz", "mask.nii.gz"
FILES = files_at(
    "https://raw.githubusercontent.com/PyMVPA/PyMVPA/20f0335f/mvpa2/data/",
    (ATTRIBUTES, 12026, "7769f235e93d3157ef7bd1102abfaf3bc058ad9ca28e89dc60b8e47f473207c3"),
    (BOLD, 1311329, "cbbd4d07803caaa9f77381af24e790cf77058664a128bd514a4c1668eefb92d7"),
    (MASK, 197, "8d879d35aaeee3afddfb69a7e1b8dd2b3be446671452d7e841dc6588845f2877"),
)
TERMS = """\
Haxby slice: one subject, 8 categories, 12 runs, 530 voxels; no pictures. From PyMVPA (MIT),
whose page says CC BY-SA 3.0 (original authors); OpenNeuro ds000105 of the same study says
CC0. Cite Haxby et al. (2001), Science 293:2425."""


def read_blocks(raw):
    """The mean of each block of volumes of one category in one run; rest is left out.

    Returns
    -------
    voxels : ndarray of shape (96, 530)
        As stored: neither detrended nor shifted for the haemodynamic lag.
    category : ndarray of str, shape (96,)
    run : ndarray of int, shape (96,)
        1 to 12.
    length : list of int
        Volumes of each block.
    """
    raw = Path(raw)
    bold, mask = (read_nifti(raw / name) for name in (BOLD, MASK))
    volumes = bold[mask.reshape(bold.shape[:3]) > 0].T
    names = np.array(regular(raw / ATTRIBUTES).read_text().split()[-2 * len(volumes) :])
    label, run = names[::2], names[1::2].astype(int)
    change = (label[1:] != label[:-1]) | (run[1:] != run[:-1])
    starts = np.flatnonzero(np.concatenate([[True], change]))
    ends = [*starts[1:], len(label)]
    blocks = [slice(a, b) for a, b in zip(starts, ends, strict=True) if label[a] != "rest"]
    voxels = np.stack([volumes[block].mean(axis=0) for block in blocks])
    first = [block.start for block in blocks]
    return voxels, label[first], run[first] + 1, [block.stop - block.start for block in blocks]


def build(raw, folder):
    """Make the data set: a block is an image shown once."""
    voxels, category, run, _ = read_blocks(raw)
    numbers = np.arange(1, len(run) + 1)
    names = [f"run{r:02d}-{c}" for c, r in zip(category, run, strict=True)]
    file = write_subject(folder, SUBJECT, {ROI: voxels}, stimulus_id=numbers, run=run)
    write_stimuli(folder, zip(numbers, names, category, strict=True))
    Description(
        name="haxby-slice",
        simulated=False,
        subjects={SUBJECT: file},
        roi=[ROI],
        pictures=False,
        source="Haxby et al. 2001, half an axial slice of one subject, from PyMVPA",
    ).write(folder)


RECORDING = Recording(TERMS, FILES, build)
