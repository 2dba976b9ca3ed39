"""Pictures that outcomes are measured on beside the test images: of other categories, recorded."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brain_teacher.chain.dataset import DataSet
from brain_teacher.chain.students.material import IMAGE_CACHE
from brain_teacher.dataset.ids import rows_of
from brain_teacher.dataset.image_cache import image_file, open_images
from brain_teacher.dataset.images import find_shown, find_unseen
from brain_teacher.errors import about
from brain_teacher.files import atomic_write, fingerprint
from brain_teacher.simulation.new_pictures import draw_new_pictures

# Of each simulated test category.
DRAWN = 60


class NotHere(ValueError):
    """An outcome that cannot be had of these students, and why."""


@dataclass(frozen=True, eq=False)
class Gallery:
    """Some pictures; as a message, a file's name."""

    pixels: Path
    image_id: np.ndarray
    category: np.ndarray

    @property
    def images(self) -> np.ndarray:
        """(n_images, size, size, 3), uint8; a view of the file."""
        return open_images(self.pixels)

    def rows(self, image_ids: np.ndarray) -> np.ndarray:
        """Row numbers of some images."""
        return rows_of(image_ids, self.image_id, lacks="no picture of image '{}' was loaded")

    def digest(self) -> str:
        """SHA-256 over pictures and ids; their names and order are in it."""
        return fingerprint(self.image_id, self.category, np.asarray(self.images))


def new_categories(dataset: DataSet, known: Collection[str], size: int) -> Gallery:
    """Pictures of categories that no student was trained on.

    Those under ``images/unseen`` of other categories than the students'. Of simulated data that
    have none they are drawn, by the settings and the seed that the data set was drawn by.
    """
    with about(dataset.folder):
        unseen = find_unseen(dataset.folder)
        unseen = unseen[~unseen["category"].isin(list(known))]
        if len(unseen):
            file = image_file(list(unseen["path"]), size, IMAGE_CACHE)
            ids, category = (unseen[k].to_numpy(dtype=str) for k in ("image_id", "category"))
            return Gallery(file.absolute(), ids, category)
    drawn_by = dataset.description.simulation
    if not drawn_by:
        raise NotHere(
            f"{dataset.folder / 'images' / 'unseen'} has no pictures of categories that the "
            "students were not trained on"
        )
    settings = {key: int(drawn_by[key]) for key in ("categories", "seed")}  # ty: ignore[invalid-argument-type]
    own = int(drawn_by["image_size"])  # ty: ignore[invalid-argument-type]
    ids, category, pictures = draw_new_pictures(count=DRAWN, size=own, **settings)
    file = IMAGE_CACHE / f"new-{fingerprint(pictures, size)}.npy"
    if not file.is_file():
        with atomic_write(file) as temporary:
            np.save(temporary, _resized(pictures, size))
    return Gallery(file.absolute(), np.array(ids), np.array(category))


def _resized(pictures: np.ndarray, size: int) -> np.ndarray:
    from PIL import Image, ImageOps

    def fit(picture: np.ndarray) -> np.ndarray:
        return np.asarray(
            ImageOps.fit(Image.fromarray(picture), (size, size), Image.Resampling.BICUBIC)
        )

    return np.stack([fit(each) for each in pictures])


def recorded_pictures(dataset: DataSet, image_ids: Collection[str], size: int) -> Gallery:
    """Of some recorded images those that have a picture."""
    with about(dataset.folder):
        shown = find_shown(dataset.folder)
        ids = np.array(sorted({*image_ids} & shown.keys()), dtype=str)
        file = image_file([shown[image] for image in ids], size, IMAGE_CACHE)
    return Gallery(file.absolute(), ids, dataset.category_of(ids))
