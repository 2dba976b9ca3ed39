"""``simulate``: draw a data set of simulated pictures and simulated brains that look at them.

Imports nothing heavy: the command line reads the defaults from here.
"""

import os
import re
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from brain_teacher.commands import Place, Say
from brain_teacher.errors import UsageError, nearest
from brain_teacher.simulation.knowledge import KNOWS

if TYPE_CHECKING:
    from brain_teacher.simulation.brains import Trials


class Size(NamedTuple):
    """A setting of the simulation: its default, from what to what (or the choices), what it is."""

    default: float | str | None
    limits: tuple
    what: str


# 20 voxels give each ROI two; 12 pixels give each field of V1's grid an edge.
SIZES = {
    "snr": Size(
        0.4, (0, 100), "Signal to noise variance of the first subject; 0: brains see nothing."
    ),
    "subjects": Size(5, (1, 99), "How many brains look."),
    "categories": Size(16, (2, 16), "2 to 16."),
    "shown": Size(8, (2, 1000), "Pictures of each category shown in the scanner."),
    "unseen": Size(80, (2, 10_000), "Pictures of each category that no subject saw."),
    "voxels": Size(580, (20, 100_000), "Voxels of the ROI VC."),
    "image_size": Size(24, (12, 256), "Side in pixels."),
    "seed": Size(0, (0, 2**32 - 1), "The same seed gives the same bytes."),
    "order": Size(
        "own", ("own", "shared"), "Of the training pictures: each subject's own, or all the same."
    ),
    "design": Size(
        "shuffled",
        ("shuffled", "rounds"),
        "Of the training runs; rounds: two at a time hold every category once.",
    ),
    "drift": Size(0.0, (0, 100), "SD of a slow drift, where the noise has 1."),
    "imagery": Size(0, (0, 1000), "How often each test category is imagined."),
    "knows": Size(
        "images",
        tuple(KNOWS),
        f"What voxels tell: {', '.join(f'{name} ({each.what})' for name, each in KNOWS.items())}.",
    ),
    "noise_seed": Size(
        None,
        (0, 2**32 - 1),
        "Records the same once more: only the noise is another.  [default: of --seed]",
    ),
}
DEFAULTS = {name: size.default for name, size in SIZES.items()}
# The settings of the first version: dataset.yaml says the later ones only where they were used, so
# that older data sets can still be made again to the byte.
_ALWAYS_SAID = tuple(SIZES)[:8]

SOURCE = "Simulated brains and pictures; no real recording"


def simulate(out: Place, *, say: Say = print, **sizes: float | str | None) -> Path:
    """Write a simulated data set; the same sizes (`SIZES`) give the same bytes.

    The folder's name names the data set. Subjects after the first keep the ratios 0.75, 0.625, 0.5,
    0.375 to its `snr`; beyond five the last goes on. Four test categories, which no decoder reads,
    are added to the training `categories`; the voxels of the other ROIs are in proportion to those
    of VC. An `order` that is shared is the same trial by trial, as that of GOD's subjects 1 to 3
    was; a round takes GOD three runs. A `drift`, within and across runs, is not part of `snr`. Of
    what is imagined (data type 3), what it means is there, half as large, what a picture of it
    looks like is not: made up, not after any experiment. What a brain `knows` of the pictures may
    be less than all. With a `noise_seed` the same pictures, brains and orders are recorded once
    more: noise, gains and offsets of the runs, and a drift if there is one, are drawn anew for each
    number. Refused are sizes that are unknown or out of range, an `out` that is not an empty
    folder, and categories too few to make so many different rounds of.
    """
    for name, value in sizes.items():
        _check(name, value)
    settings: dict[str, Any] = DEFAULTS | sizes

    from brain_teacher.files import atomic_folder
    from brain_teacher.simulation.stimuli import draw_stimuli

    with atomic_folder(out) as folder:
        pictures = {key: settings[key] for key in ("categories", "shown", "unseen", "seed")}
        stimuli = draw_stimuli(**pictures, size=settings["image_size"])
        _write_pictures(folder / "images", stimuli)
        snrs = _write_recordings(folder / "bdata", stimuli, settings)
        _write_description(folder, Path(os.path.abspath(out)).name, snrs, settings)
    count = sum(len(ids) for ids, _, _ in stimuli.values())
    say(f"simulated {len(snrs)} subjects and {count} pictures in {out} (SNR {snrs[0]:g} in S1)")
    return Path(out)


