"""``plan``: what an effect takes, before anything is trained: seeds, test images, time and disk."""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tabulate import tabulate

from brain_teacher.analysis import power as powers
from brain_teacher.analysis.folds import join_folds
from brain_teacher.analysis.outcomes import ACCURACY, OUTCOMES, Outcome
from brain_teacher.analysis.statistics import Scores, pair_by_seed, scores_of
from brain_teacher.chain.dataset import DataSet, choose, open_dataset
from brain_teacher.chain.device import device_for, where
from brain_teacher.chain.params import Params
from brain_teacher.chain.recorded import training_images
from brain_teacher.chain.students import cost
from brain_teacher.chain.students import folder as student_folder
from brain_teacher.chain.students.precision import measured_precision
from brain_teacher.chain.voxels import read_recording
from brain_teacher.commands import Given, Place, Say
from brain_teacher.dataset import images as pictures
from brain_teacher.dataset.pictured import pictured_categories
from brain_teacher.dataset.trials import Voxels
from brain_teacher.decoding.out_of_fold import plan_for, training_trials
from brain_teacher.distillation.students import Answers
from brain_teacher.errors import BrainTeacherError, UsageError, about
from brain_teacher.machine import HERE, RunTime
from brain_teacher.report.kinds import BRAIN, by_called, called, kind_of

PILOT_SPLIT = "validation"


@dataclass(frozen=True)
class _Sizes:
    """How many images one student learns from, chooses by and reports on.

    A teacher and seed has as many students as `folds`: one where unseen images are tested.
    """

    training: int
    validation: int
    test: int
    classes: int
    folds: int = 1

    @property
    def images(self) -> dict[str, int]:
        """How many, by part."""
        return {part: getattr(self, part) for part in ("training", "validation", "test")}


def plan(
    params: Params,
    *,
    data: Place,
    students: Place | None = None,
    discordant: float | None = None,
    seed_sd: float | None = None,
    effect: float | None = None,
    images: int | None = None,
    power: float = 0.8,
    run_time: RunTime = HERE,
    say: Say = print,
) -> None:
    """Say how many seeds and test images an effect takes, and what could not be seen.

    The spread is that of a pilot's `students` on validation images (test images are not looked at),
    or is stated: `discordant`, the share of images that one student of a pair names rightly and the
    other wrongly, and `seed_sd`, the SD over seeds of the difference in accuracy, percentage
    points. `effect` is in percentage points, or nats, as ``compare.outcome`` is; None: the margin.
    `images` are test images; None: as many as the data set has.
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
    size: Given = {"seeds": seeds, "images": images, "power": power}
    share, sd = discordant or 0.0, seed_sd or 0.0
    try:
        if students is None:
            spread = powers.stated_spread(discordant=share, seed_sd=sd / 100)
            says = [
                f"Plan, from stated spreads: {100 * share:g}% of the images discordant between "
                f"two paired students, SD of seeds {sd:g} points."
            ]
        else:
            spreads, pilot, teacher = _pilot(students, outcome)
            visible = {name: powers.visible_effect(each, **size) for name, each in spreads.items()}
            worst = max(visible, key=visible.__getitem__)
            spread, pilot_seeds = spreads[worst], len(pilot.seeds)
            few = " So few seeds tell their own spread badly: a guess." * (pilot_seeds < 5)
            says = [
                f"Plan, from the pilot in {students}: {pilot_seeds} seeds, "
                f"{pilot.correct.shape[1]} validation images (no test image was looked at); "
                f"effects and SDs in {outcome.differ}.{few}",
                _table(spreads, visible, effect, seeds, power, outcome, teacher),
                f"Against {worst}, which sees least:",
            ]
        size |= {"comparisons": len(params.compare.family), "outcome": outcome}
        says += powers.plan_sentences(spread, effect, **size)
    except ValueError as error:
        raise UsageError(f"plan: {error}") from error
    # Whole: a folder's name.
    wrap = textwrap.TextWrapper(92, break_on_hyphens=False, break_long_words=False)
    recorded = len(training_images(open_dataset(data))[0])
    if sizes.classes < recorded:
        says.append(
            f"{sizes.classes} of {recorded} categories have pictures: outputs, chance and "
            "all that is counted here are of these."
        )
    says.append(_cost(params, sizes, run_time))
    say("\n\n".join(text if "\n" in text else wrap.fill(text) for text in says))


def _sizes_of(params: Params, data: Place) -> _Sizes:
    """Count the data set's images, as ``distill.split`` will use them."""
    dataset = open_dataset(data)
    if not dataset.description.pictures:
        raise BrainTeacherError(f"data set {dataset.name} has no pictures to teach with")
    with about(data):
        names, unseen = list(pictures.find_shown(data)), pictures.find_unseen(data)
        shown = pd.Series(dataset.category_of(names), index=names)
        shown = shown[shown.isin(pictured_categories(data, dataset.stimuli))]
        if len(unseen):
            # GOD's test images were shown, too, but no student learns their categories.
            shown = shown[shown.isin(unseen["category"])]
        classes = shown.nunique()
        if params.distill.split == "folds":
            folds = _folds(params, dataset)
            held = len(shown) // folds
            return _Sizes(len(shown) - 2 * held, held, held, classes, folds)
        splits, share = pictures.read_unseen_splits(data), params.dataset.validation_share
        unseen = pictures.split_unseen(
            unseen, shown.unique(), shown=names, splits=splits, validation_share=share
        )
    count = unseen["split"].value_counts()
    return _Sizes(len(shown), int(count["validation"]), int(count["test"]), classes)


