"""``simulate``: draw a data set of simulated pictures and simulated brains that look at them.

Imports nothing heavy: the command line reads the defaults from here.
"""

import os
import re
from numbers import Integral
from pathlib import Path

from brain_teacher.errors import UsageError

DEFAULTS = {
    "snr": 0.4,
    "subjects": 5,
    "categories": 16,
    "shown": 8,
    "unseen": 80,
    "voxels": 580,
    "image_size": 24,
    "seed": 0,
}

# From, to. 20 voxels give each ROI two; 12 pixels give each field of V1's grid an edge.
LIMITS = {
    "snr": (0, 100),
    "subjects": (1, 99),
    "categories": (2, 16),
    "shown": (2, 1000),
    "unseen": (2, 10_000),
    "voxels": (20, 100_000),
    "image_size": (12, 256),
    "seed": (0, 2**32 - 1),
}

SOURCE = "Simulated brains and pictures; no real recording"

# Of the form of GOD's synset numbers, but WordNet has none like them.
_FIRST_TRAINING, _FIRST_TEST = 99_000_001, 99_100_001


def simulate(
    out, *, snr, subjects, categories, shown, unseen, voxels, image_size, seed, say=print
) -> Path:
    """Write a simulated data set; the same settings give the same bytes.

    Parameters
    ----------
    out : path-like
        The folder to make; its name names the data set.
    snr : float
        Variance of the signal over that of the noise, in the first subject. The others keep the
        ratios 0.75, 0.625, 0.5, 0.375 to it; beyond five the last goes on. 0: brains see nothing.
    subjects : int
    categories : int
        Training categories, 2 to 16. Four test categories, which no decoder reads, are added.
    shown, unseen : int
        Pictures of each training category: shown in the scanner, and only for the students.
    voxels : int
        Voxels of the ROI VC; the others are in proportion.
    image_size : int
        Side of a picture, in pixels.
    seed : int
    say : callable, optional
        Called with a line of text at the end.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    UsageError
        If a setting is out of range, or `out` exists and is not an empty folder.
    """
    settings = {
        "snr": snr,
        "subjects": subjects,
        "categories": categories,
        "shown": shown,
        "unseen": unseen,
        "voxels": voxels,
        "image_size": image_size,
        "seed": seed,
    }
    for name, value in settings.items():
        _check(name, value)

    from brain_teacher.files import atomic_folder

    with atomic_folder(out) as folder:
        stimuli = _draw_stimuli(settings)
        _write_pictures(folder / "images", stimuli)
        snrs = _write_recordings(folder / "bdata", stimuli, settings)
        _write_description(folder, Path(os.path.abspath(out)).name, snrs, settings)
    n_pictures = sum(len(ids) for ids, _, _ in stimuli.values())
    say(f"simulated {subjects} subjects and {n_pictures} pictures in {out} (SNR {snrs[0]:g} in S1)")
    return Path(out)


def _check(name, value):
    low, high = LIMITS[name]
    whole = isinstance(DEFAULTS[name], int)
    if (whole and not isinstance(value, Integral)) or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise UsageError(f"{name} is {value}; give {kind} from {low} to {high}")


def _category_id(category):
    """Category id of a category's number, training or test."""
    from brain_teacher.simulation.pictures import N_TRAINING_CATEGORIES

    beyond = category - N_TRAINING_CATEGORIES
    return f"n{_FIRST_TRAINING + category if beyond < 0 else _FIRST_TEST + beyond:08d}"


def _categories(settings):
    """Numbers of the training categories, and of the test categories."""
    from brain_teacher.simulation.pictures import N_CATEGORIES, N_TRAINING_CATEGORIES

    return range(settings["categories"]), range(N_TRAINING_CATEGORIES, N_CATEGORIES)


