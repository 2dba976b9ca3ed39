"""The cells of ``decode`` and ``controls``: what makes one new, and the work of making it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from brain_teacher.cells.cell import Cell, FileInput, of_no_consequence
from brain_teacher.dataset.image_features import ImageFeatures
from brain_teacher.dataset.trials import TRAINING, Voxels, read_voxels
from brain_teacher.decoding.controls import permute_trials, time_voxels
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.decoding.folds import FoldPlan, nest
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from brain_teacher.decoding.quality import quality
from brain_teacher.decoding.soft_labels import RECORDED, SoftLabels
from brain_teacher.errors import about
from brain_teacher.seeds import named_rng

PERMUTED, TIME = "permuted-trials", "time-only"


@dataclass(frozen=True)
class Shared:
    """What all cells of a command need."""

    features: ImageFeatures | None = None  # of the shown images, where a decoder needs them
    device: str = "cpu"  # for decoders that are networks


@dataclass(frozen=True, eq=False, kw_only=True)
class DecodeCell(Cell):
    """Decode one ROI of one subject."""

    subject: str
    roi: str
    decoder: str
    voxels: FileInput
    settings: dict[str, Any]  # common to all decoders, and under ``own`` the decoder's
    # Of each category, where known: quality is also told by superclass, and `measured` tells it
    # anew where superclasses were added since.
    superclass: dict[str, str] = of_no_consequence()
    # Of the categories those with pictures, which alone are outputs; None: all. A decoder is fitted
    # on all: rounds stay whole, runs are scaled by all of their trials.
    classes: list[str] | None = None
    features: str | None = None  # digest of the image features that the decoder predicts
    nested: int | None = None  # the test fold of a student; the cell decodes the other folds
    control: str | None = None  # PERMUTED or TIME
    seed: int | None = None  # of permuted trials

    @property
    def makers(self) -> tuple[Callable, ...]:
        """Its own decoder's functions, not those of the table's other decoders."""
        decoder = DECODERS[self.decoder]
        own = (decoder.decode, decoder.identify)
        return (*super().makers, *(function for function in own if function is not None))

    def run(self, shared: Shared) -> SoftLabels:
        """Its out-of-fold soft labels; ``meta`` has their quality."""
        from threadpoolctl import threadpool_limits

        settings, decoder = self.settings, DECODERS[self.decoder]
        own = decoder.arguments(settings["own"], {"features": shared.features})
        if decoder.torch:
            own["device"] = shared.device
        # One thread: cells run side by side, and one thread repeats to the bit.
        with about(self.voxels.path), threadpool_limits(1):
            recorded, origin = read_voxels(self.voxels.path)
            categories = np.unique(recorded.category[recorded.data_type == TRAINING])
            if "features" in decoder.needs:
                recorded = self._with_features(recorded, shared.features)
            voxels, plan, meta = self._voxels_and_plan(recorded)
            common = {
                "normalise": "fold" if self.control == TIME else settings["normalise"],
                "select": settings["select"],
                "n_voxels": settings["voxels"],
            }
            labels = decoder.decode(voxels, plan, calibrate=settings["calibrate"], **common, **own)
            if self.classes is not None:
                category = voxels.category_of(labels.image_id)
                labels = labels.restricted(self.classes, category)
                meta[RECORDED] = len(categories)
            category = voxels.category_of(labels.image_id)
            meta["quality"] = quality(labels, category, superclass=self.superclass)
            if decoder.identify and not meta.keys() & {"nested", "control"}:
                meta["identification"] = decoder.identify(recorded, plan, **common, **own)
        meta |= {key: getattr(self, key) for key in ("subject", "roi", "decoder", "settings")}
        meta |= {key: origin[key] for key in ("dataset", "simulated")}
        meta["superclass"] = self.superclass
        meta["fingerprint"] = self.fingerprint()
        return replace(labels, meta=labels.meta | meta)

    def _with_features(self, recorded: Voxels, features: ImageFeatures | None) -> Voxels:
        """Without training trials of categories of which a network had nothing to look at."""
        if self.classes is None or features is None:
            return recorded
        lost = (recorded.data_type == TRAINING) & ~np.isin(recorded.category, self.classes)
        return recorded.take(~lost | np.isin(recorded.image_id, features.image_id))

    def _voxels_and_plan(self, recorded: Voxels) -> tuple[Voxels, FoldPlan, dict[str, Any]]:
        """What is decoded, over which folds, and what ``meta`` says of that."""
        voxels = training_trials(recorded)
        said = {"control": self.control, "seed": self.seed}
        meta: dict[str, Any] = {key: value for key, value in said.items() if value is not None}
        if self.control == PERMUTED:
            # Not named for the ROI: ROIs of one subject are exchanged alike, and can be combined.
            rng = named_rng(PERMUTED, self.seed, self.subject)
            voxels = permute_trials(voxels, rng=rng)
        elif self.control == TIME:
            voxels = time_voxels(voxels)
        plan = plan_for(voxels, **self.settings["folds"])
        if self.nested is None:
            return voxels, plan, meta
        nested = nest(plan)[self.nested]
        images = np.concatenate(nested.plan.predict)
        meta["nested"] = {"test_fold": nested.test, "validation_fold": nested.validation}
        return voxels.take(np.isin(voxels.image_id, images)), nested.plan, meta