def _folds(params: Params, dataset: DataSet) -> int:
    """How many folds `decode` makes of the first subject's trials (DESIGN, rule 2)."""
    files = dataset.description.subjects
    first, *_ = choose(params.distill.subject, [*files], "distill.subject")
    file = dataset.folder / files[first]
    if not file.is_file():
        raise BrainTeacherError(
            f"subject {first} has no file {file}, by which to count folds (distill.split: folds); "
            "put it there"
        )
    voxels, _, columns = read_recording(file, dataset.stimuli)
    with about(file):
        # Which trials go together, no voxel says.
        trials = training_trials(Voxels(np.zeros((len(voxels), 1), dtype=np.float32), **columns))
        return len(plan_for(trials, **params.decode.folds.model_dump()).predict)


def _pilot(folder: Place, outcome: Outcome) -> tuple[dict[str, powers.Spread], Scores, str]:
    """The spread of brain minus each other teacher on the validation images; the brain's scores.

    By the names that people read, of which the brain's is given, too.
    """
    everyone = _best_recipes(student_folder.read_all(folder).values())
    found: dict[str, dict[int, Answers]] = {}
    with about(folder):
        for student in join_folds(everyone, split=PILOT_SPLIT):
            found.setdefault(student.meta["teacher"], {})[student.meta["seed"]] = student
        if BRAIN not in found or len(found) < 2:
            raise BrainTeacherError(
                f"{folder} has no students of 'brain' and of a control (it has "
                f"{', '.join(sorted(found))})"
            )
        measure: Given = {"split": PILOT_SPLIT, "outcome": outcome}
        scores = {name: scores_of(students, **measure) for name, students in found.items()}
        brain = scores.pop(BRAIN)
        differences = {name: pair_by_seed(brain, each)[1] for name, each in scores.items()}
        kind = kind_of(everyone[0].meta)
        spreads = {name: powers.spread_of(each) for name, each in differences.items()}
        return by_called(spreads, kind), brain, called(BRAIN, kind)


def _best_recipes(students: Iterable[Answers]) -> list[Answers]:
    """Of a search's students those of each teacher's best recipe: what will be trained."""
    found: dict[str, dict[str, list[Answers]]] = {}
    for student in students:
        recipe = repr(sorted(student.meta["settings"].items()))
        found.setdefault(student.meta["teacher"], {}).setdefault(recipe, []).append(student)

    def on_validation(same: list[Answers]) -> float:
        return float(np.mean([student.accuracy(PILOT_SPLIT) or 0.0 for student in same]))

    best = (max(recipes.values(), key=on_validation) for recipes in found.values())
    return [student for same in best for student in same]


def _table(
    spreads: dict[str, powers.Spread], visible: dict[str, float], effect: float, seeds: int,
    power: float, outcome: Outcome, teacher: str,
) -> str:  # fmt: skip
    """What each control's comparison takes."""
    headers = [f"{teacher} minus", "SD of seeds", "SD of images", "smallest effect"]
    headers.append(f"images for {outcome.given(effect)}")
    rows = []
    for name, each in spreads.items():
        needed = powers.images_needed(each, effect, seeds=seeds, power=power)
        numbers = map(outcome.number, (each.seed**0.5, each.image**0.5, visible[name]))
        rows.append([name, *numbers, "none" if needed is None else f"{needed:,}"])
    return tabulate(rows, headers, disable_numparse=True, colalign=("left", *["right"] * 4))


def _cost(params: Params, sizes: _Sizes, run_time: RunTime) -> str:
    """Time and disk of all teachers' students, in a sentence."""
    settings = params.distill
    teachers = choose(settings.teacher, settings.known, "distill.teacher")
    seeds = settings.seeds
    count = len(teachers) * seeds * sizes.folds
    seconds, device = _seconds_per_student(params, sizes, run_time)
    processes = where(run_time, device)["workers"]
    shape = {"n_classes": sizes.classes, "image_size": settings.image_size}
    size = count * cost.bytes_of_answers(sizes.images, sizes.classes)
    size += len(teachers) * cost.bytes_of_weights(settings.recipe(), **shape)
    total = seconds * count / min(processes, count)
    each = "" if sizes.folds == 1 else f" x {sizes.folds} folds"
    return (
        f"Here: {len(teachers)} teachers x {seeds} seeds{each} = {count} students, about "
        f"{cost.in_words(seconds)} each on {device} ({processes} side by side): "
        f"{cost.in_words(total)} in all, {cost.in_words(total / seeds)} a seed more; about "
        f"{size / 2**20:.0f} MiB of disk."
    )


def _seconds_per_student(params: Params, sizes: _Sizes, run_time: RunTime) -> tuple[float, str]:
    """About how long one student takes here, from a few steps of training; and the device."""
    settings = params.distill
    device, recipe = device_for(run_time), settings.recipe()
    here: Given = {"image_size": settings.image_size, "device": device}
    if recipe["precision"] == "auto":
        recipe["precision"] = measured_precision(recipe, **here)
    step = cost.step_seconds(recipe, **here)
    names = choose(settings.teacher, settings.known, "distill.teacher")
    steps = [cost.steps_of(settings.recipe(name), sizes.images) for name in names]
    return step * float(np.mean(steps)), device
