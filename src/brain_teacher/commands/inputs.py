"""What several commands read, with the errors that a person's mistake deserves."""

import hashlib
import json
from pathlib import Path

import yaml

from brain_teacher.dataset.description import FILE, read_description
from brain_teacher.dataset.trials import STIMULI_FILE, read_stimuli
from brain_teacher.errors import BrainTeacherError, UsageError, about, nearest

# What preprocess lists its voxel files in; where decode and compare put their figures.
INDEX, METRICS = "index.json", "metrics.json"
# In the brain's meta and the students': how many shown images have no picture.
WITHOUT_PICTURE = "images_without_picture"
# In the students' meta: the trained network by whose image features the brain was decoded.
BY_WAY_OF = "features_of"
# The teacher that controls are held against.
BRAIN = "brain"


def features_note(meta):
    """What to say of students whose brain was decoded by way of a trained network; else nothing."""
    if BY_WAY_OF not in meta:
        return []
    return [
        f"Image features: the brain was decoded by way of {meta[BY_WAY_OF]}. What that was trained "
        "on is in the soft labels, too; the other decoders (logistic, ridge, resnet1d) are without."
    ]


def open_dataset(folder):
    """The description of a data set folder.

    Raises
    ------
    BrainTeacherError
        If the folder is missing or its ``dataset.yaml`` is wrong.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BrainTeacherError(
            f"there is no data set folder {folder}: `dvc pull data.dvc` brings the sample, "
            "`brain-teacher simulate` makes one, or name yours with --data or dataset.name"
        )
    try:
        with about(folder / FILE):
            return read_description(folder)
    except FileNotFoundError:
        raise BrainTeacherError(f"{folder} has no {FILE}: it is not a data set folder") from None


def open_stimuli(folder):
    """The data set's ``stimuli.csv``, or None where its ids follow GOD's rule."""
    with about(Path(folder) / STIMULI_FILE):
        return read_stimuli(folder)


def choose(wanted, known, where):
    """The wanted names (``all``: every known one), each checked; `where` is the setting's name."""
    if wanted == "all":
        return list(known)
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"{where}: there is no {name!r}{nearest(name, known)} (known: {', '.join(known)})"
            )
    return list(dict.fromkeys(wanted))


def plan_digest(params):
    """A short digest of what was decided before the result (DESIGN, rule 9)."""
    text = json.dumps(params.plan, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def dvc_hash(output):
    """DVC's hash of a stage output, from ``dvc.lock``; None where it is not tracked."""
    try:
        lock = yaml.safe_load(Path("dvc.lock").read_text("utf-8"))
    except (OSError, yaml.YAMLError):
        return None
    for stage in (lock or {}).get("stages", {}).values():
        for out in stage.get("outs", []):
            if out.get("path") == str(output):
                return out.get("md5")
    return None


def said_simulated(simulated):
    """The word that stands wherever numbers of a simulated data set appear."""
    return "simulated" if simulated else "real recordings"
