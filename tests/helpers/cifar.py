"""CIFAR-10H in its published layout, from the 400 real pictures and choices."""

import io
import tarfile

import numpy as np
import pandas as pd
from PIL import Image

from brain_teacher.sources.recordings.cifar10h import ARCHIVE, CLASSES, COUNTS
from helpers.real_data import DATA


def record(label, content):
    """A picture as the archive has it."""
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    return bytes([label]) + pixels.transpose(2, 0, 1).tobytes()


def publish(folder):
    """Write archive and counts; gives the 400 pictures' names, in the order of the test set."""
    pictures = {}
    with tarfile.open(DATA / "cifar10h" / "pictures.tar") as tar:
        for member in tar:
            if member.isfile():
                pictures[member.name] = tar.extractfile(member).read()
    choices = pd.read_csv(DATA / "cifar10h" / "choices.csv", index_col="image_id").sort_index()
    images = pd.read_csv(DATA / "cifar10h" / "images.csv", index_col="image_id")
    shown = [
        record(CLASSES.index(images.category[name]), pictures[f"shown/{name}.jpg"])
        for name in choices.index
    ]
    unseen = [
        record(CLASSES.index(name.split("/")[1]), content)
        for name, content in sorted(pictures.items())
        if name.startswith("unseen/")
    ]
    batches = {"test_batch.bin": shown, "batches.meta.txt": [b"\n".join(map(str.encode, CLASSES))]}
    batches |= {f"data_batch_{n}.bin": unseen[n - 1 :: 5] for n in range(1, 6)}
    with tarfile.open(folder / ARCHIVE, "w:gz", compresslevel=1) as tar:
        for name, parts in batches.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = sum(map(len, parts))
            tar.addfile(info, io.BytesIO(b"".join(parts)))
    np.save(folder / COUNTS, choices[list(CLASSES)].to_numpy())
    return choices, images
