"""``check``: all that is wrong with a data set, at once, with file and row."""

import warnings
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image, ImageCms

from brain_teacher.dataset.bdata import read_bdata, write_bdata
from brain_teacher.dataset.stimuli import name_trials
from brain_teacher.sources.checks.dataset import check_dataset
from helpers.running import project, run

SEEN = "students see the middle square of each at 24 x 24 (distill.image_size)"


@pytest.fixture
def tiny(tmp_path):
    """12 pictures of 3 categories seen by 2 subjects; 4 unseen ones a category."""
    with project(tmp_path):
        run(
            *("simulate", "--out", "data/tiny", "--subjects", "2", "--categories", "3"),
            *("--shown", "4", "--unseen", "4", "--voxels", "40", "--seed", "1"),
        )
        yield Path("data/tiny")


def look(folder):
    """Problems and cautions, without the folder's name."""
    found = check_dataset(folder)
    return [
        [text.removeprefix(f"{folder}/") for text in texts]
        for texts in (found.problems, found.cautions)
    ]


def change(file, edit):
    """Write a recording anew, its voxels, ROIs and labels edited in place."""
    voxels, rois, labels = read_bdata(file)
    edit(voxels, rois, labels)
    write_bdata(file, voxels, rois=rois, labels=labels)


def write_stimuli(folder):
    """Say what GOD's rule says in a ``stimuli.csv``, which can then be broken."""
    labels = read_bdata(folder / "bdata" / "S1.h5")[2]
    table = name_trials(labels["stimulus_id"], None)
    table.insert(0, "stimulus_id", labels["stimulus_id"])
    table = table.drop_duplicates().sort_values("stimulus_id", ignore_index=True)
    table.to_csv(folder / "stimuli.csv", index=False)
    return table


def test_a_whole_data_set_has_no_problem(tiny):
    _, rois, labels = read_bdata(tiny / "bdata" / "S1.h5")
    sizes = ", ".join(f"{roi} {mask.sum()}" for roi, mask in rois.items())
    tests = (labels["DataType"] == 2).sum()
    trials = f"trials 12 of type 1, {tests} of type 2"
    assert run("check", str(tiny)).splitlines() == [
        f"S1.h5: {trials}; voxels {sizes}",
        f"S2.h5: {trials}; voxels {sizes}",
        "12 training images of 3 categories, 12 seen by all 2 subjects",
        f"{len(list(tiny.rglob('*.png')))} pictures, each decoded",
        f"pictures of 24 x 24; {SEEN}",
        "unseen images: 3 validation, 9 test",
        "runs/check/tiny.png: twenty pictures as students see them",
        "data/tiny: nothing is wrong",
        "next: brain-teacher preprocess --data data/tiny",
    ]
    with Image.open("runs/check/tiny.png") as sheet:
        assert min(sheet.size) > 500


def test_all_that_is_wrong_is_said_at_once(tiny):
    def spoil(voxels, rois, labels):
        voxels[3, 5] = np.nan
        voxels[:, 0] = 7
        del rois["V4"]
        rois["FFA"][:] = False

    change(tiny / "bdata" / "S1.h5", spoil)
    (tiny / "bdata" / "S2.h5").write_bytes(b"no recording")
    first, second, *_ = sorted((tiny / "images" / "shown").glob("n990*"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:100])
    for file in (tiny / "images" / "unseen" / "n99000002").iterdir():
        file.unlink()
    said = run("check", str(tiny), code=1)
    *facts, found = said.partition("Error: ")
    assert facts[0].splitlines()[1:] == [
        "12 training images of 3 categories, 12 seen by all 1 subjects",
        f"{len(list(tiny.rglob('*.png'))) - 1} pictures, each decoded",
        f"pictures of 24 x 24; {SEEN}",
        "unseen images: 2 validation, 6 test",
        "caution: data/tiny/bdata/S1.h5: 1 of 40 voxels are constant",
    ]
    lines = found.splitlines()
    assert lines[:4] == [
        "7 problems in data/tiny:",
        "  data/tiny/bdata/S1.h5: has no voxels of ROI V4 (it has V1, V2, V3, LOC, PPA, LVC, HVC, "
        "VC)",
        "  data/tiny/bdata/S1.h5: has no voxels of ROI FFA (it has V1, V2, V3, LOC, PPA, LVC, HVC, "
        "VC)",
        "  data/tiny/bdata/S1.h5: 1 of 40 voxels are not finite, first voxel 5 in trial 3 (nan)",
    ]
    assert lines[4].startswith("  data/tiny/bdata/S2.h5: is not HDF5 (it begins with b")
    assert lines[5].startswith(f"  {second} cannot be read as an image (")
    assert lines[6:] == [
        f"  data/tiny/images/shown: no picture of 1 training images: '{first.stem}'; "
        f"looked for {first.stem}.*; put it there",
        "  data/tiny/images/unseen: category 'n99000002' has no validation image: put images under "
        "images/unseen/n99000002, or correct unseen.csv",
    ]


