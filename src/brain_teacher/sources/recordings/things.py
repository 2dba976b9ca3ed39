"""THINGS-fMRI: three subjects, pictures of 720 objects in twelve sessions, a response a trial.

The tables of single-trial responses are read: of each subject an HDF5 file that pandas wrote
(voxels by trials) and two CSVs. Their layout is that of the authors' notebook and of pandas' fixed
format; the published files themselves could not be looked at.

References
----------
.. [1] Hebart et al. (2023), eLife 12:e82580.
"""

import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj

import h5py
import numpy as np
import pandas as pd

from brain_teacher.dataset.bdata import write_bdata
from brain_teacher.dataset.csv_tables import read_csv_table
from brain_teacher.dataset.description import Description
from brain_teacher.dataset.ids import rows_of
from brain_teacher.dataset.rules import hold_to
from brain_teacher.dataset.trials import TEST, TRAINING
from brain_teacher.files import regular
from brain_teacher.sources.formats.large_hdf5 import open_in_pieces
from brain_teacher.sources.formats.writing import write_stimuli
from brain_teacher.sources.recordings.source import Recording
from brain_teacher.sources.transport.transfer import RemoteFile

SUBJECTS = ("01", "02", "03")
ARCHIVE = "betas_csv.zip"
# Of the files of a subject, behind ``sub-NN_``.
RESPONSES, STIMULI, VOXELS = "ResponseData.h5", "StimulusMetadata.csv", "VoxelMetadata.csv"
# An ROI and the columns of 0 and 1 that make it: halves of the brain are one.
ROIS: dict[str, tuple[str, ...]] = {
    name: (name,) for name in ("V1", "V2", "V3", "hV4", "V3a", "V3b", "VO1", "VO2")
}
ROIS |= {"LO1": ("LO1 (prf)",), "LO2": ("LO2 (prf)",), "TO1": ("TO1",), "TO2": ("TO2",)}
HALVES = ("LOC", "FFA", "OFA", "PPA", "EBA", "RSC", "TOS", "STS")
ROIS |= {name: (f"l{name}", f"r{name}") for name in HALVES} | {"IT": ("IT",)}
KINDS = {"train": TRAINING, "test": TEST}
ID = "voxel_id"
REMEDY = "fetch it again, or save it with DataFrame.to_hdf(..., format='fixed', complib='zlib')"
SLAB = 2**26  # bytes of responses in memory at once, beside those that are kept
TERMS = """\
THINGS-fMRI: three subjects, 720 objects, twelve pictures of each seen once, 100 more seen
in each of twelve sessions; single-trial responses (CC0), 10 GB or more to download. The
pictures are THINGS' own and do not come with it. Cite Hebart et al. (2023), eLife 12:e82580."""
FILES = (RemoteFile(ARCHIVE, "https://plus.figshare.com/ndownloader/files/36789690"),)


def read_responses(path, voxels):
    """Responses of some voxels, in pieces: all of them are many times what they are.

    Parameters
    ----------
    path
        A table that pandas wrote in its fixed format: a row a voxel, a column ``voxel_id``, and one
        a trial.
    voxels : sequence of int
        Wanted ``voxel_id``, in any order.

    Returns
    -------
    trials : list of str
        The names of the columns.
    responses : ndarray of shape (n_trials, n_voxels), float32

    Raises
    ------
    ValueError
        If it is no such table, or a voxel is not in it.
    """
    try:
        with open_in_pieces(path) as file:
            return _responses(file, voxels)
    except ValueError as error:
        raise ValueError(f"{error}; {REMEDY}") from error


