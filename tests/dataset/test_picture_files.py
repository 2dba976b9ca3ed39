"""Picture files as people have them: what is read, and what is not even opened."""

import os
import re
import subprocess

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile

from brain_teacher.dataset import picture_files
from brain_teacher.dataset.images import load_images
from brain_teacher.dataset.picture_files import Unreadable, orientation, strict

RED, WHITE = (255, 0, 0), (255, 255, 255)
# Four corners told apart: red and white above, black and blue below.
UPRIGHT = np.array([[RED, WHITE], [(0, 0, 0), (0, 0, 255)]], np.uint8).repeat(8, 0).repeat(8, 1)
# EXIF 2.3, orientation: what is to be done to the stored rows to see them upright.
STORED = {
    1: lambda rows: rows,
    2: lambda rows: rows[:, ::-1],
    3: lambda rows: rows[::-1, ::-1],
    4: lambda rows: rows[::-1],
    5: lambda rows: rows.transpose(1, 0, 2),
    6: lambda rows: np.rot90(rows, 1),
    7: lambda rows: rows.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda rows: np.rot90(rows, -1),
}


def said_of(path):
    with pytest.raises(Unreadable) as caught:
        load_images([path], 16)
    assert str(caught.value) == f"{path} cannot be read as an image ({caught.value.reason})"
    return caught.value.reason


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("number", STORED)
def test_a_picture_is_turned_as_exif_says(tmp_path, ending, number):
    exif, path = Image.Exif(), tmp_path / f"a.{ending}"
    exif[ExifTags.Base.Orientation] = number
    quality = {"lossless": True} if ending == "webp" else {"quality": 95} if ending == "jpg" else {}
    stored = np.ascontiguousarray(STORED[number](UPRIGHT))
    Image.fromarray(stored).save(path, exif=exif, **quality)
    with Image.open(path) as image:
        assert orientation(image) == number
    # Far from the edges, where JPEG is not exact.
    corners = load_images([path], 16)[0][4::8, 4::8].astype(int)
    assert abs(corners - UPRIGHT[4::8, 4::8]).max() < 16


def test_exif_that_cannot_be_read_turns_nothing(tmp_path):
    exif, path = Image.Exif(), tmp_path / "a.jpg"
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(UPRIGHT).save(path, exif=exif, quality=95)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Exif\0\0MM\0*", b"Exif\0\0XX\0*"))
    assert path.read_bytes() != content
    assert abs(load_images([path], 16)[0][4, 4].astype(int) - RED).max() < 16


CLEAR = np.where(np.arange(16) < 8, 255, 0).astype(np.uint8) * np.ones((16, 1), np.uint8)


def half_clear(mode):
    """Red or grey on the left, and what is under it (black) hidden on the right."""
    image = Image.new("RGB", (16, 16), RED).convert(mode[:-1] if mode[-1] == "A" else mode)
    image.paste(0 if mode == "LA" else (0, 0, 0), (8, 0, 16, 16))
    image.putalpha(Image.fromarray(CLEAR))
    return image


@pytest.mark.parametrize(
    ("mode", "ending"),
    [("RGBA", "png"), ("LA", "png"), ("RGBA", "webp"), ("RGBA", "tif"), ("LA", "tif")],
)
def test_what_is_transparent_is_white(tmp_path, mode, ending):
    quality = {"lossless": True, "exact": True} if ending == "webp" else {}
    half_clear(mode).save(tmp_path / f"a.{ending}", **quality)
    pixels = load_images([tmp_path / f"a.{ending}"], 16)[0]
    assert (pixels[:, :8] == (RED if mode == "RGBA" else (76, 76, 76))).all()
    assert (pixels[:, 8:] == WHITE).all()


def test_half_transparent_is_half_white(tmp_path):
    Image.new("RGBA", (16, 16), (255, 0, 0, 51)).save(tmp_path / "a.png")  # a fifth
    assert (load_images([tmp_path / "a.png"], 16) == (255, 204, 204)).all()


@pytest.mark.parametrize("ending", ["png", "gif"])
def test_a_colour_of_a_palette_may_be_transparent(tmp_path, ending):
    image = Image.fromarray((CLEAR // 255).astype(np.uint8), "P")
    image.putpalette([0, 0, 0, *RED])
    image.save(tmp_path / f"a.{ending}", transparency=0)
    pixels = load_images([tmp_path / f"a.{ending}"], 16)[0]
    assert (pixels[:, :8] == RED).all() and (pixels[:, 8:] == WHITE).all()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_grey_may_be_transparent(tmp_path, kind):
    values = np.where(CLEAR == 255, 1000 if kind == np.uint16 else 3, 7).astype(kind)
    Image.fromarray(values).save(tmp_path / "a.png", transparency=7)
    pixels = load_images([tmp_path / "a.png"], 16)[0]
    assert (pixels[:, :8] == 3).all() and (pixels[:, 8:] == 255).all()


def test_an_eps_by_another_name_starts_nothing(tmp_path, monkeypatch):
    Image.fromarray(UPRIGHT).save(tmp_path / "a.eps")
    started = []
    monkeypatch.setattr(subprocess, "Popen", lambda *told, **how: started.append(told))
    path = (tmp_path / "a.eps").rename(tmp_path / "a.png")
    assert said_of(path) == "not a JPEG, PNG, GIF, BMP, TIFF or WebP picture" and not started


def test_a_picture_by_another_name_is_one(tmp_path):
    Image.fromarray(UPRIGHT).save(tmp_path / "a.png")
    path = (tmp_path / "a.png").rename(tmp_path / "a.JPEG")
    assert (load_images([path], 16) == UPRIGHT).all()


def test_only_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "zeros.png").symlink_to("/dev/zero")
    for name in ("pipe", "folder", "zeros"):
        assert said_of(tmp_path / f"{name}.png") == "not a regular file"


def test_a_loop_of_links_ends(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert "symbolic links" in said_of(tmp_path / "a.png")


def test_a_file_may_have_so_many_bytes(tmp_path):
    path = tmp_path / "a.png"
    path.touch()
    os.truncate(path, 2**28 + 1)  # sparse: takes no room
    reason = "268,435,457 bytes are too many, at most 268,435,456 are read"
    assert said_of(path) == reason


def test_a_picture_may_have_so_many_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_files, "MOST_PIXELS", 100)
    Image.new("1", (11, 10)).save(tmp_path / "a.png")
    assert said_of(tmp_path / "a.png") == "11 x 10 pixels are too many, at most 100 are read"


def test_what_a_notebook_set_does_not_let_broken_pictures_in(tmp_path, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    Image.effect_noise((99, 99), 50).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[: len(content) // 2])
    assert re.match(r"image file is truncated", said_of(tmp_path / "a.jpg"))
    assert ImageFile.LOAD_TRUNCATED_IMAGES  # as it was
    with strict():
        assert not ImageFile.LOAD_TRUNCATED_IMAGES
