"""``distill``: soft labels and images to students, one folder per teacher and seed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from brain_teacher.cells import cores, run_cells
from brain_teacher.commands import students as store
from brain_teacher.commands.inputs import (
    choose,
    dvc_hash,
    open_dataset,
    open_stimuli,
    plan_digest,
    said_simulated,
)
from brain_teacher.dataset import images as pictures
from brain_teacher.dataset.trials import image_categories
from brain_teacher.decoding.soft_labels import combine, read_soft_labels
from brain_teacher.distillation.students import SPLITS, describe_network, student_arrays
from brain_teacher.distillation.teachers import TEACHERS, draw_targets
from brain_teacher.errors import BrainTeacherError, UsageError, about
from brain_teacher.files import (
    OutputFolder,
    fingerprint,
    read_json,
    run_folder,
    source_fingerprint,
    write_json,
)
from brain_teacher.tracking import flat, tracked

SOURCE = (
    "dataset",
    "seeds.py",
    "decoding/calibration.py",
    "decoding/folds.py",
    "decoding/soft_labels.py",
    "distillation",
    "commands/students.py",
    "commands/distill.py",
)
PRECISION = "precision.json"


@dataclass(frozen=True)
class Material:
    """All that the students of one command share; sent once to each process."""

    images: np.ndarray
    labels: np.ndarray
    evaluation: dict
    class_id: np.ndarray
    recipe: dict
    device: str


def distill(params, *, data, soft_labels, out, say=print, quiet=False):
    """Train every teacher's students on the images shown in the scanner.

    Parameters
    ----------
    params : Params
        ``params.distill`` says which brain, which teachers, how many seeds, and how to train.
    data, soft_labels : path-like
        A data set folder, and what ``decode`` wrote.
    out : path-like or None
        Where the students go; None: ``runs/distill-<UTC time>``.
    say : callable
    quiet : bool
        No progress bar.

    Returns
    -------
    Path
        The output folder.
    """
    data, settings = Path(data), params.distill
    description = open_dataset(data)
    teachers = choose(settings.teacher, list(TEACHERS), "distill.teacher")
    brain, tables = _brain(params, description, data, Path(soft_labels))
    shared, unseen, category = _material(params, description, data, brain)
    out = Path(out or run_folder("distill"))
    word = said_simulated(description.simulated)
    tags = {
        "dataset": description.name,
        "simulated": description.simulated,
        "roi": "+".join(settings.roi),
        "subject": "+".join(dict.fromkeys(table.meta["subject"] for table in tables)),
        "decoder": settings.decoder,
        "plan": plan_digest(params),
        "soft_labels_dvc": dvc_hash(soft_labels),
    }
    name = f"{description.name} {tags['roi']} ({word})"
    _say_brain(brain, say)
    with OutputFolder(out, say).locked() as folder:
        shared = _settle(shared, settings, out, say)
        cells = _cells(shared, brain, category, teachers, settings)
        source = source_fingerprint(SOURCE)
        with tracked(
            "distill", name, tags=tags, params=flat(settings.model_dump(), "distill")
        ) as tracker:
            writer = store.Writer(folder, tracker, source, tags)
            new = writer.new_cells(cells)
            say(
                f"distill: {len(cells)} students ({len(teachers)} teachers x {settings.seeds} "
                f"seeds), {len(new)} new, {len(cells) - len(new)} kept"
            )
            processes = cores() if shared.device == "cpu" else 1
            bar = tqdm(total=len(new), unit="student", disable=True if quiet else None)
            for cell, student in run_cells(train_cell, new, shared=shared, processes=processes):
                meta = {
                    **{key: cell[key] for key in ("teacher", "seed", "fingerprint")},
                    **{key: tags[key] for key in ("dataset", "simulated", "roi", "subject")},
                    **{"decoder": settings.decoder, "plan": tags["plan"]},
                    "settings": shared.recipe | {"image_size": settings.image_size},
                    "device": shared.device,
                }
                arrays = student_arrays(
                    student,
                    class_id=shared.class_id,
                    image_id={s: unseen[s]["image_id"].to_numpy(dtype=str) for s in SPLITS},
                    category={s: unseen[s]["category"].to_numpy(dtype=str) for s in SPLITS},
                    meta=meta,
                )
                writer.write(cell, student, arrays)
                bar.update()
            bar.close()
            writer.finish(cells)
    say(_summary(out, cells, description.name, word))
    return out


def _brain(params, description, data, folder):
    """The soft labels of the chosen subjects and ROIs, combined."""
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
        return combine(tables, lambda ids: image_categories(ids, stimuli)), tables


def _material(params, description, data, brain):
    """Load the images, and say which unseen ones choose and which report."""
    with about(data):
        shown = pictures.find_shown(data)
    missing = [image for image in brain.image_id if image not in shown]
    if missing:
        raise BrainTeacherError(
            f"image '{missing[0]}' of the soft labels has no file in {data / 'images' / 'shown'} "
            f"({len(missing)} of {len(brain.image_id)} are missing); put it there"
        )
    size = params.distill.image_size
    with about(data):
        category = image_categories(brain.image_id, open_stimuli(data))
        table = pictures.split_unseen(
            pictures.find_unseen(data),
            np.unique(category),
            splits=pictures.read_unseen_splits(data),
            validation_share=params.dataset.validation_share,
        )
        unseen = {split: table[table["split"] == split] for split in SPLITS}
        images = pictures.load_images([shown[image] for image in brain.image_id], size)
        class_id = np.sort(brain.class_id)
        evaluation = {
            split: (
                pictures.load_images(list(part["path"]), size),
                np.searchsorted(class_id, part["category"].to_numpy(dtype=str)),
            )
            for split, part in unseen.items()
        }
    labels = np.searchsorted(class_id, category)
    return Material(images, labels, evaluation, class_id, {}, ""), unseen, category


def _settle(shared, settings, out, say):
    """Choose device and precision, as ``auto`` asks for, and complete the material."""
    from dataclasses import replace

    recipe = settings.model_dump(
        exclude={"subject", "roi", "decoder", "teacher", "seeds", "device", "image_size"}
    )
    device = "cpu"
    if settings.device != "cpu" or settings.precision == "auto":
        import torch

        from brain_teacher.distillation.engine import choose_device, measure_precision

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
    return replace(shared, recipe=recipe, device=device)


def _cells(shared, brain, category, teachers, settings):
    """One cell a student: its targets, its fingerprint, its name."""
    inputs = fingerprint(
        shared.images,
        shared.labels,
        *[part for split in SPLITS for part in shared.evaluation[split]],
        shared.class_id,
        shared.recipe,
        shared.device,
    )
    cells = []
    for teacher in teachers:
        for seed in range(settings.seeds):
            try:
                targets = draw_targets(
                    teacher, brain, category, temperature=settings.temperature, seed=seed
                )
            except ValueError as error:
                raise BrainTeacherError(f"teacher {teacher}: {error}") from error
            probs = None if targets is None else targets.join(brain.image_id, shared.class_id)
            made_from = fingerprint(inputs, seed, "none" if probs is None else probs)
            name = f"{teacher}_{seed}"
            cells.append(
                {"name": name, "teacher": teacher, "seed": seed, "probs": probs}
                | {"fingerprint": made_from}
            )
    return cells


def train_cell(shared, cell):
    """Train one student; the work of one process."""
    import torch

    from brain_teacher.distillation.engine import Recipe, train_student

    if shared.device == "cpu":
        torch.set_num_threads(1)  # 1 and 2 threads give different bits
    return train_student(
        shared.images,
        shared.labels,
        cell["probs"],
        evaluation=shared.evaluation,
        n_classes=len(shared.class_id),
        recipe=Recipe(**shared.recipe),
        seed=cell["seed"],
        device=shared.device,
    )


def _say_brain(brain, say):
    if "combined" in brain.meta:
        left_out = brain.meta["images_left_out"]
        say(
            f"brain: {len(brain.meta['combined'])} tables combined over {len(brain.image_id)} "
            f"images; NLL {brain.meta['nll_before']:.3f} before the group's temperature, "
            f"{brain.meta['nll']:.3f} after"
            + (f"; {left_out} rows of images that not all saw were left out" if left_out else "")
        )


def _summary(out, cells, name, word):
    lines, rows = [], {}
    for cell in cells:
        student = store.read(out, cell["name"])
        rows.setdefault(cell["teacher"], []).append(student.accuracy("validation"))
        width = student.meta["settings"]["width"]
    for teacher, values in rows.items():
        there = [value for value in values if value is not None]
        lost = f", {len(values) - len(there)} diverged" if len(there) < len(values) else ""
        mean = f"{100 * np.mean(there):5.1f}" if there else "  -  "
        lines.append(f"  {teacher:16} {mean}  ({len(values)} seeds{lost})")
    title = f"validation accuracy in %, {name} ({word}), {describe_network(width)} -> {out}"
    return "\n".join([title, *lines])
