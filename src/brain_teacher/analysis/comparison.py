"""All that is computed of the brain and its controls, from the students' answers."""

from dataclasses import dataclass

from brain_teacher.analysis.equivalence import equivalence_p
from brain_teacher.analysis.outcomes import secondary_outcomes
from brain_teacher.analysis.sign_flips import sign_flips
from brain_teacher.analysis.statistics import Scores, compare_to_controls
from brain_teacher.analysis.verdict import Verdict, decide


@dataclass(frozen=True)
class Comparison:
    """Scores by teacher; by control the differences, sign-flips and equivalence; the verdict."""

    scores: dict
    differences: dict
    flips: dict
    equivalence: dict
    outcomes: dict
    verdict: Verdict


def compare_answers(answers, *, teacher, family, margin):
    """Hold a teacher's students against those of every control.

    Parameters
    ----------
    answers : dict of str to dict of int to Answers
        By teacher and seed, all over the same test images; folds are joined.
    teacher : str
    family : sequence of str
        The controls, fixed before the result.
    margin : float
        The smallest effect of interest, a fraction.

    Returns
    -------
    Comparison
    """
    scores = {name: scores_of(students) for name, students in answers.items()}
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
        scores=scores,
        differences=differences,
        flips=sign_flips(scores, teacher=teacher, family=family),
        equivalence={
            name: equivalence_p(each, margin=margin) for name, each in differences.items()
        },
        outcomes=secondary_outcomes(there, teacher=teacher, family=family),
        verdict=decide(differences, margin=margin, diverged=diverged),
    )


def scores_of(students, *, split="test"):
    """Right and wrong answers of one teacher's students, images in the order of their ids.

    Parameters
    ----------
    students : dict of int to Answers
        By seed. One that diverged is left out.
    split : str

    Returns
    -------
    Scores
    """
    rows = {}
    for seed, student in sorted(students.items()):
        if not student.diverged:
            correct = student.correct(split)
            rows[seed] = [correct[image] for image in sorted(correct)]
    return Scores(tuple(rows), list(rows.values()))
