"""The outcomes beside the primary one, exploratory: of the same answers."""

import numpy as np
from scipy.special import stdtrit

from brain_teacher.analysis.outcomes import OUTCOMES, NoOutcome
from brain_teacher.analysis.statistics import pair_by_seed, paired_difference, scores_of


def secondary_outcomes(answers, *, teacher, family, primary):
    """Means by teacher and paired differences, not corrected for the number of comparisons.

    The 95% intervals of those of single answers are two-way, over seeds and test images. The ECE is
    of a student: its interval is Student's over the paired seeds, on these test images.

    Parameters
    ----------
    answers : dict of str to dict of int to Answers
        By teacher and seed, all over the same test images. One that diverged is left out.
    teacher : str
    family : sequence of str
        The controls.
    primary : str
        The outcome that is left out.

    Returns
    -------
    dict
        Outcome -> ``mean`` (teacher -> number) and ``TEACHER_minus`` (control -> ``mean``, ``low``,
        ``high``). What cannot be had is absent: top-5 of five classes, the NLL where a right class
        has probability 0, an interval over fewer than two pairs.
    """
    found = {}
    for outcome, entry in OUTCOMES.items():
        if outcome == primary:
            continue
        try:
            scores = {name: scores_of(answers[name], outcome=entry) for name in (teacher, *family)}
        except NoOutcome:
            continue
        found[outcome] = {
            "mean": {name: float(each.correct.mean()) for name, each in scores.items()},
            f"{teacher}_minus": _against(scores, teacher, family),
        }
    return found


def outcome_sentence(outcomes, *, teacher, control):
    """`secondary_outcomes` in a sentence: the means of both, their difference and its interval."""
    parts = []
    for outcome, found in outcomes.items():
        mean, difference = found["mean"], found[f"{teacher}_minus"].get(control)
        against = ""
        if difference is not None:
            against = ", difference {mean:+z.3f} (95% interval {low:+z.3f} to {high:+z.3f})"
            against = against.format(**difference)
        entry = OUTCOMES[outcome]
        unit = "a fraction" if entry.unit == "%" else entry.unit
        parts.append(
            f"{entry.label} ({unit}{entry.better}), {teacher} {mean[teacher]:.3f}, "
            f"{control} {mean[control]:.3f}{against}"
        )
    return f"Exploratory, not corrected: {'; '.join(parts)}."


def _against(scores, teacher, family):
    own = scores[teacher]
    pairs = ((control, scores[control]) for control in family)
    return {name: _interval(own, b) for name, b in pairs if len({*own.seeds} & {*b.seeds}) >= 2}


def _interval(a, b):
    if a.correct.shape[1] > 1:
        found = paired_difference(a, b)
        return {"mean": found.mean, "low": found.low, "high": found.high}
    values = pair_by_seed(a, b)[1][:, 0]
    mean = np.mean(values)
    half = stdtrit(len(values) - 1, 0.975) * np.std(values, ddof=1) / len(values) ** 0.5
    return {"mean": float(mean), "low": float(mean - half), "high": float(mean + half)}
