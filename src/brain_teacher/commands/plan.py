"""``plan``: what an effect takes, before anything is trained: seeds, test images, time and disk."""

import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tabulate import tabulate

from brain_teacher.analysis.comparison import scores_of
from brain_teacher.analysis.folds import join_folds
from brain_teacher.analysis.outcomes import ACCURACY, OUTCOMES
from brain_teacher.analysis.power import (
    images_needed,
    plan_sentences,
    spread_of,
    stated_spread,
    visible_effect,
)
from brain_teacher.analysis.statistics import pair_by_seed
from brain_teacher.chain.dataset import choose, open_dataset
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.cost import (
    bytes_of_answers,
    bytes_of_weights,
    in_words,
    step_seconds,
    steps_of,
)
from brain_teacher.chain.students.precision import device_for, measured_precision
from brain_teacher.dataset import images as pictures
from brain_teacher.decoding.folds import MOST_FOLDS
from brain_teacher.distillation.teachers import TEACHERS
from brain_teacher.errors import BrainTeacherError, UsageError, about
from brain_teacher.machine import HERE
from brain_teacher.report.words import BRAIN

PILOT_SPLIT = "validation"


@dataclass(frozen=True)
class _Sizes:
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

    @property
    def images(self):
        """How many, by part."""
        return {part: getattr(self, part) for part in ("training", "validation", "test")}


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
    run_time=HERE,
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
        In percentage points, or nats, as ``compare.outcome`` is; None: the margin.
    images : int, optional
        Test images; None: as many as the data set has.
    power : float
    run_time : RunTime
    say : callable
    """
    if (students is None) == (discordant is None):
        raise UsageError(
            "name a pilot with --students FOLDER, or state --discordant and --seed-sd: one of both"
        )
    if students is not None and seed_sd is not None:
        raise UsageError("--seed-sd goes with --discordant: a pilot tells its own spread")
    outcome = OUTCOMES[params.compare.outcome]
    if students is None and outcome is not ACCURACY:
        raise UsageError(
            "--discordant and --seed-sd are stated of accuracy, but compare.outcome is "
            f"{params.compare.outcome}: name a pilot with --students FOLDER"
        )
    sizes = _sizes_of(params, data)
    images = sizes.test * sizes.folds if images is None else images
    effect = params.compare.margin if effect is None else effect / outcome.scale
    seeds = params.distill.seeds
    try:
        if students is None:
            spread = stated_spread(discordant=discordant, seed_sd=(seed_sd or 0.0) / 100)
            says = [_stated(discordant, seed_sd or 0.0)]
        else:
            spreads, pilot = _pilot(students, outcome)
            table, worst = _table(spreads, effect, seeds, images, power, outcome)
            spread = spreads[worst]
            says = [
                _piloted(students, pilot, outcome),
                table,
                f"Against {worst}, which sees least:",
            ]
        says += plan_sentences(
            spread,
            effect,
            seeds=seeds,
            images=images,
            comparisons=len(params.compare.family),
            power=power,
            outcome=outcome,
        )
    except ValueError as error:
        raise UsageError(f"plan: {error}") from error
    says = [*says, _cost(params, sizes, run_time)]
    whole = {"break_on_hyphens": False, "break_long_words": False}  # a folder's name
    say("\n\n".join(t if "\n" in t else textwrap.fill(t, 92, **whole) for t in says))


def _sizes_of(params, data):
    """Count the data set's images, as ``distill.split`` will use them."""
    dataset = open_dataset(data)
    if not dataset.description.pictures:
        raise BrainTeacherError(f"data set {dataset.name} has no pictures to teach with")
    with about(data):
        names, unseen = list(pictures.find_shown(data)), pictures.find_unseen(data)
        shown = pd.Series(dataset.category_of(names), index=names)
        if len(unseen):
            # GOD's test images were shown, too, but no student learns their categories.
            shown = shown[shown.isin(unseen["category"])]
        classes = shown.nunique()
        if params.distill.split == "folds":
            folds = _folds(params.decode.folds, shown, dataset.stimuli)
            held = len(shown) // folds
            return _Sizes(len(shown) - 2 * held, held, held, classes, folds)
        unseen = pictures.split_unseen(
            unseen,
            shown.unique(),
            shown=names,
            splits=pictures.read_unseen_splits(data),
            validation_share=params.dataset.validation_share,
        )
    count = unseen["split"].value_counts()
    return _Sizes(len(shown), int(count["validation"]), int(count["test"]), classes)


