"""Image features: GOD's file in its published layout, joined by id."""

import re

import h5py
import numpy as np
import pytest

from brain_teacher.dataset.image_features import ImageFeatures, read_image_features

RNG = np.random.default_rng(0)
# Two training images, two test images, their two category averages, one further category.
KIND = np.array([1.0, 1, 2, 2, 3, 3, 4])
IMAGE = np.array([1518878.005958, 1443537.022563, 1976957.013223, 2690373.000007] + 3 * [np.nan])
CATEGORY = np.array([1518878.0, 1443537, 1976957, 2690373, 1976957, 2690373, 15075141])
LAYERS = {"cnn1": RNG.standard_normal((7, 3)), "cnn8": RNG.standard_normal((7, 4))}
IDS = ["n01518878_5958", "n01443537_22563", "n01976957_13223", "n02690373_7"]


def write_file(path, **changes):
    """ImageFeatures.h5 as published: a block of columns a layer, then three label columns."""
    labels = {"ImageID": IMAGE, "CatID": CATEGORY, "FeatureType": KIND} | changes
    layers = {name: labels.pop(name) for name in LAYERS if name in labels}
    labels = {name: column for name, column in labels.items() if column is not None}
    blocks = (LAYERS | layers) | {name: column[:, None] for name, column in labels.items()}
    owner = np.repeat(np.arange(len(blocks)), [block.shape[1] for block in blocks.values()])
    value = np.where(owner == np.arange(len(blocks))[:, None], 1, np.nan)
    with h5py.File(path, "w") as file:
        file["dataset"] = np.hstack(list(blocks.values()))
        file["metadata/key"] = np.array([name.encode() for name in blocks])
        file["metadata/description"] = np.array([f"1 = {name}".encode() for name in blocks])
        file["metadata/value"] = value
    return path


def write_with_bdpy(path):
    """As the GOD paper's own script makes the file."""
    import bdpy

    table = bdpy.BData()
    for name, column in (("FeatureType", KIND), ("CatID", CATEGORY), ("ImageID", IMAGE)):
        table.add(column[:, None], name)
    for name, block in LAYERS.items():
        table.add(block, name)
    table.save(str(path))
    return path


def fails(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("write", [write_file, write_with_bdpy])
@pytest.mark.parametrize("layer", ["cnn1", "cnn8"])
def test_a_published_layer_is_read(tmp_path, write, layer):
    features = read_image_features(write(tmp_path / "ImageFeatures.h5"), layer)
    expected = LAYERS[layer].astype(np.float32)
    assert features.image_id.tolist() == IDS
    np.testing.assert_array_equal(features.values, expected[:4])
    assert features.category_id.tolist() == ["n01976957", "n02690373"]
    np.testing.assert_array_equal(features.category_values, expected[4:6])
    assert features.values.dtype == features.category_values.dtype == np.float32
    assert features.meta == {"source": "ImageFeatures.h5", "layer": layer}


def test_rows_are_joined_by_id(tmp_path):
    features = read_image_features(write_file(tmp_path / "a.h5"), "cnn1")
    wanted = [IDS[2], IDS[0], IDS[2]]
    np.testing.assert_array_equal(features.of_images(wanted), features.values[[2, 0, 2]])
    np.testing.assert_array_equal(
        features.of_categories(["n02690373", "n01976957"]), features.category_values[[1, 0]]
    )
    fails(
        lambda: features.of_images([IDS[0], "n2", "n1", "n2"]),
        "image 'n1' has no image features (2 have none)",
    )
    fails(
        lambda: features.of_categories(["n01518878"]),
        "category 'n01518878' has no image features (1 have none)",
    )


def test_a_file_without_category_averages_is_read(tmp_path):
    kind = np.where(KIND == 3, 4, KIND)
    features = read_image_features(write_file(tmp_path / "a.h5", FeatureType=kind), "cnn1")
    assert len(features.category_id) == len(features.category_values) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ImageID": None}, "has no column 'ImageID': these are not GOD's image features"),
        ({"FeatureType": KIND + 2}, "has no row of FeatureType 1 or 2 (images)"),
        (
            {"ImageID": IMAGE.astype(np.float32).astype(float)},
            "row 0: ImageID 1518878.0 is not synset.image (1443537.022563)",
        ),
        (
            {"ImageID": np.where(np.arange(7) == 2, np.nan, IMAGE)},
            "row 2: ImageID nan is not synset.image (1443537.022563)",
        ),
        ({"CatID": CATEGORY + 0.5}, "row 4: CatID 1976957.5 is not a synset (1443537)"),
        (
            {"ImageID": IMAGE[[0, 0, 2, 3, 4, 5, 6]]},
            "image features: image 'n01518878_5958' stands twice",
        ),
        (
            {"CatID": CATEGORY[[0, 1, 2, 3, 4, 4, 6]]},
            "image features: category 'n01976957' stands twice",
        ),
        (
            {"cnn1": np.where(np.eye(7, 3, -1), np.inf, LAYERS["cnn1"])},
            "image 'n01443537_22563': feature 0 is inf",
        ),
        # More than float32 holds.
        (
            {"cnn1": np.where(np.eye(7, 3, -4), 1e39, LAYERS["cnn1"])},
            "category 'n01976957': feature 0 is inf",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, changes, message):
    path = write_file(tmp_path / "ImageFeatures.h5", **changes)
    fails(lambda: read_image_features(path, "cnn1"), message)


def test_an_unknown_layer_is_told_those_there_are(tmp_path):
    path = write_file(tmp_path / "ImageFeatures.h5")
    message = "has no layer 'conv1' (it has cnn1, cnn8)"
    fails(lambda: read_image_features(path, "conv1"), message)
    fails(lambda: read_image_features(path, "CatID"), message.replace("conv1", "CatID"))


def test_what_is_no_bdata_is_refused(tmp_path):
    (tmp_path / "a.h5").write_text("Not found")
    with pytest.raises(ValueError, match=r"^is not HDF5 \(it begins with .+\); choose .+"):
        read_image_features(tmp_path / "a.h5", "cnn1")


def test_the_value_checks_itself():
    values, ids = np.zeros((2, 3), np.float32), np.array(["a", "b"])
    fails(
        lambda: ImageFeatures(values[0], ids),
        "image features have shape (3,), not (images, features)",
    )
    fails(
        lambda: ImageFeatures(values[:, :0], ids),
        "image features have shape (2, 0), not (images, features)",
    )
    fails(lambda: ImageFeatures(values, ids[:1]), "2 rows of image features for 1 image ids")
    fails(
        lambda: ImageFeatures(values, ids, values, ids[:1]),
        "2 rows of image features for 1 category ids",
    )
    fails(
        lambda: ImageFeatures(values, ids, values[:, :2], ids),
        "3 features an image, but category averages of shape (2, 2)",
    )
