"""Paired differences between teachers, over random seeds *and* random test images.

Students' errors vary by both. Another lab that trains anew draws other seeds; a claim about
natural images speaks of images that were not in the test set. An interval over seeds alone
forgets the second: in simulation it covers 78 to 92% where it says 95%.
"""

from dataclasses import dataclass, replace

import numpy as np
from statsmodels.stats.multitest import multipletests

from brain_teacher.analysis.differences import mean_difference
from brain_teacher.analysis.outcomes import ACCURACY, NoOutcome
from brain_teacher.analysis.two_way import least_visible


@dataclass(frozen=True, eq=False)
class Scores:
    """What the students of one teacher got right, or another measure of each answer.

    The caller has joined on image ids: column k is the same image for every teacher. A seed that
    diverged is absent.

    Raises
    ------
    ValueError
        If `correct` is not two-dimensional, not finite, or does not fit the seeds.
    """

    seeds: tuple[int, ...]  # one per student, unique, in any order
    # Array_like of shape (n_seeds, n_images): 1 where the student named the image's category, else
    # 0; or, say, the answer's NLL. Kept as read-only float64.
    correct: np.ndarray
    # Array_like of shape (n_images,): the class of each image, where it is known.
    category: np.ndarray | None = None

    def __post_init__(self):
        seeds = tuple(int(seed) for seed in self.seeds)
        correct = np.array(self.correct, dtype=np.float64)
        if correct.ndim != 2:
            raise ValueError(f"correct has {correct.ndim} dimensions, not 2: seeds x images")
        if len(seeds) != len(correct):
            raise ValueError(f"{len(seeds)} seeds for {len(correct)} rows of correct")
        if twice := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
            raise ValueError(f"seeds occur more than once: {_listed(twice)}")
        if correct.size == 0:
            raise ValueError(f"no scores: correct has shape {correct.shape}")
        if not np.isfinite(correct).all():
            row = int(np.argwhere(~np.isfinite(correct))[0][0])
            raise ValueError(f"seed {seeds[row]}: correct is not finite; leave a diverged seed out")
        category = None if self.category is None else np.array(self.category)
        if category is not None and category.shape != correct.shape[1:]:
            raise ValueError(f"{len(category)} categories for {correct.shape[1]} images")
        correct.setflags(write=False)
        object.__setattr__(self, "seeds", seeds)
        object.__setattr__(self, "correct", correct)
        object.__setattr__(self, "category", category)

    @property
    def counts(self):
        """How many images there are of each class: ndarray of int, in the classes' order."""
        return np.unique(np.asarray(self.category), return_counts=True)[1]

    @property
    def accuracy(self):
        """Accuracy of each seed, a fraction: ndarray of shape (n_seeds,)."""
        return self.correct.mean(axis=1)


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
    rows, category = {}, None
    for seed, student in sorted(students.items()):
        if student.diverged:
            continue
        try:
            rows[seed] = outcome.of(student, split)
        except NoOutcome as error:
            raise NoOutcome(f"{student.meta['teacher']} seed {seed}: {error}") from error
        category = student.category_by_id(split) if outcome.of_images else None
    return Scores(tuple(rows), np.array(list(rows.values())), category)


def pair_by_seed(a, b):
    """Common seeds, ascending, and ``a - b`` of each: an ndarray (n_common_seeds, n_images)."""
    images = a.correct.shape[1], b.correct.shape[1]
    if images[0] != images[1]:
        raise ValueError(f"{images[0]} images against {images[1]}; join the scores on image ids")
    if not np.array_equal(a.category, b.category):
        raise ValueError("the images are of other categories; join the scores on image ids")
    seeds = tuple(sorted(set(a.seeds) & set(b.seeds)))
    rows_a = [a.seeds.index(seed) for seed in seeds]
    rows_b = [b.seeds.index(seed) for seed in seeds]
    return seeds, a.correct[rows_a] - b.correct[rows_b]


def are_paired(*scores):
    """Whether all of these have two seeds in common at least: what a difference takes."""
    return len(set.intersection(*({*each.seeds} for each in scores))) >= 2


def paired_difference(a, b):
    """Mean of ``a - b`` over common seeds, with its intervals: see `mean_difference`.

    Parameters
    ----------
    a, b : Scores
        Over the same images in the same order; their seeds may differ.

    Returns
    -------
    Difference

    Raises
    ------
    ValueError
        If there are fewer than two common seeds or two images, or the images differ in number.

    Examples
    --------
    >>> brain = Scores((0, 1), [[1, 1, 1, 0], [1, 1, 0, 1]])
    >>> none = Scores((0, 1), [[1, 0, 1, 0], [0, 1, 0, 0]])
    >>> paired_difference(brain, none).mean
    0.375
    """
    seeds, differences = pair_by_seed(a, b)
    if len(seeds) < 2:
        raise ValueError(
            f"two common seeds are needed, but seeds {_listed(a.seeds)} and {_listed(b.seeds)} "
            f"share {_listed(seeds)}"
        )
    if differences.shape[1] < 2:
        raise ValueError("two images are needed, but the scores have one")
    return mean_difference(differences, a.category)


def compare_to_controls(scores, *, teacher, family):
    """`teacher` minus each control, with Holm's correction [1]_ within the family.

    Parameters
    ----------
    scores : dict of str to Scores
        By teacher's name; teachers outside the family are left alone.
    teacher : str
        The one that is claimed to teach, usually ``brain``.
    family : sequence of str
        The controls, fixed before the result.

    Returns
    -------
    dict of str to Difference
        By control, in the family's order.

    Raises
    ------
    ValueError
        If the family is empty, names a control twice or `teacher` itself, or a teacher of it has
        no scores.

    References
    ----------
    .. [1] Holm (1979), Scandinavian Journal of Statistics 6, 65-70.

    In the methods
    --------------
    The family of controls was fixed before the result: {{ compare.family }}; p is corrected within
    it by Holm's method [@holm1979].
    """
    family = tuple(family)
    if not family:
        raise ValueError("the family is empty: name at least one control")
    if twice := sorted({control for control in family if family.count(control) > 1}):
        raise ValueError(f"the family names {_listed(twice)} more than once")
    if teacher in family:
        raise ValueError(f"{teacher} is in its own family of controls")
    if missing := [name for name in (teacher, *family) if name not in scores]:
        raise ValueError(f"no students of {_listed(missing)}; train them first")
    differences = {}
    for control in family:
        try:
            differences[control] = paired_difference(scores[teacher], scores[control])
        except ValueError as error:
            raise ValueError(f"{teacher} minus {control}: {error}") from error
    corrected = multipletests([each.p for each in differences.values()], method="holm")[1]
    return {
        control: replace(difference, p_corrected=float(p))
        for (control, difference), p in zip(differences.items(), corrected, strict=True)
    }


def smallest_effect(difference, *, power=0.8):
    """The smallest true difference that these seeds and images would have shown.

    ``(t[.975] + t[power]) SE`` with the comparison's own SE and df: a true difference of this
    size gives p < 0.05 (two-sided, uncorrected) with about this power.

    Parameters
    ----------
    difference : Difference
    power : float
        At least 0.5, below 1; anything else is a ValueError.

    Returns
    -------
    float
        A fraction, as the difference is; 0 where the difference is constant.
    """
    return least_visible(difference.se, difference.df, power=power)


def _listed(items):
    return ", ".join(map(str, items)) or "none"
