"""What the recordings of a data set show, subject by subject."""

from brain_teacher.chain.dataset import DataSet
from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.dataset.stimuli import name_labels
from brain_teacher.dataset.trials import TRAINING
from brain_teacher.errors import about


def training_images(dataset: DataSet) -> tuple[dict[str, list[str]], set[str]]:
    """Each category's training images, sorted, and the ids of all trials.

    Of the subjects whose files are there.
    """
    training: dict[str, str] = {}
    everything: set[str] = set()
    for name in dataset.description.subjects.values():
        file = dataset.folder / name
        if not file.is_file():
            continue
        with about(file):
            _, _, labels = read_bdata(file)
            kinds = labels["DataType"]
            trials = name_labels(labels, dataset.stimuli)
        everything.update(trials["image_id"])
        trained = trials[kinds == TRAINING]
        training.update(zip(trained["image_id"], trained["category"], strict=True))
    mine: dict[str, list[str]] = {category: [] for category in sorted(set(training.values()))}
    for image_id in sorted(training):
        mine[training[image_id]].append(image_id)
    return mine, everything
