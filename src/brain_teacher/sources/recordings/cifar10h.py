"""CIFAR-10H: what about fifty people called each picture of CIFAR-10's test set. No brain at all.

Pictures come from the authors' archive of plain bytes (their other one is a pickle), counts from
the repository of CIFAR-10H, in the order of that test set.

References
----------
.. [1] Peterson et al. (2019), ICCV, 9617.
.. [2] Krizhevsky (2009), Learning multiple layers of features from tiny images.
"""

import hashlib
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from brain_teacher.dataset.description import Description
from brain_teacher.decoding.soft_labels import FOREIGN, IMPORTED, PEOPLE
from brain_teacher.files import file_digest, regular, write_npz
from brain_teacher.reading.arrays import load_arrays
from brain_teacher.sources.formats.soft_label_tables import to_soft_labels
from brain_teacher.sources.formats.writing import write_stimuli
from brain_teacher.sources.recordings.source import Recording
from brain_teacher.sources.transport.transfer import RemoteFile

ARCHIVE, COUNTS = "cifar-10-binary.tar.gz", "cifar10h-counts.npy"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
RECORD = 1 + 3 * SIDE**2  # bytes: the label, then the red, the green and the blue plane
TEST, TRAINING = "test_batch.bin", tuple(f"data_batch_{number}.bin" for number in range(1, 6))
MOST = 10_000 * RECORD  # bytes of a file of the archive
UNSEEN = 130  # pictures a category that nobody judged, for validation and test together
TABLE = {"subject": "people", "roi": "choices", "decoder": "choices"}
FILES = (
    RemoteFile(ARCHIVE, f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"),
    RemoteFile(
        COUNTS, f"https://raw.githubusercontent.com/jcpeterson/cifar-10h/48da312/data/{COUNTS}"
    ),
)
TERMS = """\
CIFAR-10H: about 50 people's choices for each of CIFAR-10's 10,000 test pictures; no brain.
Choices: CC BY-NC-SA 4.0, not for commercial use; cite Peterson et al. (2019), ICCV. Pictures:
cite Krizhevsky (2009); their page states no licence."""


def read_pictures(archive, name):
    """Pictures (n, 32, 32, 3), uint8, and labels (n,) of a file of the archive.

    Raises
    ------
    ValueError
        If there is no such file in it, or it is no such file.
    """
    try:
        with tarfile.open(regular(archive)) as tar:
            members = [m for m in tar if m.isfile() and Path(m.name).name == name]
            if len(members) != 1 or members[0].size > MOST:
                raise ValueError(f"{ARCHIVE} has not one {name} of at most {MOST:,} bytes")
            stream = tar.extractfile(members[0])
            content = stream.read() if stream else b""
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{ARCHIVE} cannot be unpacked ({error}); fetch it again") from error
    if not content or len(content) % RECORD:
        raise ValueError(f"{name} has {len(content):,} bytes, not a multiple of {RECORD}")
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    if records[:, 0].max() >= len(CLASSES):
        at = records[:, 0].argmax()
        raise ValueError(f"{name}: picture {at} has label {records[at, 0]}")
    return records[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), records[:, 0]


def build(raw, folder, *, judged=None):
    """Make the data set: `judged` pictures of each category, all where it is None."""
    pictures, labels = read_pictures(raw / ARCHIVE, TEST)
    counts = load_arrays(raw / COUNTS)
    if not isinstance(counts, np.ndarray) or counts.shape != (len(labels), len(CLASSES)):
        shape = getattr(counts, "shape", "several arrays")
        raise ValueError(f"{COUNTS} is of shape {shape}, not {(len(labels), len(CLASSES))}")
    names = [f"test{number:05d}" for number in range(len(labels))]
    kept = _first(names, labels, judged)
    stimuli = []
    for number, at in enumerate(kept, start=1):
        _write(pictures[at], folder / "images" / "shown" / f"{names[at]}.png")
        stimuli.append((number, names[at], CLASSES[labels[at]]))
    write_stimuli(folder, stimuli)
    _write_unseen(raw, folder)
    description = Description(
        name=folder_name(judged),
        simulated=False,
        subjects={},
        roi=[],
        source="CIFAR-10H, Peterson et al. (2019); pictures: CIFAR-10, Krizhevsky (2009)",
    )
    description.write(folder)
    table = pd.DataFrame(counts[kept], index=[names[at] for at in kept], columns=CLASSES)
    imported = {"file": COUNTS, "sha256": file_digest(raw / COUNTS)}
    meta = TABLE | {"kind": PEOPLE, "calibrated": False, IMPORTED: imported}
    meta |= {"dataset": description.name, "simulated": False}
    soft_labels = to_soft_labels(table, values="counts", meta=meta)
    (folder / FOREIGN).mkdir()
    write_npz(folder / FOREIGN / f"{'_'.join(TABLE.values())}.npz", **soft_labels.arrays())


def folder_name(judged):
    """What the data set is called."""
    return "cifar10h" if judged is None else f"cifar10h-{judged * len(CLASSES)}"


def _first(names, labels, count):
    """The rows of `count` pictures of each category, in the order of a hash of their names."""
    order = sorted(range(len(names)), key=lambda n: hashlib.sha256(names[n].encode()).hexdigest())
    chosen = []
    for label in range(len(CLASSES)):
        own = [at for at in order if labels[at] == label]
        if len(own) < (count or 2):
            raise ValueError(f"{TEST} has {len(own)} pictures of {CLASSES[label]}")
        chosen += own[:count]
    return sorted(chosen)


def _write_unseen(raw, folder):
    """The first pictures of each category that nobody judged."""
    left = dict.fromkeys(range(len(CLASSES)), UNSEEN)
    for batch, name in enumerate(TRAINING, start=1):
        if not any(left.values()):
            return
        pictures, labels = read_pictures(raw / ARCHIVE, name)
        for at, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
            if left[int(label)]:
                left[int(label)] -= 1
                place = folder / "images" / "unseen" / CLASSES[label]
                _write(picture, place / f"train{batch}-{at:05d}.png")
    if any(left.values()):
        raise ValueError(f"{ARCHIVE} has too few training pictures of a category")


def _write(picture, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


RECORDING = Recording(TERMS, FILES, build)
FEW = Recording(TERMS, FILES, lambda raw, folder: build(raw, folder, judged=40))