# dataset.yaml


def test_every_key_of_the_description_that_is_wrong(tiny):
    content = yaml.safe_load((tiny / "dataset.yaml").read_text())
    content |= {"name": "my data", "roi": [], "colour": "blue"}
    del content["simulated"]
    (tiny / "dataset.yaml").write_text(yaml.safe_dump(content))
    assert look(tiny)[0] == [
        "dataset.yaml: name: 'my data' may hold only letters, digits and '-'",
        "dataset.yaml: simulated: Field required",
        "dataset.yaml: colour: Extra inputs are not permitted",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [("name: [", "dataset.yaml: is not YAML: "), (None, "dataset.yaml is missing")],
)
def test_without_a_description_nothing_else_is_looked_at(tiny, content, message):
    (tiny / "dataset.yaml").unlink()
    if content:
        (tiny / "dataset.yaml").write_text(content)
    (text,), cautions = look(tiny)
    assert text.startswith(message) and cautions == []


def test_no_folder(tmp_path):
    with project(tmp_path):
        said = run("check", "data/none", code=2)
        assert said == "Error: there is no data set folder data/none\n"


# stimuli.csv


def test_every_wrong_row_of_the_stimuli_and_still_the_rest(tiny):
    rows = write_stimuli(tiny).to_numpy(dtype=str).tolist()
    rows[0][0] = "one"
    rows[2][0] = rows[1][0]
    rows[3][2] = rows[5][2] = ""
    rows[7][1] = rows[6][1]
    rows[7][2] = "another"
    text = "\n".join(",".join(row) for row in [["stimulus_id", "image_id", "category"], *rows])
    (tiny / "stimuli.csv").write_text(text)
    (tiny / "bdata" / "S2.h5").unlink()
    assert look(tiny)[0] == [
        "stimuli.csv: row 2: stimulus_id is no number",
        "stimuli.csv: row 4: stimulus_id stands in an earlier row too",
        "stimuli.csv: rows 5, 7: a cell is empty",
        "stimuli.csv: row 9: the image has another category or group in an earlier row",
        "bdata/S2.h5 is missing",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("stimulus_id,image_id\n", "has no column 'category' (it has stimulus_id, image_id)"),
        ("stimulus_id,image_id,category\n1,a\n", "row 2: 2 cells, but the header has 3"),
        ("", "is empty"),
    ],
)
def test_stimuli_that_are_no_table(tiny, content, message):
    (tiny / "stimuli.csv").write_text(content)
    assert look(tiny)[0] == [f"stimuli.csv: {message}"]


def test_a_byte_order_mark_is_no_problem(tiny):
    write_stimuli(tiny)
    content = (tiny / "stimuli.csv").read_bytes()
    (tiny / "stimuli.csv").write_bytes(b"\xef\xbb\xbf" + content)
    assert look(tiny) == [[], []]


# Recordings


