"""The image features that the ``features`` decoder predicts, from a file or from a network."""

from collections.abc import Iterable

from brain_teacher.chain.dataset import DataSet
from brain_teacher.chain.params import Params
from brain_teacher.dataset import images as pictures
from brain_teacher.dataset.image_features import ImageFeatures, read_image_features
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.errors import BrainTeacherError, about
from brain_teacher.networks.image_features import UNTRAINED, network_features

FILE = "ImageFeatures.h5"
# What torchvision's classifiers were trained on; smaller pictures are as small as they are.
LARGEST = 224


def features_for(params: Params, decoders: Iterable[str], dataset: DataSet) -> ImageFeatures | None:
    """The features of the shown images, where a decoder needs them; else None."""
    if not any("features" in DECODERS[name].needs for name in decoders):
        return None
    settings, data = params.decode.features, dataset.folder
    if settings.source == "file":
        if not (data / FILE).is_file():
            raise BrainTeacherError(
                f"{data / FILE} is missing: put the features file there, or set "
                "decode.features.source: network"
            )
        with about(data / FILE):
            return read_image_features(data / FILE, settings.layer)
    if not dataset.description.pictures:
        raise BrainTeacherError(
            f"data set {dataset.name} has no pictures (dataset.yaml: pictures: false), so a "
            "network has nothing to look at; set decode.features.source: file"
        )
    with about(data):
        shown = pictures.find_shown(data)
        names = sorted(shown)
        files = [shown[name] for name in names]
        size = pictures.usual_side(files, most=LARGEST)
        images = pictures.load_images(files, size)
        return network_features(
            images,
            names,
            network=settings.network,
            weights=None if settings.weights == UNTRAINED else settings.weights,
            layer=settings.layer,
        )
