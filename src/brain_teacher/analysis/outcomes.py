"""Secondary outcomes of the same answers, exploratory: NLL, top-5, and calibration (ECE)."""

import numpy as np
from scipy.special import stdtrit

from brain_teacher.analysis.statistics import Scores, paired_difference
from brain_teacher.decoding.quality import reliability
from brain_teacher.decoding.soft_labels import SoftLabels

# What each is, for people: its unit, and which way is better.
OUTCOMES = {
    "nll": "NLL (nats; less is better)",
    "top5": "top-5 accuracy (a fraction)",
    "ece": "ECE (a fraction; less is better)",
}


def secondary_outcomes(answers, *, teacher, family):
    """Means by teacher and paired differences, not corrected for the number of comparisons.

    NLL and top-5 are of single answers: their 95% intervals are two-way, over seeds and test
    images. The ECE is of a student: its interval is Student's over the paired seeds, on these test
    images.

    Parameters
    ----------
    answers : dict of str to list of Answers
        By teacher, of students that did not diverge; all over the same test images.
    teacher : str
    family : sequence of str
        The controls.

    Returns
    -------
    dict
        Outcome -> ``mean`` (teacher -> number) and ``TEACHER_minus`` (control -> ``mean``, ``low``,
        ``high``). What cannot be had is absent: top-5 of five classes, the NLL where a right class
        has probability 0, an interval over fewer than two pairs.
    """
    names = [teacher, *family]
    measured = {name: [_measure(each) for each in answers[name]] for name in names}
    seeds = {name: [each.meta["seed"] for each in answers[name]] for name in names}
    found = {}
    for outcome in OUTCOMES:
        if any(outcome not in each for name in names for each in measured[name]):
            continue
        scores = {
            name: Scores(seeds[name], np.atleast_2d([each[outcome] for each in measured[name]]))
            for name in names
        }
        found[outcome] = {
            "mean": {name: float(each.correct.mean()) for name, each in scores.items()},
            f"{teacher}_minus": _against(scores, teacher, family),
        }
    return found


def outcome_sentence(outcomes, *, teacher, control):
    """All outcomes in a sentence: the means of both, their difference and its interval.

    Parameters
    ----------
    outcomes : dict
        From `secondary_outcomes`.
    teacher, control : str

    Returns
    -------
    str
    """
    parts = []
    for outcome, found in outcomes.items():
        mean, difference = found["mean"], found[f"{teacher}_minus"].get(control)
        against = ""
        if difference is not None:
            against = ", difference {mean:+z.3f} (95% interval {low:+z.3f} to {high:+z.3f})"
            against = against.format(**difference)
        parts.append(
            f"{OUTCOMES[outcome]}, {teacher} {mean[teacher]:.3f}, "
            f"{control} {mean[control]:.3f}{against}"
        )
    return f"Exploratory, not corrected: {'; '.join(parts)}."


def _against(scores, teacher, family):
    differences = {}
    for control in family:
        if len(set(scores[teacher].seeds) & set(scores[control].seeds)) >= 2:
            differences[control] = _interval(scores[teacher], scores[control])
    return differences


def _interval(a, b):
    if a.correct.shape[1] > 1:
        found = paired_difference(a, b)
        return {"mean": found.mean, "low": found.low, "high": found.high}
    common = sorted(set(a.seeds) & set(b.seeds))
    values = [a.correct[a.seeds.index(s), 0] - b.correct[b.seeds.index(s), 0] for s in common]
    mean = np.mean(values)
    half = stdtrit(len(values) - 1, 0.975) * np.std(values, ddof=1) / len(values) ** 0.5
    return {"mean": float(mean), "low": float(mean - half), "high": float(mean + half)}


def _measure(answers):
    """Of one student: NLL and top-5 of each image in the order of the ids, and its ECE."""
    split = "test"
    labels = SoftLabels(
        answers.log_probs[split],
        answers.image_id[split],
        answers.class_id,
        np.zeros(len(answers.image_id[split]), dtype=int),
    ).sorted()
    category = answers.category[split][np.argsort(answers.image_id[split])]
    truth = labels.truth(category)
    nll = -labels.log_probs[np.arange(len(truth)), truth].astype(np.float64)
    measured = {"ece": [expected_calibration_error(labels, category)]}
    if np.isfinite(nll).all():
        measured["nll"] = nll
    if len(labels.class_id) > 5:
        # Stable: equal probabilities rank in the order of the class ids, as the decoders' do.
        first = np.argsort(-labels.log_probs, axis=1, kind="stable")[:, :5]
        measured["top5"] = (first == truth[:, None]).any(axis=1)
    return measured


def expected_calibration_error(soft_labels, category):
    """ECE over 10 equally wide bins of the top-1 confidence, as `decoding.quality` has it."""
    rows = reliability(soft_labels, category)
    gaps = [row["images"] * abs(row["accuracy"] - row["confidence"]) for row in rows]
    return float(sum(gaps) / len(category))