def test_numbers_that_name_no_image_and_the_rows_of_all_of_them(tiny):
    table = write_stimuli(tiny)
    known = table[table["image_id"] != "n99000001_1"]
    known.to_csv(tiny / "stimuli.csv", index=False)
    (lost,) = table["stimulus_id"][table["image_id"] == "n99000001_1"]
    rows = np.flatnonzero(read_bdata(tiny / "bdata" / "S1.h5")[2]["stimulus_id"] == lost)
    problems, _ = look(tiny)
    assert len(problems) == 2  # a subject
    assert problems[0] == (
        f"bdata/S1.h5: row {rows[0]}: stimulus_id {lost} is not in stimuli.csv; add it there"
    )


def test_numbers_that_lost_their_digits(tiny):
    """BData saved in single precision: 99000001.000001 becomes 99000000."""
    path = tiny / "bdata" / "S1.h5"
    with h5py.File(path, "r+") as file:
        data = file["dataset"][:].astype(np.float32)
        del file["dataset"]
        file["dataset"] = data
    rows = len(data)
    assert look(tiny)[0] == [
        "bdata/S1.h5: row 0: stimulus_id "
        f"{read_bdata(path)[2]['stimulus_id'][0]} is not synset.image (1443537.022563); say in "
        "stimuli.csv which number is which image (rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and "
        f"{rows - 10} more are so)"
    ]


def test_runs_and_data_types_that_preprocess_would_cut_off(tiny):
    def spoil(voxels, rois, labels):
        labels["Run"][[1, 4]] = 1.5
        labels["Session"] = np.where(np.arange(len(voxels)) == 2, np.inf, 1)
        labels["DataType"][0] = 257

    change(tiny / "bdata" / "S1.h5", spoil)
    problems, _ = look(tiny)
    assert problems == [
        "bdata/S1.h5: rows 1, 4: Run is not a whole number",
        "bdata/S1.h5: row 2: Session is not a whole number",
        "bdata/S1.h5: row 0: DataType is not 1 (training), 2 (test) or 3 (imagery)",
    ]


def test_odd_recordings_are_cautions(tiny):
    def copy_a_row(voxels, rois, labels):
        voxels[7] = voxels[2]

    def put_a_trial_alone(voxels, rois, labels):
        labels["Run"][np.flatnonzero(labels["DataType"] == 1)[0]] = 99

    change(tiny / "bdata" / "S1.h5", copy_a_row)
    change(tiny / "bdata" / "S2.h5", put_a_trial_alone)
    assert look(tiny) == [
        [],
        [
            "bdata/S1.h5: row 7: all voxels are those of an earlier trial",
            "bdata/S2.h5: 1 runs have one training trial, which z-scoring by run makes 0",
        ],
    ]


def test_a_recording_without_training_trials(tiny):
    change(tiny / "bdata" / "S1.h5", lambda voxels, rois, labels: labels["DataType"].fill(2))
    problems, cautions = look(tiny)
    assert problems == [
        "bdata/S1.h5: has no training trials (DataType 1)",
        "subject S1: 0 category; decoding needs two",
    ]
    assert cautions == ["no image was seen by all subjects: they cannot be combined"]


def test_categories_with_too_few_images(tiny):
    table = write_stimuli(tiny)
    of = table.set_index("image_id")["category"].copy()
    images = {name: list(part.index) for name, part in of.groupby(of)}
    of[images["n99000001"][1:]] = "n99000003"  # 1 left
    of[images["n99000002"][2:]] = "n99000003"  # 2 left
    table.assign(category=of.to_numpy()).to_csv(tiny / "stimuli.csv", index=False)
    problems, cautions = look(tiny)
    assert problems == [
        f"subject {subject}: 'n99000001' with a single image: folds by image need two of each "
        "category"
        for subject in ("S1", "S2")
    ]
    assert cautions == [
        f"subject {subject}: 'n99000002' with two images: folds by image leave one, on which "
        "neither penalty nor temperature can be chosen (decode.calibrate: false and one penalty)"
        for subject in ("S1", "S2")
    ]


