"""``TEACHERS``: what a student is taught with. What is learnt is decided by what they differ in.

Every teacher is a function of a `Lesson`, and gives probabilities of shape (n_images, n_classes),
weights (n_images,) of the hard labels, None for hard labels only, or `Live` for a network that
looks at each augmented batch. Where likeness is taught in place of answers (`Lesson.relations`),
some give rows of that instead (`Teacher.relates`), or maps (`Teacher.maps`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import entr, logsumexp

from brain_teacher.distillation.lessons import Lesson, NotApplicable
from brain_teacher.distillation.matching import even_rest, spread, tempered
from brain_teacher.distillation.relations import of_this_spectrum, rows_of_similarity
from brain_teacher.distillation.targets import Live

PERMUTED_TRIALS, RIVAL, WORDS = "permuted-trials", "resnet34-table", "semantic"
# A teacher of this name and another is the user's own table by that other name, softened.
OWN_TABLE = "table-"


def none(lesson):
    """Hard labels only.

    In the methods
    --------------
    `none` gave the hard labels alone.
    """


def weighted(lesson):
    """Hard labels, each image weighted by the brain's confidence in it, 1 on average.

    The confidence is the probability (T = 1) of the image's class, after Fong, Scheirer & Cox
    (2018), Sci. Rep. 8:5397. Gives weights, (n_images,).

    In the methods
    --------------
    `weighted` gave the hard labels, each picture weighted by the brain's confidence in its
    category [@fong2018].
    """
    own = replace(lesson, temperature=1.0).softened()[np.arange(len(lesson.truth)), lesson.truth]
    return own / own.mean()


def smooth(lesson):
    """Uniform targets; softening leaves them unchanged. Loss, alpha and T as for the brain.

    In the methods
    --------------
    `smooth` gave targets that are even over all categories (label smoothing [@szegedy2016]).
    """
    return np.full(lesson.log_probs.shape, 1 / lesson.log_probs.shape[1])


def smooth_matched(lesson):
    """1 - e on the true class, the rest even, e per image: the entropy is that of the brain's q_T.

    As confident as the brain, image by image, and knows nothing else. Not softened again.

    In the methods
    --------------
    `smooth-matched` gave targets that are even but for the true category, and as unsure as the
    brain's, picture by picture.
    """
    q = lesson.softened()
    return even_rest(lesson.truth, q.shape[1], entr(q).sum(axis=1))


def permuted_classes(lesson):
    """What the brain gives the other classes goes to others still; the true class keeps its own.

    Per true class one derangement of the other classes, new for each seed: as confident as the
    brain, image by image, and wrong about which classes are alike.

    In the methods
    --------------
    `permuted-classes` gave the brain's targets with the shares of the other categories exchanged,
    anew for each seed.
    """
    q, probs = lesson.softened(), np.empty_like(lesson.log_probs)
    if q.shape[1] < 3:
        raise NotApplicable(f"permuted-classes needs at least 3 classes; there are {q.shape[1]}")
    for column, rows in lesson.classes():
        others = np.delete(np.arange(q.shape[1]), column)
        moved = others[_derangement(len(others), lesson.rng)]
        probs[rows, column] = q[rows, column]
        probs[np.ix_(rows, moved)] = q[np.ix_(rows, others)]
    return probs


def semantic(lesson):
    """The brain's confidence in a class, the rest by similarity that words know.

    Of a class every image has the same row: on the true class the mean mass that the brain's q_T
    has there, the rest in proportion to exp(similarity / s), with s such that the entropy is the
    class's mean entropy of q_T (or as near as can be). Not softened again.

    In the methods
    --------------
    `semantic` gave targets with the brain's mean share on the true category, and the rest on
    categories that words call alike.
    """
    if lesson.similarity is None:
        raise NotApplicable(
            "it needs the similarity of the classes: dataset.yaml has no superclass of each "
            "category (superclasses: {CATEGORY: SUPERCLASS}), and distill.similarity names no table"
        )
    if lesson.relations is not None:
        return rows_of_similarity(lesson.similarity)[lesson.truth]
    q = lesson.softened()
    probs = np.empty_like(q)
    for column, rows in lesson.classes():
        wanted = entr(q[rows]).sum(axis=1).mean()
        own, others = q[rows, column].mean(), np.delete(lesson.similarity[column], column)
        row = (1 - own) * spread(others, wanted - entr(own), 1 - own)
        probs[rows] = np.insert(row, column, own)
    return probs


def permuted_images(lesson):
    """The brain's rows exchanged within a class, no image keeping its own.

    A new derangement for each seed. What is left of the brain is what it says of the class.

    In the methods
    --------------
    `permuted-images` gave the brain's target of another picture of the same category, anew for
    each seed; rank and spectrum of the table are kept [@dapello2023].
    """
    source = np.arange(len(lesson.truth))
    for column, rows in lesson.classes():
        if len(rows) < 2:
            raise NotApplicable(
                "permuted-images needs at least 2 images in each class; class number "
                f"{column + 1} of the sorted classes has one"
            )
        source[rows] = rows[_derangement(len(rows), lesson.rng)]
    return lesson.rows()[source]


def permuted_all(lesson):
    """The brain's rows exchanged over all images, no image keeping its own: random soft targets.

    A new derangement for each seed. How sure rows are, and how many say what, is the brain's; of
    no image is it true.

    In the methods
    --------------
    `permuted-all` gave the brain's target of any other picture, anew for each seed [@federer2020].
    """
    return lesson.rows()[_derangement(len(lesson.truth), lesson.rng)]


def matched_spectrum(lesson):
    """Likeness at random, of the brain's spectrum: as many dimensions, each as strong.

    The centred similarity of images has the brain's eigenvalues, and eigenvectors drawn for each
    seed (after Dapello et al. 2022).

    In the methods
    --------------
    `matched-spectrum` gave a likeness of pictures that is drawn at random for each seed, with the
    spectrum of the brain's [@dapello2023].
    """
    if lesson.relations is None:
        raise NotApplicable("it is of likeness, not of answers: distill.loss: relational")
    return of_this_spectrum(lesson.relations, lesson.rng)


def centre_map(lesson):
    """One map for all pictures: the middle, a Gaussian whose SD is a quarter of the side.

    In the methods
    --------------
    `centre-map` gave one map for all pictures, a Gaussian in the middle with an SD of a quarter of
    the side.
    """
    maps = _own_maps(lesson)
    side = np.sqrt(maps.shape[1]).astype(int)
    places = (np.arange(side) + 0.5) / side - 0.5
    line = np.exp(-(places**2) / (2 * 0.25**2))
    return np.tile(np.outer(line, line).ravel(), (len(maps), 1))


def own_map(lesson):
    """The picture's own map, which the brain's was decoded to: no brain.

    In the methods
    --------------
    `own-map` gave the map that the brain's was decoded to, of the picture itself.
    """
    return _own_maps(lesson)


def _own_maps(lesson):
    if lesson.own_maps is None:
        raise NotApplicable("it is of maps, not of answers: distill.loss: attention")
    return lesson.own_maps


def brain_class(lesson):
    """The class mean of the brain's p, the same for every image of the class, as unsure as q_T.

    The mean is taken at T = 1, with the prior of a table that has one; then one exponent a class
    brings its entropy to the class's mean entropy of q_T, or as near as can be. Not softened again.

    In the methods
    --------------
    `brain-class` gave the brain's mean over all pictures of the category{% if not made.relates %},
    as unsure as the brain is on average{% endif %}.
    """
    if lesson.relations is not None:
        means = np.empty_like(lesson.relations)
        for _, rows in lesson.classes():
            means[rows] = lesson.relations[rows].mean(axis=0)
        return means
    q = lesson.softened()
    probs = np.empty_like(q)
    with np.errstate(divide="ignore"):  # most tables have no prior
        even = np.log(np.asarray(lesson.prior) / q.shape[1])
    known = np.logaddexp(np.log1p(-np.asarray(lesson.prior)) + lesson.log_probs, even)
    for _, rows in lesson.classes():
        mean = logsumexp(known[rows], axis=0, keepdims=True) - np.log(len(rows))
        probs[rows] = tempered(mean, entr(q[rows]).sum(axis=1).mean())
    return probs


def brain_confidence(lesson):
    """The class's mean profile, with each image's own confidence.

    On the true class what the image's q_T has there; the rest in proportion to the class mean of
    q_T over the other classes. What is left out is which others the single image looks like.

    In the methods
    --------------
    `brain-confidence` gave the category's mean profile, with the brain's own confidence in each
    picture.
    """
    q = lesson.softened()
    probs = np.empty_like(q)
    for column, rows in lesson.classes():
        own, profile = q[rows, column], q[rows].mean(axis=0)
        profile[column] = 0.0
        # All on the true class: there is no rest to share out.
        probs[rows] = np.outer(1 - own, profile / (profile.sum() or 1.0))
        probs[rows, column] = own
    return probs


def permuted_trials(lesson):
    """Soft labels of a decoder refitted on exchanged trials, one draw a seed, softened.

    All of the procedure, and no picture's own recording.

    In the methods
    --------------
    `permuted-trials` gave the soft labels of a decoder that was fitted anew to exchanged trials
    [@federer2020].
    """
    return lesson.softened(_table(lesson, PERMUTED_TRIALS))


def resnet34_live(lesson):  # noqa: ARG001 (as every teacher)
    """Ordinary distillation: a ResNet34 of the same training images looks at each batch ([1]_).

    References
    ----------
    .. [1] Hinton, Vinyals & Dean (2015), arXiv:1503.02531.

    In the methods
    --------------
    `resnet34-live` was a ResNet34 trained on the same pictures, which looked at each batch
    [@hinton2015].
    """
    return Live("resnet34")


def resnet34_table(lesson):
    """The rival on equal terms: the ResNet34's out-of-fold soft labels, softened.

    In the methods
    --------------
    `resnet34-table` gave that ResNet34's out-of-fold soft labels.
    """
    return lesson.softened(_table(lesson, RIVAL))


def resnet34_degraded(lesson):
    """The rival's table made as weak as the brain, to tell if a teacher this weak could help.

    A share of the images, drawn for each seed, gets even rows, so many that the expected top-1
    (an even row is right once in n_classes) is the brain's. Then one exponent for all rows brings
    the mean entropy to that of the brain's q_T, or as near as can be. `NotApplicable` if the
    table's top-1 is not above the brain's.

    In the methods
    --------------
    `resnet34-degraded` gave these, made as weak as the brain.
    """
    table, rows = _table(lesson, RIVAL), np.arange(len(lesson.truth))
    n_classes = table.shape[1]
    own, rival = (
        float((t.argmax(axis=1) == lesson.truth).mean()) for t in (lesson.log_probs, table)
    )
    if rival <= own:
        raise NotApplicable(
            f"the ResNet34's out-of-fold top-1, {rival:.3f}, is not above the brain's, {own:.3f}: "
            "there is nothing to degrade"
        )
    share = min((rival - own) / (rival - 1 / n_classes), 1.0)
    even = lesson.rng.permutation(rows)[: round(share * len(rows))]
    table = table.copy()
    table[even] = -np.log(n_classes)
    return tempered(table, entr(lesson.softened()).sum(axis=1).mean())


def brain(lesson):
    """The brain's soft labels, softened by the temperature of the loss.

    In the methods
    --------------
    `brain` gave {% if made.maps %}the map that was decoded from the brain{% elif made.relates
    %}how alike the brain finds pictures{% else %}the brain's soft labels, softened{% endif %}.
    """
    return lesson.rows()


def _table(lesson, name):
    if name not in lesson.tables:
        raise ValueError(f"the table {name!r} is missing")
    return lesson.tables[name]


def _derangement(n, rng):
    # A random permutation has no fixed point with probability 1/e: a few tries do.
    while True:
        order = rng.permutation(n)
        if (order != np.arange(n)).all():
            return order


@dataclass(frozen=True)
class Teacher:
    """An entry of ``TEACHERS``."""

    label: str  # what it is, for people
    teach: Callable[[Lesson], np.ndarray | Live | None]
    table: str | None = None  # besides the brain's, that it reads (`Lesson.tables`)
    soft: bool = True  # it has targets: temperature and alpha are of consequence
    words: bool = False  # it reads how alike words make two classes (`Lesson.similarity`)
    relates: bool = False  # where likeness is taught, it gives rows of that itself
    maps: bool = False  # where maps are taught, it gives these


TEACHERS = {
    "none": Teacher("hard labels only", none, soft=False),
    "weighted": Teacher("hard labels, weighted by the brain's confidence", weighted, soft=False),
    "smooth": Teacher("even targets: label smoothing", smooth),
    "smooth-matched": Teacher("even but for the true class, as sure as the brain", smooth_matched),
    "permuted-classes": Teacher("the brain's, off-target mass exchanged", permuted_classes),
    WORDS: Teacher(
        "the brain's confidence, the rest by what words know", semantic, words=True, relates=True
    ),
    "brain-class": Teacher(
        "the brain's mean of each class, as unsure as the brain",
        brain_class,
        relates=True,
        maps=True,
    ),
    "brain-confidence": Teacher("the same profile, the image's own confidence", brain_confidence),
    "permuted-images": Teacher(
        "the brain's, exchanged within a class", permuted_images, relates=True, maps=True
    ),
    "permuted-all": Teacher(
        "the brain's, exchanged over all images", permuted_all, relates=True, maps=True
    ),
    "matched-spectrum": Teacher(
        "likeness at random, of the brain's spectrum", matched_spectrum, relates=True
    ),
    "centre-map": Teacher("one map for all images: the middle", centre_map, maps=True),
    "own-map": Teacher("the image's own map, without a brain", own_map, maps=True),
    PERMUTED_TRIALS: Teacher("decoder of exchanged trials", permuted_trials, table=PERMUTED_TRIALS),
    "resnet34-live": Teacher("a ResNet34 that looks at each batch", resnet34_live),
    RIVAL: Teacher("the ResNet34's out-of-fold soft labels", resnet34_table, table=RIVAL),
    "resnet34-degraded": Teacher("these, as weak as the brain", resnet34_degraded, table=RIVAL),
    "brain": Teacher("the brain's soft labels", brain, relates=True, maps=True),
}
HARD = {name for name, each in TEACHERS.items() if not each.soft}


def table_of(teacher):
    """The table, besides the brain's, that a teacher reads; None if it reads none."""
    return teacher if teacher.startswith(OWN_TABLE) else TEACHERS[teacher].table
