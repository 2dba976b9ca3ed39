"""Augmentation of a batch, against ``np.pad`` and slices."""

import numpy as np
import pytest
import torch

from brain_teacher.distillation import augmentation
from brain_teacher.distillation.augmentation import augment
from brain_teacher.seeds import named_rng


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
    window = padded[shift + dy : shift + dy + size, shift + dx : shift + dx + size]
    return window.transpose(2, 0, 1)


@pytest.mark.parametrize("shift", [1, 2, 5])
@pytest.mark.parametrize("flip", [False, True])
def test_every_offset_is_a_window_of_the_mirrored_picture(shift, flip, monkeypatch):
    each = [(dy, dx) for dy in range(-shift, shift + 1) for dx in range(-shift, shift + 1)]
    offsets = torch.tensor(each).T[:, :, None]

    # Instead of random numbers: every offset once, and a flip where flips are allowed.
    def all_offsets(low, high, shape, generator):
        if low == 0:
            assert (high, shape) == (2, (len(each), 1))
            return torch.ones(shape, dtype=torch.int64)
        assert (low, high, shape) == (-shift, shift + 1, (2, len(each), 1))
        return offsets

    monkeypatch.setattr(augmentation.torch, "randint", all_offsets)
    batch = pictures(len(each))
    found = augment(batch, shift=shift, flip=flip, generator=generator()).numpy()
    for row, (dy, dx) in enumerate(each):
        expected = by_numpy(batch[row].numpy(), shift, dy, dx, flip)
        np.testing.assert_array_equal(found[row], expected, f"offset {dy}, {dx}")


def test_all_shifts_and_both_flips_are_drawn_alike():
    shift, n = 1, 1800
    picture = pictures(1)
    found = augment(picture.expand(n, -1, -1, -1), shift=shift, flip=True, generator=generator())
    kinds = {
        by_numpy(picture[0].numpy(), shift, dy, dx, flip).tobytes(): 0
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        for flip in (False, True)
    }
    for one in found.numpy():
        kinds[one.tobytes()] += 1
    # 18 kinds, 100 of each expected, standard deviation 10.
    assert len(kinds) == 18 and min(kinds.values()) > 60 and max(kinds.values()) < 140


def test_without_shift_and_flip_nothing_changes():
    batch = pictures(7)
    found = augment(batch, shift=0, flip=False, generator=generator())
    assert torch.equal(found, batch.permute(0, 3, 1, 2))


def test_the_same_generator_seed_gives_the_same_pictures():
    batch = pictures(20)
    first, again, other = (
        augment(batch, shift=2, flip=True, generator=generator(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_only_the_generator_given_is_drawn_from():
    before = torch.get_rng_state()
    augment(pictures(5), shift=2, flip=True, generator=generator())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("settings", [(0, False), (0, True), (2, False), (3, True)])
def test_every_setting_draws_the_same_amount_of_randomness(settings):
    # Otherwise shift or flip would change the order of the images of later epochs.
    used, reference = generator(), generator()
    augment(pictures(5), shift=settings[0], flip=settings[1], generator=used)
    torch.randint(0, 2, (3, 5), generator=reference)
    assert torch.equal(used.get_state(), reference.get_state())


def test_the_result_is_uint8_and_channels_last():
    found = augment(pictures(4), shift=2, flip=True, generator=generator())
    assert found.shape == (4, 3, 6, 6) and found.dtype == torch.uint8
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_the_pictures_given_stay_as_they_are():
    batch = pictures(4)
    before = batch.clone()
    augment(batch, shift=2, flip=True, generator=generator())
    assert torch.equal(batch, before)
