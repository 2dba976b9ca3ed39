"""Any bytes as a picture: it is read right, or one line says why not; nothing else happens.

``-m full`` tries ten times as many.
"""

import io
import os
import resource
import subprocess
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from brain_teacher.dataset.images import find_shown, find_unseen, load_images
from brain_teacher.dataset.picture_files import Unreadable
from brain_teacher.sources.checks.looks import Look, look_at

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
# Kind, mode and how it is written. The last ones are no pictures here, whatever they are called.
READ = {
    "jpeg": (
        "JPEG",
        "RGB",
        {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"},
    ),
    "progressive": ("JPEG", "RGB", {"progressive": True}),
    "ink": ("JPEG", "CMYK", {}),
    "png": ("PNG", "RGB", {}),
    "palette": ("PNG", "P", {"transparency": 3}),
    "clear": ("PNG", "LA", {}),
    "gif": ("GIF", "P", {}),
    "bmp": ("BMP", "RGB", {}),
    "tiff": ("TIFF", "RGB", {}),
    "deep": ("TIFF", "I;16", {}),
    "packed": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "webp": ("WEBP", "RGB", {}),
    "webp-clear": ("WEBP", "RGBA", {"lossless": True}),
}
NOT_READ = {
    kind: (kind, "RGB", {})
    for kind in ("EPS", "PCX", "TGA", "PPM", "ICO", "SGI", "PDF", "JPEG2000")
}


def encoded(kind, mode, how):
    stream = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(stream, kind, **how)
    return stream.getvalue()


FILES = {name: encoded(*given) for name, given in (READ | NOT_READ).items()}
DAMAGE = st.one_of(
    st.tuples(st.just("cut"), st.floats(0, 1)),
    st.tuples(
        st.just("flip"), st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=8)
    ),
    st.tuples(st.just("put"), st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=40))),
    st.tuples(
        st.just("head"), st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)), max_size=4)
    ),
)


def damaged(content, damage):
    """A file cut off, with bytes changed anywhere or in its head, or with others put in."""
    how, what = damage
    content = bytearray(content)
    if how == "cut":
        return bytes(content[: int(what * len(content))])
    if how == "put":
        place = int(what[0] * len(content))
        return bytes(content[:place] + what[1] + content[place:])
    for place, value in what:
        if how == "flip":
            content[min(int(place * len(content)), len(content) - 1)] ^= value
        elif place < len(content):
            content[place] = value
    return bytes(content)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(autouse=True)
def starts_nothing(monkeypatch):
    def start(*told, **how):
        raise AssertionError(f"starts {told}")

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(os, "system", start)


def right_or_a_line(folder, content):
    """Read a picture in both ways; whether it could be."""
    path = folder / "a.png"
    path.write_bytes(content)
    begun = time.monotonic()
    try:
        pixels = load_images([path], 8, workers=1)
        assert pixels.shape == (1, 8, 8, 3) and pixels.dtype == np.uint8
    except Unreadable as error:
        pixels, text = None, str(error)
        assert text.startswith(f"{path} cannot be read as an image (") and text.endswith(")")
        assert text.isprintable() and len(text) < 300 + len(str(path))
    looks, wrong = look_at([path])
    assert len(looks) + len(wrong) == 1 and time.monotonic() - begun < 10
    # `check` decodes JPEGs larger: it may see that one is cut off where students do not.
    assert pixels is not None or not looks or isinstance(looks[0], Look)
    return pixels is not None


@pytest.mark.parametrize("name", READ)
def test_each_kind_is_read(folder, name):
    assert right_or_a_line(folder, FILES[name])


@pytest.mark.parametrize("name", NOT_READ)
def test_no_other_kind_is_read(folder, name):
    assert not right_or_a_line(folder, FILES[name])


def some_files_damaged(examples):
    @settings(max_examples=examples, deadline=None)
    @given(name=st.sampled_from(sorted(FILES)), damage=DAMAGE)
    def try_one(folder, name, damage):
        right_or_a_line(folder, damaged(FILES[name], damage))

    return try_one


def any_bytes(examples):
    @settings(max_examples=examples, deadline=None)
    @given(
        start=st.sampled_from(
            [b"", *(content[:k] for content in FILES.values() for k in (4, 12, 30))]
        ),
        content=st.binary(max_size=400),
    )
    @example(b"", b"")
    def try_one(folder, start, content):
        right_or_a_line(folder, start + content)

    return try_one


test_a_damaged_file_is_right_or_a_line = some_files_damaged(400)
test_any_bytes_are_right_or_a_line = any_bytes(300)
test_many_damaged_files = pytest.mark.full(some_files_damaged(6000))
test_many_bytes = pytest.mark.full(any_bytes(3000))


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_cut_picture_is_never_taken_for_whole(folder, data):
    """What is read of a cut file is what the whole file shows: nothing that counted was cut."""
    name = data.draw(st.sampled_from(sorted(READ)))
    path, content = folder / "a.png", FILES[name]
    path.write_bytes(content)
    whole = load_images([path], 8, workers=1)
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    try:
        np.testing.assert_array_equal(load_images([path], 8, workers=1), whole)
    except Unreadable:
        return


def claims(width, height):
    """A WebP animation and a PNG, GIF and BMP that say that they are this large."""
    frames = [Image.fromarray(PIXELS), Image.fromarray(PIXELS[::-1])]
    stream = io.BytesIO()
    frames[0].save(stream, "WEBP", save_all=True, append_images=frames[1:])
    webp = bytearray(stream.getvalue())
    place = webp.index(b"VP8X") + 12
    webp[place : place + 6] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    gif = bytearray(FILES["gif"])
    gif[6:10] = min(width, 65535).to_bytes(2, "little") + min(height, 65535).to_bytes(2, "little")
    bmp = bytearray(FILES["bmp"])
    bmp[18:26] = width.to_bytes(4, "little") + height.to_bytes(4, "little")
    return {"webp": bytes(webp), "gif": bytes(gif), "bmp": bytes(bmp)}


@pytest.mark.parametrize("kind", ["webp", "gif", "bmp"])
def test_a_picture_that_claims_to_be_vast_takes_no_memory(folder, kind):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert not right_or_a_line(folder, claims(60_000, 60_000)[kind])
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert taken < 200 * 1024  # KiB


LINKS = st.lists(
    st.tuples(
        st.sampled_from(["shown/{}.png", "unseen/cat/{}.png", "unseen/{}", "shown/{}"]),
        st.sampled_from(
            ["..", "../..", "../../..", "private/p.png", "/dev/zero", "/etc", "mine", "."]
        ),
    ),
    max_size=4,
)


@settings(max_examples=100, deadline=None)
@given(links=LINKS)
def test_no_link_leads_out_of_the_data_set(tmp_path_factory, links):
    root = tmp_path_factory.mktemp("linked")
    images = root / "mine" / "images"
    for place in ("shown", "unseen/cat"):
        (images / place).mkdir(parents=True)
    (root / "private").mkdir()
    (root / "private" / "p.png").write_bytes(FILES["png"])
    for k, (name, target) in enumerate(links):
        (images / name.format(k)).symlink_to(target if target[0] in "/." else root / target)
    paths = []
    for find in (find_shown, lambda folder: dict(find_unseen(folder)["path"])):
        try:
            paths += find(root / "mine").values()
        except ValueError as error:
            assert str(error).isprintable()
    inside = (root / "mine").resolve()
    assert all(path.resolve().is_relative_to(inside) for path in paths)
    look_at(paths)
