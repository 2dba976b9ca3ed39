"""Worse pictures: each kind by hand, and the same for every student."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from brain_teacher.distillation.corruptions import STRENGTHS, corrupt

RNG = np.random.default_rng(1)
IMAGES = RNG.integers(0, 256, (6, 20, 20, 3), dtype=np.uint8)
IDS = np.array([f"p{number}" for number in range(6)])


@pytest.mark.parametrize("kind", STRENGTHS)
def test_a_picture_gets_the_same_wherever_it_stands(kind):
    strength = STRENGTHS[kind][1]
    whole = corrupt(IMAGES, IDS, kind, strength)
    assert whole.dtype == np.uint8 and whole.shape == IMAGES.shape
    order = [4, 1, 3]
    assert np.array_equal(corrupt(IMAGES[order], IDS[order], kind, strength), whole[order])


@pytest.mark.parametrize("kind", STRENGTHS)
def test_the_stronger_the_further_from_the_picture(kind):
    far = [
        abs(corrupt(IMAGES, IDS, kind, s).astype(float) - IMAGES).mean() for s in STRENGTHS[kind]
    ]
    assert 0 < far[0] < far[1] < far[2]


def test_noise_has_its_deviation_and_mean():
    grey = np.full((40, 24, 24, 3), 128, np.uint8)
    worse = corrupt(grey, np.array([f"g{n}" for n in range(40)]), "noise", 0.08).astype(float)
    assert (worse - 128).std() == pytest.approx(0.08 * 255, rel=0.02)
    assert (worse - 128).mean() == pytest.approx(0, abs=0.5)
    assert not np.array_equal(worse[0], worse[1])


def test_contrast_shrinks_around_the_pictures_own_mean():
    picture = np.array([[0, 200], [100, 100]], np.uint8)[None, :, :, None].repeat(3, axis=3)
    # Mean 100; a quarter of -100, 100, 0 and 0.
    worse = corrupt(picture, ["c"], "contrast", 0.25)[0, :, :, 0]
    assert worse.tolist() == [[75, 125], [100, 100]]


def test_occlusion_is_one_grey_square_inside():
    worse = corrupt(IMAGES, IDS, "occlusion", 0.4)
    for before, after in zip(IMAGES, worse, strict=True):
        hidden = (after == 128).all(axis=2)
        rows, columns = np.flatnonzero(hidden.any(axis=1)), np.flatnonzero(hidden.any(axis=0))
        assert hidden.sum() == 64 and np.ptp(rows) == 7 and np.ptp(columns) == 7
        assert np.array_equal(after[~hidden], before[~hidden])


def test_blur_is_a_gaussian_along_both_sides():
    line = gaussian_filter1d(gaussian_filter1d(IMAGES.astype(float), 1.6, axis=1), 1.6, axis=2)
    worse = corrupt(IMAGES, IDS, "blur", 0.08)
    assert abs(worse - line).max() <= 0.51
