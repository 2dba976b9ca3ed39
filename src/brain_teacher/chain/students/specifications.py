"""Specifications of a multiverse: other choices that could have been made, and as well."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from brain_teacher.chain.dataset import choose
from brain_teacher.chain.params import Params
from brain_teacher.chain.voxels import Index
from brain_teacher.seeds import named_rng

# What varies, as it stands in tables and figures.
FACTORS = ("roi", "decoder", "voxels", "temperature", "alpha", "loss")


@dataclass(frozen=True)
class Specification:
    """One choice of each."""

    roi: str  # several are joined by "+"
    decoder: str
    voxels: int
    temperature: float
    alpha: float
    loss: str

    @property
    def decoding(self) -> tuple[str, int]:
        """What of it shapes the soft labels, beside the ROI."""
        return self.decoder, self.voxels

    @property
    def folder(self) -> str:
        """Where its soft labels go."""
        return f"{self.decoder}-{self.voxels}"

    def told(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def planned(params: Params) -> Specification:
    """What the plan chose."""
    settings = params.distill
    return Specification(
        "+".join(settings.roi), settings.decoder, params.decode.voxels,
        settings.temperature, settings.alpha, settings.loss,
    )  # fmt: skip


def specifications(params: Params, index: Index) -> tuple[list[Specification], int]:
    """The planned one, others drawn from all that there are, and how many there are.

    The draw hangs on the grid alone. More voxels than an ROI has are no other specification.
    """
    settings, first = params.multiverse, planned(params)
    known = list(dict.fromkeys(cell.roi for cell in index.cells))
    rois = choose(settings.roi, known, "multiverse.roi")
    size: dict[str, int] = {}
    for cell in index.cells:
        size[cell.roi] = max(size.get(cell.roi, 0), cell.voxels)
    grid = product(
        rois, settings.decoder, settings.voxels, settings.temperature, settings.alpha, settings.loss
    )
    others = [each for each in _different(grid, size) if each != first]
    rng = named_rng("multiverse", "specifications")
    drawn = rng.permutation(len(others))[: settings.most - 1]
    return [first, *(others[number] for number in sorted(drawn))], 1 + len(others)


def _different(grid: Iterable[tuple], size: dict[str, int]) -> list[Specification]:
    """Each that is not another one already."""
    found: dict[tuple, Specification] = {}
    for roi, decoder, voxels, *how in grid:
        key = (roi, decoder, min(voxels, size[roi]), *how)
        found.setdefault(key, Specification(roi, decoder, voxels, *how))
    return list(found.values())
