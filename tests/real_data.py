"""Data set folders from the real recordings in ``../shared/data``, which stay where they are.

Layouts, terms and reference figures: the README of that folder.
"""

import csv
import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from brain_teacher.dataset.bdata import write_bdata
from brain_teacher.dataset.description import Description, write_description

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"

# Fonts that matplotlib carries and whose letters are letters (looked at, on a sheet). Left out: the
# STIX symbol fonts, DejaVu's Display fonts, cmex10, cmsy10 and LastResort, which have none.
FONTS = {
    "validation": ["STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"],
    "test": [
        f"DejaVu{family}"
        for family in (
            *("Sans", "Sans-Bold", "Sans-Oblique", "Sans-BoldOblique"),
            *("SansMono", "SansMono-Bold", "SansMono-Oblique", "SansMono-BoldOblique"),
            *("Serif", "Serif-Bold", "Serif-Italic", "Serif-BoldItalic"),
        )
    ]
    + ["cmb10", "cmmi10", "cmr10", "cmss10", "cmti10", "cmtt10"],
}
LETTERS = ("e", "n", "o", "r", "u")
# Side of a picture, and the heights of the letters in it, in pixels: 2 to a cell of the 12x12
# patterns, whose letters are 5 (thin), 6 (normal) and 8 (long) cells high.
SIDE, CELL, HEIGHTS = 24, 2, (10, 12, 16)


def needs(name):
    """A mark: skip, and say why, where the recordings are not there."""
    folder = DATA / name
    return pytest.mark.skipif(not folder.is_dir(), reason=f"no real recordings in {folder}")


def read_nifti(path):
    """The array of a gzipped NIfTI-1 file, axes as stored (x, y, z, time).

    Offsets are those of nifti1.h (nifti.nimh.nih.gov): dim 40, datatype 70, vox_offset 108,
    scl_slope 112.
    """
    content = gzip.decompress(Path(path).read_bytes())
    order = "<" if struct.unpack_from("<i", content)[0] == 348 else ">"
    count, *shape = struct.unpack_from(f"{order}8h", content, 40)
    code = struct.unpack_from(f"{order}h", content, 70)[0]
    start, slope, intercept = struct.unpack_from(f"{order}3f", content, 108)
    kind = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8"}[code]
    shape = shape[:count]
    values = np.frombuffer(content, order + kind, int(np.prod(shape)), int(start))
    # A slope of 0 means: not scaled.
    return (values.reshape(shape, order="F") * (slope or 1.0)) + (intercept if slope else 0.0)


def haxby_blocks():
    """The Haxby slice, one row a block of 9 volumes: voxels, category, run (1 to 12)."""
    folder = DATA / "haxby_slice"
    bold, mask = read_nifti(folder / "bold.nii.gz"), read_nifti(folder / "mask.nii.gz")
    volumes = bold[mask.reshape(bold.shape[:3]) > 0].T
    names = np.array((folder / "attributes_literal.txt").read_text().split()[-2 * len(volumes) :])
    label, run = names[::2], names[1::2].astype(int)
    change = (label[1:] != label[:-1]) | (run[1:] != run[:-1])
    starts = np.flatnonzero(np.concatenate([[True], change]))
    ends = [*starts[1:], len(label)]
    blocks = [slice(a, b) for a, b in zip(starts, ends, strict=True) if label[a] != "rest"]
    voxels = np.stack([volumes[block].mean(axis=0) for block in blocks])
    first = [block.start for block in blocks]
    return voxels, label[first], run[first] + 1, [block.stop - block.start for block in blocks]


def write_haxby(folder, *, shuffles=()):
    """Write the Haxby slice as a data set: a block is an image shown once.

    `shuffles` are seeds; with them, a subject for each, its labels permuted within the runs.
    """
    voxels, category, run, _ = haxby_blocks()
    stimuli = [
        (number, f"run{r:02d}-{c}", c)
        for number, (c, r) in enumerate(zip(category, run, strict=True), start=1)
    ]
    numbers = {"haxby": np.arange(1, len(run) + 1)}
    if shuffles:
        numbers = {f"shuffled{seed}": _shuffle_within(run, seed) for seed in shuffles}
    folder = Path(folder)
    folder.mkdir()
    for subject, stimulus_id in numbers.items():
        _write_subject(folder, subject, "slice", voxels, stimulus_id, run)
    _write_rows(folder / "stimuli.csv", ("stimulus_id", "image_id", "category"), stimuli)
    write_description(
        folder,
        Description(
            name="haxby-slice",
            simulated=False,
            subjects={subject: f"{subject}.h5" for subject in numbers},
            roi=["slice"],
            pictures=False,
            source="Haxby et al. 2001, half an axial slice of one subject, from PyMVPA",
        ),
    )
    return folder


def _shuffle_within(run, seed):
    """The numbers 1 to n, permuted within each run."""
    rng, numbers = np.random.default_rng(seed), np.arange(1, len(run) + 1)
    for value in np.unique(run):
        numbers[run == value] = rng.permutation(numbers[run == value])
    return numbers


