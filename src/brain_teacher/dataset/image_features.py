"""Features of images, joined by id: GOD's published ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from brain_teacher.dataset.bdata import read_table
from brain_teacher.dataset.ids import image_ids_from_numbers, rows_of
from brain_teacher.dataset.rules import hold_to

LABELS = ("ImageID", "CatID", "FeatureType")
# GOD's FeatureType. 4, averages of 15,322 further categories, is not read: nobody saw those.
OF_TRAINING_IMAGE, OF_TEST_IMAGE, OF_TEST_CATEGORY = 1, 2, 3


@dataclass(frozen=True)
class ImageFeatures:
    """Features of some images, and of categories as a whole where they were published.

    `values` (n_images, n_features), float32, are in the units of whatever computed them, not
    z-scored; `category_values` (n_categories, n_features) are averages over images of a category
    that nobody was shown, and may be none. `meta` says where the features are from.

    Raises
    ------
    ValueError
        If lengths differ, an id stands twice, or a value is not finite.
    """

    values: np.ndarray
    image_id: np.ndarray
    category_values: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.float32))
    category_id: np.ndarray = field(default_factory=lambda: np.empty(0, "<U1"))
    meta: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.values.ndim != 2 or 0 in self.values.shape:
            raise ValueError(
                f"image features have shape {self.values.shape}, not (images, features)"
            )
        _check(self.values, self.image_id, "image")
        _check(self.category_values, self.category_id, "category")
        width = self.values.shape[1]
        if len(self.category_id) and self.category_values.shape[1:] != (width,):
            raise ValueError(
                f"{width} features an image, but category averages of shape "
                f"{self.category_values.shape}"
            )

    def of_images(self, image_ids: Sequence[str]) -> np.ndarray:
        """Features of some images, (len(image_ids), n_features) in the order given."""
        return _joined(self.values, self.image_id, image_ids, "image")

    def of_categories(self, category_ids: Sequence[str]) -> np.ndarray:
        """Averages of some categories, in the order given."""
        return _joined(self.category_values, self.category_id, category_ids, "category")


def read_image_features(path: str | PathLike, layer: str) -> ImageFeatures:
    """Read one layer of GOD's ``ImageFeatures.h5`` ([1]_), a BData file with a row an image.

    Parameters
    ----------
    path
        The file as published: metadata ``cnn1`` ... ``cnn8``, ``hmax1`` ... ``hmax3``, ``gist``,
        ``sift`` mark the columns of each layer; columns ``ImageID`` (1443537.022563), ``CatID``
        and ``FeatureType`` (1 training image, 2 test image, 3 average of a test category).
    layer
        One of those names. Rows of the FeatureTypes 1 and 2 are read by image, of 3 by category.

    Raises
    ------
    ValueError
        If the file cannot be read, has not the layer, or a row has no id by GOD's rule.

    References
    ----------
    .. [1] Horikawa & Kamitani (2017), Nat. Commun. 8:15037;
       doi:10.6084/m9.figshare.7387130.
    """
    table = read_table(path)
    columns = {key: table.marked(key) for key in table.flags}
    for key in LABELS:
        if key not in columns or columns[key].sum() != 1:
            raise ValueError(f"has no column {key!r}: these are not GOD's image features")
    image, category, kind = (table.values[:, columns.pop(key)][:, 0] for key in LABELS)
    layers = [key for key, marked in columns.items() if marked.any()]
    if layer not in layers:
        raise ValueError(f"has no layer {layer!r} (it has {', '.join(sorted(layers))})")
    of_image = np.isin(kind, (OF_TRAINING_IMAGE, OF_TEST_IMAGE))
    if not of_image.any():
        raise ValueError("has no row of FeatureType 1 or 2 (images)")
    of_category = kind == OF_TEST_CATEGORY
    for key, numbers, wrong, rule in (
        # A file in float32 has lost the image and has nothing behind the point.
        ("ImageID", image, of_image & ~(image % 1 > 0), "synset.image (1443537.022563)"),
        ("CatID", category, of_category & ~(category % 1 == 0), "a synset (1443537)"),
    ):
        hold_to([(wrong, f"{key} {numbers[wrong.argmax()]} is not {rule}")], first=0)
    with np.errstate(over="ignore"):  # what float32 cannot hold is caught as not finite
        values = table.values[:, columns[layer]].astype(np.float32)
    return ImageFeatures(
        values=values[of_image],
        image_id=image_ids_from_numbers(image[of_image]),
        category_values=values[of_category],
        category_id=np.array([f"n{int(n):08d}" for n in category[of_category]], dtype="<U9"),
        meta={"source": Path(path).name, "layer": layer},
    )


def _check(values, ids, what):
    if len(values) != len(ids):
        raise ValueError(f"{len(values)} rows of image features for {len(ids)} {what} ids")
    names, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"image features: {what} {str(names[counts > 1][0])!r} stands twice")
    bad = ~np.isfinite(values)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(f"{what} {str(ids[row])!r}: feature {column} is {values[row, column]}")


def _joined(values, ids, wanted, what):
    names, place = np.unique(wanted, return_inverse=True)
    lacks = what + " '{}' has no image features ({} have none)"
    return values[rows_of(names, ids, lacks=lacks)[place]]
