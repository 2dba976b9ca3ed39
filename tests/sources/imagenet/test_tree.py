"""ImageNet trees: folders, tar and zip files, at any depth; names that are ids in disguise."""

import os
import tarfile
import threading
import zipfile

import pytest

from brain_teacher.sources.imagenet import tree as trees
from brain_teacher.sources.imagenet.tree import find_pictures
from helpers.pictures import picture, write_folder, write_tar, write_zip

FISH, OSTRICH = "n01443537", "n01518878"
BOTH = [FISH, OSTRICH]


def found_in(root, synsets=BOTH):
    """Id -> bytes of the first place of each, and what was skipped."""
    found = find_pictures(root, synsets)
    pictures = {
        i: places[0].read() for each in found.pictures.values() for i, places in each.items()
    }
    return pictures, found.skipped


def places_of(root, synsets=BOTH):
    found = find_pictures(root, synsets).pictures
    return {
        image: [place.path.relative_to(root).as_posix() for place in places]
        for each in found.values()
        for image, places in each.items()
    }


EXPECTED = {f"{FISH}_1": picture(f"{FISH}_1.JPEG"), f"{OSTRICH}_2": picture(f"{OSTRICH}_2.JPEG")}
FILES = [f"{name}.JPEG" for name in EXPECTED]


@pytest.mark.parametrize("below", ["", "train", "ILSVRC/Data/CLS-LOC/train"])
@pytest.mark.parametrize("kind", ["folders", "flat", "tars", "zip", "flat tar", "tars in a tar"])
def test_they_are_found_however_they_lie(kind, below, tmp_path):
    at = tmp_path / below
    at.mkdir(parents=True, exist_ok=True)
    if kind == "folders":
        write_folder(at, FILES)
    elif kind == "flat":
        for name in FILES:
            (at / name).write_bytes(picture(name))
    elif kind == "tars":
        for name in FILES:
            write_tar(at / f"{name[:9]}.tar", [name])
    elif kind == "zip":
        write_zip(at / "pictures.zip", FILES, prefix="images/training/")
    elif kind == "flat tar":
        write_tar(at / "pictures.tar", FILES, prefix="./images/")
    else:
        inner = {f"{n[:9]}.tar": write_tar(tmp_path / "x", [n]).read_bytes() for n in FILES}
        write_tar(at / "ILSVRC2012_img_train.tar", list(inner), inner.get)
        (tmp_path / "x").unlink()
    (at / "LOC_synset_mapping.txt").touch()
    assert found_in(tmp_path) == (EXPECTED, [])


def test_one_archive_is_a_tree(tmp_path):
    assert found_in(write_zip(tmp_path / "a.ZIP", FILES)) == (EXPECTED, [])
    assert found_in(write_tar(tmp_path / "a.tar", FILES)) == (EXPECTED, [])


def test_links_are_followed_in_no_circle_and_names_are_those_below_the_tree(tmp_path):
    write_folder(tmp_path / "disk" / "a", [f"{FISH}_1.JPEG"])
    write_folder(tmp_path / "tree" / "b", [f"{FISH}_2.JPEG"])
    (tmp_path / "tree" / "linked").symlink_to(tmp_path / "disk")
    (tmp_path / "tree" / "once more").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "round").symlink_to(tmp_path / "tree")
    (tmp_path / "tree" / "itself").symlink_to("itself")
    alone = tmp_path / "tree" / f"{FISH}_3.JPEG"
    alone.symlink_to(tmp_path / "disk" / "a" / FISH / f"{FISH}_1.JPEG")
    assert places_of(tmp_path / "tree") == {
        f"{FISH}_3": [f"{FISH}_3.JPEG"],
        f"{FISH}_2": [f"b/{FISH}/{FISH}_2.JPEG"],
        f"{FISH}_1": [f"linked/a/{FISH}/{FISH}_1.JPEG"],
    }
    (place,) = find_pictures(tmp_path / "tree", BOTH).pictures[FISH][f"{FISH}_3"]
    assert place.read() == picture(f"{FISH}_1.JPEG")


def test_an_archive_of_another_synset_is_not_opened(tmp_path):
    write_tar(tmp_path / f"{OSTRICH}.tar", FILES)
    assert places_of(tmp_path, [FISH]) == {}


