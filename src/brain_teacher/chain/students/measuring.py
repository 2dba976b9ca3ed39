"""What each student is measured on beside its answers, as cells."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brain_teacher.analysis.likeness import dissimilarities
from brain_teacher.cells.cell import Cell, FileInput, of_no_consequence
from brain_teacher.chain.students.cells import TRAINING, Material, StudentCell
from brain_teacher.chain.students.gallery import Gallery
from brain_teacher.files import write_npz

DISSIMILAR, NEW = "dissimilar_", "new"


@dataclass(frozen=True, eq=False)
class Shown:
    """What students are shown: pictures, and how they are computed on."""

    material: Material
    new: Gallery | None  # of categories that no student was trained on
    recorded: Gallery | None  # that brains saw


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasureCell(Cell):
    """Measure one student."""

    weights: FileInput
    settings: dict[str, Any]  # its network's
    inputs: str  # digest of its own pictures
    new: str  # of those of new categories; empty, where there are none
    recorded: str  # and of those that brains saw
    seen: tuple[str, ...]  # of these, which it is held against brains on
    rows: dict[str, np.ndarray] = of_no_consequence()  # of its own pictures, by split

    def run(self, shared: Shown) -> dict[str, np.ndarray]:
        """Arrays: by kind whether it bears worse pictures, features, dissimilarities by layer."""
        from brain_teacher.distillation.measuring import bears
        from brain_teacher.networks.activations import PENULTIMATE, activations
        from brain_teacher.networks.classifiers import read_network
        from brain_teacher.networks.devices import train_alone_on

        material = shared.material
        train_alone_on(material.device)
        network = read_network(
            self.weights.path,
            self.settings,
            n_classes=len(material.class_id),
            image_size=material.images.shape[1],
        )
        network = network.to(material.device).eval()
        tested = np.sort(self.rows["test"])
        image_id, labels = material.image_id[tested], material.labels[tested]
        found: dict[str, np.ndarray] = {"test_id": image_id}
        found |= bears(network, material.images[tested], labels, image_id)
        if shared.new is not None:
            learnt = material.images[np.sort(self.rows[TRAINING])]
            own = activations(network, learnt, stages=False)[PENULTIMATE]
            new = activations(network, shared.new.images, stages=False)[PENULTIMATE]
            scale = np.maximum(own.std(axis=0), 1e-6)
            found[NEW] = (new - own.mean(axis=0)) / scale
        if shared.recorded is not None and self.seen:
            images = shared.recorded.images[shared.recorded.rows(np.array(self.seen))]
            layers = activations(network, images)
            found |= {f"{DISSIMILAR}{name}": dissimilarities(v) for name, v in layers.items()}
        return found


def measure_cells(
    cells: list[StudentCell],
    weights: Mapping[str, Path],
    shown: Shown,
    images: Mapping[int | None, list[str]],
) -> list[MeasureCell]:
    """A cell for each student; by its fold, the `images` that it is held against brains on."""
    new, recorded = ("" if each is None else each.digest() for each in (shown.new, shown.recorded))
    size = {"image_size": shown.material.images.shape[1]}
    return [
        MeasureCell(
            name=f"{cell.name}.npz",
            weights=FileInput.of(weights[cell.name]),
            settings=cell.recipe | size,
            inputs=cell.inputs,
            new=new,
            recorded=recorded,
            seen=tuple(images.get(cell.fold, ())),
            rows=cell.rows,
        )
        for cell in cells
    ]


def write_measures(out: Path, cell: MeasureCell, found: dict[str, np.ndarray]) -> Iterator[str]:
    """Write what was measured of one student."""
    write_npz(out / cell.name, compress=True, **found)
    yield cell.name
