"""Which soft labels teach: what makes two of them others."""

from dataclasses import replace

import numpy as np
import pytest

from brain_teacher.chain.students.soft_labels import digest_of_labels
from brain_teacher.decoding.soft_labels import SoftLabels

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
