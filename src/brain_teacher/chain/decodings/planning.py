"""From a folder of voxels to the cells of ``decode`` and ``controls``, and to their results."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from brain_teacher.cells.cell import FileInput
from brain_teacher.cells.folder import OutputFolder, listed_in
from brain_teacher.cells.making import make_cells
from brain_teacher.chain.dataset import INDEX, METRICS, DataSet, choose, open_dataset
from brain_teacher.chain.decodings.cells import DecodeCell, Shared
from brain_teacher.chain.decodings.image_features import features_for
from brain_teacher.chain.device import device_for, where
from brain_teacher.chain.params import Params
from brain_teacher.chain.voxels import Index
from brain_teacher.dataset.trials import TRAINING, read_voxels
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.decoding.folds import nest
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from brain_teacher.decoding.quality import superclass_quality
from brain_teacher.decoding.soft_labels import SoftLabels, read_soft_labels
from brain_teacher.errors import BrainTeacherError, about
from brain_teacher.files import fingerprint, write_npz
from brain_teacher.machine import RunTime
from brain_teacher.reading.text import read_record
from brain_teacher.report.words import CATEGORIES, said_simulated
from brain_teacher.tracking import Input, Tracker, flat, tracked


@dataclass(frozen=True, eq=False)
class Decodings:
    """A folder of voxels, the data set it was cut from, and how it is to be decoded."""

    params: Params
    dataset: DataSet
    voxels: Path
    index: Index

    def cells(
        self, *, subject: Sequence[str], roi: Sequence[str], decoder: Sequence[str]
    ) -> list[DecodeCell]:
        """One for each subject, ROI and decoder; of subjects and ROIs, none named means all."""
        known = [(each.subject, each.roi) for each in self.index.cells]
        subjects, rois = (list(dict.fromkeys(names)) for names in zip(*known, strict=True))
        decoders = choose(decoder, list(DECODERS), "decode.decoder")
        cells, classes = [], {}
        for s in choose(subject or "all", subjects, "subject"):
            for r in choose(roi or "all", rois, "roi"):
                file = self.voxels / f"{s}_{r}.npz"
                if not file.is_file():
                    raise BrainTeacherError(
                        f"{file} is missing, though {INDEX} lists it: preprocess again"
                    )
                voxels = FileInput.of(file)
                if s not in classes:  # ROIs of a subject share their trials
                    classes[s] = self.dataset.taught(_categories(file))
                cells += [
                    DecodeCell(
                        name=f"{s}_{r}_{d}.npz",
                        subject=s,
                        roi=r,
                        decoder=d,
                        voxels=voxels,
                        settings=self.params.decode.settings(d),
                        classes=classes[s],
                        superclass=self.dataset.description.superclasses,
                    )
                    for d in decoders
                ]
        return cells

    @contextmanager
    def made(
        self,
        command: str,
        cells: Sequence[DecodeCell],
        *,
        settings: dict[str, Any],
        out: Path,
        run_time: RunTime,
        say: Callable[[str], None],
        quiet: bool,
    ) -> Generator[Tracker]:
        """Decode what is new into a locked, tracked folder; prune it of former cells.

        MLflow is told the decoders' settings. The tracker is open until the command has written
        what it makes of the cells.
        """
        name = f"{self.dataset.name} ({said_simulated(self.dataset.description.simulated)})"
        told: dict[str, Any] = {"tags": self.dataset.origin, "params": flat(settings, "decode")}
        told["inputs"] = [
            Input(self.voxels, "voxels"),
            Input(self.dataset.folder, "recordings"),
        ]
        with (
            OutputFolder(out, say).locked() as folder,
            tracked(command, name, **told) as tracker,
        ):
            decoders = {cell.decoder: DECODERS[cell.decoder] for cell in cells}
            # Only networks look for a GPU, which costs loading torch.
            torch = any(decoder.torch for decoder in decoders.values())
            device = device_for(run_time) if torch else "cpu"
            features = features_for(self.params, decoders, self.dataset)
            if features is not None:
                digest = fingerprint(features.image_id, features.values)
                needy = {name for name, each in decoders.items() if "features" in each.needs}
                cells = [replace(c, features=digest) if c.decoder in needy else c for c in cells]

            def write(cell: DecodeCell, labels: SoftLabels) -> Iterator[str]:
                write_npz(out / cell.name, **labels.arrays())
                yield cell.name

            make_cells(
                command,
                cells,
                folder,
                write=write,
                shared=Shared(features, device),
                **where(run_time, device),
                say=say,
                quiet=quiet,
            )
            before = listed_in(out / METRICS, "subject", "roi", "decoder")
            folder.prune({cell.name for cell in cells}, before, pattern="*.npz")
            yield tracker


def _categories(file: Path) -> set[str]:
    """What a subject's training trials show."""
    with about(file):
        voxels = read_voxels(file)[0]
    return set(voxels.category[voxels.data_type == TRAINING])


def open_decodings(params: Params, *, data: str | Path, voxels: str | Path) -> Decodings:
    """Open a voxel folder and the data set it was cut from, which must belong together."""
    voxels = Path(voxels)
    if not (voxels / INDEX).is_file():
        raise BrainTeacherError(
            f"{voxels} holds no voxels ({INDEX} is missing): run `dvc repro preprocess`, or "
            "`brain-teacher preprocess`"
        )
    index = read_record(voxels / INDEX, Index, remedy="preprocess again")
    dataset = open_dataset(data)
    if index.dataset != dataset.name:
        raise BrainTeacherError(
            f"{voxels} holds voxels of data set {index.dataset!r}, but {data} is "
            f"{dataset.name!r}; name the right one with --data or dataset.name"
        )
    return Decodings(params, dataset.with_said(simulated=index.simulated), voxels, index)


def nested_cells(cells: Sequence[DecodeCell]) -> list[DecodeCell]:
    """For each cell, one more for each of its folds as the test fold of a student."""
    nested = []
    for cell in cells:
        with about(cell.voxels.path):
            voxels = training_trials(read_voxels(cell.voxels.path)[0])
            number = len(nest(plan_for(voxels, **cell.settings["folds"])))
        stem = f"nested/{cell.name.removesuffix('.npz')}_fold"
        nested += [replace(cell, nested=fold, name=f"{stem}{fold}.npz") for fold in range(number)]
    return nested


def measured(out: Path, cells: Sequence[DecodeCell], dataset: DataSet) -> list[dict[str, Any]]:
    """The quality of each cell as a row for tables and ``metrics.json``."""
    rows = []
    for cell in cells:
        with about(out / cell.name):
            labels = read_soft_labels(out / cell.name)
            meta = labels.meta
        if meta["superclass"] != cell.superclass:
            category = dataset.category_of(labels.image_id)
            meta["quality"] = {
                key: value
                for key, value in meta["quality"].items()
                if not key.startswith("superclass")
            } | superclass_quality(labels, category, cell.superclass)
        row = {key: getattr(cell, key) for key in ("subject", "roi", "decoder")}
        row |= meta["quality"] | {"temperatures_at_bound": meta["temperatures_at_bound"]}
        row["folds"] = f"{meta['folds']['number']} folds by {meta['folds']['by']}"
        row |= {CATEGORIES: labels.categories} if labels.categories else {}
        optional = ("identification", "control", "seed")
        rows.append(row | {key: meta[key] for key in optional if key in meta})
    return rows
