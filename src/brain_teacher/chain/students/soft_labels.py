"""The soft labels that students are taught with: found, checked, combined."""

from collections.abc import Iterable
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np

from brain_teacher.chain.dataset import DataSet, choose
from brain_teacher.chain.params import Params
from brain_teacher.dataset.places import inside
from brain_teacher.decoding.combining import combine
from brain_teacher.decoding.soft_labels import FOREIGN, SoftLabels, read_soft_labels
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.distillation.targets import Relations
from brain_teacher.errors import BrainTeacherError, about
from brain_teacher.files import fingerprint

# Of a log-probability: 0 is the smallest that float32 holds whole, in a table of others.
LEAST = np.log(np.finfo(np.float32).tiny) + 0.01
SOFT_LABELS = "soft_labels"  # in the students' meta: the digest of what the brain says


def origin_of(params: Params, dataset: DataSet) -> dict[str, Any]:
    """What the brain is: data set, subjects, ROIs, decoder."""
    settings = params.distill
    subjects, rois = subjects_and_rois(dataset, settings.decoder)
    chosen = {}
    for name, known in (("subject", subjects), ("roi", rois)):
        remedy = f"; choose with --{name}, or distill.{name} in params.yaml"
        chosen[name] = choose(getattr(settings, name), known, f"distill.{name}", remedy=remedy)
    subjects, rois = chosen["subject"], chosen["roi"]
    brain = {"roi": "+".join(rois), "subject": "+".join(subjects), "decoder": settings.decoder}
    return dataset.origin | brain


def subjects_and_rois(dataset: DataSet, decoder: str) -> tuple[list[str], list[str]]:
    """Those of the data set; or, of a decoder whose tables were imported, theirs."""
    if imported := _imported(dataset, decoder):
        names = [file.stem.split("_") for file in imported]
        return sorted({name[0] for name in names}), sorted({name[1] for name in names})
    return list(dataset.description.subjects), list(dataset.description.roi)


def folder_of(decoder: str, dataset: DataSet, soft_labels: Path) -> Path:
    """Where a decoder's tables lie: those of others in the data set, else where `decode` wrote."""
    return dataset.folder / FOREIGN if _imported(dataset, decoder) else soft_labels


def _imported(dataset: DataSet, decoder: str) -> list[Path]:
    """The tables of others by that name."""
    with about(dataset.folder):
        place = inside(dataset.folder, dataset.folder / FOREIGN)
        return [inside(dataset.folder, file) for file in place.glob(f"*_*_{decoder}.npz")]


def _files(origin: dict[str, Any], folder: Path, ending: str = "") -> list[Path]:
    """A table for each of the chosen subjects and ROIs."""
    chosen = product(origin["subject"].split("+"), origin["roi"].split("+"))
    return [folder / f"{who}_{roi}_{origin['decoder']}{ending}.npz" for who, roi in chosen]


def are_there(origin: dict[str, Any], dataset: DataSet, soft_labels: Path) -> bool:
    """Whether `read_brain` would find a table of each of the chosen subjects and ROIs."""
    folder = folder_of(origin["decoder"], dataset, soft_labels)
    return all(file.is_file() for file in _files(origin, folder))


def read_brain(
    origin: dict[str, Any], dataset: DataSet, folder: Path, ending: str = ""
) -> SoftLabels:
    """The soft labels of the chosen subjects and ROIs (`origin_of`), combined.

    `folder` has the tables of the data set's recordings; those of others lie in the data set. The
    file names of a control, or of a nested table, have an ending.
    """
    if not ending:
        folder = folder_of(origin["decoder"], dataset, folder)
    files, remedy = _files(origin, folder, ending), _remedy(folder, dataset)
    with about(folder):
        return _combined(files, dataset, remedy)


def read_own_table(name: str, files: Iterable[str], dataset: DataSet) -> SoftLabels:
    """A table of ``distill.tables``; of several files, what they say together.

    In the methods
    --------------
    {% if distill.tables %}Tables of others were taught beside the brain's: {% for name, files in
    distill.tables|dictsort %}{{ name }} ({{ files }}){{ ", " if not loop.last }}{% endfor %}.{%
    endif %}
    """
    place = f"distill.tables.{name}"
    remedy = f"{place} must name files that `import-soft-labels` or `decode` wrote"
    with about(place):
        return _combined(map(Path, files), dataset, remedy)


