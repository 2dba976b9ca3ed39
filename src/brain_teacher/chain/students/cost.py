"""What students cost here, before they are trained: time and disk."""

from collections.abc import Mapping, Sequence
from typing import Any

from brain_teacher.chain.students.cells import Material, StudentCell
from brain_teacher.distillation.students import validated_epochs


def step_seconds(recipe: dict[str, Any], *, image_size: int, device: str) -> float:
    """Seconds of one training step of a recipe, measured as students are trained."""
    from brain_teacher.distillation.engine import Recipe
    from brain_teacher.distillation.timing import seconds_per_step

    return seconds_per_step(Recipe(**recipe), image_size=image_size, device=device)


def steps_of(recipe: dict[str, Any], images: Mapping[str, int]) -> float:
    """A student's work in training steps, its evaluation included; images are counted by split."""
    # A pass forward is a third of a step.
    looks = len(validated_epochs(recipe["epochs"], recipe["epoch"]))
    seen = recipe["epochs"] * images["training"]
    answered = looks * images["validation"] + images["test"]
    return (seen + answered / 3) / recipe["batch"]


def bytes_of_answers(images: Mapping[str, int], n_classes: int) -> int:
    """Of one student's answers: float32 log-probabilities."""
    return 4 * n_classes * (images["validation"] + images["test"])


def bytes_of_weights(recipe: dict[str, Any], *, n_classes: int, image_size: int) -> int:
    """Of one network's weights, which each teacher's best student keeps."""
    from brain_teacher.networks.classifiers import rebuild_network

    network = rebuild_network(recipe, n_classes=n_classes, image_size=image_size)
    return sum(each.nbytes for each in network.state_dict().values())


def seconds_of(material: Material, cells: Sequence[StudentCell], processes: int) -> float:
    """About how long students (at least one) take here, so many side by side."""
    here: dict[str, Any] = {"image_size": material.images.shape[1], "device": material.device}
    seconds, per_step = 0.0, {}
    for cell in cells:
        batch = cell.recipe["batch"]
        if batch not in per_step:
            per_step[batch] = step_seconds(cell.recipe, **here)
        seconds += per_step[batch] * steps_of(cell.recipe, _images(cell))
    return seconds / min(processes, len(cells))


def bytes_of(material: Material, cells: Sequence[StudentCell]) -> int:
    """How many bytes students (at least one) write."""
    size, n_classes = material.images.shape[1], len(material.class_id)
    weights = bytes_of_weights(cells[0].recipe, n_classes=n_classes, image_size=size)
    answers = sum(bytes_of_answers(_images(cell), n_classes) for cell in cells)
    return answers + weights * len({cell.teacher for cell in cells})


def _images(cell: StudentCell) -> dict[str, int]:
    """How many images a student sees, by split."""
    return {split: len(rows) for split, rows in cell.rows.items()}


def in_words(seconds: float) -> str:
    """A duration for people."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
