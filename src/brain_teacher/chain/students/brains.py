"""Brains that students are held against: recordings of images that no student was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brain_teacher.analysis.likeness import FEWEST, alike, dissimilarities, mean_of
from brain_teacher.chain.dataset import DataSet
from brain_teacher.chain.students.gallery import NotHere
from brain_teacher.dataset.trials import IMAGERY, TRAINING, read_voxels
from brain_teacher.decoding.voxel_scaling import zscore_by_run
from brain_teacher.distillation.students import Answers
from brain_teacher.errors import about
from brain_teacher.report.kinds import BRAIN, kind_of


@dataclass(frozen=True, eq=False)
class Brains:
    """What subjects' voxels make of images: by subject and image id, in the ROI that taught."""

    taught: dict[str, dict[str, np.ndarray]]
    held_out: dict[str, dict[str, np.ndarray]]
    # By fold (None: unseen test images) the images that students are held against brains on, by id.
    images: dict[int | None, list[str]]

    def dissimilarities(self, who: str, fold: int | None) -> np.ndarray:
        """One subject's, of the images of a fold."""
        rows = (self.taught | self.held_out)[who]
        return dissimilarities([rows[image] for image in self.images[fold]])

    def likeness(self, found: Mapping[int | None, np.ndarray]) -> np.ndarray:
        """Pseudo-values of a layer's likeness to the held-out subjects; an image each.

        `found` are its dissimilarities by fold.
        """
        parts = [
            np.mean(
                [alike(found[f], self.dissimilarities(who, f)) for who in self.held_out], axis=0
            )
            for f in self.images
        ]
        return np.concatenate(parts)

    def ceiling(self) -> dict[str, np.ndarray]:
        """What a subject's likeness to others is: ``lower`` and ``upper``, pseudo-values.

        Each held-out subject against the mean of all others, and of all, itself among them: no
        layer is expected above the second ([1]_, whose bounds these are).

        References
        ----------
        .. [1] Nili et al. (2014), PLoS Computational Biology 10, e1003553.
        """
        bounds: dict[str, list[np.ndarray]] = {"lower": [], "upper": []}
        for fold in self.images:
            every = {w: self.dissimilarities(w, fold) for w in [*self.taught, *self.held_out]}
            for name, parts in bounds.items():
                each = [
                    alike(
                        every[who],
                        mean_of([d for w, d in every.items() if w != who or name == "upper"]),
                    )
                    for who in self.held_out
                ]
                parts.append(np.mean(each, axis=0))
        return {name: np.concatenate(parts) for name, parts in bounds.items()}


def read_brains(dataset: DataSet, voxels: Path, everyone: Mapping[str, Answers]) -> Brains:
    """The subjects who taught some students, and those who did not, in the ROI that taught.

    Voxels are z-scored within each run, and averaged over an image's trials.
    """
    first = next(iter(everyone.values())).meta
    if kind_of(first) != BRAIN or not dataset.description.subjects:
        raise NotHere("no brain taught, and none was recorded")
    taught = first["subject"].split("+")
    rows: dict[str, dict[str, np.ndarray]] = {}
    training: set[str] = set()
    for who in dataset.description.subjects:
        rows[who], shown = _patterns(
            [voxels / f"{who}_{roi}.npz" for roi in first["roi"].split("+")]
        )
        training |= shown
    held_out = {who: each for who, each in rows.items() if who not in taught}
    if not held_out:
        raise NotHere(
            "every subject taught, and none is held out: `brain-teacher distill --subject` some"
        )
    seen = set.intersection(*({*each} for each in rows.values()))
    images: dict[int | None, list[str]] = {None: sorted(seen - training)}
    if "fold" in first:
        there = [each for each in everyone.values() if not each.diverged]
        tested = {each.meta["fold"]: each.image_id["test"] for each in there}
        images = {fold: sorted(seen & {*tested[fold]}) for fold in sorted(tested)}
    if (least := min(map(len, images.values()))) < FEWEST:
        raise NotHere(
            f"all subjects saw {least} images that a student was not trained on, and likeness "
            f"takes {FEWEST}: test students on shown images (distill.split: folds)"
        )
    return Brains({who: rows[who] for who in rows if who in taught}, held_out, images)


def _patterns(files: list[Path]) -> tuple[dict[str, np.ndarray], set[str]]:
    """A subject's voxels by image, of all these ROIs; and the images of the training trials."""
    parts: list[np.ndarray] = []
    for file in files:
        if not file.is_file():
            raise NotHere(f"{file} is missing: `brain-teacher preprocess` makes it")
        with about(file):
            voxels = read_voxels(file)[0]
        voxels = voxels.take(voxels.data_type != IMAGERY)
        # Runs are numbered within a data type.
        run = np.unique([voxels.data_type, voxels.run], axis=1, return_inverse=True)[1]
        parts.append(zscore_by_run(voxels.data, run))
    data = np.concatenate(parts, axis=1)
    images, number = np.unique(voxels.image_id, return_inverse=True)
    rows = {image: data[number == k].mean(axis=0) for k, image in enumerate(images.tolist())}
    return rows, {*voxels.image_id[voxels.data_type == TRAINING].tolist()}
