"""The cells of ``decode`` and ``controls``: what each is made from, and the work of making one."""

from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import numpy as np

from brain_teacher.cells.folder import OutputFolder, remove_stale
from brain_teacher.cells.making import make_cells
from brain_teacher.cells.source import source_fingerprint
from brain_teacher.chain.dataset import INDEX, choose, open_dataset
from brain_teacher.chain.decodings.image_features import features_for
from brain_teacher.dataset.trials import read_voxels
from brain_teacher.decoding.controls import permute_trials, time_voxels
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.decoding.folds import nest
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from brain_teacher.decoding.quality import quality
from brain_teacher.decoding.soft_labels import read_soft_labels
from brain_teacher.errors import BrainTeacherError, about
from brain_teacher.files import file_digest, fingerprint, read_json, write_npz
from brain_teacher.machine import cores
from brain_teacher.report.words import said_simulated
from brain_teacher.seeds import named_rng
from brain_teacher.tracking import flat, tracked

SOURCE = (
    "dataset",
    "decoding",
    "seeds.py",
    "devices.py",
    "commands/features.py",
    "commands/making.py",
    "commands/decoding.py",
)
PERMUTED, TIME = "permuted-trials", "time-only"


def open_voxels(voxels, data):
    """The index of a voxel folder, and the description of the data set it was cut from.

    Raises
    ------
    BrainTeacherError
        If there are no voxels, or they are of another data set.
    """
    if not (voxels / INDEX).is_file():
        raise BrainTeacherError(
            f"{voxels} holds no voxels ({INDEX} is missing): run `dvc repro preprocess`, or "
            "`brain-teacher preprocess`"
        )
    index, description = read_json(voxels / INDEX), open_dataset(data)
    if index["dataset"] != description.name:
        raise BrainTeacherError(
            f"{voxels} holds voxels of data set {index['dataset']!r}, but {data} is "
            f"{description.name!r}; name the right one with --data or dataset.name"
        )
    return index, description


def voxel_cells(params, voxels, index, *, subject, roi, decoder):
    """One cell for each subject, ROI and decoder: ids, voxel file, settings and file name."""
    known = index["cells"]
    subjects = choose(subject or "all", [*dict.fromkeys(c["subject"] for c in known)], "subject")
    rois = choose(roi or "all", [*dict.fromkeys(c["roi"] for c in known)], "roi")
    decoders = choose(decoder, list(DECODERS), "decode.decoder")
    cells = []
    for s in subjects:
        for r in rois:
            file = voxels / f"{s}_{r}.npz"
            if not file.is_file():
                raise BrainTeacherError(
                    f"{file} is missing, though {INDEX} lists it: preprocess again"
                )
            for d in decoders:
                cell = {"subject": s, "roi": r, "decoder": d, "file": file}
                settings = params.decode.settings(d)
                cells.append(cell | {"settings": settings, "name": f"{s}_{r}_{d}.npz"})
    return cells


def nested_cells(cells):
    """For each cell, one more for each of its folds as the test fold of a student."""
    nested = []
    for cell in cells:
        with about(cell["file"]):
            voxels = training_trials(read_voxels(cell["file"])[0])
            number = len(nest(plan_for(voxels, **cell["settings"]["folds"])))
        stem = cell["name"].removesuffix(".npz")
        nested += [
            cell | {"nested": fold, "name": f"nested/{stem}_fold{fold}.npz"}
            for fold in range(number)
        ]
    return nested


@contextmanager
def decoded(command, cells, *, params, settings, data, description, out, say, quiet):
    """Decode what is new of `cells` into a locked, tracked folder; prune it of former cells.

    Parameters
    ----------
    command : str
        Who speaks, and the MLflow experiment.
    cells : list of dict
        Each gets its ``fingerprint``.
    params : Params
    settings : dict
        What MLflow is told of the decoders.
    data : Path
    description : Description
    out : Path
    say : callable
    quiet : bool
        No progress bar.

    Yields
    ------
    Tracker
        Open until the command has written what it makes of the cells.
    """
    origin = {"dataset": description.name, "simulated": description.simulated}
    name = f"{description.name} ({said_simulated(description.simulated)})"
    with (
        OutputFolder(out, say).locked() as folder,
        tracked(command, name, tags=origin, params=flat(settings, "decode")) as tracker,
    ):
        shared = {
            "features": features_for(params, cells, data, description),
            "superclass": description.superclasses,
        }
        _make(command, cells, folder, shared=shared, say=say, quiet=quiet)
        remove_stale(out, {cell["name"] for cell in cells}, "**/*.npz")
        yield tracker