def _responses(file, voxels):
    tables = [group for group in file.values() if isinstance(group, h5py.Group)]
    if len(tables) != 1:
        raise ValueError(f"holds {len(tables)} tables, not one")
    table = tables[0]
    if "table" in table:
        raise ValueError("is of pandas' table format")
    n_rows, blocks, known = len(table["axis1"]), [], None
    for number in range(int(table.attrs["nblocks"])):
        values = table[f"block{number}_values"]
        names = _names(table[f"block{number}_items"], values)
        if values.shape != (n_rows, len(names)):
            raise ValueError(
                f"block {number} has shape {values.shape}, not {(n_rows, len(names))} "
                "(voxels, columns)"
            )
        if ID in names:
            known = values[:, names.index(ID)].astype(np.int64).tolist()
        blocks.append((values, names))
    trials = [name for _, names in blocks for name in names if name != ID]
    if known is None or not trials:
        raise ValueError(f"has no column {ID!r}, or no other")
    rows = rows_of(list(voxels), known, lacks="has no voxel {}")
    responses, done = np.empty((len(rows), len(trials)), np.float32), 0
    for values, names in blocks:
        is_trial = np.array([name != ID for name in names])
        own = slice(done, done := done + int(is_trial.sum()))
        step = max(SLAB // (values.dtype.itemsize * len(names)), 1)
        for start in range(0, n_rows, step):
            wanted = np.flatnonzero((rows >= start) & (rows < start + step))
            if wanted.size:
                slab = values[start : start + step][rows[wanted] - start]
                responses[wanted, own] = slab[:, is_trial]
    return trials, responses.T


def _names(items, values):
    """The names of a block's columns.

    Names of two kinds (``voxel_id``, and numbers for the trials) pandas pickles, and a pickle is
    not opened: then the one column of whole numbers is ``voxel_id``, and trials are numbered from 0
    in the order of the columns, as the authors' notebook shows them.
    """
    if items.dtype.kind == "S":
        return [item.decode() for item in items[:]]
    if items.dtype.kind == "i":
        return [str(item) for item in items[:]]
    if values.ndim == 2 and values.shape[1] == 1 and values.dtype.kind in "iu":
        return [ID]
    return [str(number) for number in range(values.shape[-1])]


def read_masks(path):
    """The voxels of each ROI that has any: a table of bool, a column an ROI, a row a ``voxel_id``.

    Only voxels that an ROI has are in it.
    """
    table = read_csv_table(path, ("voxel_id",))
    masks = {}
    for roi, columns in ROIS.items():
        if there := [name for name in columns if name in table]:
            masks[roi] = (table[there].apply(pd.to_numeric, errors="coerce") == 1).any(axis=1)
    masks = pd.DataFrame(masks)
    masks = masks.loc[:, masks.any()]
    if masks.empty:
        raise ValueError(f"has no voxel of any of {', '.join(ROIS)}")
    masks.index = table["voxel_id"].astype(int)
    return masks[masks.any(axis=1)]


def read_trials(path):
    """Which picture each trial showed: a row a trial, in the order of the table."""
    table = read_csv_table(
        path, ("trial_type", "session", "run", "trial_id", "stimulus", "concept")
    )
    numbers = table[["session", "run"]].apply(pd.to_numeric, errors="coerce")
    rules = (
        (~table["trial_type"].isin(KINDS), f"trial_type is none of {', '.join(KINDS)}"),
        ((numbers != numbers.round()).any(axis=1), "session or run is no whole number"),
        ((table == "").any(axis=1), "a cell is empty"),
        (table["trial_id"].duplicated(), "trial_id stands in an earlier row too"),
    )
    hold_to(rules, first=2)
    table[["session", "run"]] = numbers
    table["image_id"] = table["stimulus"].map(lambda name: Path(name).stem)
    return table


def build(raw, folder):
    """Make the data set: the voxels of the `ROIS`, one subject after another.

    The files lie in `raw`, in the archive as it is published or beside it.
    """
    tables = {number: _read(raw, number, STIMULI, read_trials) for number in SUBJECTS}
    images = pd.concat(tables.values())[["image_id", "concept"]].drop_duplicates()
    if (twice := images["image_id"].duplicated()).any():
        raise ValueError(f"picture {images['image_id'][twice].iloc[0]} shows two concepts")
    images = images.sort_values("image_id").reset_index(drop=True)
    write_stimuli(folder, ((n, *row) for n, row in enumerate(images.to_numpy().tolist(), start=1)))
    (folder / "bdata").mkdir()
    common, files = list(ROIS), {}
    for number, trials in tables.items():
        masks = _read(raw, number, VOXELS, read_masks)
        common = [roi for roi in common if roi in masks]
        columns, responses = _read(raw, number, RESPONSES, read_responses, masks.index)
        rows = rows_of(
            trials["trial_id"], columns, lacks=f"sub-{number}: no response to trial '{{}}'"
        )
        labels = {
            "stimulus_id": 1 + rows_of(trials["image_id"], images["image_id"], lacks="{}"),
            "Session": trials["session"],
            "Run": trials["run"],
            "DataType": trials["trial_type"].map(KINDS),
        }
        files[f"sub-{number}"] = f"bdata/sub-{number}.h5"
        rois = {roi: masks[roi].to_numpy() for roi in masks}
        write_bdata(folder / f"bdata/sub-{number}.h5", responses[rows], rois=rois, labels=labels)
    Description(
        name="things",
        simulated=False,
        subjects=files,
        roi=common,
        pictures=False,
        source="THINGS-fMRI, single-trial responses; Hebart et al. (2023), eLife 12:e82580",
    ).write(folder)


def _read(raw, number, kind, function, *arguments):
    name = f"sub-{number}_{kind}"
    with _unpacked(Path(raw), name) as path:
        try:
            return function(path, *arguments)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error


@contextmanager
def _unpacked(raw, name):
    """A file beside the archive, or else out of it for as long as it is read."""
    if (there := raw / name).is_file():
        yield there
        return
    unpacked = raw / f".{name}"
    try:
        _unpack(raw / ARCHIVE, name, unpacked)
        yield unpacked
    finally:
        unpacked.unlink(missing_ok=True)


def _unpack(packed, name, temporary):
    if not packed.is_file():
        raise ValueError(f"{packed.parent} has neither {name} nor {ARCHIVE}")
    try:
        with zipfile.ZipFile(regular(packed)) as archive:
            members = [each for each in archive.infolist() if Path(each.filename).name == name]
            if len(members) != 1:
                raise ValueError(f"{ARCHIVE} has {len(members)} files {name}, not one")
            with archive.open(members[0]) as stream, temporary.open("wb") as file:
                copyfileobj(stream, file, 2**20)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        raise ValueError(f"{ARCHIVE} cannot be unpacked ({error}); fetch it again") from error


RECORDING = Recording(TERMS, FILES, build)
