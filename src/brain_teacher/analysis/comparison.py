"""All that is computed of the brain and its controls, from the students' answers."""

from dataclasses import dataclass

from brain_teacher.analysis.equivalence import equivalence_p
from brain_teacher.analysis.outcomes import ACCURACY, OUTCOMES, NoOutcome, Outcome
from brain_teacher.analysis.secondary import secondary_outcomes
from brain_teacher.analysis.sign_flips import sign_flips
from brain_teacher.analysis.statistics import Scores, compare_to_controls
from brain_teacher.analysis.verdict import Verdict, decide


@dataclass(frozen=True)
class Comparison:
    """Scores by teacher; by control the differences, sign-flips and equivalence; the verdict.

    `outcomes` are the secondary ones.
    """

    outcome: Outcome
    scores: dict
    differences: dict
    flips: dict
    equivalence: dict
    outcomes: dict
    verdict: Verdict


def compare_answers(answers, *, teacher, family, margin, outcome="accuracy"):
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

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the outcome cannot be had of these answers, or they cannot be compared.
    """
    secondary = {"teacher": teacher, "family": family, "primary": outcome}
    outcome = OUTCOMES[outcome]
    scores = {name: scores_of(students, outcome=outcome) for name, students in answers.items()}
    differences = compare_to_controls(scores, teacher=teacher, family=family)
    there = {
        name: [student for student in students.values() if not student.diverged]
        for name, students in answers.items()
    }
    diverged = [
        (name, seed)
        for name, students in answers.items()
        for seed, student in students.items()
        if student.diverged
    ]
    return Comparison(
        outcome=outcome,
        scores=scores,
        differences=differences,
        flips=sign_flips(scores, teacher=teacher, family=family),
        equivalence={
            name: equivalence_p(each, margin=margin) for name, each in differences.items()
        },
        outcomes=secondary_outcomes(there, **secondary),
        verdict=decide(differences, margin=margin, outcome=outcome, diverged=diverged),
    )


def scores_of(students, *, split="test", outcome=ACCURACY):
    """An outcome of one teacher's students, images in the order of their ids.

    Parameters
    ----------
    students : dict of int to Answers
        By seed. One that diverged is left out.
    split : str
    outcome : Outcome

    Returns
    -------
    Scores

    Raises
    ------
    NoOutcome
        If a student's answers have no such outcome.
    """
    rows = {}
    for seed, student in sorted(students.items()):
        if student.diverged:
            continue
        try:
            rows[seed] = outcome.of(student, split)
        except NoOutcome as error:
            raise NoOutcome(f"{student.meta['teacher']} seed {seed}: {error}") from error
    return Scores(tuple(rows), list(rows.values()))
