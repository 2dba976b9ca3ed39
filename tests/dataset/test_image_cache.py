"""The cache of pixels: always what `load_images` gives, decoded only when something changed."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from brain_teacher.dataset import image_cache
from brain_teacher.dataset.image_cache import image_file, open_images
from brain_teacher.dataset.images import load_images
from brain_teacher.seeds import named_rng


def cached_images(paths, size, folder):
    return open_images(image_file(paths, size, folder))


@pytest.fixture
def paths(tmp_path):
    """Five picture files of several sizes, JPEG and PNG."""
    rng = named_rng("image cache", 0)
    files = [tmp_path / f"{number}.{'jpg' if number % 2 else 'png'}" for number in range(5)]
    for number, file in enumerate(files):
        pixels = rng.integers(0, 256, (20 + 9 * number, 31, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file)
    return files


@pytest.fixture
def decoded(monkeypatch):
    """The lists of files that were decoded."""
    calls = []

    def counted(paths, size, **settings):
        calls.append(list(paths))
        return load_images(paths, size, **settings)

    monkeypatch.setattr(image_cache, "load_images", counted)
    return calls


def test_it_gives_what_load_images_gives_and_decodes_once(paths, tmp_path, decoded):
    first, again = (cached_images(paths, 7, tmp_path / "cache") for _ in range(2))
    assert type(again) is np.ndarray and again.dtype == np.uint8
    np.testing.assert_array_equal(first, load_images(paths, 7))
    np.testing.assert_array_equal(again, first)
    assert decoded == [paths]


def test_it_follows_the_contents_the_order_and_the_size(paths, tmp_path, decoded):
    cache = tmp_path / "cache"
    cached_images(paths, 7, cache)
    Image.new("RGB", (9, 9), (1, 2, 3)).save(paths[2])
    for files, size in [(paths, 7), (paths[::-1], 7), (paths[:3], 7), (paths, 8)]:
        found = cached_images(files, size, cache)
        np.testing.assert_array_equal(found, load_images(files, size))
    assert len(decoded) == 5


def test_a_picture_that_only_moved_is_not_decoded_again(paths, tmp_path, decoded):
    cached_images(paths, 7, tmp_path / "cache")
    moved = [path.rename(path.with_name(f"moved-{path.name}")) for path in paths]
    cached_images(moved, 7, tmp_path / "cache")
    assert decoded == [paths]


@pytest.mark.parametrize("name", ["FORMAT", "PIL"])
def test_another_way_of_decoding_decodes_anew(paths, tmp_path, decoded, name, monkeypatch):
    cached_images(paths, 7, tmp_path / "cache")
    if name == "FORMAT":
        monkeypatch.setattr(image_cache, name, image_cache.FORMAT + 1)
    else:
        monkeypatch.setattr(image_cache.PIL, "__version__", "another")
    cached_images(paths, 7, tmp_path / "cache")
    assert len(decoded) == 2


@pytest.mark.parametrize("damage", ["cut short", "empty", "another array"])
def test_a_damaged_file_is_made_again(paths, tmp_path, decoded, damage):
    cache = tmp_path / "cache"
    expected = cached_images(paths, 7, cache).copy()
    (file,) = cache.iterdir()
    if damage == "another array":
        np.save(file, np.zeros((5, 7, 7, 3)))
    else:
        file.write_bytes(file.read_bytes()[: 200 if damage == "cut short" else 0])
    np.testing.assert_array_equal(cached_images(paths, 7, cache), expected)
    assert len(decoded) == 2


def test_what_is_written_into_the_array_does_not_reach_the_file(paths, tmp_path):
    cached_images(paths, 7, tmp_path / "cache")
    images = cached_images(paths, 7, tmp_path / "cache")
    torch.from_numpy(images).zero_()  # and torch does not warn of it
    found = cached_images(paths, 7, tmp_path / "cache")
    np.testing.assert_array_equal(found, load_images(paths, 7))


def test_a_broken_picture_is_named_and_nothing_is_kept(paths, tmp_path):
    paths[3].write_text("not an image")
    message = f"{paths[3]} cannot be read as an image (not a JPEG, "
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        cached_images(paths, 7, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_picture_is_named(paths, tmp_path):
    paths[3].unlink()
    message = f"{paths[3]} cannot be read as an image ([Errno 2] No such file"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        cached_images(paths, 7, tmp_path / "cache")
