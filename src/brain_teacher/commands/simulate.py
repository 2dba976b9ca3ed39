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
    "order": "own",
    "design": "shuffled",
    "drift": 0.0,
    "imagery": 0,
    "knows": "images",
    "noise_seed": None,
}
# The settings of the first version: dataset.yaml says the later ones only where they were used, so
# that older data sets can still be made again to the byte.
_ALWAYS_SAID = tuple(DEFAULTS)[:8]

# From, to; or the choices. 20 voxels give each ROI two; 12 pixels give each field of V1's grid an
# edge.
LIMITS = {
    "snr": (0, 100),
    "subjects": (1, 99),
    "categories": (2, 16),
    "shown": (2, 1000),
    "unseen": (2, 10_000),
    "voxels": (20, 100_000),
    "image_size": (12, 256),
    "seed": (0, 2**32 - 1),
    "order": ("own", "shared"),
    "design": ("shuffled", "rounds"),
    "drift": (0, 100),
    "imagery": (0, 1000),
    "knows": ("images", "classes"),
    "noise_seed": (0, 2**32 - 1),
}

SOURCE = "Simulated brains and pictures; no real recording"


def simulate(
    out,
    *,
    snr,
    subjects,
    categories,
    shown,
    unseen,
    voxels,
    image_size,
    seed,
    order="own",
    design="shuffled",
    drift=0.0,
    imagery=0,
    knows="images",
    noise_seed=None,
    say=print,
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
    order : {"own", "shared"}
        Whether each subject sees the training pictures in an order of its own, or all in the same,
        trial by trial, as GOD's subjects 1 to 3 did.
    design : {"shuffled", "rounds"}
        Whether training runs hold about 32 pictures, shuffled, or two runs at a time hold a picture
        of every category (GOD: three runs).
    drift : float
        SD of a slow drift within and across runs, where the noise has an SD of 1. It is not part of
        `snr`.
    imagery : int
        How often each test category is imagined besides (data type 3): what it means is there, half
        as large, what a picture of it looks like is not. Made up, not after any experiment.
    knows : {"images", "classes"}
        Whether voxels tell each picture, or only the mean picture of its category: the category and
        what it is mixed up with, nothing of the single picture.
    noise_seed : int, optional
        The same pictures, brains and orders, recorded once more: noise, gains and offsets of the
        runs, and a drift if there is one, are drawn anew for each number. None: those of `seed`.
    say : callable, optional
        Called with a line of text at the end.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    UsageError
        If a setting is out of range, `out` exists and is not an empty folder, or the categories are
        too few to make so many different rounds of.
    """
    given = locals()
    settings = {name: given[name] for name in DEFAULTS}
    for name, value in settings.items():
        _check(name, value)

    from brain_teacher.files import atomic_folder
    from brain_teacher.simulation.stimuli import draw_stimuli

    with atomic_folder(out) as folder:
        stimuli = draw_stimuli(
            categories=categories, shown=shown, unseen=unseen, size=image_size, seed=seed
        )
        _write_pictures(folder / "images", stimuli)
        snrs = _write_recordings(folder / "bdata", stimuli, settings)
        _write_description(folder, Path(os.path.abspath(out)).name, snrs, settings)
    n_pictures = sum(len(ids) for ids, _, _ in stimuli.values())
    say(f"simulated {subjects} subjects and {n_pictures} pictures in {out} (SNR {snrs[0]:g} in S1)")
    return Path(out)


def _check(name, value):
    if isinstance(DEFAULTS[name], str):
        if value not in LIMITS[name]:
            raise UsageError(f"{name} is '{value}'; give {' or '.join(LIMITS[name])}")
        return
    if value is None and DEFAULTS[name] is None:
        return
    low, high = LIMITS[name]
    whole = not isinstance(DEFAULTS[name], float)
    if (whole and not isinstance(value, Integral)) or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise UsageError(f"{name} is {value}; give {kind} from {low} to {high}")


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
    from brain_teacher.simulation import brains
    from brain_teacher.simulation.stimuli import imagine, label_columns

    seen = [stimuli["shown"], stimuli["test"]]
    if settings["imagery"]:
        seen.append(imagine(stimuli["test"]))
    ids, pictures, mixtures = zip(*seen, strict=True)
    pictures, mixtures = np.concatenate(pictures), np.concatenate(mixtures)
    category = None
    if settings["knows"] == "classes":
        category = np.array([_known_class(image_id) for part in ids for image_id in part])
    sizes = brains.area_sizes(settings["voxels"])
    positions = brains.voxel_positions(settings["voxels"]).T
    columns = label_columns(*ids)
    snrs = brains.snr_of_subjects(settings["snr"], settings["subjects"])
    folder.mkdir()
    for subject, snr in zip(_subjects(settings), snrs, strict=True):
        trials = _draw_trials(ids, subject, settings)
        voxels = brains.draw_voxels(
            pictures,
            mixtures,
            trials,
            sizes=sizes,
            snr=snr,
            subject=subject,
            seed=settings["seed"],
            drift=settings["drift"],
            category=category,
            noise_seed=settings["noise_seed"],
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


def _known_class(image_id):
    """What a brain that knows classes alone makes one: pictures of a category, or its imagery."""
    category, _, number = image_id.partition("_")
    return category if number else f"{category} imagined"


def _draw_trials(ids, subject, settings):
    """The order of one subject's trials."""
    import numpy as np

    from brain_teacher.dataset.ids import split_image_id
    from brain_teacher.seeds import named_rng
    from brain_teacher.simulation.brains import draw_trials

    category, training_rng = None, None
    if settings["design"] == "rounds":
        category = np.array([split_image_id(image_id)[0] for image_id in ids[0]])
    if settings["order"] == "shared":
        training_rng = named_rng(settings["seed"], "trials", "training, all subjects")
    try:
        return draw_trials(
            len(ids[0]),
            len(ids[1]),
            rng=named_rng(settings["seed"], "trials", subject),
            training_rng=training_rng,
            category=category,
            imagery=settings["imagery"],
        )
    except ValueError as error:
        raise UsageError(f"design is 'rounds', but {error}") from error


def _subjects(settings):
    return [f"S{number}" for number in range(1, settings["subjects"] + 1)]


def _write_description(folder, name, snrs, settings):
    from brain_teacher.dataset.description import Description
    from brain_teacher.simulation.brains import ROIS
    from brain_teacher.simulation.pictures import category_name, superclass
    from brain_teacher.simulation.stimuli import category_id, category_numbers

    categories = [c for group in category_numbers(settings["categories"]) for c in group]
    said = {
        name: value
        for name, value in settings.items()
        if name in _ALWAYS_SAID or value != DEFAULTS[name]
    }
    Description(
        name=re.sub("[^A-Za-z0-9-]+", "-", name).strip("-") or "simulated",
        simulated=True,
        subjects={subject: f"bdata/{subject}.h5" for subject in _subjects(settings)},
        roi=list(ROIS),
        categories={category_id(c): category_name(c) for c in categories},
        superclasses={category_id(c): superclass(c) for c in categories},
        source=SOURCE,
        simulation=said | {"snr_per_subject": snrs},
    ).write(folder)
