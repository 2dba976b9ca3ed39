"""The ladder of explanations: what each rung adds, and whether a rung carries most of the effect.

The rungs are controls of the family. Each knows a little more of the brain than the one below it,
from hard labels at the foot to the brain itself at the top.
"""

from dataclasses import dataclass
from itertools import pairwise

from brain_teacher.analysis.differences import Difference
from brain_teacher.analysis.statistics import Scores, are_paired, pair_by_seed, paired_difference

NONE, SMOOTHING, WORDS = "none", "smooth-matched", "semantic"
CLASS, CONFIDENCE = "brain-class", "brain-confidence"
# The cheapest first.
RUNGS = (SMOOTHING, WORDS, CLASS, CONFIDENCE)


@dataclass(frozen=True)
class Step:
    """What a rung of the ladder adds to the rung below it."""

    what: str
    upper: str
    lower: str
    difference: Difference


def ladder(scores, *, teacher, family, knows):
    """What each rung adds, from ``none`` up to `teacher`.

    Where all have the same seeds, the steps' means sum to that of `teacher` minus ``none``.

    Parameters
    ----------
    scores : dict of str to Scores
        By teacher.
    teacher : str
    family : sequence of str
        The controls, ``none`` among them; rungs that are not among them are left out, and so are
        those without two seeds in common with the rung below them, as `teacher` has with each.
    knows : str
        Whose knowledge of classes ``semantic`` stands for: ``superclasses`` or ``words``.

    Returns
    -------
    list of Step
    """
    rungs = []
    for name in (name for name in RUNGS if name in family):
        if are_paired(scores[name], scores[[NONE, *rungs][-1]]):
            rungs.append(name)
    adds = {
        SMOOTHING: "smoothing",
        WORDS: f"class structure that {knows} know",
        CLASS: f"class structure that {knows} do not know" if WORDS in rungs else "class structure",
        CONFIDENCE: "the image's own confidence",
        teacher: "the rest of the image" if {CLASS, CONFIDENCE} & {*rungs} else "the rest",
    }
    return [
        Step(adds[upper], upper, lower, paired_difference(scores[upper], scores[lower]))
        for lower, upper in pairwise([NONE, *rungs, teacher])
    ]


def over_half(scores, *, teacher, family):
    """Each control but ``none``, minus the middle between ``none`` and `teacher`.

    Above 0 a control carries most of the effect: it reaches more than half of what `teacher` is
    above ``none``.

    Parameters
    ----------
    scores : dict of str to Scores
        By teacher.
    teacher : str
    family : sequence of str
        The controls.

    Returns
    -------
    dict of str to Difference
        By control; one without two seeds in common with both is left out.

    Raises
    ------
    ValueError
        If ``none`` is not among them.

    Examples
    --------
    >>> brain, none = Scores((0, 1), [[1, 1], [1, 1]]), Scores((0, 1), [[0, 0], [0, 0]])
    >>> scores = {"brain": brain, "none": none, "smooth": Scores((0, 1), [[1, 1], [1, 0]])}
    >>> over_half(scores, teacher="brain", family=["none", "smooth"])["smooth"].mean
    0.25
    """
    if NONE not in family:
        raise ValueError("the family has no control 'none'; without it there is no verdict")
    middle = _middle(scores[teacher], scores[NONE])
    controls = [name for name in family if name != NONE and are_paired(scores[name], middle)]
    return {name: paired_difference(scores[name], middle) for name in controls}


def _middle(a, b):
    """Half way between two teachers, seed by seed and image by image."""
    seeds, apart = pair_by_seed(a, b)
    rows = [b.seeds.index(seed) for seed in seeds]
    return Scores(seeds, b.correct[rows] + apart / 2, b.category)
