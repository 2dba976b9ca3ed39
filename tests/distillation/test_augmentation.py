"""From pictures to a batch, against ``np.pad``, slices and `normalise`."""

import numpy as np
import pytest
import torch

from brain_teacher.distillation.augmentation import (
    cut_at_once,
    cut_one_by_one,
    mirror_edges,
    normalise_pixels,
    to_batch,
)
from brain_teacher.networks.classifiers import MEAN, SD, normalise
from brain_teacher.seeds import named_rng

CUTS = [cut_one_by_one, cut_at_once]


def pictures(n, size=6):
    values = named_rng("augmentation", n).integers(0, 256, (n, size, size, 3), dtype=np.uint8)
    return torch.from_numpy(values)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def by_numpy(picture, shift, dy, dx, flip):
    """Flip, then cut a window, `dy` down and `dx` right of the middle, from the mirrored edges."""
    size = len(picture)
    picture = picture[:, ::-1] if flip else picture
    padded = np.pad(picture, ((shift, shift), (shift, shift), (0, 0)), mode="reflect")
    return padded[shift + dy : shift + dy + size, shift + dx : shift + dx + size]


def batch_of(images, *, shift, flip=True, seed=0):
    """All images, in their order."""
    drawn = generator(seed)
    return to_batch(mirror_edges(images, shift), shift=shift, flip=flip, generator=drawn)


def pixels_of(batch):
    """The pixels (batch, size, size, 3), uint8, that a batch was normalised from."""
    pixels = (batch.permute(0, 2, 3, 1) * torch.tensor(SD) + torch.tensor(MEAN)) * 255
    assert (pixels - pixels.round()).abs().max() < 1e-3
    return pixels.round().to(torch.uint8).numpy()


@pytest.mark.parametrize("shift", [0, 1, 2, 5])
def test_edges_are_mirrored_as_numpy_does(shift):
    batch = pictures(3)
    around = ((0, 0), (shift, shift), (shift, shift), (0, 0))
    expected = np.pad(batch.numpy(), around, mode="reflect")
    np.testing.assert_array_equal(mirror_edges(batch, shift), expected)


@pytest.mark.parametrize("shift", [-1, 6])
def test_a_shift_that_does_not_fit_is_an_error(shift):
    message = f"^a shift of {shift} pixels does not fit pictures of 6$"
    with pytest.raises(ValueError, match=message):
        mirror_edges(pictures(1), shift)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("shift", [1, 2, 5])
def test_both_ways_cut_the_window_asked_for(cut, shift):
    reach = range(2 * shift + 1)
    places = [(top, left, flip) for top in reach for left in reach for flip in (False, True)]
    batch = pictures(7)
    top, left, flipped = torch.tensor(places).T
    batch = batch[torch.arange(len(places)) * 3 % 7]
    # A view that begins later in memory: not every tensor starts at its storage's first byte.
    mirrored = mirror_edges(torch.cat([pictures(1), batch]), shift)[1:]
    found = cut(mirrored, top, left, flipped.bool(), 6).numpy()
    for row, (window, (y, x, flip)) in enumerate(zip(found, places, strict=True)):
        whole = mirrored[row, y : y + 6, x : x + 6].numpy()
        np.testing.assert_array_equal(window, whole[:, ::-1] if flip else whole)


@pytest.mark.parametrize("flip", [False, True])
def test_the_drawn_offsets_move_the_picture(flip):
    shift, n = 2, 60
    batch = pictures(n)
    found = pixels_of(batch_of(batch, shift=shift, flip=flip, seed=4))
    drawn = generator(4)
    down, right = torch.randint(-shift, shift + 1, (2, n), generator=drawn).tolist()
    flipped = torch.randint(0, 2, (n,), generator=drawn).tolist()
    for row in range(n):
        expected = by_numpy(batch[row].numpy(), shift, down[row], right[row], flip and flipped[row])
        np.testing.assert_array_equal(found[row], expected)


def test_all_shifts_and_both_flips_are_drawn_alike():
    shift, n = 1, 1800
    picture = pictures(1)
    found = pixels_of(batch_of(picture.expand(n, -1, -1, -1), shift=shift))
    kinds = {
        by_numpy(picture[0].numpy(), shift, dy, dx, flip).tobytes(): 0
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        for flip in (False, True)
    }
    for one in found:
        kinds[one.tobytes()] += 1
    # 18 kinds, 100 of each expected, standard deviation 10.
    assert len(kinds) == 18 and min(kinds.values()) > 60 and max(kinds.values()) < 140


def test_without_shift_and_flip_nothing_changes():
    batch = pictures(7)
    np.testing.assert_array_equal(pixels_of(batch_of(batch, shift=0, flip=False)), batch)


def test_pixels_are_normalised_as_for_evaluation():
    # Every value of a pixel, in every colour.
    values = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(-1, -1, -1, 3)
    expected = normalise(values.permute(0, 3, 1, 2).float())
    # Five roundings of float32 at 2.6: the mean and SD are folded into one factor and offset.
    torch.testing.assert_close(normalise_pixels(values), expected, rtol=0, atol=1e-6)


def test_the_same_generator_seed_gives_the_same_pictures():
    batch = pictures(20)
    first, again, other = (batch_of(batch, shift=2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_only_the_generator_given_is_drawn_from():
    before = torch.get_rng_state()
    batch_of(pictures(5), shift=2)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("settings", [(0, False), (0, True), (2, False), (3, True)])
def test_every_setting_draws_the_same_amount_of_randomness(settings):
    # Otherwise shift or flip would change the order of the images of later epochs.
    shift, flip = settings
    used, reference = generator(), generator()
    mirrored = mirror_edges(pictures(5), shift)
    to_batch(mirrored, shift=shift, flip=flip, generator=used)
    torch.randint(0, 2, (3, 5), generator=reference)
    assert torch.equal(used.get_state(), reference.get_state())


def test_the_result_is_float32_and_channels_last():
    found = batch_of(pictures(4), shift=2)
    assert found.shape == (4, 3, 6, 6) and found.dtype == torch.float32
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_the_pictures_given_stay_as_they_are():
    batch = pictures(4)
    before = batch.clone()
    for shift in (0, 2):
        batch_of(batch, shift=shift)
    assert torch.equal(batch, before)