# What a file is called, and the id and ending that it has.
NAMES = {
    f"{FISH}_22563.JPEG": ("22563", ".JPEG"),
    f"{FISH}_00000042.JPEG": ("42", ".JPEG"),
    f"{FISH}_7.jpg": ("7", ".JPEG"),
    f"{FISH}_8.jpeg": ("8", ".JPEG"),
    f"{FISH.upper()}_9.PNG": ("9", ".png"),
    f"{FISH}_0.JPEG": ("0", ".JPEG"),
}
OTHERS = [
    f"{FISH}_1234567.JPEG",  # seven digits: no stimulus_id can hold them
    f"{FISH}.JPEG",
    f"{FISH}_5.xml",
    f"{FISH}_5.JPEG.part",
    f"._{FISH}_5.JPEG",  # beside each picture of a zip that a Mac made
    f"{OSTRICH}_5.JPEG",
    "ILSVRC2012_val_00000293.JPEG",
]


@pytest.mark.parametrize("kind", ["folder", "tar", "zip", "zip of Windows"])
def test_a_pictures_name_is_its_id(kind, tmp_path):
    names = [*NAMES, *OTHERS]
    if kind == "folder":
        for name in names:
            (tmp_path / name).write_bytes(picture(name))
    elif kind == "tar":
        write_tar(tmp_path / f"{FISH}.tar", names, prefix=f"./{FISH}/")
    else:
        write_zip(tmp_path / "a.zip", names, prefix="a\\b\\" if "Windows" in kind else "../../")
    found = find_pictures(tmp_path, [FISH])
    pictures = {
        i: (places[0].suffix, places[0].read()) for i, places in found.pictures[FISH].items()
    }
    assert pictures == {
        f"{FISH}_{number}": (suffix, picture(name)) for name, (number, suffix) in NAMES.items()
    }


def test_names_as_hugging_face_gives_them(tmp_path):
    names = [f"{FISH}_1_{FISH}.JPEG", f"{FISH}_1_{OSTRICH}.JPEG", f"{OSTRICH}_2_{OSTRICH}.webp"]
    for name in names:
        (tmp_path / name).write_bytes(picture(name))
    assert places_of(tmp_path) == {f"{FISH}_1": names[:1], f"{OSTRICH}_2": names[2:]}


def test_all_places_of_a_picture_are_known_in_the_order_of_their_names(tmp_path):
    write_folder(tmp_path / "a", [f"{FISH}_1.png"])
    write_tar(tmp_path / f"b/{FISH}.tar", [f"{FISH}_1.JPEG"])
    write_zip(tmp_path / "c.zip", [f"{FISH}_1.jpg", f"x/{FISH}_1.jpg"])
    assert places_of(tmp_path)[f"{FISH}_1"] == [
        "c.zip", "c.zip", f"a/{FISH}/{FISH}_1.png", f"b/{FISH}.tar",
    ]  # fmt: skip


