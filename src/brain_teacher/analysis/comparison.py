"""All that is computed of the brain and its controls, from the students' answers."""

from dataclasses import dataclass

from brain_teacher.analysis.differences import Difference
from brain_teacher.analysis.equivalence import equivalence_p
from brain_teacher.analysis.ladder import Step, ladder, over_half
from brain_teacher.analysis.outcomes import OUTCOMES, Outcome
from brain_teacher.analysis.secondary import secondary_outcomes
from brain_teacher.analysis.sign_flips import SignFlip, sign_flips
from brain_teacher.analysis.statistics import Scores, compare_to_controls, scores_of
from brain_teacher.analysis.verdict import Verdict, decide


@dataclass(frozen=True)
class Comparison:
    """Scores by teacher; differences, sign-flips, equivalence by control; ladder and verdict."""

    outcome: Outcome
    scores: dict[str, Scores]
    differences: dict[str, Difference]
    flips: dict[str, SignFlip]
    equivalence: dict[str, float]
    outcomes: dict[str, dict]  # the secondary ones
    ladder: list[Step]
    diverged: list[tuple[str, int]]  # teacher and seed
    verdict: Verdict


def compare_answers(answers, *, teacher, family, margin, outcome="accuracy", knows="words"):
    """Hold a teacher's students against those of every control.

    Parameters
    ----------
    answers : dict of str to dict of int to Answers
        By teacher and seed, all over the same test images; folds are joined.
    teacher : str
    family : sequence of str
        The controls, fixed before the result.
    margin : float
        The smallest effect of interest: a fraction, or nats, as the outcome is.
    outcome : str
        A key of `OUTCOMES`: the primary one.
    knows : str
        Whose knowledge of classes ``semantic`` stands for: ``superclasses`` or ``words``.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the outcome cannot be had of these answers, or they cannot be compared.
    """
    entry, compared = OUTCOMES[outcome], {"teacher": teacher, "family": family}
    scores = {name: scores_of(students, outcome=entry) for name, students in answers.items()}
    differences = compare_to_controls(scores, **compared)
    diverged = [
        (name, seed)
        for name, students in answers.items()
        for seed, student in students.items()
        if student.diverged
    ]
    verdict = decide(
        differences,
        over_half(scores, **compared),
        margin=margin,
        outcome=entry,
        knows=knows,
        diverged=diverged,
    )
    return Comparison(
        outcome=entry,
        scores=scores,
        differences=differences,
        flips=sign_flips(scores, **compared),
        equivalence={name: equivalence_p(d, margin=margin) for name, d in differences.items()},
        outcomes=secondary_outcomes(answers, primary=outcome, **compared),
        ladder=ladder(scores, knows=knows, **compared),
        diverged=diverged,
        verdict=verdict,
    )
