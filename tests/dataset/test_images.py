"""Images: which ones choose and which report, and how files become arrays."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from brain_teacher.dataset.images import (
    find_shown,
    find_unseen,
    load_images,
    read_unseen_splits,
    split_unseen,
    usual_side,
)
from brain_teacher.seeds import named_rng
from brain_teacher.sources.imagenet.pictures import picture_error
from helpers.pictures import NO_PICTURE

RED, BLUE, GREY = (255, 0, 0), (0, 0, 255), (128, 128, 128)


def unseen_of(counts):
    rows = [(f"{c}_{n}", c, Path(f"{c}_{n}.png")) for c in counts for n in range(counts[c])]
    return pd.DataFrame(rows, columns=["image_id", "category", "path"])


def splits_of(table):
    return dict(zip(table["image_id"], table["split"], strict=True))


def listed(*rows):
    return pd.DataFrame(rows, columns=["image_id", "category", "split"])


def refuses(message, function, *arguments, **settings):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(*arguments, **settings)


def put(folder, *names):
    for name in names:
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


# Finding them


def test_shown_images_are_found_by_id(tmp_path):
    put(tmp_path, "shown/b_1.JPEG", "shown/a_1.png", "shown/.DS_Store", "shown/._a_1.png")
    found = {name: path.name for name, path in find_shown(tmp_path).items()}
    assert found == {"a_1": "a_1.png", "b_1": "b_1.JPEG"}


def test_unseen_images_are_found_in_the_order_of_their_ids(tmp_path):
    put(tmp_path, "unseen/dog/z.png", "unseen/cat/x.png", "unseen/dog/a.jpg")
    put(tmp_path, "unseen/cat/.DS_Store", "unseen/dog/.DS_Store")
    found = find_unseen(tmp_path)
    assert found["image_id"].tolist() == ["a", "x", "z"]
    assert found["category"].tolist() == ["dog", "cat", "dog"]
    assert [path.name for path in found["path"]] == ["a.jpg", "x.png", "z.png"]


@pytest.mark.parametrize("names", [("cat/x.png", "dog/x.png"), ("cat/x.png", "cat/x.jpg")])
def test_an_unseen_image_with_two_files_is_an_error(tmp_path, names):
    put(tmp_path, *(f"unseen/{name}" for name in names))
    refuses("image 'x' has more than one file under images/unseen", find_unseen, tmp_path)


def test_a_folder_without_images_has_none(tmp_path):
    assert find_shown(tmp_path) == {}
    assert find_unseen(tmp_path).empty


# Splitting them


def test_the_first_quarter_by_hash_is_for_validation():
    # `printf cat_1 | sha256sum`, ...: cat_1 34e51a2b, cat_7 716c03ae, cat_6 7426a4a0, ...;
    # dog_3 0000a79f, dog_4 0dd669f3, dog_0 1d51dd96, ...
    table = split_unseen(unseen_of({"cat": 8, "dog": 8}), ["cat", "dog"], validation_share=0.25)
    assert len(table) == 16
    validation = table["image_id"][table["split"] == "validation"]
    assert sorted(validation) == ["cat_1", "cat_7", "dog_3", "dog_4"]


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(3, 9), min_size=1, max_size=4),
    share=st.floats(0.2, 0.8),
    data=st.data(),
)
def test_a_split_is_a_matter_of_ids_alone(counts, share, data):
    unseen = unseen_of({f"c{number}": count for number, count in enumerate(counts)})
    categories = [f"c{number}" for number in range(len(counts))]
    order = data.draw(st.permutations(range(len(unseen))))
    first = split_unseen(unseen, categories, validation_share=share)
    second = split_unseen(unseen.iloc[order], categories[::-1], validation_share=share)
    assert splits_of(first) == splits_of(second)
    alone = split_unseen(unseen, ["c0"], validation_share=share)
    assert splits_of(alone).items() <= splits_of(first).items()
    for number, count in enumerate(counts):
        own = first["split"][first["category"] == f"c{number}"].value_counts()
        assert own.sum() == count
        assert own["test"] >= 1 and abs(own["validation"] - share * count) <= 0.5


def test_more_validation_images_keep_those_there_were():
    unseen = unseen_of({"cat": 20})
    few = splits_of(split_unseen(unseen, ["cat"], validation_share=0.2))
    many = splits_of(split_unseen(unseen, ["cat"], validation_share=0.6))
    assert {i for i in few if few[i] == "validation"} < {i for i in many if many[i] == "validation"}


def test_other_categories_are_left_out():
    table = split_unseen(unseen_of({"cat": 4, "dog": 4}), ["dog"], validation_share=0.25)
    assert set(table["category"]) == {"dog"}


def test_unseen_csv_wins_and_leaves_unlisted_images_out():
    rows = listed(
        ("cat_0", "cat", "test"), ("cat_1", "cat", "test"), ("cat_5", "cat", "validation")
    )
    by_hash = splits_of(split_unseen(unseen_of({"cat": 8}), ["cat"], validation_share=0.25))
    assert by_hash["cat_1"] == "validation"
    for order in ([0, 1, 2], [2, 0, 1]):
        table = split_unseen(
            unseen_of({"cat": 8}), ["cat"], splits=rows.iloc[order], validation_share=0.25
        )
        assert splits_of(table) == {"cat_0": "test", "cat_1": "test", "cat_5": "validation"}


@pytest.mark.parametrize(("count", "share", "split"), [(1, 0.25, "validation"), (3, 0.9, "test")])
def test_a_category_with_no_image_on_a_side_is_named(count, share, split):
    message = (
        f"category 'dog' has no {split} image: put images under images/unseen/dog, or correct "
        "unseen.csv"
    )
    unseen, categories = unseen_of({"cat": 40, "dog": count}), np.array(["cat", "dog"])
    refuses(message, split_unseen, unseen, categories, validation_share=share)


def test_a_category_without_images_is_named():
    message = (
        "category 'cow' has no validation image: put images under images/unseen/cow, or correct "
        "unseen.csv"
    )
    refuses(message, split_unseen, unseen_of({"cat": 8}), ["cat", "cow"], validation_share=0.25)


def test_a_category_that_unseen_csv_leaves_one_sided_is_named():
    rows = listed(("cat_0", "cat", "validation"), ("cat_1", "cat", "validation"))
    message = (
        "category 'cat' has no test image: put images under images/unseen/cat, or correct "
        "unseen.csv"
    )
    unseen = unseen_of({"cat": 8})
    refuses(message, split_unseen, unseen, ["cat"], splits=rows, validation_share=0.25)


@pytest.mark.parametrize(
    ("row", "category"),
    [(("cat_99", "cat", "test"), "cat"), (("dog_2", "cat", "test"), "cat")],  # dog_2 is a dog
)
def test_a_listed_image_without_a_file_is_named(row, category):
    rows = listed(("cat_0", "cat", "test"), ("cat_1", "cat", "validation"), row)
    message = f"unseen.csv: image '{row[0]}' has no file under images/unseen/{category}"
    unseen = unseen_of({"cat": 4, "dog": 4})
    refuses(message, split_unseen, unseen, ["cat"], splits=rows, validation_share=0.25)


def test_unseen_csv_is_read_as_text(tmp_path):
    assert read_unseen_splits(tmp_path) is None
    text = "image_id,category,split\n007,NA,test\n008,NA,validation\n"
    (tmp_path / "unseen.csv").write_text(text)
    table = read_unseen_splits(tmp_path)
    assert table.to_numpy().tolist() == [["007", "NA", "test"], ["008", "NA", "validation"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "image_id,split\n1,test\n",
            "unseen.csv has no column 'category' (it has image_id, split)",
        ),
        (
            "image_id,category,split\n1,a,test\n2,a,train\n",
            "unseen.csv row 3: split is 'train', not 'validation' or 'test'",
        ),
        (
            "image_id,category,split\n1,a,\n",
            "unseen.csv row 2: split is '', not 'validation' or 'test'",
        ),
        (
            "image_id,category,split\n1,a,test\n2,a,test\n1,a,validation\n",
            "unseen.csv row 4: this image stands in an earlier row too",
        ),
    ],
)
def test_a_wrong_unseen_csv_is_named_with_its_row(tmp_path, text, message):
    (tmp_path / "unseen.csv").write_text(text)
    refuses(message, read_unseen_splits, tmp_path)


# Loading them


def save(path, colour, size=(12, 8), *, mode="RGB", **settings):
    Image.new("RGB", size, colour).convert(mode).save(path, **settings)
    return path


@pytest.mark.parametrize("size", [(12, 8), (8, 12), (10, 10), (3, 5)])
def test_images_of_any_shape_become_squares(tmp_path, size):
    images = load_images([save(tmp_path / "a.png", RED, size)], 10)
    assert images.shape == (1, 10, 10, 3) and images.dtype == np.uint8
    assert (images == RED).all()


def test_the_middle_of_the_longer_side_is_kept(tmp_path):
    picture = Image.new("RGB", (40, 10), RED)
    picture.paste(Image.new("RGB", (20, 10), BLUE), (10, 0))
    picture.save(tmp_path / "wide.png")
    picture.rotate(90, expand=True).save(tmp_path / "tall.png")
    images = load_images([tmp_path / "wide.png", tmp_path / "tall.png"], 5)
    assert (images == BLUE).all()


def test_images_of_the_right_size_are_not_touched(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 7, 7, 3), dtype=np.uint8)
    paths = [tmp_path / "0.png", tmp_path / "1.png"]
    for picture, path in zip(pixels, paths, strict=True):
        Image.fromarray(picture).save(path)
    np.testing.assert_array_equal(load_images(paths, 7), pixels)
    np.testing.assert_array_equal(load_images(paths[::-1], 7), pixels[::-1])


@pytest.mark.parametrize(
    ("mode", "colour"),
    [
        *[("L", GREY), ("LA", GREY), ("1", (255, 255, 255))],
        *[("RGBA", RED), ("P", RED), ("CMYK", RED)],
    ],
)
def test_every_mode_becomes_rgb(tmp_path, mode, colour):
    path = save(tmp_path / ("a.tiff" if mode == "CMYK" else "a.png"), colour, mode=mode)
    with Image.open(path) as image:
        assert image.mode == mode
    assert (load_images([path], 4) == colour).all()


@pytest.mark.parametrize("share", [0, 0.1, 0.9])
def test_a_broken_image_is_named(tmp_path, share):
    good, bad = save(tmp_path / "a.png", RED), save(tmp_path / "b.png", RED, (99, 99))
    whole = bad.read_bytes()
    bad.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(
        ValueError, match=rf"^{re.escape(str(bad))} cannot be read as an image \(.+\)$"
    ):
        load_images([good, bad], 4)


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / "a.png").write_text("not an image")
    message = f"{tmp_path / 'a.png'} cannot be read as an image ({NO_PICTURE})"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_images([tmp_path / "a.png"], 4)


def test_a_missing_image_is_named(tmp_path):
    message = f"{tmp_path / 'a.png'} cannot be read as an image ([Errno 2] No such file"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        load_images([tmp_path / "a.png"], 4)


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "a.png", RED, (40, 40))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(
        ValueError, match=rf"^{re.escape(str(path))} cannot be read as an image \(Image size .+\)$"
    ):
        load_images([path], 4)


def test_a_bomb_is_refused_where_a_notebook_took_pils_limit_away(tmp_path, monkeypatch):
    path, small = tmp_path / "a.png", save(tmp_path / "b.png", RED, (40, 40))
    Image.new("1", (9500, 9500)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    too_large = "9500 x 9500 pixels are too many, at most 50,000,000 are read"
    message = f"{path} cannot be read as an image ({too_large})"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_images([path], 4)
    assert (load_images([small], 4) == RED).all()
    assert [picture_error(each.read_bytes()) for each in (path, small)] == [too_large, None]


@pytest.mark.parametrize("find", [find_shown, find_unseen])
def test_a_name_that_is_not_utf_8_is_an_error(find, tmp_path):
    for place in ("shown", "unseen/cat"):
        (tmp_path / "images" / place).mkdir(parents=True)
        (tmp_path / "images" / place / os.fsdecode(b"a\xff.png")).touch()
    with pytest.raises(ValueError, match=r"a\\udcff\.png': its name is not UTF-8; rename it$"):
        find(tmp_path)


def test_a_shown_image_with_two_files_is_an_error(tmp_path):
    folder = tmp_path / "images" / "shown"
    folder.mkdir(parents=True)
    for name in ("a_1.png", "a_1.jpg", "b_1.png"):
        (folder / name).touch()
    with pytest.raises(
        ValueError, match=r"^image 'a_1' has more than one file under images/shown$"
    ):
        find_shown(tmp_path)


def test_a_jpeg_decoded_in_small_looks_like_the_whole_picture(tmp_path):
    # Noise of three scales, down to two pixels, smooth as what a lens draws.
    rng, pixels = named_rng("jpeg", 0), np.full((375, 500, 3), 128.0)
    for waves, height in ((4, 30), (40, 10), (150, 4)):
        for colour in range(3):
            coarse = rng.normal(0, height, (waves, waves)).astype(np.float32)
            pixels[..., colour] += Image.fromarray(coarse).resize((500, 375), Image.BICUBIC)
    path = tmp_path / "a.jpg"
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    with Image.open(path) as image:
        whole = image.convert("RGB")
    for size, is_exact in [(224, True), (128, False), (64, False), (24, False)]:
        expected = ImageOps.fit(whole, (size, size), Image.Resampling.BICUBIC)
        difference = abs(load_images([path], size)[0].astype(int) - np.asarray(expected))
        assert (difference.max() == 0) == is_exact  # libjpeg was asked for less, where it may be
        assert difference.mean() < 1 and np.quantile(difference, 0.99) <= 5


def test_a_jpeg_cut_short_is_named(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (400, 400), RED).save(path)
    path.write_bytes(path.read_bytes()[:700])
    message = f"{path} cannot be read as an image (image file is truncated"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        load_images([path], 24)


@pytest.mark.parametrize("workers", [1, 3, None])
def test_threads_keep_the_order_and_name_the_first_broken_file(tmp_path, workers):
    paths = [save(tmp_path / f"{n}.png", (n, 0, 0)) for n in range(30)]
    found = load_images(paths, 4, workers=workers)
    assert found[:, 0, 0, 0].tolist() == list(range(30))
    for n in (11, 20):
        paths[n].write_text("not an image")
    with pytest.raises(ValueError, match=rf"^{re.escape(str(paths[11]))} cannot be read"):
        load_images(paths, 4, workers=workers)


@pytest.mark.parametrize("most", [8, 100])
def test_the_usual_side_is_no_single_pictures(tmp_path, most):
    sizes = [(90, 3), (20, 10), (10, 30), (50, 60), (12, 11)]
    paths = [save(tmp_path / f"{n}.png", RED, size) for n, size in enumerate(sizes)]
    assert usual_side(paths, most=most) == min(most, 10)  # of 3, 10, 10, 11 and 50
