"""``images``: from an ImageNet tree into a data set; what is missing by name; nothing twice."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brain_teacher.dataset.bdata import write_bdata
from brain_teacher.dataset.description import read_description
from brain_teacher.dataset.ids import number_from_image_id
from brain_teacher.sources.imagenet.pictures import hash_order
from helpers.pictures import NO_PICTURE, picture, write_folder, write_tar, write_zip
from helpers.running import project, run

FISH, OSTRICH, COW = "n01443537", "n01518878", "n01887787"
SHOWN = [*(f"{FISH}_{k}" for k in (22563, 7, 8)), *(f"{OSTRICH}_{k}" for k in (5958, 42))]
# S2 alone saw it, as a test image, though its category is one of training.
TESTED = f"{FISH}_3"
DESCRIPTION = """\
# Typed by hand: comments stay.
name: god
simulated: false
subjects: {S1: bdata/S1.h5, S2: bdata/S2.h5}
roi: [V1]
pictures: false  # none yet
source: made up
"""


def write_subject(path, image_ids, data_type):
    n = len(image_ids)
    write_bdata(
        path,
        np.random.default_rng(n).standard_normal((n, 3)),
        rois={"V1": np.ones(3, bool)},
        labels={
            "stimulus_id": np.array([number_from_image_id(name) for name in image_ids]),
            "Run": np.ones(n),
            "DataType": np.array(data_type, float),
        },
    )


@pytest.fixture
def folder(tmp_path):
    """A data set of two subjects without pictures; the working folder."""
    data = tmp_path / "data" / "god"
    (data / "bdata").mkdir(parents=True)
    write_subject(data / "bdata/S1.h5", SHOWN, [1] * 5)
    write_subject(data / "bdata/S2.h5", [*SHOWN[::-1], TESTED], [1] * 5 + [2])
    (data / "dataset.yaml").write_text(DESCRIPTION)
    with project(tmp_path, lambda content: content["dataset"].update(name="god")):
        yield data


def names(synset, numbers=range(1, 13)):
    return [f"{synset}_{number}.JPEG" for number in numbers]


@pytest.fixture
def tree(tmp_path):
    """An ImageNet tree that has everything, and a synset that nobody asks for."""
    root = tmp_path / "imagenet"
    write_folder(root / "train", [*names(FISH), f"{FISH}_22563.JPEG", *names(COW)])
    write_tar(root / f"{OSTRICH}.tar", [*names(OSTRICH), *names(OSTRICH, (5958, 42))])
    return root


def unseen_of(synset, count, seed=0):
    ids = [Path(name).stem for name in names(synset)]
    return hash_order([name for name in ids if name not in (*SHOWN, TESTED)], seed)[:count]


def snapshot(folder):
    """Every file's bytes; of a picture also when it was written."""
    return {
        path: (path.read_bytes(), path.suffix == ".JPEG" and path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def fails(*arguments, code=1):
    output = run("images", *arguments, "--quiet", code=code)
    assert output.startswith("Error: ") and output.count("\n") == 1, output
    return output.removeprefix("Error: ").rstrip("\n")


def test_everything_is_brought_once(folder, tree):
    said = run("images", "--from", "imagenet", "--unseen", "4")
    assert said == (
        "images: 5 of 5 shown (0 missing), 8 unseen of 2 categories (2 validation, 6 test; "
        "0 passed over) -> data/god\n"
    )
    assert sorted(p.stem for p in (folder / "images/shown").iterdir()) == sorted(SHOWN)
    table = pd.read_csv(folder / "unseen.csv")
    expected = [
        (name, synset, "test" if position else "validation")
        for synset in (FISH, OSTRICH)
        for position, name in enumerate(unseen_of(synset, 4))
    ]
    assert list(table.itertuples(index=False, name=None)) == expected
    for name, synset, _ in expected:
        file = folder / "images/unseen" / synset / f"{name}.JPEG"
        assert file.read_bytes() == picture(file.name)
    assert (folder / "dataset.yaml").read_text() == DESCRIPTION.replace(
        "pictures: false", "pictures: true"
    )
    assert not (folder / "images/missing.csv").exists() and not list(folder.rglob(".part-*"))
    before = snapshot(folder)
    run("images", "--from", "imagenet", "--unseen", "4")
    assert snapshot(folder) == before


def test_more_are_added_fewer_or_another_seed_change_nothing(folder, tree):
    run("images", "--from", "imagenet", "--unseen", "4")
    first = pd.read_csv(folder / "unseen.csv")
    before = snapshot(folder)
    run("images", "--from", "imagenet", "--unseen", "2", "--seed", "5")
    assert snapshot(folder) == before
    run("images", "--from", "imagenet", "--unseen", "6")
    more = pd.read_csv(folder / "unseen.csv")
    assert more.groupby("category").size().tolist() == [6, 6]
    assert more.merge(first).equals(first)
    os.remove(folder / "unseen.csv")
    run("images", "--from", "imagenet", "--unseen", "2", "--seed", "5")
    drawn = pd.read_csv(folder / "unseen.csv")
    assert list(drawn["image_id"]) == [*unseen_of(FISH, 2, 5), *unseen_of(OSTRICH, 2, 5)]


def test_links_are_followed_where_the_environment_says_so(folder, tree):
    said = run("images", "--from", "imagenet", "--link", code=2)
    assert said == (
        "Error: --link makes links out of data/god, which are followed only where you say so: set "
        f"BRAIN_TEACHER_LINKS={tree.resolve()} in the environment, also of later commands\n"
    )


def test_students_can_be_taught_with_what_was_brought(folder, tree, monkeypatch):
    from brain_teacher.dataset.images import find_shown, find_unseen, read_unseen_splits
    from brain_teacher.dataset.images import split_unseen as split

    monkeypatch.setenv("BRAIN_TEACHER_LINKS", str(tree))
    run("images", "--from", "imagenet", "--unseen", "4", "--link")
    table = split(
        find_unseen(folder),
        [FISH, OSTRICH],
        shown=find_shown(folder),
        splits=read_unseen_splits(folder),
        validation_share=0.25,
    )
    assert table.groupby(["category", "split"]).size().tolist() == [3, 1, 3, 1]
    assert read_description(folder).pictures


def test_what_is_missing_is_named_and_the_rest_goes_on(folder, tree):
    (tree / "train" / FISH / f"{FISH}_7.JPEG").unlink()
    broken = unseen_of(FISH, 1)[0]
    (tree / "train" / FISH / f"{broken}.JPEG").write_bytes(b"")
    write_tar(tree / f"{OSTRICH}.tar", names(OSTRICH, (42, 1, 2)))
    said = run("images", "--from", "imagenet", "--unseen", "4")
    at = f"imagenet/train/{FISH}"
    assert said.splitlines() == [
        "images: 3 of 5 shown (2 missing), 6 unseen of 2 categories (2 validation, 4 test; "
        "1 passed over) -> data/god",
        f"missing: shown {FISH}_7 (not in imagenet)",
        f"missing: unseen {broken} ({at}/{broken}.JPEG: {NO_PICTURE})",
        f"missing: shown {OSTRICH}_5958 (not in imagenet)",
        f"1 of 2 categories have fewer than 4 unseen images ({OSTRICH} 2)",
    ]
    missing = pd.read_csv(folder / "images/missing.csv")
    assert list(missing.itertuples(index=False, name=None)) == [
        (f"{FISH}_7", FISH, "shown", "not in imagenet"),
        (broken, FISH, "unseen", f"{at}/{broken}.JPEG: {NO_PICTURE}"),
        (f"{OSTRICH}_5958", OSTRICH, "shown", "not in imagenet"),
    ]
    assert read_description(folder).pictures
    # What turns up later fills the gap, and only that.
    write_folder(tree / "more", [f"{FISH}_7.JPEG"])
    write_folder(tree / "more", names(OSTRICH, (5958,)))
    run("images", "--from", "imagenet", "--unseen", "2")
    assert sorted(p.stem for p in (folder / "images/shown").iterdir()) == sorted(SHOWN)
    assert not (folder / "images/missing.csv").exists()


def test_many_missing_are_counted(folder, tree):
    bad = unseen_of(FISH, 8)
    for name in bad:
        (tree / "train" / FISH / f"{name}.JPEG").write_bytes(b"")
    lines = run("images", "--from", "imagenet", "--unseen", "1").splitlines()
    assert lines[0].startswith("images: 5 of 5 shown (0 missing), 2 unseen of 2 categories")
    assert len(lines) == 7 and lines[6] == "missing: 3 more, in data/god/images/missing.csv"


def test_an_unseen_image_that_was_shown_is_refused(folder, tree):
    (folder / "unseen.csv").write_text(f"image_id,category,split\n{TESTED},{FISH},test\n")
    assert fails("--from", "imagenet") == (
        f"data/god/unseen.csv row 2: image '{TESTED}' was shown in the scanner; take it out"
    )


def test_rows_of_other_categories_stay(folder, tree):
    row = f"{COW}_1,{COW},test\n"
    (folder / "unseen.csv").write_text("image_id,category,split\n" + row)
    run("images", "--from", "imagenet", "--unseen", "2")
    assert (folder / "unseen.csv").read_text().endswith(row)


def test_a_tree_that_is_none(folder, tmp_path):
    assert fails("--from", "nowhere", code=2) == (
        "there is no folder or file nowhere; name an ImageNet tree, or a .tar or .zip of its "
        "pictures, with --from"
    )
    (tmp_path / "empty").mkdir()
    assert fails("--from", "empty") == (
        "empty holds no picture of the 2 categories of data/god (they are called "
        f"{FISH}_22563.JPEG), as a file or in a .tar or .zip, however deep; unpack what is packed "
        "otherwise, name another folder with --from, or another data set with --data"
    )
    write_folder(tmp_path / "empty", names(FISH, (99,)))
    assert fails("--from", "empty", "--unseen", "0") == (
        "empty holds none of the 5 shown images (first: not in empty); "
        "data/god/images/missing.csv lists them"
    )
    assert (folder / "dataset.yaml").read_text() == DESCRIPTION
    assert not (folder / "unseen.csv").exists()
    (tmp_path / "odd.tar").write_bytes(b"odd" * 500)
    said = fails("--from", "odd.tar")
    assert said.endswith("set with --data (odd.tar is broken (invalid header))")


def test_a_subject_without_a_file(folder, tree):
    os.remove(folder / "bdata/S2.h5")
    assert fails("--from", "imagenet") == (
        "subject S2 has no file data/god/bdata/S2.h5; put it there, or take the subject out of "
        "dataset.yaml: what any subject saw must not be among the unseen images"
    )


def test_a_data_set_whose_pictures_are_not_imagenets(folder, tree):
    rows = [f"{number_from_image_id(name)!r},house{k},house" for k, name in enumerate(SHOWN)]
    rows.append(f"{number_from_image_id(TESTED)!r},face1,face")
    (folder / "stimuli.csv").write_text("\n".join(["stimulus_id,image_id,category", *rows]))
    assert fails("--from", "imagenet") == (
        "data/god: image id 'house0' does not follow GOD's rule (n01443537_22563)"
    )
    text = (folder / "stimuli.csv").read_text().replace(",house", f",{FISH}_")
    (folder / "stimuli.csv").write_text(text)
    assert fails("--from", "imagenet") == (
        f"data/god: image '{FISH}_0' has category '{FISH}_': its pictures are not ImageNet's"
    )


def test_a_description_in_braces_is_written_anew(folder, tree):
    (folder / "dataset.yaml").write_text(
        "{name: god, simulated: false, subjects: {S1: bdata/S1.h5, S2: bdata/S2.h5}, roi: [V1], "
        "pictures: false}"
    )
    run("images", "--from", "imagenet", "--unseen", "2")
    found = read_description(folder)
    assert found.pictures and found.name == "god" and list(found.subjects) == ["S1", "S2"]


def test_a_full_disk_leaves_whole_pictures_and_the_next_call_goes_on(folder, tree, monkeypatch):
    from brain_teacher.sources.imagenet import pictures

    written, write = [], pictures.atomic_write

    def fills_up(path):
        if len(written) == 4:
            raise OSError(28, "No space left on device", str(path))
        written.append(path)
        return write(path)

    with monkeypatch.context() as patch:
        patch.setattr(pictures, "atomic_write", fills_up)
        assert fails("--from", "imagenet", "--unseen", "4").startswith(
            "[Errno 28] No space left on device: 'data/god/images/"
        )
    assert not (folder / "unseen.csv").exists() and not list(folder.rglob(".part-*"))
    assert (folder / "dataset.yaml").read_text() == DESCRIPTION
    there = list((folder / "images").rglob("*.JPEG"))
    assert sorted(there) == sorted(folder.parents[1] / path for path in written)
    assert all(path.read_bytes() == picture(path.name) for path in there)
    before = snapshot(folder)
    run("images", "--from", "imagenet", "--unseen", "4")
    after = snapshot(folder)
    assert {path: after[path] for path in there} == {path: before[path] for path in there}
    chosen = [*unseen_of(FISH, 4), *unseen_of(OSTRICH, 4)]
    assert list(pd.read_csv(folder / "unseen.csv")["image_id"]) == chosen
    assert sorted(p.stem for p in folder.rglob("*.JPEG")) == sorted([*SHOWN, *chosen])


def test_the_authors_flat_zip_and_a_tree_of_some_synsets(folder, tree, tmp_path):
    # The zip has all that was shown; unseen pictures are to be had of one synset of the two.
    write_zip(tmp_path / "god.zip", [f"{name}.JPEG" for name in SHOWN], prefix="training/")
    (tree / f"{OSTRICH}.tar").unlink()
    said = run("images", "--from", "god.zip", "--unseen", "4").splitlines()
    assert said[0] == (
        "images: 5 of 5 shown (0 missing), 0 unseen of 0 categories (0 validation, 0 test; "
        "0 passed over) -> data/god"
    )
    assert len(said) == 2 and said[1].startswith("2 of 2 categories have fewer than 4 unseen")
    said = run("images", "--from", "imagenet", "--unseen", "4").splitlines()
    assert said == [
        "images: 5 of 5 shown (0 missing), 4 unseen of 1 categories (1 validation, 3 test; "
        "0 passed over) -> data/god",
        "1 of 2 categories have pictures: outputs, chance and controls count these; the others "
        "are in data/god/images/missing.csv",
    ]
    missing = pd.read_csv(folder / "images/missing.csv")
    assert missing.to_numpy().tolist() == [[OSTRICH, OSTRICH, "category", "no unseen picture"]]
    # What is put there by hand counts.
    write_folder(folder / "images/unseen", names(OSTRICH, range(1, 5)))
    said = run("images", "--from", "imagenet", "--unseen", "4")
    assert said.startswith("images: 5 of 5 shown (0 missing), 8 unseen of 2 categories")
    assert not (folder / "images/missing.csv").exists()


def test_pictures_put_there_by_hand_count_where_the_tree_has_none(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    write_folder(folder / "images/unseen", names(FISH, (11, 12)))
    (folder / "images/shown").mkdir()
    for name in SHOWN[:2]:
        (folder / f"images/shown/{name}.JPEG").write_bytes(picture(name))
    said = run("images", "--from", "empty", "--unseen", "2").splitlines()
    assert said[0].startswith("images: 2 of 5 shown (3 missing), 2 unseen of 1 categories")
    assert said[1].startswith("1 of 2 categories have pictures")
    assert said[2:] == [f"missing: shown {SHOWN[2]} (not in empty)"]


def test_one_odd_archive_does_not_end_it_for_all(folder, tree):
    (tree / "odd.tar").write_bytes(b"odd" * 1000)
    (tree / "odd.zip").write_bytes(b"PK\3\4odd")
    (tree / f"{COW}.tar").write_bytes(b"nobody asks for it")
    for number in range(5):
        (tree / f"more{number}.tgz").touch()
    lines = run("images", "--from", "imagenet", "--unseen", "4").splitlines()
    assert lines[:6] == [
        *(f"skipped: imagenet/more{n}.tgz is packed as a whole: unpack it" for n in range(5)),
        "skipped: 2 more",
    ]
    assert lines[6].startswith("images: 5 of 5 shown (0 missing), 8 unseen of 2 categories")
    for number in range(5):
        (tree / f"more{number}.tgz").unlink()
    lines = run("images", "--from", "imagenet", "--unseen", "4").splitlines()
    assert lines[:2] == [
        "skipped: imagenet/odd.tar is broken (invalid header)",
        "skipped: imagenet/odd.zip is broken (File is not a zip file)",
    ]


def test_god_is_meant_where_the_settings_name_a_simulated_data_set(folder, tree):
    content = Path("params.yaml").read_text().replace("name: god", "name: sample")
    Path("params.yaml").write_text(content)
    sample = folder.parent / "sample"
    sample.mkdir()
    text = DESCRIPTION.replace("name: god", "name: sample")
    (sample / "dataset.yaml").write_text(text.replace("simulated: false", "simulated: true"))
    said = run("images", "--from", "imagenet", "--unseen", "2")
    assert said.startswith(
        "images: of data/god, since dataset.name is sample; or name one with --data\n"
        "images: 5 of 5 shown (0 missing)"
    )
    # A data set of one's own is meant as it stands.
    (sample / "dataset.yaml").write_text(text)
    assert fails("--from", "imagenet").startswith("subject S1 has no file data/sample/bdata/S1.h5")
