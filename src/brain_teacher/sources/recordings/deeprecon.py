"""Deeprecon: three subjects, GOD's 1,200 training pictures five times over.

Training and test trials lie in files of their own, and a value map of ``stimulus_name`` names the
pictures. File numbers and MD5 are those of the authors' list (KamitaniLab/feature-decoding,
``data/files.json``); the files themselves could not be looked at.

References
----------
.. [1] Shen, Horikawa, Majima & Kamitani (2019), PLoS Comput. Biol. 15:e1006633.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from brain_teacher.dataset.bdata import read_recording, write_bdata
from brain_teacher.dataset.description import Description
from brain_teacher.dataset.ids import number_from_image_id
from brain_teacher.dataset.stimuli import name_labels
from brain_teacher.dataset.trials import TEST, TRAINING
from brain_teacher.errors import about
from brain_teacher.sources.formats.own_recordings import LABELS, joined
from brain_teacher.sources.recordings.source import Recording
from brain_teacher.sources.transport.transfer import RemoteFile

SUBJECTS = ("sub-01", "sub-02", "sub-03")
# In VC, the last, lie all others.
ROIS = ("V1", "V2", "V3", "hV4", "LOC", "FFA", "PPA", "LVC", "HVC", "VC")
KINDS = {TRAINING: "Training", TEST: "Test"}
PUBLISHED = {
    ("sub-01", TRAINING): (37838826, "f0aba2065e03a518681ceec65674026b"),
    ("sub-01", TEST): (37838595, "7ab3fd8900a766a79e3f266ff223302a"),
    ("sub-02", TRAINING): (37848333, "8a66fcc107cbef220eb7f94b0737e0cb"),
    ("sub-02", TEST): (37848300, "3524e5cae596160115b48ce0b9c25be7"),
    ("sub-03", TRAINING): (37850397, "889a3afe44c33182d1ec02d0debe2371"),
    ("sub-03", TEST): (37849986, "b7ee993435fc9b27ca507d988bdc98e9"),
}
TERMS = """\
Deeprecon: three subjects, GOD's 1,200 training pictures five times over, 50 test pictures;
some GB a subject. The licence stands on the page of the files
(https://figshare.com/articles/7033577); the raw recordings are OpenNeuro ds001506. The
pictures are ImageNet's and do not come with it. Cite Shen et al. (2019), PLoS Comput. Biol.
15:e1006633. Whether the subjects are other people than GOD's is not known: do not pool them."""


def file_name(subject, kind):
    """What a subject's file of training (1) or test (2) trials is called.

    Examples
    --------
    >>> file_name("sub-01", 1)
    'sub-01_ImageNetTraining_fmriprep_volume_native.h5'
    """
    return f"{subject}_ImageNet{KINDS[kind]}_fmriprep_volume_native.h5"


FILES = tuple(
    RemoteFile(
        file_name(subject, kind),
        f"https://figshare.com/ndownloader/files/{number}",
        md5=md5,
        # The website turns programs away; the API's is its way for them.
        other=f"https://api.figshare.com/v2/file/download/{number}",
    )
    for (subject, kind), (number, md5) in PUBLISHED.items()
)


def build(raw, folder):
    """Make the data set, one subject after another: the voxels of the `ROIS` alone.

    Images are called by GOD's rule, and numbered by it, so that its pictures serve.
    """
    (folder / "bdata").mkdir()
    common, files = list(ROIS), {}
    for subject in SUBJECTS:
        pairs = [(name, _read(raw, name, kind)) for kind, name in _names(subject).items()]
        _, whole = joined(pairs)
        labels = {key: whole.labels.columns[key] for key in LABELS if key in whole.labels.columns}
        _hold_apart(subject, labels)
        common = [roi for roi in common if roi in whole.rois]
        files[subject] = f"bdata/{subject}.h5"
        write_bdata(folder / files[subject], whole.voxels, rois=whole.rois, labels=labels)
    if not common:
        raise ValueError(f"the subjects share none of the ROIs {', '.join(ROIS)}")
    Description(
        name="deeprecon",
        simulated=False,
        subjects=files,
        roi=common,
        pictures=False,
        source="Deeprecon, natural images; Shen et al. (2019), PLoS Comput. Biol. 15:e1006633",
    ).write(folder)


def _names(subject):
    return {kind: file_name(subject, kind) for kind in KINDS}


def _read(raw, name, kind):
    """A file's trials, of one kind: voxels of the `ROIS` that it has, images by GOD's number."""
    if not (path := Path(raw) / name).is_file():
        raise ValueError(f"has no file {name}")
    with about(path):
        recording = read_recording(path, data_type=kind)
        columns = recording.labels.columns
        other = columns["DataType"] != kind
        if other.any():
            found = columns["DataType"][other][0]
            raise ValueError(f"row {other.argmax()}: DataType is {found:g}, not {kind}")
        rois = {roi: recording.rois[roi] for roi in ROIS if roi in recording.rois}
        if not rois:
            raise ValueError(f"has none of the ROIs {', '.join(ROIS)}")
        images = name_labels(columns, None)["image_id"]
        numbers = np.array([number_from_image_id(image) for image in images])
    kept = np.any(list(rois.values()), axis=0)
    return replace(
        recording,
        voxels=recording.voxels[:, kept],
        rois={roi: mask[kept] for roi, mask in rois.items()},
        labels=replace(recording.labels, columns=columns | {"stimulus_id": numbers}),
    )


def _hold_apart(subject, labels):
    """Test images are of categories that no training image shows."""
    training = labels["DataType"] == TRAINING
    synset = np.floor(labels["stimulus_id"])
    if both := set(synset[training].tolist()) & set(synset[~training].tolist()):
        raise ValueError(f"{subject}: n{int(min(both)):08d} is among training and test images")


RECORDING = Recording(TERMS, FILES, build)