# Pictures


def test_a_shown_picture_among_the_unseen_of_each_category(tiny):
    for category in ("n99000001", "n99000003"):
        shown = min((tiny / "images" / "shown").glob(f"{category}*"))
        Image.open(shown).save(tiny / "images" / "unseen" / category / shown.name)
    assert look(tiny)[0] == [
        f"images/unseen: image '{category}_1' is under images/unseen and under images/shown (1 "
        "are): students would be tested on what they learnt from"
        for category in ("n99000001", "n99000003")
    ]


def test_every_wrong_row_of_the_splits(tiny):
    unseen = sorted((tiny / "images" / "unseen").glob("*/*.png"))
    rows = [(path.stem, path.parent.name, ("validation", "test")[k % 2]) for k, path in
            enumerate(unseen)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["image_id", "category", "split"])
    file = tiny / "unseen.csv"
    table.to_csv(file, index=False)
    assert look(tiny) == [[], []]
    table.assign(image_id=table["image_id"].replace(unseen[3].stem, "gone")).to_csv(
        file, index=False
    )
    message = "unseen.csv: row 5: no such picture under images/unseen/CATEGORY"
    assert look(tiny)[0] == [message]
    table.loc[[1, 2], "split"] = "train"
    table.loc[7, "image_id"] = table["image_id"][6]
    table.to_csv(file, index=False)
    assert look(tiny)[0] == [
        "unseen.csv: rows 3, 4: split is 'train', not 'validation' or 'test'",
        "unseen.csv: row 9: this image stands in an earlier row too",
    ]
    file.write_text("image_id,category\n")
    assert look(tiny)[0] == ["unseen.csv: has no column 'split' (it has image_id, category)"]


def test_pictures_of_categories_that_nobody_saw(tiny):
    (tiny / "images" / "unseen" / "n99000001").rename(tiny / "images" / "unseen" / "dog")
    problems, cautions = look(tiny)
    assert problems == [
        "images/unseen: category 'n99000001' has no validation image: put images under "
        "images/unseen/n99000001, or correct unseen.csv"
    ]
    assert cautions == ["images/unseen: 'dog': no training image is of these categories: left out"]


def test_pictures_of_which_only_a_part_counts_and_those_that_cannot_be_read(tiny, monkeypatch):
    ink, grey, moving, bomb, many = sorted((tiny / "images" / "shown").glob("n990*"))[:5]
    for old in (ink, moving):
        old.unlink()
    Image.new("CMYK", (24, 24)).save(ink.with_suffix(".jpg"))
    frames = [Image.new("L", (24, 24), shade) for shade in (0, 99, 200)]
    frames[0].save(moving.with_suffix(".gif"), save_all=True, append_images=frames[1:])
    Image.fromarray(np.zeros((24, 24), np.uint16)).save(grey)
    Image.new("1", (110, 110)).save(bomb)
    many.with_suffix(".gif").write_bytes(moving.with_suffix(".gif").read_bytes())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problems, cautions = look(tiny)
    assert problems[0] == (
        f"data/tiny: image '{many.stem}' has more than one file under images/shown"
    )
    (decoded,) = problems[1:]
    assert decoded.startswith(f"images/shown/{bomb.name} cannot be read as an image (")
    assert "pixels" in decoded
    assert cautions == [
        "1 pictures are CMYK: they are read as RGB without a colour profile",
        "2 pictures are animated: the first frame counts",
        "1 pictures have 16 bits: the upper 8 count",
        "4 pictures are of one colour: "
        + ", ".join(f"'{each.stem}'" for each in (ink, grey, moving, many)),
    ]


def test_pictures_that_are_known_to_be_missing_teach_nobody(tiny):
    lost = min((tiny / "images" / "shown").glob("n990*"))
    lost.unlink()
    (tiny / "images" / "missing.csv").write_text(
        f"image_id,category,kind,reason\n{lost.stem},n99000001,shown,not there\n"
    )
    assert look(tiny) == [
        [],
        ["1 training images have no picture (images/missing.csv) and teach nobody"],
    ]