def _draw_stimuli(settings):
    """Image ids, pictures and mixtures of each set: shown, test, unseen."""
    from brain_teacher.seeds import named_rng
    from brain_teacher.simulation.pictures import draw_mixtures, draw_pictures

    training, test = _categories(settings)
    shown, unseen, seed = settings["shown"], settings["unseen"], settings["seed"]
    plan = {
        "shown": (training, range(1, shown + 1)),
        "test": (test, range(1, 2)),
        "unseen": (training, range(shown + 1, shown + unseen + 1)),
    }
    stimuli = {}
    for name, (categories, numbers) in plan.items():
        ids = [f"{_category_id(c)}_{number}" for c in categories for number in numbers]
        mixtures = draw_mixtures(
            [c for c in categories for _ in numbers],
            n_categories=len(training),
            rng=named_rng(seed, "mixtures", name),
        )
        pictures = draw_pictures(
            mixtures, size=settings["image_size"], rng=named_rng(seed, "pictures", name)
        )
        stimuli[name] = ids, pictures, mixtures
    return stimuli


def _write_pictures(folder, stimuli):
    from PIL import Image

    from brain_teacher.dataset.ids import split_image_id

    for name, (ids, pictures, _) in stimuli.items():
        for image_id, picture in zip(ids, pictures, strict=True):
            # Everything that was shown in the scanner lies in one folder, as in GOD.
            place = folder / "shown"
            if name == "unseen":
                place = folder / "unseen" / split_image_id(image_id)[0]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(place / f"{image_id}.png", optimize=True)


def _write_recordings(folder, stimuli, settings):
    """Write a BData file a subject; give the subjects' SNR."""
    import numpy as np

    from brain_teacher.dataset.bdata import write_bdata
    from brain_teacher.seeds import named_rng
    from brain_teacher.simulation import brains

    ids, pictures, mixtures = zip(stimuli["shown"], stimuli["test"], strict=True)
    pictures, mixtures = np.concatenate(pictures), np.concatenate(mixtures)
    sizes = brains.area_sizes(settings["voxels"])
    positions = brains.voxel_positions(settings["voxels"]).T
    columns = _label_columns(*ids)
    snrs = brains.snr_of_subjects(settings["snr"], settings["subjects"])
    folder.mkdir()
    for subject, snr in zip(_subjects(settings), snrs, strict=True):
        rng = named_rng(settings["seed"], "trials", subject)
        trials = brains.draw_trials(len(ids[0]), len(ids[1]), rng=rng)
        voxels = brains.draw_voxels(
            pictures, mixtures, trials, sizes=sizes, snr=snr, subject=subject, seed=settings["seed"]
        )
        order = {"DataType": trials.data_type, "Run": trials.run, "Block": trials.block}
        write_bdata(
            folder / f"{subject}.h5",
            voxels,
            rois=brains.roi_masks(sizes),
            labels=order | {key: values[trials.picture] for key, values in columns.items()},
            voxel_metadata=dict(zip(("voxel_x", "voxel_y", "voxel_z"), positions, strict=True)),
        )
    return snrs


def _label_columns(*ids_of_data_types):
    """What BData says of each picture: its number, and places among its data type's sorted ids."""
    import numpy as np

    from brain_teacher.dataset.ids import number_from_image_id, split_image_id

    columns = {"stimulus_id": [], "category_index": [], "image_index": []}
    for ids in ids_of_data_types:
        categories = [split_image_id(image_id)[0] for image_id in ids]
        columns["stimulus_id"] += map(number_from_image_id, ids)
        for key, names in (("category_index", categories), ("image_index", ids)):
            columns[key] += (1 + np.unique(names, return_inverse=True)[1]).tolist()
    return {key: np.array(values, dtype=np.float64) for key, values in columns.items()}


def _subjects(settings):
    return [f"S{number}" for number in range(1, settings["subjects"] + 1)]


def _write_description(folder, name, snrs, settings):
    from brain_teacher.dataset.description import Description, write_description
    from brain_teacher.simulation.brains import ROIS
    from brain_teacher.simulation.pictures import category_name, superclass

    categories = [category for group in _categories(settings) for category in group]
    description = Description(
        name=re.sub("[^A-Za-z0-9-]+", "-", name).strip("-") or "simulated",
        simulated=True,
        subjects={subject: f"bdata/{subject}.h5" for subject in _subjects(settings)},
        roi=list(ROIS),
        categories={_category_id(c): category_name(c) for c in categories},
        superclasses={_category_id(c): superclass(c) for c in categories},
        source=SOURCE,
        simulation=settings | {"snr_per_subject": snrs},
    )
    write_description(folder, description)
