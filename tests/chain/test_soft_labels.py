"""Which soft labels teach: what makes two of them others."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brain_teacher.chain.students.soft_labels import check_no_zeros, digest_of_labels
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.errors import BrainTeacherError
from brain_teacher.sources.formats.soft_label_tables import to_soft_labels

CHOICES = SoftLabels(
    np.log([[0.75, 0.25], [0.5, 0.5]]).astype(np.float32),
    np.array(["p", "q"]),
    np.array(["a", "b"]),
    np.zeros(2, np.int16),
    {"kind": "people", "prior": 1.0},
    np.array([4.0, 4.0]),
)


@pytest.mark.parametrize(
    "changes",
    [
        {"log_probs": CHOICES.log_probs[::-1]},
        {"image_id": np.array(["p", "r"])},
        {"class_id": np.array(["a", "c"])},
        {"meta": CHOICES.meta | {"prior": 2.0}},
        {"votes": np.array([4.0, 8.0])},
    ],
)
def test_rows_ids_votes_and_prior_make_soft_labels_others(changes):
    assert digest_of_labels([replace(CHOICES, **changes)]) != digest_of_labels([CHOICES])
    assert digest_of_labels([replace(CHOICES)]) == digest_of_labels([CHOICES])


VOTES = pd.DataFrame({"a": [4, 0], "b": [0, 3]}, index=["p", "q"])


@pytest.mark.parametrize("loss", ["dkd", "standardised"])
def test_a_loss_that_reads_small_numbers_is_not_given_a_zero(loss):
    zeros = to_soft_labels(VOTES.div(VOTES.sum(axis=1), axis=0), values="probabilities", meta={})
    with pytest.raises(BrainTeacherError, match="of words 2 of 2 rows have a probability of 0"):
        check_no_zeros({"brain": CHOICES, "words": zeros}, loss)
    # Counts have a prior, other losses a floor, and a sure decoder is not a table with zeros.
    check_no_zeros({"brain": to_soft_labels(VOTES, values="counts", meta={})}, loss)
    check_no_zeros({"brain": zeros}, "hinton")
    sure = replace(CHOICES, log_probs=np.log([[1 - 1e-30, 1e-30]] * 2).astype("f4"), votes=None)
    check_no_zeros({"brain": sure}, loss)
