"""Was it learnt? How a student agrees with the brain about images that neither was fitted on."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from brain_teacher.analysis.image_specific import image_specific, mean_correlation
from brain_teacher.dataset.ids import rows_of


@dataclass(frozen=True)
class Agreement:
    """Correlations with one brain's rows, beyond class means: two teachers', and their difference.

    Of each the mean over seeds and its 95% interval: for other seeds, on these images.
    """

    teacher: tuple[float, float, float]
    control: tuple[float, float, float]
    difference: tuple[float, float, float]
    seeds: int
    images: int


def agreement(students, controls, tables, *, split="test"):
    """How much nearer to a brain the students of a teacher are than those of a control.

    A student's log-probabilities for an image, centred over the classes, less their means over the
    images of the class and of the fold (`image_specific`), are correlated with the brain's, over
    all images and classes together. Centred log-probabilities [1]_, since no temperature changes
    their correlation: a student is not nearer for being less sure. Both see the same picture, so
    that a student whom no brain taught agrees, too: what was learnt is the difference.

    Parameters
    ----------
    students, controls : dict of int to Answers
        By seed; paired by it. One that diverged is left out with its pair.
    tables : sequence of SoftLabels
        Out-of-fold rows of these images, on which none of the students was trained; their `fold`
        is that of the students who were tested on the image. Of several (other subjects) the
        correlations are averaged.
    split : str

    Returns
    -------
    Agreement

    Raises
    ------
    ValueError
        If there are fewer than two common seeds, or a table lacks an image or a class.

    References
    ----------
    .. [1] Aitchison (1986), The Statistical Analysis of Compositional Data, ch. 4.
    """
    seeds = [
        seed
        for seed in sorted(students.keys() & controls.keys())
        if not students[seed].diverged and not controls[seed].diverged
    ]
    if len(seeds) < 2:
        raise ValueError(f"two common seeds are needed, and there are {len(seeds)}")
    pairs = np.array(
        [
            [
                np.mean([_correlation(each[seed], table, split) for table in tables])
                for each in (students, controls)
            ]
            for seed in seeds
        ]
    )
    return Agreement(
        teacher=_over_seeds(pairs[:, 0]),
        control=_over_seeds(pairs[:, 1]),
        difference=_over_seeds(pairs[:, 0] - pairs[:, 1]),
        seeds=len(seeds),
        images=len(students[seeds[0]].image_id[split]),
    )


def _correlation(answers, table, split):
    """Of one student with one brain, beyond classes and folds; 0 where nothing is left."""
    table = table.take(answers.image_id[split])
    columns = rows_of(answers.class_id, table.class_id, lacks="the brain knows no class '{}'")
    both = (answers.log_probs[split], table.log_probs[:, columns])
    centred = [rows - rows.mean(axis=1, keepdims=True) for rows in both]
    parts = np.array(
        [image_specific(rows, answers.category[split], table.fold) for rows in centred]
    )
    return mean_correlation(np.einsum("sik,tik->st", parts, parts))


def _over_seeds(values):
    """Mean and 95% interval, by Student's t over seeds."""
    mean, error = float(values.mean()), stats.sem(values)
    half = float(error * stats.t.ppf(0.975, len(values) - 1))
    return mean, mean - half, mean + half
