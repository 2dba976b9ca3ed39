"""Files that are broken or odd: a clear error, or a rule that is written down."""

import re

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from brain_teacher.dataset.bdata import read_bdata, write_bdata
from brain_teacher.dataset.csv_tables import read_csv_table
from brain_teacher.dataset.description import read_description
from brain_teacher.dataset.ids import image_ids_from_numbers
from brain_teacher.dataset.images import load_images
from brain_teacher.dataset.stimuli import read_stimuli

LABELS = {
    "stimulus_id": 1443537 + np.arange(1, 13) / 1e6,
    "Run": np.repeat([1, 2], 6),
    "DataType": np.ones(12),
}
VOXELS = np.random.default_rng(0).standard_normal((12, 6))
ROIS = {"V1": np.arange(6) < 4, "VC": np.ones(6, bool)}
COLUMNS = ("stimulus_id", "image_id", "category")


def refuses(message, function, *arguments):
    with pytest.raises(ValueError, match=f"^{message}$"):
        function(*arguments)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("bdata") / "S1.h5"
    write_bdata(path, VOXELS, rois=ROIS, labels=LABELS)
    return path


# BData


@given(order=st.permutations(range(9)))
@settings(max_examples=20, deadline=None)
def test_columns_are_found_whatever_their_order(recording, order):
    path = recording.with_name("shuffled.h5")
    with h5py.File(recording) as file, h5py.File(path, "w") as other:
        other["dataset"] = file["dataset"][:][:, order]
        other["metadata/key"] = file["metadata/key"][:]
        other["metadata/description"] = file["metadata/description"][:]
        other["metadata/value"] = file["metadata/value"][:][:, order]
    voxels, rois, labels = read_bdata(path)
    for name, values in LABELS.items():
        np.testing.assert_array_equal(labels[name], values)
    # Voxels keep the order of the file's columns; an ROI holds the same ones.
    place = [column for column in order if column < 6]
    np.testing.assert_array_equal(voxels, VOXELS[:, place])
    np.testing.assert_array_equal(rois["V1"], ROIS["V1"][place])


def test_ids_that_lost_their_digits_name_their_row():
    for lost, says in (
        (np.float32(LABELS["stimulus_id"]), "stimulus_id is stored as float32, which loses .*"),
        (np.floor(LABELS["stimulus_id"]), r"row 0: stimulus_id 1443537\.0 is not synset\.image .*"),
    ):
        refuses(says, image_ids_from_numbers, lost)


# CSV