def check_different(tables: dict[str, SoftLabels]) -> None:
    """No two of these names, the first of which is the brain's, may be of one table.

    A family with one teacher under two names would hold the brain against it twice.
    """
    images, probs = next(iter(tables.values())).image_id, {}
    for name, table in tables.items():
        with about(f"distill.tables, {name}"):
            probs[name] = np.exp(table.take(images).sorted().log_probs)
    for one, two in combinations(probs, 2):
        first, second = probs[one], probs[two]
        # Written with a few digits and read again, too, a table is the same.
        if first.shape == second.shape and np.allclose(first, second, rtol=0, atol=1e-4):
            raise BrainTeacherError(
                f"distill.tables: {two!r} and {one!r} are two names of one table (its "
                "probabilities are the same): take one of them out"
            )


def check_no_zeros(tables: dict[str, SoftLabels], loss: str) -> None:
    """A loss that reads how small a target is must not learn the floor that stands for a zero."""
    if not LOSSES[loss].logs:
        return
    for name, table in tables.items():
        zero = (table.prior_share()[:, 0] == 0) & (table.log_probs <= LEAST).any(axis=1)
        if zero.any():
            raise BrainTeacherError(
                f"distill.loss: {loss} learns how small a target is, and of {name} "
                f"{zero.sum()} of {len(zero)} rows have a probability of 0 "
                f"('{table.image_id[zero.argmax()]}' for one): import counts (--values counts), "
                "which a prior smooths, or choose another loss (dist, hinton)"
            )


def _combined(files: Iterable[Path], dataset: DataSet, remedy: str) -> SoftLabels:
    """The soft labels of some files of this data set, combined."""
    tables = []
    for file in files:
        if not file.is_file():
            raise BrainTeacherError(f"{file} is missing: {remedy}")
        with about(file):
            table = read_soft_labels(file)
        if table.meta.get("dataset") != dataset.name:
            raise BrainTeacherError(
                f"{file} belongs to data set {table.meta.get('dataset')!r}, not to "
                f"{dataset.name!r}; decode this data set, or name the other with --data"
            )
        tables.append(_taught(table, dataset))
    return combine(tables, dataset.category_of)


def _taught(table: SoftLabels, dataset: DataSet) -> SoftLabels:
    """The table of the categories that have pictures: others' tables know of no pictures.

    One whose categories are not the data set's is left as it is, for who names the first picture.
    """
    category = dataset.category_of(table.image_id)
    if not set(category) <= set(table.class_id):
        return table
    classes = dataset.taught(table.class_id)
    return table if classes is None else table.restricted(classes, category)


def _remedy(folder: Path, dataset: DataSet) -> str:
    if folder == dataset.folder / FOREIGN:
        return (
            "the data set has tables of that decoder, but not this; `import-soft-labels` makes it"
        )
    if folder.name == "nested":
        return "decode with `--nested true` (params.yaml: decode.nested)"
    if folder.name == "controls":
        return "`dvc repro controls`, or `brain-teacher controls`, makes it"
    return f"`dvc pull {folder}` brings the published soft labels, `dvc repro decode` makes them"


def digest_of_labels(tables: Iterable[SoftLabels], relations: Relations | None = None) -> str:
    """Which soft labels teach: said of each student, so that none of others is kept or compared.

    With what says how alike images are, where they do not.
    """
    said: list[tuple] = [(t.log_probs, t.prior_share(), t.image_id, t.class_id) for t in tables]
    said += [] if relations is None else [(relations.rows, relations.image_id)]
    said += [] if relations is None or relations.own is None else [(relations.own,)]
    return fingerprint(*(part for each in said for part in each))[:12]


def common_folds(brain: SoftLabels, origin: dict[str, Any], soft_labels: Path) -> np.ndarray:
    """The fold of each image, which must be the same for all subjects and ROIs."""
    folds = []
    for file in _files(origin, soft_labels):
        with about(file):
            folds.append(read_soft_labels(file).take(brain.image_id).fold)
    if any(not np.array_equal(fold, folds[0]) for fold in folds):
        raise BrainTeacherError(
            "distill.split: folds needs the same folds for every subject: decode with "
            "decode.folds.by: image, or choose one subject"
        )
    return folds[0]
