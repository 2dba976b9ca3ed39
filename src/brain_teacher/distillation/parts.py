"""``PARTS``: teachers that keep one part of the brain's soft labels, to see which part helps.

A part is a function of a `Lesson`, as a teacher is, and gives probabilities (n_images, n_classes).
It is held against another part, or a teacher, that has all that it has but the one thing it is
about: the difference is what that thing adds. Parts draw nothing: all seeds have the same targets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from brain_teacher.dataset.ids import rows_of
from brain_teacher.distillation.lessons import Lesson, NotApplicable
from brain_teacher.distillation.targets import Targets
from brain_teacher.distillation.teachers import brain_confidence
from brain_teacher.seeds import named_rng

# Of the curve: 0 is the brain, 1 its class means.
SHRUNK = (0.25, 0.5, 0.75)


def even(lesson):
    """The class's mean confidence, the rest even."""
    return _even_rest(lesson, _own(lesson.softened(), lesson, _mean))


def confidence(lesson):
    """The image's own confidence (what its q_T has on the true class), the rest even."""
    return _even_rest(lesson, _own(lesson.softened(), lesson))


def class_profile(lesson):
    """The class's mean row of q_T, the same for every image of the class."""
    return _mean(lesson.softened(), lesson)


def image_profile(lesson):
    """The image's own off-target profile, the class's mean confidence.

    What its q_T gives the other classes, in its own proportions; of an image that gives them
    nothing, in the class's.
    """
    q, rows = lesson.softened(), np.arange(len(lesson.truth))
    own, mean = _own(q, lesson, _mean), _mean(q, lesson)
    q[rows, lesson.truth] = mean[rows, lesson.truth] = 0.0
    profile = np.where(q.sum(axis=1, keepdims=True) > 0, q, mean)
    total = profile.sum(axis=1)
    # Of a class that gives the others nothing there is nothing to share out.
    probs = profile * ((1 - own) / np.where(total > 0, total, 1.0))[:, None]
    probs[rows, lesson.truth] = own
    return probs


def top(lesson, *, k):
    """The k most probable classes of the row, the rest even; of equal ones the first by id."""
    q = lesson.softened()
    if k >= q.shape[1] - 1:
        raise NotApplicable(f"of {q.shape[1]} classes the top {k} are the whole row")
    rest = np.argsort(-q, axis=1, kind="stable")[:, k:]
    shared = np.take_along_axis(q, rest, axis=1).mean(axis=1, keepdims=True)
    np.put_along_axis(q, rest, shared, axis=1)
    return q


def right(lesson):
    """The brain's rows of the images that it names rightly, the others' class's mean row."""
    return _only(lesson, _right(lesson))


def wrong(lesson):
    """The brain's rows of the images that it names wrongly, the others' class's mean row."""
    return _only(lesson, ~_right(lesson))


def sure(lesson):
    """The brain's rows of the surer half of each class, the others' class's mean row."""
    return _only(lesson, _sure(lesson))


def unsure(lesson):
    """The brain's rows of the less sure half of each class, the others' class's mean row."""
    return _only(lesson, ~_sure(lesson))


def shrunk(lesson, *, t):
    """The brain's rows moved towards the class's mean row: (1 - t) q_T + t mean."""
    q = lesson.softened()
    return (1 - t) * q + t * _mean(q, lesson)


def _mean(q, lesson):
    """Each row's class's mean row."""
    mean = np.empty_like(q)
    for _, rows in lesson.classes():
        mean[rows] = q[rows].mean(axis=0)
    return mean


def _own(q, lesson, of=lambda q, _: q):
    """What each row, or what is made of it, has on the true class: (n_images,)."""
    return of(q, lesson)[np.arange(len(lesson.truth)), lesson.truth]


def _even_rest(lesson, own):
    n_classes = lesson.log_probs.shape[1]
    probs = np.repeat(((1 - own) / (n_classes - 1))[:, None], n_classes, axis=1)
    probs[np.arange(len(own)), lesson.truth] = own
    return probs


def _right(lesson):
    return lesson.log_probs.argmax(axis=1) == lesson.truth


def _sure(lesson):
    """The half of each class with the larger largest probability; of an odd number the smaller."""
    most, chosen = lesson.log_probs.max(axis=1), np.zeros(len(lesson.truth), dtype=bool)
    for _, rows in lesson.classes():
        chosen[rows[np.argsort(-most[rows], kind="stable")][: len(rows) // 2]] = True
    return chosen


def _only(lesson, chosen):
    if chosen.all() or not chosen.any():
        raise NotApplicable(
            f"{'every' if chosen.all() else 'no'} image is of that kind: there is nothing to part"
        )
    q = lesson.softened()
    return np.where(chosen[:, None], q, _mean(q, lesson))


@dataclass(frozen=True)
class KeptPart:
    """An entry of ``PARTS``."""

    label: str  # what it keeps, for people
    keep: Callable[[Lesson], np.ndarray]
    against: str  # the part or teacher that has all but what this one is about
    adds: str  # what it is about: part minus `against`; empty for a point of the dose curve
    dose: float | None = None  # its place on the curve


PARTS = {
    "even": KeptPart("the class's mean confidence, the rest even", even, "none", "smoothing"),
    "confidence": KeptPart(
        "the image's own confidence, the rest even", confidence, "even", "the image's confidence"
    ),
    "class-profile": KeptPart(
        "the class's mean row", class_profile, "even", "the class's off-target profile"
    ),
    # A teacher, too: its students may be there.
    "brain-confidence": KeptPart(
        "the class's mean profile, the image's own confidence",
        brain_confidence,
        "class-profile",
        "the image's confidence beside the class's profile",
    ),
    "image-profile": KeptPart(
        "the image's own off-target profile, the class's mean confidence",
        image_profile,
        "class-profile",
        "the image's own off-target profile",
    ),
    **{
        f"top-{k}": KeptPart(
            f"the {k} most probable classes, the rest even",
            partial(top, k=k),
            "even",
            f"the top {k} of the row",
        )
        for k in (1, 2, 3)
    },
    **{
        name: KeptPart(
            f"the rows of images named {name}ly, else the class's mean row",
            keep,
            "class-profile",
            f"the rows of images named {name}ly",
        )
        for name, keep in {"right": right, "wrong": wrong, "sure": sure, "unsure": unsure}.items()
    },
    **{
        f"shrunk-{t:g}": KeptPart(
            f"the rows, {t:.0%} of the way to the class's mean row",
            partial(shrunk, t=t),
            "class-profile",
            "",
            dose=t,
        )
        for t in SHRUNK
    },
}


def draw_part(name, soft_labels, category, *, temperature):
    """A part's targets.

    Parameters
    ----------
    name : str
        A key of `PARTS`.
    soft_labels : SoftLabels
        The brain's, of the training images.
    category : ndarray of str, shape (n_images,)
        Of each row.
    temperature : float
        T > 0 of the loss, which the brain's rows are softened by.

    Returns
    -------
    Targets

    Raises
    ------
    NotApplicable
        If nothing is kept, or nothing left out.
    """
    # In the order of the ids: what is equal must not depend on a file's order.
    rows = soft_labels.sorted()
    order = rows_of(rows.image_id, soft_labels.image_id, lacks="there is no image '{}'")
    lesson = Lesson(
        rows.log_probs.astype(np.float64),
        rows.truth(np.asarray(category)[order]),
        temperature=temperature,
        rng=named_rng("part", name),
        prior=rows.prior_share(),
    )
    probs = PARTS[name].keep(lesson)
    return Targets(probs.astype(np.float32), rows.image_id, rows.class_id)
