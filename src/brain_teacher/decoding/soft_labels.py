"""Soft labels: a decoder's out-of-fold log-probabilities, or a table of others, with ids."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import NonNegativeFloat
from scipy.special import logsumexp

from brain_teacher.dataset.ids import rows_of
from brain_teacher.decoding.log_probs import check_log_probs, soften, with_prior
from brain_teacher.errors import flat
from brain_teacher.reading.arrays import read_npz
from brain_teacher.reading.text import Said

FORMAT = 1
ARRAYS = {
    "log_probs": ("f", 2), "image_id": ("U", 1), "class_id": ("U", 1), "fold": ("iu", 1),
}  # fmt: skip
VOTES = {"votes": ("f", 1)}
# What can be behind a table (`meta["kind"]`), and what it is called.
BRAIN, PEOPLE, WORDS, MODEL = "brain", "people", "words", "model"
KINDS = {BRAIN: "a brain", PEOPLE: "people", WORDS: "words", MODEL: "a model"}
# In the meta of a table and of its students: that it was imported, not decoded here.
IMPORTED = "imported"
# In a data set's folder: the tables of others.
FOREIGN = "soft_labels"
NO_COLUMN = "has no column for category '{}'"
# In the meta of a table that was restricted: of how many categories it was made.
RECORDED = "categories_recorded"


class Meta(Said):
    """What ``meta`` of a soft-label file says, where it says it."""

    dataset: str = ""
    simulated: bool = False
    subject: str = ""
    roi: str = ""
    decoder: str = ""
    kind: str = BRAIN
    calibrated: bool = False
    prior: NonNegativeFloat = 0
    features: dict[str, Any] | None = None
    quality: dict[str, Any] | None = None


@dataclass(frozen=True)
class SoftLabels:
    """Out-of-fold log-probabilities of one subject's ROI, or of several combined; or others' table.

    Attributes
    ----------
    log_probs : ndarray of shape (n_images, n_classes), float32
        Natural log; each row's ``exp`` sums to 1.
    image_id, class_id : ndarray of str
        Names of the rows and of the columns, each once.
    fold : ndarray of int, shape (n_images,)
        The fold whose decoder, which never saw the image, gave the row. Of a combined table: the
        image fold of the group's temperature; 0 where none was fitted.
    meta : dict
        What the table is: its ``kind`` (of `KINDS`; a brain, where it says none), subject, ROI,
        decoder, fold plan, calibration, data set, fingerprint.
    votes : ndarray of shape (n_images,), optional
        How many choices each row was counted from. ``meta["prior"]`` is then how many more a prior
        has, spread evenly over the classes; `softened` puts it in.

    Raises
    ------
    ValueError
        If shapes and ids do not agree, an id stands twice, a row does not sum to 1 within 1e-4,
        there is no such kind, or votes are without a prior.
    """

    log_probs: np.ndarray
    image_id: np.ndarray
    class_id: np.ndarray
    fold: np.ndarray
    meta: dict = field(default_factory=dict)
    votes: np.ndarray | None = None

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"meta.kind is {self.kind!r}, none of {', '.join(KINDS)}")
        shape = (len(self.image_id), len(self.class_id))
        if self.log_probs.shape != shape:
            raise ValueError(f"log_probs has shape {self.log_probs.shape}, its ids say {shape}")
        if len(self.fold) != len(self.image_id):
            raise ValueError(f"fold has {len(self.fold)} entries for {shape[0]} images")
        for name in ("image_id", "class_id"):
            values, counts = np.unique(getattr(self, name), return_counts=True)
            if (counts > 1).any():
                raise ValueError(f"{name} '{values[counts > 1][0]}' stands twice")
        if self.votes is not None:
            self._check_votes(self.votes)
        check_log_probs(self.log_probs, self.image_id)

    def _check_votes(self, votes):
        if len(votes) != len(self.image_id) or "prior" not in self.meta:
            raise ValueError("votes are one an image, and meta.prior says how they are smoothed")
        if not (np.isfinite(votes) & (votes > 0)).all():
            raise ValueError("votes are counts above 0")

    def take(self, image_ids):
        """The rows of some images, in the order given; joined by id."""
        lacks = "has no row for image '{}' ({} are missing)"
        rows = rows_of(image_ids, self.image_id, lacks=lacks)
        return self._part(rows, np.arange(len(self.class_id)))

    def sorted(self):
        """The same table with rows and columns in the order of their ids."""
        return self._part(np.argsort(self.image_id), np.argsort(self.class_id))

    def restricted(self, classes, category):
        """The same table for some of its classes: the rows that show them, normalised among them.

        What a row says is then ``p(class | one of these)``, in log space; of votes those are left
        that went to these classes. ``meta`` says how many classes there were.

        Parameters
        ----------
        classes : collection of str
            Ids of the classes that are kept.
        category : ndarray of str, shape (n_images,)
            Of each row.

        Raises
        ------
        ValueError
            If a class has no column, or a row gives nothing to any of them.
        """
        rows = np.flatnonzero(np.isin(category, list(classes)))
        columns = np.sort(rows_of(classes, self.class_id, lacks=NO_COLUMN))
        log_probs = self.log_probs[np.ix_(rows, columns)].astype(np.float64)
        kept = logsumexp(log_probs, axis=1)
        if np.isneginf(kept).any():
            raise ValueError(
                f"the row of image '{self.image_id[rows][np.isneginf(kept)][0]}' gives nothing to "
                f"the {len(columns)} categories that have pictures; take it out of the table"
            )
        return SoftLabels(
            (log_probs - kept[:, None]).astype(np.float32),
            self.image_id[rows],
            self.class_id[columns],
            self.fold[rows],
            {RECORDED: len(self.class_id)} | self.meta,
            None if self.votes is None else self.votes[rows] * np.exp(kept),
        )

    def _part(self, rows, columns):
        # np.ix_: by rows and then columns, the result would lie in Fortran's order.
        log_probs, classes = self.log_probs[np.ix_(rows, columns)], self.class_id[columns]
        votes = None if self.votes is None else self.votes[rows]
        ids = self.image_id[rows], classes
        return SoftLabels(log_probs, *ids, self.fold[rows], self.meta, votes)

    @property
    def kind(self):
        """What is behind the table, a key of `KINDS`."""
        return kind_of(self.meta)

    @property
    def categories(self):
        """``59 of 150``: how many of those recorded are classes; None where all are."""
        return f"{len(self.class_id)} of {self.meta[RECORDED]}" if RECORDED in self.meta else None

    def prior_share(self):
        """How much of each row a prior shall have, evenly over the classes; (n_images, 1)."""
        if self.votes is None:
            return np.zeros((len(self.image_id), 1))
        return (self.meta["prior"] / (self.votes + self.meta["prior"]))[:, None]

    def softened(self, temperature):
        """q_T as probabilities, float64; a prior keeps its share whatever the temperature."""
        q = np.exp(soften(self.log_probs.astype(np.float64), temperature=temperature))
        return with_prior(q, self.prior_share())

    def truth(self, category):
        """Column of the right class of each row, given the rows' categories."""
        return rows_of(category, self.class_id, lacks=NO_COLUMN)

    def arrays(self):
        """What a soft-label file holds, ready for ``np.savez``."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        if self.votes is not None:
            arrays["votes"] = self.votes
        return arrays | {"meta": np.array(json.dumps(self.meta, sort_keys=True))}


def read_soft_labels(path):
    """Read a soft-label file.

    Parameters
    ----------
    path : path-like
        Of `brain-teacher decode` or `brain-teacher import-soft-labels`.

    Returns
    -------
    SoftLabels

    Raises
    ------
    ValueError
        If the file is broken, an array is missing, the format is a later one, the content is not
        soft labels, or the table was imported and does not say what it is.
    """
    arrays, meta = read_npz(
        path, ARRAYS, arrays=ARRAYS | VOTES, meta=Meta, format=FORMAT, what="soft-label"
    )
    if "imported" in meta and "kind" not in meta:
        raise ValueError(
            "was imported before tables said what is behind them: import it again, with --kind "
            f"{', '.join(KINDS)}"
        )
    there = {name: arrays[name] for name in ARRAYS | VOTES if name in arrays}
    try:
        return SoftLabels(meta=meta, **there)
    except ValueError as error:
        raise ValueError(flat(error)) from error  # ids are quoted


def kind_of(meta):
    """What is behind a table, or behind the students that it taught: a key of `KINDS`.

    Decoders' tables of former versions do not say so.
    """
    return meta.get("kind", BRAIN)