def test_pictures_of_other_sizes_lie_on_their_side_or_are_transparent(tiny):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned, clear, small, other, same, *_ = sorted((tiny / "images" / "shown").glob("n990*"))
    with Image.open(turned) as image:
        image.resize((100, 60)).save(turned.with_suffix(".jpg"), exif=exif)
    turned.unlink()
    with Image.open(clear) as image:
        image.putalpha(image.convert("L"))
        image.save(clear)
    with Image.open(small) as image:
        image.resize((20, 20)).save(small)
    for path, colours in ((other, "XYZ"), (same, "sRGB")):
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile(colours)).tobytes()
        with Image.open(path) as image:
            image.save(path, icc_profile=profile)
    found = check_dataset(tiny)
    assert found.problems == [] and found.cautions == [
        "1 pictures are transparent in parts, which are laid on white",
        "1 pictures are turned as their EXIF orientation says",
        "1 pictures have a colour profile that is not sRGB, which is not applied",
    ]
    assert found.facts[-2] == (
        f"pictures of 20 x 20 to 60 x 100; {SEEN}; 1 are smaller, and blown up; 1 lose more than a "
        "quarter of their longer side"
    )


def test_a_test_picture_that_was_shown_under_another_name(tiny):
    shown = min((tiny / "images" / "shown").glob("n990*"))
    unseen = sorted((tiny / "images" / "unseen" / "n99000002").iterdir())
    with Image.open(shown) as image:
        image.save(unseen[0], compress_level=1)
    # The first quarter by hash is for validation.
    found = check_dataset(tiny, validation_share=0.25)
    (text,) = found.cautions
    assert text.startswith(
        "students are tested on what they learnt from: equal or nearly equal pictures (1): "
        f"'{shown.stem}' (shown n99000001) ~ '{unseen[0].stem}' ("
    )
    assert text.endswith(" n99000002)")


def test_categories_that_do_not_agree(tiny):
    content = yaml.safe_load((tiny / "dataset.yaml").read_text())
    content["superclasses"] = {"n99000001": "disc", "n99000002_": "disc"}
    (tiny / "dataset.yaml").write_text(yaml.safe_dump(content))
    assert look(tiny) == [
        [],
        [
            "dataset.yaml: superclasses has 'n99000002_', which no trial shows; did you mean "
            "'n99000002'?",
            "dataset.yaml: superclasses lacks 'n99000002', 'n99000003', so that no teacher or "
            "control takes any superclass",
        ],
    ]


def test_runs_that_are_numbered_anew(tiny):
    def number_anew(voxels, rois, labels):
        rows = np.flatnonzero(labels["DataType"] == 1)
        labels["Run"][rows] = np.arange(len(rows)) // 3 % 2 + 1

    change(tiny / "bdata" / "S1.h5", number_anew)
    problems, cautions = look(tiny)
    assert problems == [] and len(cautions) == 1
    assert cautions[0].startswith("bdata/S1.h5: the runs are numbered anew after 6 training trials")


def test_a_picture_that_is_a_link_to_elsewhere_is_not_looked_at(tiny, tmp_path):
    shown = min((tiny / "images" / "shown").glob("n990*"))
    shown.rename(tmp_path / "private.png")
    shown.symlink_to(tmp_path / "private.png")
    said = run("check", str(tiny), code=1)
    assert f"{len(list(tiny.rglob('*.png'))) - 1} pictures, each decoded" in said
    assert said.endswith(
        "1 problem in data/tiny:\n"
        f"  data/tiny: images/shown/{shown.name} is a link out of the data set, to "
        f"{tmp_path / 'private.png'} (1 are so); copy the pictures, or name their folder in the "
        "environment's BRAIN_TEACHER_LINKS\n"
    )