def test_a_broken_tar_gives_what_lies_before_the_break(tmp_path):
    names = [f"{FISH}_{number}.JPEG" for number in range(6)]
    place = write_tar(tmp_path / f"{FISH}.tar", names, lambda name: bytes(5000))
    content = place.read_bytes()
    place.write_bytes(content[: len(content) // 2])
    pictures, skipped = found_in(tmp_path)
    assert skipped == [f"{place} is broken (unexpected end of data)"]
    # The fourth is cut short itself, which shows when it is decoded.
    assert sorted(pictures) == [f"{FISH}_{number}" for number in range(4)]
    assert len(pictures[f"{FISH}_3"]) < 5000
    place.write_bytes(content[:5632] + b"x" * 512 + content[6144:])
    pictures, skipped = found_in(tmp_path)
    assert skipped == [f"{place} is broken (no header where one must begin, at byte 5,632)"]
    assert sorted(pictures) == [f"{FISH}_0"]
    place.write_bytes(b"no tar at all" * 100)
    assert found_in(tmp_path) == ({}, [f"{place} is broken (invalid header)"])


def test_what_is_packed_as_a_whole_is_named(tmp_path):
    write_tar(tmp_path / "train.tar.gz", FILES, mode="w:gz")
    write_tar(tmp_path / "wrong.tar", FILES, mode="w:gz")
    pictures, (whole, wrong) = found_in(tmp_path)
    assert pictures == {} and whole == f"{tmp_path}/train.tar.gz is packed as a whole: unpack it"
    assert wrong.startswith(f"{tmp_path}/wrong.tar is broken (")


def test_links_in_a_tar_lead_nowhere(tmp_path):
    place = tmp_path / f"{FISH}.tar"
    with tarfile.open(place, "w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            member = tarfile.TarInfo(f"{FISH}_1.JPEG")
            member.type, member.linkname = kind, "/etc/hostname"
            tar.addfile(member)
    assert found_in(tmp_path) == ({}, [])


def test_a_tar_whose_sizes_go_backwards_ends(tmp_path):
    place = write_tar(tmp_path / f"{FISH}.tar", [f"{FISH}_1.JPEG"])
    content = bytearray(place.read_bytes())
    content[124:136] = b"\xff" * 10 + (-1024 & 0xFFFF).to_bytes(2)  # base 256: minus 1,024
    content[148:156] = b" " * 8
    content[148:156] = f"{sum(content[:512]):06o}\0 ".encode()
    place.write_bytes(content)
    _, (said,) = found_in(tmp_path)
    assert said == f"{place} is broken (a member has a size below 0)"


def test_a_header_that_would_fill_the_memory_is_not_read(tmp_path):
    place = tmp_path / f"{FISH}.tar"
    member = tarfile.TarInfo("long")
    member.type, member.size = tarfile.XHDTYPE, 2**36
    place.write_bytes(member.tobuf(tarfile.GNU_FORMAT))
    os.truncate(place, 2**37)  # sparse: it takes no room
    assert found_in(tmp_path) == ({}, [f"{place} is broken (a header of 68,719,476,736 bytes)"])


def test_what_is_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.zip")
    os.mkfifo(tmp_path / f"{FISH}_1.JPEG")
    (tmp_path / f"{FISH}_2.JPEG").symlink_to(tmp_path / "nowhere")
    (tmp_path / f"{FISH}_3.JPEG").symlink_to("/dev/zero")
    found = find_pictures(tmp_path, BOTH)
    nothing = "no regular file, or a link that leads nowhere"
    assert found.skipped == [f"{tmp_path}/a.zip is broken ({nothing})"]
    for (place,) in found.pictures[FISH].values():
        with pytest.raises(ValueError, match=rf"^cannot be read \({nothing}\)$"):
            place.read()


def test_an_encrypted_zip_is_said(tmp_path):
    place = write_zip(tmp_path / "a.zip", FILES)
    content = bytearray(place.read_bytes())
    for at in range(len(content)):
        if content[at : at + 4] == b"PK\1\2":
            content[at + 8] |= 1
    place.write_bytes(content)
    said = f"{place}: 2 pictures are encrypted: unpack it with its password"
    assert found_in(tmp_path) == ({}, [said])


def test_a_picture_that_is_larger_than_any_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(trees, "MOST_BYTES", 1000)
    place = write_zip(tmp_path / "a.zip", [f"{FISH}_1.JPEG"], lambda name: bytes(1001))
    ((picture_,),) = find_pictures(place, BOTH).pictures[FISH].values()
    with pytest.raises(ValueError, match=r"^cannot be read \(1,001 bytes are no picture\)$"):
        picture_.read()


def test_a_damaged_member_is_seen_and_its_neighbour_read_by_many_threads(tmp_path):
    place = write_zip(tmp_path / "a.zip", FILES)
    content = bytearray(place.read_bytes())
    content[200] ^= 1
    place.write_bytes(content)
    found = find_pictures(place, BOTH).pictures
    with pytest.raises(ValueError, match=r"^cannot be read \(.*\)$"):
        found[FISH][f"{FISH}_1"][0].read()
    good, read = found[OSTRICH][f"{OSTRICH}_2"][0], []
    threads = [threading.Thread(target=lambda: read.append(good.read())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [EXPECTED[f"{OSTRICH}_2"]] * 8


def test_names_that_are_not_utf8_or_not_of_one_line_are_said_in_one(tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n\x1b[2J.zip")
    with open(odd, "wb") as file:
        file.write(b"nothing")
    _, (said,) = found_in(tmp_path)
    assert said == f"{tmp_path}/\\udcff\\n\\x1b[2J.zip is broken (File is not a zip file)"


def test_a_folder_that_may_not_be_read_is_said(tmp_path, monkeypatch):
    write_folder(tmp_path, FILES)
    scan = os.scandir

    def refuses(path):
        if os.fspath(path).endswith(OSTRICH):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuses)
    pictures, skipped = found_in(tmp_path)
    assert list(pictures) == [f"{FISH}_1"]
    assert skipped == [f"{tmp_path / OSTRICH} cannot be read (Permission denied)"]


def test_a_zip_that_is_packed_in_a_rare_way_is_said(tmp_path):
    place = write_zip(tmp_path / "a.zip", FILES, method=zipfile.ZIP_BZIP2)
    said = f"{place}: 2 pictures are packed by method 12: unpack it"
    assert found_in(place) == ({}, [said])
