"""What students are taught with: the brain's soft labels, the images, the recipe."""

from dataclasses import dataclass, replace

import numpy as np

from brain_teacher.commands.inputs import choose, open_stimuli
from brain_teacher.dataset import images as pictures
from brain_teacher.dataset.images import SPLITS
from brain_teacher.dataset.trials import image_categories
from brain_teacher.decoding.soft_labels import combine, read_soft_labels
from brain_teacher.errors import BrainTeacherError, UsageError, about
from brain_teacher.files import read_json, write_json

PRECISION = "precision.json"


@dataclass(frozen=True)
class Material:
    """All that the students of one command share; sent once to each process.

    Attributes
    ----------
    images, labels : ndarray
        The images shown in the scanner, in the order of the brain's rows.
    evaluation : dict of str to (ndarray, ndarray)
        Images and labels of ``validation`` and ``test``.
    image_id, category : dict of str to ndarray of str
        Of ``validation`` and ``test``.
    class_id : ndarray of str
    origin : dict
        Data set, whether it is simulated, subject, ROI and decoder of the brain.
    recipe : dict
        How to train: the fields of ``Recipe``.
    device : str
    """

    images: np.ndarray
    labels: np.ndarray
    evaluation: dict
    image_id: dict
    category: dict
    class_id: np.ndarray
    origin: dict
    recipe: dict
    device: str

    def inputs(self):
        """Everything that makes a student what it is, but its targets and its seed."""
        arrays = [self.images, self.labels, self.class_id]
        for split in SPLITS:
            arrays += [*self.evaluation[split], self.image_id[split], self.category[split]]
        return [*arrays, self.origin, self.recipe, self.device]


def read_brain(params, description, data, folder):
    """The soft labels of the chosen subjects and ROIs, combined, and what they are."""
    settings = params.distill
    if not description.pictures:
        raise BrainTeacherError(
            f"data set {description.name} has no pictures (dataset.yaml: pictures: false): voxels "
            "can be decoded, but there is nothing that a student could look at"
        )
    subjects = choose(settings.subject, list(description.subjects), "distill.subject")
    rois = choose(settings.roi, description.roi, "distill.roi")
    stimuli = open_stimuli(data)
    tables = []
    for subject in subjects:
        for roi in rois:
            file = folder / f"{subject}_{roi}_{settings.decoder}.npz"
            if not file.is_file():
                raise BrainTeacherError(
                    f"{file} is missing: `dvc pull {folder}` brings the published soft labels, "
                    "`dvc repro decode` makes them"
                )
            with about(file):
                table = read_soft_labels(file)
            if table.meta.get("dataset") != description.name:
                raise BrainTeacherError(
                    f"{file} belongs to data set {table.meta.get('dataset')!r}, not to "
                    f"{description.name!r}; decode this data set, or name the other with --data"
                )
            tables.append(table)
    with about(folder):
        brain = combine(tables, lambda ids: image_categories(ids, stimuli))
    return brain, {
        "dataset": description.name,
        "simulated": description.simulated,
        "roi": "+".join(rois),
        "subject": "+".join(subjects),
        "decoder": settings.decoder,
    }


def gather(params, data, brain, origin):
    """Load the images, and say which unseen ones choose and which report."""
    size = params.distill.image_size
    with about(data):
        shown = pictures.find_shown(data)
        missing = [image for image in brain.image_id if image not in shown]
        if missing:
            raise BrainTeacherError(
                f"image '{missing[0]}' of the soft labels has no file in "
                f"{data / 'images' / 'shown'} ({len(missing)} of {len(brain.image_id)} are "
                "missing); put it there"
            )
        category = image_categories(brain.image_id, open_stimuli(data))
        unseen = pictures.split_unseen(
            pictures.find_unseen(data),
            np.unique(category),
            shown=shown,
            splits=pictures.read_unseen_splits(data),
            validation_share=params.dataset.validation_share,
        )
        images = pictures.load_images([shown[image] for image in brain.image_id], size)
        parts = {split: unseen[unseen["split"] == split] for split in SPLITS}
        ids = {split: part["image_id"].to_numpy(dtype=str) for split, part in parts.items()}
        categories = {split: part["category"].to_numpy(dtype=str) for split, part in parts.items()}
        evaluation = {
            split: (
                pictures.load_images(list(part["path"]), size),
                np.searchsorted(brain.class_id, categories[split]),
            )
            for split, part in parts.items()
        }
    labels = brain.truth(category)
    class_id = brain.class_id
    return Material(images, labels, evaluation, ids, categories, class_id, origin, {}, "")


def settle(material, settings, out, say):
    """Choose device and precision, as ``auto`` asks for, and complete the material."""
    recipe = settings.model_dump(
        exclude={"subject", "roi", "decoder", "teacher", "seeds", "device", "image_size"}
    )
    device = "cpu"
    if settings.device != "cpu" or settings.precision == "auto":
        import torch

        from brain_teacher.devices import choose_device
        from brain_teacher.distillation.engine import measure_precision

        try:
            device = choose_device(settings.device)
        except ValueError as error:
            raise UsageError(str(error)) from error
        if settings.precision == "auto":
            if device == "cpu":
                torch.set_num_threads(1)  # as students are trained
            record = out / PRECISION
            if not record.exists():
                fastest = measure_precision(
                    image_size=settings.image_size,
                    width=settings.width,
                    batch=settings.batch,
                    device=device,
                )
                write_json(record, {"precision": fastest})
            recipe["precision"] = read_json(record)["precision"]
            say(f"precision: {recipe['precision']} (measured for this folder, {record})")
    return replace(material, recipe=recipe, device=device)
