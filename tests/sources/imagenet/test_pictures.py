"""Pictures: which ones are whole, which are taken as unseen, and that nothing is half-written."""

import os
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_teacher.sources.imagenet.pictures import (
    Wish,
    gather,
    hash_order,
    picture_error,
    split_in_order,
)
from brain_teacher.sources.imagenet.tree import find_pictures
from helpers.pictures import NO_PICTURE, picture, write_folder, write_tar, write_zip

FISH = "n01443537"
IDS = [f"{FISH}_{number}" for number in range(1, 13)]


def png_header(width, height):
    """A PNG that says how large it is, and has no pixels."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("JPEG", "RGB"), ("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "P"), ("GIF", "P"), ("BMP", "RGB")],
)
def test_whatever_imagenet_calls_jpeg_is_a_picture(kind, mode):
    assert picture_error(picture("a", kind=kind, mode=mode)) is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", NO_PICTURE),
        (b"<html>Not found</html>", NO_PICTURE),
        # PIL would hand it to Ghostscript.
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", NO_PICTURE),
        (
            png_header(20_000, 20_000),
            "Image size (400000000 pixels) exceeds limit of ",
        ),  # PIL's error: twice its limit
        (
            png_header(10_000, 10_000),
            "Image size (100000000 pixels) exceeds limit of ",
        ),  # PIL's warning
    ],
    ids=["empty", "page", "postscript", "bomb", "large"],
)
def test_what_is_none_is_refused(data, said):
    assert picture_error(data).startswith(said)


@pytest.mark.parametrize(("kind", "part"), [("JPEG", 0.8), ("PNG", 0.8), ("GIF", 0.8)])
def test_a_picture_cut_short_is_broken(kind, part):
    data = picture("a", kind=kind, mode="P" if kind == "GIF" else "RGB", size=(64, 64))
    said = picture_error(data[: int(part * len(data))])
    assert "truncated" in said.lower() and "\n" not in said


def test_a_png_with_a_wrong_checksum_is_broken():
    data = bytearray(picture("a", kind="PNG"))
    data[60] ^= 1
    assert picture_error(bytes(data)).startswith("broken PNG file (bad header checksum")


@given(st.sets(st.sampled_from(IDS)), st.permutations(IDS), st.integers(0, 9))
def test_what_else_is_there_does_not_change_the_order(some, shuffled, seed):
    everything = hash_order(shuffled, seed)
    assert hash_order(some, seed) == [name for name in everything if name in some]


def test_another_seed_gives_another_order():
    orders = {tuple(hash_order(IDS, seed)) for seed in range(5)}
    assert len(orders) == 5


@given(st.integers(2, 40), st.integers(0, 20), st.floats(0.1, 0.5))
def test_more_pictures_change_no_split(count, more, share):
    names = [f"{FISH}_{number}" for number in range(count + more)]
    few, many = (split_in_order(part, {}, share) for part in (names[:count], names))
    assert few == {name: many[name] for name in few}
    assert set(few.values()) == {"validation", "test"}
    assert abs(list(many.values()).count("validation") - share * len(many)) <= 1


def test_splits_that_stand_are_kept_and_count():
    listed = {"a": "test", "b": "validation", "c": "validation"}
    assert split_in_order("abcde", listed, 0.5) == listed | {"d": "test", "e": "validation"}


def bring(images, *places, shown=(), unseen=0, listed=None, there=None, exclude=(), link=False):
    pictures = {}
    for place in places:
        for image_id, found in find_pictures(place, [FISH]).pictures.get(FISH, {}).items():
            pictures.setdefault(image_id, []).extend(found)
    wish = Wish(FISH, list(shown), unseen, listed or {}, there or {})
    how = {"exclude": exclude, "share": 0.25, "seed": 0, "link": link}
    return gather(wish, pictures, images, lacks="not in the tree", **how)


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir())


@pytest.mark.parametrize("kind", ["folder", "tar", "zip"])
def test_shown_and_unseen_are_brought_byte_for_byte(kind, tmp_path):
    names = [f"{name}.JPEG" for name in IDS]
    if kind == "zip":
        place = write_zip(tmp_path / "authors.zip", names)
    elif kind == "folder":
        place = write_folder(tmp_path, names) / FISH
    else:
        place = write_tar(tmp_path / f"{FISH}.tar", names)
    images = tmp_path / "images"
    found = bring(images, place, shown=IDS[:2], unseen=4, exclude=IDS[:3])
    chosen = hash_order(IDS[3:], 0)[:4]
    assert (found.shown, found.missing) == (IDS[:2], [])
    assert found.unseen == dict(zip(chosen, ["validation", *["test"] * 3], strict=True))
    expected = [f"shown/{name}.JPEG" for name in IDS[:2]]
    expected += [f"unseen/{FISH}/{name}.JPEG" for name in chosen]
    assert files(images) == sorted(expected)
    for file in images.rglob("*.JPEG"):
        assert file.read_bytes() == picture(file.name)


def test_a_broken_one_is_passed_over_and_the_next_taken(tmp_path):
    order = hash_order(IDS, 0)
    broken = {f"{order[0]}.JPEG", f"{order[2]}.JPEG"}
    place = write_folder(
        tmp_path, [f"{n}.JPEG" for n in IDS], lambda n: b"" if n in broken else picture(n)
    )
    images = tmp_path / "images"
    found = bring(images, place / FISH, unseen=3, shown=[order[0]], exclude=[order[0]])
    path = place / FISH
    assert list(found.unseen) == [order[1], order[3], order[4]]
    assert found.missing == [
        (order[0], "shown", f"{path / order[0]}.JPEG: {NO_PICTURE}"),
        (order[2], "unseen", f"{path / order[2]}.JPEG: {NO_PICTURE}"),
    ]
    assert files(images) == sorted(f"unseen/{FISH}/{name}.JPEG" for name in found.unseen)


def test_what_is_there_stays_and_what_is_broken_there_is_mended(tmp_path):
    place = write_folder(tmp_path, [f"{name}.JPEG" for name in IDS]) / FISH
    images = tmp_path / "images"
    own, cut = images / "shown" / f"{IDS[0]}.png", images / "shown" / f"{IDS[1]}.png"
    own.parent.mkdir(parents=True)
    own.write_bytes(picture("another", kind="PNG"))
    cut.write_bytes(own.read_bytes()[:50])
    there = {IDS[0]: own, IDS[1]: cut}
    found = bring(images, place, shown=IDS[:2], there=there, exclude=IDS[:2])
    assert (found.shown, found.missing) == (IDS[:2], [])
    assert files(images) == [f"shown/{IDS[0]}.png", f"shown/{IDS[1]}.JPEG"]
    assert own.read_bytes() == picture("another", kind="PNG")


def test_a_broken_one_there_with_no_other_is_left_and_named(tmp_path):
    cut = tmp_path / f"{IDS[0]}.JPEG"
    cut.write_bytes(b"")
    found = bring(tmp_path / "images", shown=IDS[:1], there={IDS[0]: cut})
    assert found.missing == [(IDS[0], "shown", f"{cut}: {NO_PICTURE}")] and cut.exists()


def test_what_is_nowhere_is_missing(tmp_path):
    place = write_folder(tmp_path, [f"{IDS[0]}.JPEG"]) / FISH
    found = bring(tmp_path / "images", place, shown=[IDS[1]])
    assert found.missing == [(IDS[1], "shown", "not in the tree")]


def test_where_one_place_has_a_broken_picture_another_is_taken(tmp_path):
    broken = write_zip(tmp_path / "cut.zip", [f"{IDS[0]}.JPEG"], lambda name: b"cut")
    whole = write_tar(tmp_path / f"{FISH}.tar", [f"{IDS[0]}.JPEG"])
    found = bring(tmp_path / "images", broken, whole, shown=[IDS[0]])
    assert (found.shown, found.missing) == ([IDS[0]], [])
    path = tmp_path / "images" / "shown" / f"{IDS[0]}.JPEG"
    assert path.read_bytes() == picture(path.name)


def test_what_lies_there_and_is_no_regular_file_is_not_waited_for(tmp_path):
    there = tmp_path / f"{IDS[0]}.JPEG"
    os.mkfifo(there)
    found = bring(tmp_path / "images", shown=IDS[:1], there={IDS[0]: there})
    nothing = "cannot be read (no regular file, or a link that leads nowhere)"
    assert found.missing == [(IDS[0], "shown", f"{there}: {nothing}")]


def test_links_lead_to_folders_and_copies_come_out_of_tars(tmp_path):
    place = write_folder(tmp_path / "tree", [f"{IDS[0]}.JPEG"]) / FISH
    tar = write_tar(tmp_path / "tree" / f"{FISH}.tar", [f"{IDS[1]}.JPEG"])
    images = tmp_path / "images"
    for _ in range(2):
        there = {path.stem: path for path in images.rglob("*.JPEG")}
        found = bring(images, place, tar, shown=IDS[:2], there=there, link=True)
        assert found.missing == []
        linked, copied = (images / "shown" / f"{name}.JPEG" for name in IDS[:2])
        assert linked.readlink() == (place / linked.name).resolve() and not copied.is_symlink()
        assert [p.read_bytes() for p in (linked, copied)] == [
            picture(linked.name),
            picture(copied.name),
        ]


def test_a_link_that_leads_nowhere_is_mended(tmp_path):
    place = write_folder(tmp_path / "tree", [f"{IDS[0]}.JPEG"]) / FISH
    lost = tmp_path / "images" / "shown" / f"{IDS[0]}.JPEG"
    lost.parent.mkdir(parents=True)
    lost.symlink_to(tmp_path / "nowhere")
    found = bring(tmp_path / "images", place, shown=IDS[:1], there={IDS[0]: lost})
    assert found.shown == IDS[:1] and lost.read_bytes() == picture(lost.name)
    assert not lost.is_symlink()
