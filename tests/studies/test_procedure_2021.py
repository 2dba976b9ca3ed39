"""The faults of 2021's soft labels, as the benchmark makes them."""

import numpy as np
from scipy.special import log_softmax

from brain_teacher.decoding.soft_labels import SoftLabels
from procedure_2021 import mispaired, squashed

LOGITS = np.random.default_rng(1).normal(0, 3, (30, 5))
IMAGES, CLASSES = np.array([f"i{k:02}" for k in range(30)]), np.array(list("abcde"))
TABLE = SoftLabels(
    log_softmax(LOGITS, axis=1).astype(np.float32), IMAGES, CLASSES, np.zeros(30, np.int16), {}
)


def test_a_second_softmax_keeps_the_order_and_little_else():
    found = squashed(TABLE)
    assert (found.log_probs.argmax(axis=1) == LOGITS.argmax(axis=1)).all()
    probs = np.exp(found.log_probs)
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-5)
    assert probs.max() <= np.e / (np.e + 4) + 1e-6 and probs.min() >= 1 / (np.e + 4) - 1e-6


def test_rows_of_other_scans_are_the_same_rows_under_other_ids():
    found = mispaired(TABLE)
    assert found.image_id.tolist() == IMAGES.tolist()
    same = (found.log_probs == TABLE.log_probs).all(axis=1)
    assert same.sum() < 10
    key = np.lexsort(found.log_probs.T), np.lexsort(TABLE.log_probs.T)
    np.testing.assert_array_equal(found.log_probs[key[0]], TABLE.log_probs[key[1]])