def miyawaki_trials():
    """Miyawaki's letters: voxels (79, 967), the recording's own pictures (79, 28, 28), table rows.

    The file keeps its pictures transposed; here they are upright.
    """
    from scipy.io import loadmat

    folder = DATA / "miyawaki_figures"
    names = ["fmriTrn", "fmriTest", "stimTrn", "stimTest"]
    arrays = loadmat(folder / "miyawaki_structured_28x28.mat", variable_names=names)
    rows = [row for row in _read_rows(folder / "trials.csv") if row["style"] != "shape"]
    place = [
        ({"train": "Trn", "test": "Test"}[row["mat_split"]], int(row["mat_row"])) for row in rows
    ]
    voxels = np.stack([arrays[f"fmri{split}"][at] for split, at in place])
    pictures = np.stack([arrays[f"stim{split}"][at].reshape(28, 28).T for split, at in place])
    return voxels, pictures, rows


def miyawaki_patterns():
    """Image id -> (12, 12) pattern of zeros and ones, letters only."""
    rows = _read_rows(DATA / "miyawaki_figures" / "images.csv")
    return {
        row["image_id"]: np.array(list(row["pattern_12x12"]), dtype=np.uint8).reshape(12, 12)
        for row in rows
        if row["style"] != "shape"
    }


def write_miyawaki(folder, *, trials_as_images=False):
    """Write Miyawaki's letters as a data set: 15 pictures, students judged on printed letters.

    With `trials_as_images` each trial is an image of its own, so that a decoder's trials can be
    counted; then without pictures.
    """
    voxels, _, rows = miyawaki_trials()
    folder = Path(folder)
    folder.mkdir()
    ids = sorted({row["image_id"] for row in rows})
    if trials_as_images:
        numbers = np.arange(1, len(rows) + 1)
        names = [f"{row['image_id']}_{n}" for n, row in zip(numbers, rows, strict=True)]
    else:
        numbers = np.array([ids.index(row["image_id"]) + 1 for row in rows])
        names = [row["image_id"] for row in rows]
        _draw_patterns(folder / "images" / "shown")
        unseen = draw_letters(folder / "images" / "unseen")
        _write_rows(folder / "unseen.csv", ("image_id", "category", "split"), unseen)
    stimuli = {
        (n, name, row["identity"], row["style"])
        for n, name, row in zip(numbers.tolist(), names, rows, strict=True)
    }
    header = ("stimulus_id", "image_id", "category", "style")
    _write_rows(folder / "stimuli.csv", header, sorted(stimuli))
    run = np.array([int(row["run"]) for row in rows])
    _write_subject(folder, "S1", "V1", voxels, numbers, run)
    write_description(
        folder,
        Description(
            name="miyawaki-trials" if trials_as_images else "miyawaki-letters",
            simulated=False,
            subjects={"S1": "S1.h5"},
            roi=["V1"],
            pictures=not trials_as_images,
            source="Miyawaki et al. 2008, figure-image runs, letters; OpenNeuro ds000255 (PDDL)",
        ),
    )
    return folder


def _draw_patterns(folder):
    """The 15 real pictures, white on black, each cell 2x2 pixels."""
    folder.mkdir(parents=True)
    for name, pattern in miyawaki_patterns().items():
        Image.fromarray(np.kron(pattern * 255, np.ones((CELL, CELL), np.uint8))).save(
            folder / f"{name}.png"
        )


def draw_letters(folder):
    """Printed letters, drawn like the patterns: white on black, upright, centred, as high as they.

    Returns rows of ``unseen.csv``: image id, category, split.
    """
    rows = []
    for split, fonts in FONTS.items():
        for font in fonts:
            for letter in LETTERS:
                (folder / letter).mkdir(parents=True, exist_ok=True)
                for height in HEIGHTS:
                    name = f"{font}_{letter}_{height}"
                    draw_letter(font, letter, height).save(folder / letter / f"{name}.png")
                    rows.append((name, letter, split))
    return rows


def draw_letter(font, letter, height):
    """One letter of a font of matplotlib's, its ink `height` pixels high, in the middle."""
    import matplotlib

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    large = Image.new("L", (600, 600))
    ImageDraw.Draw(large).text((150, 100), letter, fill=255, font=ImageFont.truetype(file, 300))
    ink = large.crop(large.getbbox())
    width = round(height * ink.width / ink.height)
    small = ink.resize((width, height), Image.Resampling.BOX)
    picture = Image.new("L", (SIDE, SIDE))
    picture.paste(small, ((SIDE - width) // 2, (SIDE - height) // 2))
    return picture


def _write_subject(folder, subject, roi, voxels, stimulus_id, run):
    labels = {"stimulus_id": stimulus_id, "Run": run, "DataType": np.ones(len(run))}
    everything = {roi: np.ones(voxels.shape[1], dtype=bool)}
    write_bdata(folder / f"{subject}.h5", voxels, rois=everything, labels=labels)


def _read_rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write_rows(path, header, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