def _folds(folds, shown, stimuli):
    """How many folds `decode` makes of the shown images (DESIGN, rule 2)."""
    smallest = int(shown.value_counts().min())
    if folds.by == "group":
        if stimuli is None or folds.group not in stimuli:
            raise BrainTeacherError(f"stimuli.csv has no group column {folds.group!r}")
        rows = stimuli[stimuli["image_id"].isin(shown.index)]
        return rows[folds.group].nunique()
    if folds.by == "run":
        raise BrainTeacherError(
            "which runs showed an image is in the recordings, which plan does not open: with "
            "distill.split: folds it counts folds by image, round or group"
        )
    if folds.by == "round" or folds.count == "most":
        return smallest  # a round shows each category once
    return max(2, min(MOST_FOLDS, smallest)) if folds.count == "auto" else folds.count


def _pilot(folder, outcome):
    """The spread of brain minus each other teacher, on the pilot's validation images."""
    everyone = _best_recipes(student_folder.read_all(folder).values())
    scores = {}
    with about(folder):
        for student in join_folds(everyone, split=PILOT_SPLIT):
            scores.setdefault(student.meta["teacher"], {})[student.meta["seed"]] = student
        if BRAIN not in scores or len(scores) < 2:
            raise BrainTeacherError(
                f"{folder} has no students of 'brain' and of a control (it has "
                f"{', '.join(sorted(scores))})"
            )
        measure = {"split": PILOT_SPLIT, "outcome": outcome}
        scores = {name: scores_of(students, **measure) for name, students in scores.items()}
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
        recipe = repr(sorted(student.meta["settings"].items()))
        found.setdefault(student.meta["teacher"], {}).setdefault(recipe, []).append(student)
    best = []
    for recipes in found.values():
        best += max(recipes.values(), key=_mean_validation)
    return best


def _mean_validation(students):
    return np.mean([student.accuracy(PILOT_SPLIT) or 0.0 for student in students])


def _table(spreads, effect, seeds, images, power, outcome):
    """What each control's comparison takes; and the control that sees least."""
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
                "SD of seeds": outcome.number(each.seed**0.5),
                "SD of images": outcome.number(each.image**0.5),
                "smallest effect": outcome.number(visible[name]),
                f"images for {outcome.given(effect)}": "none" if needed is None else f"{needed:,}",
            }
        )
    shown = tabulate(rows, headers="keys", disable_numparse=True, colalign=("left", *["right"] * 4))
    return shown, max(visible, key=visible.get)


def _stated(discordant, seed_sd):
    return (
        f"Plan, from stated spreads: {100 * discordant:g}% of the images discordant between two "
        f"paired students, SD of seeds {seed_sd:g} points."
    )


def _piloted(folder, scores, outcome):
    seeds, images = scores.correct.shape
    few = " So few seeds tell their own spread badly: a guess." if seeds < 5 else ""
    return (
        f"Plan, from the pilot in {folder}: {seeds} seeds, {images} validation images (no test "
        f"image was looked at); effects and SDs in {outcome.differ}.{few}"
    )


def _cost(params, sizes, run_time):
    """Time and disk of all teachers' students, in a sentence."""
    settings = params.distill
    teachers = choose(settings.teacher, list(TEACHERS), "distill.teacher")
    seeds = settings.seeds
    count = len(teachers) * seeds * sizes.folds
    seconds, device = _seconds_per_student(params, sizes, run_time)
    processes = run_time.workers(device)
    size = count * bytes_of_answers(sizes.images, sizes.classes)
    size += len(teachers) * bytes_of_weights(
        settings.recipe(), n_classes=sizes.classes, image_size=settings.image_size
    )
    total = seconds * count / min(processes, count)
    each = "" if sizes.folds == 1 else f" x {sizes.folds} folds"
    return (
        f"Here: {len(teachers)} teachers x {seeds} seeds{each} = {count} students, about "
        f"{in_words(seconds)} each on {device} ({processes} side by side): {in_words(total)} in "
        f"all, {in_words(total / seeds)} a seed more; about {size / 2**20:.0f} MiB of disk."
    )


def _seconds_per_student(params, sizes, run_time):
    """About how long one student takes here, from a few steps of training; and the device.

    Parameters
    ----------
    params : Params
    sizes : _Sizes
    run_time : RunTime

    Returns
    -------
    seconds : float
    device : str
    """
    settings = params.distill
    device, recipe = device_for(run_time), settings.recipe()
    here = {"image_size": settings.image_size, "device": device}
    if recipe["precision"] == "auto":
        recipe["precision"] = measured_precision(recipe, **here)
    step = step_seconds(recipe, **here)
    names = choose(settings.teacher, list(TEACHERS), "distill.teacher")
    steps = [steps_of(settings.recipe(name), sizes.images) for name in names]
    return step * float(np.mean(steps)), device
