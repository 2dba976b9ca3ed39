"""``plan``: what an effect takes, before anything is trained: seeds, test images, time and disk."""

import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tabulate import tabulate

from brain_teacher.analysis.comparison import scores_of
from brain_teacher.analysis.folds import join_folds
from brain_teacher.analysis.power import (
    images_needed,
    plan_sentences,
    spread_of,
    stated_spread,
    visible_effect,
)
from brain_teacher.analysis.statistics import pair_by_seed
from brain_teacher.commands import student_files
from brain_teacher.commands.inputs import BRAIN, choose, open_dataset, open_stimuli
from brain_teacher.commands.student_cells import processes_for
from brain_teacher.dataset import images as pictures
from brain_teacher.dataset.trials import image_categories
from brain_teacher.distillation.teachers import TEACHERS
from brain_teacher.errors import BrainTeacherError, UsageError, about

PILOT_SPLIT = "validation"


@dataclass(frozen=True)
class Sizes:
    """How many images a student learns from, chooses by and reports on; how many students a seed.

    Attributes
    ----------
    training, validation, test : int
        Of one student.
    classes : int
    folds : int
        Students a teacher and seed: 1 where unseen images are tested.
    """

    training: int
    validation: int
    test: int
    classes: int
    folds: int = 1


def plan(
    params,
    *,
    data,
    students=None,
    discordant=None,
    seed_sd=None,
    effect=None,
    images=None,
    power=0.8,
    say=print,
):
    """Say how many seeds and test images an effect takes, and what could not be seen.

    Parameters
    ----------
    params : Params
        ``distill`` says how many seeds and teachers, ``compare`` the family and the margin.
    data : path-like
        The data set: how many images there are, and what students cost.
    students : path-like, optional
        A pilot's students, of ``search`` or ``distill``: their spread, on validation images. Test
        images are not looked at.
    discordant : float, optional
        In place of a pilot: the share of images that one student of a pair names rightly and the
        other wrongly.
    seed_sd : float, optional
        Beside `discordant`: SD over seeds of the difference in accuracy, percentage points.
    effect : float, optional
        Percentage points; None: the margin.
    images : int, optional
        Test images; None: as many as the data set has.
    power : float
    say : callable
    """
    if (students is None) == (discordant is None):
        raise UsageError(
            "name a pilot with --students FOLDER, or state --discordant and --seed-sd: one of both"
        )
    sizes = sizes_of(params, data)
    images = images or sizes.test * sizes.folds
    effect = params.compare.margin if effect is None else effect / 100
    seeds = params.distill.seeds
    try:
        if students is None:
            spread = stated_spread(discordant=discordant, seed_sd=(seed_sd or 0.0) / 100)
            says = [_stated(discordant, seed_sd or 0.0)]
        else:
            spreads, pilot = _pilot(students)
            table, worst = _table(spreads, effect, seeds, images, power)
            spread = spreads[worst]
            says = [_piloted(students, pilot), table, f"Against {worst}, which sees least:"]
        says += plan_sentences(
            spread,
            effect,
            seeds=seeds,
            images=images,
            comparisons=len(params.compare.family),
            power=power,
        )
    except ValueError as error:
        raise UsageError(f"plan: {error}") from error
    says = [*says, _cost(params, sizes)]
    whole = {"break_on_hyphens": False, "break_long_words": False}  # a folder's name
    say("\n\n".join(t if "\n" in t else textwrap.fill(t, 92, **whole) for t in says))


def sizes_of(params, data):
    """Count the data set's images, as ``distill.split`` will use them."""
    description = open_dataset(data)
    if not description.pictures:
        raise BrainTeacherError(f"data set {description.name} has no pictures to teach with")
    with about(data):
        names, unseen = list(pictures.find_shown(data)), pictures.find_unseen(data)
        shown = pd.Series(image_categories(names, open_stimuli(data)), index=names)
        if len(unseen):
            # GOD's test images were shown, too, but no student learns their categories.
            shown = shown[shown.isin(unseen["category"])]
        classes = shown.nunique()
        if params.distill.split == "folds":
            folds = _folds(params.decode.folds.count, shown.value_counts().min())
            held = len(shown) // folds
            return Sizes(len(shown) - 2 * held, held, held, classes, folds)
        unseen = pictures.split_unseen(
            unseen,
            shown.unique(),
            shown=names,
            splits=pictures.read_unseen_splits(data),
            validation_share=params.dataset.validation_share,
        )
    count = unseen["split"].value_counts()
    return Sizes(len(shown), int(count["validation"]), int(count["test"]), classes)


def _folds(count, smallest):
    """DESIGN, rule 2: at most 8 folds, unless params.yaml says how many."""
    if count == "auto":
        return max(2, min(8, int(smallest)))
    return int(smallest) if count == "most" else count


