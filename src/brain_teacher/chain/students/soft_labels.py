"""The soft labels that students are taught with: found, checked, combined."""

import numpy as np

from brain_teacher.chain.dataset import choose
from brain_teacher.decoding.soft_labels import combine, read_soft_labels
from brain_teacher.errors import BrainTeacherError, about

IMPORTED = "soft_labels"  # the tables of others, in the data set's folder


def origin_of(params, dataset):
    """What the brain is: data set, subjects, ROIs, decoder."""
    settings = params.distill
    subjects, rois = subjects_and_rois(dataset, settings.decoder)
    subjects = choose(settings.subject, subjects, "distill.subject")
    rois = choose(settings.roi, rois, "distill.roi")
    brain = {"roi": "+".join(rois), "subject": "+".join(subjects), "decoder": settings.decoder}
    return dataset.origin | brain


def subjects_and_rois(dataset, decoder):
    """Those of the data set; or, of a decoder whose tables were imported, theirs."""
    if imported := _imported(dataset, decoder):
        return tuple(sorted({file.stem.split("_")[part] for file in imported}) for part in (0, 1))
    return list(dataset.description.subjects), list(dataset.description.roi)


def folder_of(decoder, dataset, soft_labels):
    """Where a decoder's tables lie: those of others in the data set, else where `decode` wrote."""
    return dataset.folder / IMPORTED if _imported(dataset, decoder) else soft_labels


def _imported(dataset, decoder):
    """The tables of others by that name."""
    return sorted((dataset.folder / IMPORTED).glob(f"*_*_{decoder}.npz"))


def read_brain(origin, dataset, folder, ending=""):
    """The soft labels of the chosen subjects and ROIs, combined.

    Parameters
    ----------
    origin : dict
        From `origin_of`.
    dataset : DataSet
    folder : Path
        Where the tables of its recordings lie; those of others lie in the data set.
    ending : str
        Of the file names: that of a control, or of a nested table.
    """
    tables = []
    if not ending:
        folder = folder_of(origin["decoder"], dataset, folder)
    for subject in origin["subject"].split("+"):
        for roi in origin["roi"].split("+"):
            file = folder / f"{subject}_{roi}_{origin['decoder']}{ending}.npz"
            if not file.is_file():
                raise BrainTeacherError(f"{file} is missing: {_remedy(folder, dataset)}")
            with about(file):
                table = read_soft_labels(file)
            if table.meta.get("dataset") != origin["dataset"]:
                raise BrainTeacherError(
                    f"{file} belongs to data set {table.meta.get('dataset')!r}, not to "
                    f"{origin['dataset']!r}; decode this data set, or name the other with --data"
                )
            tables.append(table)
    with about(folder):
        return combine(tables, dataset.category_of)


def _remedy(folder, dataset):
    if folder == dataset.folder / IMPORTED:
        return (
            "the data set has tables of that decoder, but not this; `import-soft-labels` makes it"
        )
    if folder.name == "nested":
        return "decode with `--nested true` (params.yaml: decode.nested)"
    if folder.name == "controls":
        return "`dvc repro controls`, or `brain-teacher controls`, makes it"
    return f"`dvc pull {folder}` brings the published soft labels, `dvc repro decode` makes them"


def common_folds(brain, origin, soft_labels):
    """The fold of each image, which must be the same for all subjects and ROIs."""
    folds = []
    for subject in origin["subject"].split("+"):
        for roi in origin["roi"].split("+"):
            file = soft_labels / f"{subject}_{roi}_{origin['decoder']}.npz"
            with about(file):
                folds.append(read_soft_labels(file).take(brain.image_id).fold)
    if any(not np.array_equal(fold, folds[0]) for fold in folds):
        raise BrainTeacherError(
            "distill.split: folds needs the same folds for every subject: decode with "
            "decode.folds.by: image, or choose one subject"
        )
    return folds[0]
