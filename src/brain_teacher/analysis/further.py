"""``FURTHER``: what else students are compared by, beside the primary outcome; exploratory.

The primary outcome is fixed by the plan (``compare.outcome``), and decides. All others stand in one
table with Holm's correction over every one of its comparisons: outcomes times controls. Reading
this table does not load numpy.
"""

from brain_teacher.analysis.outcomes import OUTCOMES, NoOutcome, Outcome

SHOTS = (1, 2, 5)  # pictures of each new category


def _chance(counts):
    return 1 / len(counts)


def _measured(answers, split):  # noqa: ARG001 - an outcome takes them
    raise NoOutcome("it is of a student's weights: `brain-teacher outcomes` measures it")


def _further(label, unit="%", differ=None, digits=1):
    return Outcome(
        label, of=_measured, unit=unit, guess=_chance, differ=differ or "points", digits=digits
    )


FURTHER = {
    **OUTCOMES,
    "likeness": _further("likeness to a held-out brain", "rho", "of rho", 3),
    "consistency": _further("error consistency", "kappa", "of kappa", 3),
    **{f"mean-{n}": _further(f"new categories, nearest mean of {n}") for n in SHOTS},
    **{f"probe-{n}": _further(f"new categories, probe on {n}") for n in SHOTS},
    "noise": _further("accuracy under noise"),
    "blur": _further("accuracy under blur"),
    "contrast": _further("accuracy at low contrast"),
    "occlusion": _further("accuracy under occlusion"),
    "attack": _further("accuracy under attack (PGD)"),
}
