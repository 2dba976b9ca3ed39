"""What ``compare`` says beside its table: title, notes, and what a null result would have taken."""

from collections.abc import Mapping

from brain_teacher.analysis.comparison import Comparison
from brain_teacher.analysis.ladder import RUNGS, WORDS
from brain_teacher.analysis.outcomes import Outcome
from brain_teacher.analysis.power import plan_sentences, spread_of
from brain_teacher.analysis.secondary import outcome_sentence
from brain_teacher.analysis.sign_flips import out_of_reach
from brain_teacher.analysis.statistics import are_paired, pair_by_seed
from brain_teacher.analysis.verdict import CANNOT_TELL
from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import why_exploratory
from brain_teacher.chain.students.answers import NONE, settings_of
from brain_teacher.distillation.students import Answers
from brain_teacher.report.kinds import kind_notes, kind_of, whose
from brain_teacher.report.ladder_figure import ladder_sentence
from brain_teacher.report.words import (
    BRAIN,
    WITHOUT_PICTURE,
    classes_sentence,
    describe_network,
    named,
    said_categories,
    said_simulated,
)


def title_of(everyone: Mapping[str, Answers], scores: Mapping, outcome: Outcome) -> str:
    """What was compared, and *simulated* where it was."""
    meta = next(iter(everyone.values())).meta
    seeds, images = scores[BRAIN].correct.shape
    seen = "shown images, each out of fold" if "fold" in meta else "unseen images"
    if lost := meta.get(WITHOUT_PICTURE):
        seen += f"; {lost} shown images had no picture and taught nobody"
    word = said_simulated(meta["simulated"], kind_of(meta))
    return (
        f"{named(meta['dataset'])}{said_categories(meta)} ({word}): can {whose(meta)} teach a "
        f"{describe_network(meta['settings'])}? "
        f"Test {outcome.label}, {seeds} seeds, {images} {seen}"
    )


def notes_on(
    params: Params,
    everyone: Mapping[str, Answers],
    result: Comparison,
    found: Mapping[str, Mapping[int, Answers]],
) -> list[str]:
    """What a reader must know besides the verdict."""
    total = result.differences[NONE]
    notes = [ladder_sentence(result.ladder, total, result.outcome)]
    notes += _apart_notes(result)
    if (wide := classes_sentence(result.differences, result.outcome)) is not None:
        notes.append(wide)
    notes += _plan_notes(params, result) if result.verdict.null else []
    if (sentence := out_of_reach(result.flips)) is not None:
        notes.append(sentence)
    notes += _recipe_notes(found)
    notes.append(outcome_sentence(result.outcomes, teacher=BRAIN, controls=(NONE, WORDS)))
    notes += kind_notes(next(iter(everyone.values())).meta)
    if any(student.meta["simulated"] for student in everyone.values()):
        notes.append(
            "Simulated: the intervals are for this one draw of pictures and brains; another draw "
            "would differ by more, and real brains are another matter."
        )
    if reasons := why_exploratory(params, [each.meta for each in everyone.values()]):
        notes.append(
            f"Exploratory: {'; '.join(reasons)}. What was planned is shown by students that were "
            "trained under the plan as it stands, all of them, in an empty folder."
        )
    return notes


def _apart_notes(result: Comparison) -> list[str]:
    """Controls that too few seeds are left of to be held against others than the brain."""
    scores, uppers = result.scores, {step.upper for step in result.ladder}
    ends = scores[BRAIN], scores[NONE]
    open_ = [name for name in result.differences if not are_paired(*ends, scores[name])]
    rungs = [name for name in RUNGS if name in result.differences and name not in uppers]
    notes = []
    if open_:
        notes.append(
            f"No two seeds are common to {BRAIN}, {NONE} and {' or '.join(open_)}: whether half of "
            "the effect is reached there is open."
        )
    if rungs:
        notes.append(
            "No rung of the ladder, for want of two seeds in common with the one below: "
            f"{' or '.join(rungs)}."
        )
    return notes


def _plan_notes(params: Params, result: Comparison) -> list[str]:
    """Beside a null result: what it would have taken to see an effect."""
    difference = result.differences[NONE]
    if difference.constant:
        return []
    _, paired = pair_by_seed(result.scores[BRAIN], result.scores[NONE])
    sentences = plan_sentences(
        spread_of(paired),
        params.compare.margin,
        seeds=difference.seeds,
        images=difference.images,
        comparisons=len(result.differences),
        outcome=result.outcome,
    )
    # "Cannot tell" says itself what could not be seen, from the result's own error.
    rest = [] if result.verdict.words == CANNOT_TELL else sentences[1:]
    return [f"Plan, against {NONE}: {sentences[0]}", *rest]


def _recipe_notes(found: Mapping[str, Mapping[int, Answers]]) -> list[str]:
    """Learning rate and epochs, which have no column, where they differ between teachers."""
    groups: dict[str, list[str]] = {}
    for name, students in found.items():
        text = "learning rate {learning_rate:g}, {epochs} epochs".format_map(settings_of(students))
        groups.setdefault(text, []).append(name)
    if len(groups) == 1:
        return []
    recipes = "; ".join(f"{', '.join(names)}: {text}" for text, names in groups.items())
    return [f"Teachers' own recipes, chosen on validation images: {recipes}."]