def _pilot(folder):
    """The spread of brain minus each other teacher, on the pilot's validation images."""
    everyone = _best_recipes(student_files.read_all(folder).values())
    scores = {}
    with about(folder):
        for student in join_folds(everyone, split=PILOT_SPLIT):
            scores.setdefault(student.meta["teacher"], {})[student.meta["seed"]] = student
        if BRAIN not in scores or len(scores) < 2:
            raise BrainTeacherError(
                f"{folder} has no students of 'brain' and of a control (it has "
                f"{', '.join(sorted(scores))})"
            )
        scores = {name: scores_of(students, split=PILOT_SPLIT) for name, students in scores.items()}
        spreads = {
            name: spread_of(pair_by_seed(scores[BRAIN], each)[1])
            for name, each in scores.items()
            if name != BRAIN
        }
    return spreads, scores[BRAIN]


def _best_recipes(students):
    """Of a search's students those of each teacher's best recipe: what will be trained."""
    found = {}
    for student in students:
        recipe = tuple(sorted(student.meta["settings"].items()))
        found.setdefault(student.meta["teacher"], {}).setdefault(recipe, []).append(student)
    best = []
    for recipes in found.values():
        best += max(recipes.values(), key=_mean_validation)
    return best


def _mean_validation(students):
    return np.mean([student.accuracy(PILOT_SPLIT) or 0.0 for student in students])


def _table(spreads, effect, seeds, images, power):
    """What each control's comparison takes, in points; and the control that sees least."""
    visible = {
        name: visible_effect(each, seeds=seeds, images=images, power=power)
        for name, each in spreads.items()
    }
    rows = []
    for name, each in spreads.items():
        needed = images_needed(each, effect, seeds=seeds, power=power)
        rows.append(
            {
                "brain minus": name,
                "SD of seeds": f"{100 * each.seed**0.5:.1f}",
                "SD of images": f"{100 * each.image**0.5:.1f}",
                "smallest effect": f"{100 * visible[name]:.1f}",
                f"images for {100 * effect:g}": "none" if needed is None else f"{needed:,}",
            }
        )
    shown = tabulate(rows, headers="keys", disable_numparse=True, colalign=("left", *["right"] * 4))
    return shown, max(visible, key=visible.get)


def _stated(discordant, seed_sd):
    return (
        f"Plan, from stated spreads: {100 * discordant:g}% of the images discordant between two "
        f"paired students, SD of seeds {seed_sd:g} points."
    )


def _piloted(folder, scores):
    seeds, images = scores.correct.shape
    few = " So few seeds tell their own spread badly: a guess." if seeds < 5 else ""
    return (
        f"Plan, from the pilot in {folder}: {seeds} seeds, {images} validation images (no test "
        f"image was looked at); effects and SDs in points.{few}"
    )


def _cost(params, sizes):
    """Time and disk of all teachers' students, in a sentence."""
    teachers = len(choose(params.distill.teacher, list(TEACHERS), "distill.teacher"))
    seeds = params.distill.seeds
    count = teachers * seeds * sizes.folds
    seconds, device = seconds_per_student(params, sizes)
    processes = processes_for(params.distill.processes, device)
    size = count * bytes_per_student(sizes) + teachers * bytes_of_weights(params, sizes)
    total = seconds * count / min(processes, count)
    each = "" if sizes.folds == 1 else f" x {sizes.folds} folds"
    return (
        f"Here: {teachers} teachers x {seeds} seeds{each} = {count} students, about "
        f"{_duration(seconds)} each on {device} ({processes} side by side): {_duration(total)} in "
        f"all, {_duration(total / seeds)} a seed more; about {size / 2**20:.0f} MiB of disk."
    )


def seconds_per_student(params, sizes):
    """About how long one student takes here, from a few steps of training; and the device.

    Parameters
    ----------
    params : Params
    sizes : Sizes

    Returns
    -------
    seconds : float
    device : str
    """
    import torch

    from brain_teacher.devices import choose_device
    from brain_teacher.distillation.engine import Recipe
    from brain_teacher.distillation.timing import faster_precision, seconds_per_step

    settings = params.distill
    try:
        device = choose_device(settings.device)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if device == "cpu":
        torch.set_num_threads(1)  # as students are trained
    here = {"image_size": settings.image_size, "device": device}
    recipe = settings.recipe()
    if recipe["precision"] == "auto":
        trial = Recipe(**recipe | {"precision": "float32"})
        recipe["precision"] = faster_precision(trial, **here)
    step = seconds_per_step(Recipe(**recipe), **here)
    names = choose(settings.teacher, list(TEACHERS), "distill.teacher")
    epochs = np.mean([settings.recipe(name)["epochs"] for name in names])
    # A pass forward is a third of a step.
    images = epochs * (sizes.training + sizes.validation / 3) + sizes.test / 3
    return step * images / settings.batch, device


def bytes_per_student(sizes):
    """Of one student's answers: float32 log-probabilities."""
    return 4 * sizes.classes * (sizes.validation + sizes.test)


def bytes_of_weights(params, sizes):
    """Of one network's weights, which each teacher's best student keeps."""
    from brain_teacher.distillation.networks import build_network

    settings = params.distill
    network = build_network(
        n_classes=sizes.classes,
        image_size=settings.image_size,
        seed=0,
        network=settings.network,
        width=settings.width,
        stem=settings.stem,
    )
    return sum(each.nbytes for each in network.state_dict().values())


def _duration(seconds):
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