@pytest.mark.parametrize(
    "text",
    [
        "stimulus_id,image_id,category\n1,007,a\n2,b,a\n",
        'stimulus_id,image_id,category\r\n1,"007",a\r\n2,b,a',
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_byte_order_marks_quotes_and_line_ends_change_nothing(tmp_path, text, mark):
    (tmp_path / "stimuli.csv").write_bytes(mark + text.encode())
    table = read_stimuli(tmp_path)
    assert table.index.tolist() == [1.0, 2.0] and table["image_id"].tolist() == ["007", "b"]


def test_a_description_may_begin_with_a_byte_order_mark(tmp_path):
    text = "name: a\nsimulated: false\nsubjects: {S1: a.h5}\nroi: [V1]\n"
    (tmp_path / "dataset.yaml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_description(tmp_path).name == "a"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (
            b"stimulus_id,image_id\n1,a\n",
            r"has no column 'category' \(it has stimulus_id, image_id\)",
        ),
        (b"stimulus_id;image_id\n", r"has no column 'category' \(it has stimulus_id, image_id\)"),
        (b"stimulus_id,image_id,category,image_id\n", "column 'image_id' stands twice"),
        (b",stimulus_id,image_id,category\n0,1,a,b\n", "column 1 has no name, as pandas .+"),
        (b"stimulus_id,image_id,category\n1,a\0,b\n", "holds NUL bytes, as UTF-16 has: .+"),
        ("stimulus_id,image_id,category\n".encode("utf-16"), "byte 0 is not UTF-8: .+"),
        (b"stimulus_id,image_id,category" + b",x" * 200_000, "has 200003 columns, more than .+"),
        (b"a," * 15_000 + b"a", r"has no column .+ \(it has a, .+, and 14981 more\)"),
        (b"stimulus_id,image_id,category" + b",x" * 15_000, "column 'x' stands twice"),
        (b"stimulus_id,image_id,category\n1,a,b,c,d\n", "row 2: 5 cells, but the header has 3"),
        (b"stimulus_id,image_id,category\n1,a,b\n2,a\n", "row 3: 2 cells, but the header has 3"),
        (b"stimulus_id,image_id,category\n1,a,b\n\n2,a,b\n", "row 3: 0 cells, .*"),
        (
            b"stimulus_id,image_id,category\n1,\xe9,b\n",
            "byte 32 is not UTF-8: save it in UTF-8",
        ),
        (b'stimulus_id,image_id,category\n1,"a,b\n', r"is no CSV \(unexpected end of data\)"),
    ],
)
def test_wrong_tables_name_their_row(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    refuses(message, read_csv_table, tmp_path / "t.csv", COLUMNS)


@given(content=st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_bytes_end_in_anything_but_a_clear_error(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("csv")
    (folder / "stimuli.csv").write_bytes(b"stimulus_id,image_id,category\n" + content)
    try:
        table = read_stimuli(folder)
    except ValueError:
        return
    assert not (table == "").any(axis=None) and table.index.is_unique


# Pictures


def one(path):
    return load_images([path], 16)[0]


@given(cut=st.floats(0, 0.98))
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "webp", "tif", "bmp"])
def test_a_truncated_picture_is_named(tmp_path_factory, ending, cut):
    path = tmp_path_factory.mktemp("cut") / f"a.{ending}"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(cut * len(content))])
    refuses(rf"{re.escape(str(path))} cannot be read as an image \((.|\n)+\)", one, path)


def test_sixteen_bits_are_their_upper_eight(tmp_path):
    ramp = np.linspace(0, 65535, 16 * 16).reshape(16, 16).astype(np.uint16)
    for ending in ("png", "tif"):
        Image.fromarray(ramp).save(tmp_path / f"a.{ending}")
        np.testing.assert_array_equal(one(tmp_path / f"a.{ending}")[..., 0], ramp >> 8)


def test_thirty_two_bits_are_an_error(tmp_path):
    Image.fromarray(np.ones((16, 16), np.float32)).save(tmp_path / "a.tif")
    path = re.escape(str(tmp_path / "a.tif"))
    says = r"its pixels are of 32 bits \(F\); save it with 8 or 16"
    refuses(rf"{path} cannot be read as an image \({says}\)", one, tmp_path / "a.tif")


def test_cmyk_becomes_rgb(tmp_path):
    ink = np.zeros((16, 16, 4), np.uint8)
    ink[..., 0] = 255  # cyan: no red
    Image.fromarray(ink, "CMYK").save(tmp_path / "a.jpg", quality=100)
    red, green, blue = one(tmp_path / "a.jpg").reshape(-1, 3).mean(axis=0)
    assert red < 5 and green > 250 and blue > 250


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_of_an_animation_the_first_picture_counts(tmp_path, ending):
    first, *others = (Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "blue"))
    first.save(tmp_path / f"a.{ending}", save_all=True, append_images=others)
    red, _, blue = one(tmp_path / f"a.{ending}").reshape(-1, 3).mean(axis=0)
    assert red > 240 and blue < 10


@pytest.mark.parametrize("times", [1.5, 3])
def test_a_decompression_bomb_is_not_opened(tmp_path, times, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    side = int((10_000 * times) ** 0.5)
    Image.new("1", (side, side)).save(tmp_path / "a.png")
    path = re.escape(str(tmp_path / "a.png"))
    refuses(rf"{path} cannot be read as an image \(.*pixels.*\)", one, tmp_path / "a.png")