def _make(command, cells, folder, *, shared, say, quiet):
    """Say what each cell is made from, and decode the new ones."""
    # Of the cells alone: another manner of drawing or summing up makes no soft label new.
    digest, source = cache(file_digest), source_fingerprint(SOURCE)
    for cell in cells:
        what = {key: cell.get(key) for key in ("nested", "control", "seed")}
        needs = DECODERS[cell["decoder"]].needs
        features = shared["features"] if "features" in needs else None
        inputs = [] if features is None else [features.image_id, features.values]
        inputs += [digest(cell["file"]), cell["settings"], what, shared["superclass"]]
        cell["fingerprint"] = fingerprint(*inputs)
    make_cells(
        command,
        cells,
        folder,
        source=source,
        work=decode_cell,
        shared=shared,
        processes=lambda new: 1 if _on_gpu(new) else cores(),
        write=lambda path, soft_labels: write_npz(path, **soft_labels.arrays()),
        say=say,
        quiet=quiet,
    )


def decode_cell(shared, cell):
    """Decode one cell; the work of one process.

    Parameters
    ----------
    shared : dict
        ``superclass`` of each category, where known; ``features``, `ImageFeatures` or None.
    cell : dict
        Of `voxel_cells`, with ``fingerprint``; may have ``nested`` (number of the test fold), or
        ``control`` (``permuted-trials``, with ``seed``, or ``time-only``).
    """
    from threadpoolctl import threadpool_limits

    settings, decoder = cell["settings"], DECODERS[cell["decoder"]]
    own = decoder.arguments(settings["own"], shared)
    # One thread: cells run side by side, and one thread repeats to the bit.
    with about(cell["file"]), threadpool_limits(1):
        recorded, origin = read_voxels(cell["file"])
        voxels, plan, meta = _voxels_and_plan(recorded, cell)
        if decoder.torch:
            import torch

            torch.set_num_threads(1)
        common = {
            "normalise": "fold" if cell.get("control") == TIME else settings["normalise"],
            "select": settings["select"],
            "n_voxels": settings["voxels"],
        }
        labels = decoder.decode(voxels, plan, calibrate=settings["calibrate"], **common, **own)
        category = voxels.category_of(labels.image_id)
        meta["quality"] = quality(labels, category, superclass=shared["superclass"])
        if decoder.identify and not meta.keys() & {"nested", "control"}:
            meta["identification"] = decoder.identify(recorded, plan, **common, **own)
    meta |= {key: cell[key] for key in ("subject", "roi", "decoder", "fingerprint", "settings")}
    meta |= {key: origin[key] for key in ("dataset", "simulated")}
    return replace(labels, meta=labels.meta | meta)


def measured(out, cells):
    """The quality of each cell as a row for tables and ``metrics.json``."""
    rows = []
    for cell in cells:
        with about(out / cell["name"]):
            meta = read_soft_labels(out / cell["name"]).meta
        ids = {key: cell[key] for key in ("subject", "roi", "decoder")}
        row = ids | meta["quality"] | {"temperatures_at_bound": meta["temperatures_at_bound"]}
        optional = ("identification", "caution", "control", "seed")
        rows.append(row | {key: meta[key] for key in optional if key in meta})
    return rows


def _voxels_and_plan(recorded, cell):
    """What the cell decodes, over which folds, and what its ``meta`` says of that."""
    voxels = training_trials(recorded)
    meta = {key: cell[key] for key in ("control", "seed") if key in cell}
    if cell.get("control") == PERMUTED:
        # Not named for the ROI: ROIs of one subject are exchanged alike, and can be combined.
        rng = named_rng(PERMUTED, cell["seed"], cell["subject"])
        voxels = permute_trials(voxels, rng=rng)
    elif cell.get("control") == TIME:
        voxels = time_voxels(voxels)
    plan = plan_for(voxels, **cell["settings"]["folds"])
    if "nested" not in cell:
        return voxels, plan, meta
    nested = nest(plan)[cell["nested"]]
    images = np.concatenate(nested.plan.predict)
    meta["nested"] = {"test_fold": nested.test, "validation_fold": nested.validation}
    return voxels.take(np.isin(voxels.image_id, images)), nested.plan, meta


def _on_gpu(cells):
    """Whether a cell goes to a GPU, which processes would only share."""
    own = [c["settings"]["own"] for c in cells if DECODERS[c["decoder"]].torch]
    devices = {each.get("device", "auto") for each in own}
    if not devices - {"cpu"}:
        return False
    import torch

    return torch.cuda.is_available()