def _check(name: str, value: float | str | None) -> None:
    if name not in SIZES:
        raise UsageError(f"there is no {name!r}{nearest(name, SIZES)} (known: {', '.join(SIZES)})")
    default, limits, _ = SIZES[name]
    if isinstance(default, str):
        if value not in limits:
            known = f"{', '.join(limits[:-1])} or {limits[-1]}"
            raise UsageError(f"{name} is '{value}'; give {known}")
    elif value is not None or default is not None:
        whole = not isinstance(default, float)
        kind = Integral if whole else Real
        if not isinstance(value, kind) or not limits[0] <= value <= limits[1]:
            word = "a whole number" if whole else "a number"
            raise UsageError(f"{name} is {value}; give {word} from {limits[0]} to {limits[1]}")


def _write_pictures(folder: Path, stimuli: dict[str, tuple]) -> None:
    from PIL import Image

    from brain_teacher.dataset.ids import split_image_id

    for name, (ids, pictures, _) in stimuli.items():
        for image_id, picture in zip(ids, pictures, strict=True):
            # Everything that was shown in the scanner lies in one folder, as in GOD.
            unseen = name == "unseen"
            place = folder / ("unseen/" + split_image_id(image_id)[0] if unseen else "shown")
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(place / f"{image_id}.png", optimize=True)


def _write_recordings(
    folder: Path, stimuli: dict[str, tuple], settings: dict[str, Any]
) -> list[float]:
    """Write a BData file a subject; give the subjects' SNR."""
    import numpy as np

    from brain_teacher.dataset.bdata import write_bdata
    from brain_teacher.simulation import brains
    from brain_teacher.simulation.stimuli import imagine, label_columns, what_labels_name

    seen = [stimuli["shown"], stimuli["test"]]
    if settings["imagery"]:
        seen.append(imagine(stimuli["test"]))
    ids, pictures, mixtures = zip(*seen, strict=True)
    pictures, mixtures = np.concatenate(pictures), np.concatenate(mixtures)
    named = what_labels_name(np.concatenate(ids), mixtures, seed=settings["seed"])
    sizes = brains.area_sizes(settings["voxels"])
    positions = brains.voxel_positions(settings["voxels"]).T
    columns = label_columns(*ids)
    snrs = brains.snr_of_subjects(settings["snr"], settings["subjects"])
    folder.mkdir()
    drawn = {key: settings[key] for key in ("seed", "drift", "knows", "noise_seed")}
    drawn |= {"sizes": sizes, "named": named}
    for number, snr in enumerate(snrs, start=1):
        subject = f"S{number}"
        trials = _draw_trials(ids, subject, settings)
        voxels = brains.draw_voxels(pictures, mixtures, trials, snr=snr, subject=subject, **drawn)
        order = {"DataType": trials.data_type, "Run": trials.run, "Block": trials.block}
        write_bdata(
            folder / f"{subject}.h5",
            voxels,
            rois=brains.roi_masks(sizes),
            labels=order | {key: values[trials.picture] for key, values in columns.items()},
            voxel_metadata=dict(zip(("voxel_x", "voxel_y", "voxel_z"), positions, strict=True)),
        )
    return snrs


def _draw_trials(ids: tuple, subject: str, settings: dict[str, Any]) -> "Trials":
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


def _write_description(
    folder: Path, name: str, snrs: list[float], settings: dict[str, Any]
) -> None:
    from brain_teacher.dataset.description import Description
    from brain_teacher.simulation.brains import ROIS
    from brain_teacher.simulation.pictures import category_name, superclass
    from brain_teacher.simulation.stimuli import category_id, category_numbers

    categories = [c for group in category_numbers(settings["categories"]) for c in group]
    said = {k: v for k, v in settings.items() if k in _ALWAYS_SAID or v != DEFAULTS[k]}
    Description(
        name=re.sub("[^A-Za-z0-9-]+", "-", name).strip("-") or "simulated",
        simulated=True,
        subjects={f"S{number + 1}": f"bdata/S{number + 1}.h5" for number in range(len(snrs))},
        roi=list(ROIS),
        categories={category_id(c): category_name(c) for c in categories},
        superclasses={category_id(c): superclass(c) for c in categories},
        source=SOURCE,
        simulation=said | {"snr_per_subject": snrs},
    ).write(folder)
