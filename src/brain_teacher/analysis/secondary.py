"""The outcomes beside the primary one, exploratory: of the same answers."""

import numpy as np
from scipy.special import stdtrit

from brain_teacher.analysis.outcomes import OUTCOMES, NoOutcome
from brain_teacher.analysis.statistics import are_paired, pair_by_seed, paired_difference, scores_of


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


def outcome_sentence(outcomes, *, teacher, controls):
    """`secondary_outcomes` in a sentence: of `teacher`, some controls, and each outcome's best one.

    With the difference and its interval, where it can be had. `controls` that are not in the family
    are left out; the best control is the one that is best by that outcome, chosen afterwards.
    """
    parts = []
    for outcome, found in outcomes.items():
        entry, mean = OUTCOMES[outcome], found["mean"]
        others = [name for name in mean if name != teacher]
        best = (max if entry.more_is_better else min)(others, key=mean.__getitem__)
        unit = "a fraction" if entry.unit == "%" else entry.unit
        told = [f"{entry.label} ({unit}{entry.better}): {teacher} {mean[teacher]:.3f}"]
        for name in dict.fromkeys([*(each for each in controls if each in others), best]):
            said = f"the best control, {name}," if name == best else name
            told.append(f"{said} {mean[name]:.3f}{_told(found[f'{teacher}_minus'].get(name))}")
        parts.append(", ".join(told))
    return f"Exploratory, not corrected, {teacher} minus each in brackets: {'; '.join(parts)}."


def _told(difference):
    if difference is None:
        return ""
    mean, low, high = (f"{difference[key]:+z.3f}" for key in ("mean", "low", "high"))
    return f" ({mean}, 95% interval {low} to {high})"


def _against(scores, teacher, family):
    own = scores[teacher]
    pairs = ((control, scores[control]) for control in family)
    return {name: _interval(own, b) for name, b in pairs if are_paired(own, b)}


def _interval(a, b):
    if a.correct.shape[1] > 1:
        found = paired_difference(a, b)
        return {"mean": found.mean, "low": found.low, "high": found.high}
    values = pair_by_seed(a, b)[1][:, 0]
    mean = np.mean(values)
    half = stdtrit(len(values) - 1, 0.975) * np.std(values, ddof=1) / len(values) ** 0.5
    return {"mean": float(mean), "low": float(mean - half), "high": float(mean + half)}
