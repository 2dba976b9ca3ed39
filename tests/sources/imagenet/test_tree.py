"""ImageNet trees: folders and tar files, at any depth; names that are ids in disguise."""

import pytest

from brain_teacher.sources.imagenet.tree import find_synsets, list_pictures
from helpers.pictures import picture, write_folder, write_tar

FISH, OSTRICH = "n01443537", "n01518878"


def relative(root):
    return {
        synset: [place.relative_to(root).as_posix() for place in places]
        for synset, places in find_synsets(root).items()
    }


@pytest.mark.parametrize("below", ["", "train", "ILSVRC/Data/CLS-LOC/train"])
def test_folders_and_tars_are_found_at_any_depth(below, tmp_path):
    write_folder(tmp_path / below, [f"{FISH}_1.JPEG"])
    write_tar(tmp_path / below / f"{OSTRICH}.tar", [f"{OSTRICH}_2.JPEG"])
    (tmp_path / below / "LOC_synset_mapping.txt").touch()
    (tmp_path / below / f"{OSTRICH}.xml").touch()
    before = f"{below}/" if below else ""
    assert relative(tmp_path) == {FISH: [f"{before}{FISH}"], OSTRICH: [f"{before}{OSTRICH}.tar"]}


def test_a_synset_can_lie_in_two_places_and_links_may_go_in_a_circle(tmp_path):
    write_folder(tmp_path / "disk" / "a", [f"{FISH}_1.JPEG"])
    write_folder(tmp_path / "tree" / "b", [f"{FISH}_2.JPEG"])
    (tmp_path / "tree" / "linked").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "round").symlink_to(tmp_path / "tree")
    assert relative(tmp_path / "tree") == {FISH: [f"b/{FISH}", f"linked/a/{FISH}"]}


def test_a_synsets_folder_is_not_looked_into(tmp_path):
    write_folder(tmp_path / FISH, [f"{OSTRICH}_2.JPEG"])
    assert relative(tmp_path) == {FISH: [FISH]}


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
    f"{OSTRICH}_5.JPEG",
    "ILSVRC2012_val_00000293.JPEG",
]


@pytest.mark.parametrize("kind", ["folder", "tar", "tar with folders"])
def test_a_pictures_name_is_its_id(kind, tmp_path):
    names = [*NAMES, *OTHERS]
    place = tmp_path / FISH
    if kind == "folder":
        place.mkdir()
        for name in names:
            (place / name).write_bytes(picture(name))
    else:
        prefix = f"./{FISH}/" if kind.endswith("folders") else ""
        place = write_tar(tmp_path / f"{FISH}.tar", names, prefix=prefix)
    pictures, broken = list_pictures(FISH, [place])
    assert broken == []
    found = {name: (each.suffix, each.read()) for name, each in pictures.items()}
    assert found == {
        f"{FISH}_{number}": (suffix, picture(name)) for name, (number, suffix) in NAMES.items()
    }
    assert all(each.image_id == name for name, each in pictures.items())


def test_of_two_pictures_with_one_id_the_first_place_counts(tmp_path):
    places = [tmp_path / "a" / FISH, write_tar(tmp_path / f"b/{FISH}.tar", [f"{FISH}_1.JPEG"])]
    write_folder(tmp_path / "a", [f"{FISH}_1.png"], lambda name: b"first")
    for order, ending in ((places, ".png"), (places[::-1], ".JPEG")):
        assert list_pictures(FISH, order)[0][f"{FISH}_1"].suffix == ending


def test_a_broken_tar_gives_what_lies_before_the_break(tmp_path):
    names = [f"{FISH}_{number}.JPEG" for number in range(6)]
    place = write_tar(tmp_path / f"{FISH}.tar", names, lambda name: bytes(5000))
    content = place.read_bytes()
    place.write_bytes(content[: len(content) // 2])
    pictures, broken = list_pictures(FISH, [place])
    assert broken == [f"{place} is broken (unexpected end of data)"]
    # The fourth is cut short itself, which shows when it is decoded.
    assert sorted(pictures) == [f"{FISH}_{number}" for number in range(4)]
    assert len(pictures[f"{FISH}_3"].read()) < 5000
    place.write_bytes(b"no tar at all" * 100)
    pictures, (said,) = list_pictures(FISH, [place])
    assert pictures == {} and said.startswith(f"{place} is broken (")


def test_a_compressed_tar_is_refused_not_misread(tmp_path):
    place = write_tar(tmp_path / f"{FISH}.tar", [f"{FISH}_1.JPEG"], mode="w:gz")
    pictures, broken = list_pictures(FISH, [place])
    assert pictures == {} and len(broken) == 1


def test_links_in_a_tar_lead_nowhere(tmp_path):
    import tarfile

    place = tmp_path / f"{FISH}.tar"
    with tarfile.open(place, "w") as tar:
        member = tarfile.TarInfo(f"{FISH}_1.JPEG")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(member)
    assert list_pictures(FISH, [place]) == ({}, [])
