"""What a teacher hands to the students: its targets, drawn for a seed and joined by id."""

from dataclasses import replace

import numpy as np

from brain_teacher.dataset.ids import rows_of
from brain_teacher.distillation.lessons import Lesson, NotApplicable
from brain_teacher.distillation.targets import Live, Relations, Targets, Weights
from brain_teacher.distillation.teachers import OWN_TABLE, TEACHERS
from brain_teacher.seeds import named_rng

ANSWERS_ONLY = "it knows answers, and distill.relational.of says likeness by something else"
NO_MAPS = "it has no maps, and distill.loss: attention teaches these alone"


def draw_targets(
    teacher, soft_labels, category, *,
    temperature, seed, similarity=None, tables=(), likeness=False, relations=None,
):  # fmt: skip
    """A teacher's targets for one student.

    Parameters
    ----------
    teacher : str
        A key of `TEACHERS`; or ``table-NAME``, which softens that one of `tables`.
    soft_labels : SoftLabels
        The brain's, of the training images.
    category : ndarray of str, shape (n_images,)
        Of each row.
    temperature : float
        T > 0 of the loss, which the brain's rows are softened by.
    seed : int
        The student's; teachers that permute or degrade draw from it.
    similarity : DataFrame, optional
        How alike two classes are: class ids as index and as columns.
    tables : dict of str to SoftLabels, optional
        Other tables, which hold these images and classes at least; joined by id.
    likeness : bool, optional
        Teach how alike images are, in place of answers.
    relations : Relations, optional
        What says that of the brain; its softened answers, as square roots (Bhattacharyya's
        coefficient of two images), if left out.

    Returns
    -------
    Targets, Relations, Weights, Live or None
        None means hard labels only.

    Raises
    ------
    NotApplicable
        If the teacher says nothing beside this brain.
    ValueError
        If it lacks something it needs.
    """
    # In the order of the ids: what is drawn must not depend on a file's order.
    rows = soft_labels.sorted()
    order = rows_of(rows.image_id, soft_labels.image_id, lacks="there is no image '{}'")
    others = {name: table.take(rows.image_id).sorted() for name, table in dict(tables).items()}
    for name, table in others.items():
        if not np.array_equal(table.class_id, rows.class_id):
            raise ValueError(f"the table {name!r} has other classes than the brain's")
    if teacher in others and teacher.startswith(OWN_TABLE):
        if relations is not None:
            raise NotApplicable(ANSWERS_ONLY if relations.own is None else NO_MAPS)
        given = others[teacher], np.asarray(category)[order]
        return draw_targets("brain", *given, temperature=temperature, seed=seed, likeness=likeness)
    classes = rows.class_id
    lesson = Lesson(
        rows.log_probs.astype(np.float64),
        rows.truth(np.asarray(category)[order]),
        temperature=temperature,
        rng=named_rng("teacher", teacher, seed),
        similarity=None if similarity is None else similarity.loc[classes, classes].to_numpy(),
        tables={name: table.log_probs.astype(np.float64) for name, table in others.items()},
        prior=rows.prior_share(),
    )
    if likeness:
        lesson = replace(lesson, own_maps=relations and relations.join_own(rows.image_id))
        answer = _alike(teacher, lesson, relations and relations.join(rows.image_id, classes))
    else:
        answer = TEACHERS[teacher].teach(lesson)
    if answer is None or isinstance(answer, Live):
        return answer
    answer = answer.astype(np.float32)
    if answer.ndim == 1:
        return Weights(answer, rows.image_id)
    if likeness:
        return Relations(answer, rows.image_id)
    return Targets(answer, rows.image_id, classes)


def _alike(teacher, lesson, given):
    """What a teacher says of how alike images are: rows, weights or None."""
    entry = TEACHERS[teacher]
    alike = np.sqrt(lesson.softened()) if given is None else given.astype(np.float64)
    if lesson.own_maps is not None and entry.soft and not entry.maps:
        raise NotApplicable(NO_MAPS)
    if given is not None and entry.soft and not (entry.relates or entry.maps):
        raise NotApplicable(ANSWERS_ONLY)
    answer = entry.teach(replace(lesson, relations=alike))
    if isinstance(answer, Live):
        raise NotApplicable("it answers for each batch; distill.loss: relational compares rows")
    is_answers = answer is not None and entry.soft and not (entry.relates or entry.maps)
    return np.sqrt(answer) if is_answers else answer
