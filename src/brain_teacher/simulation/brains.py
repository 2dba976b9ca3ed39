r"""Simulated brains: what the voxels of a subject say while it looks at pictures.

Trial i, voxel v, in each area of a subject::

    x_iv = gain_run(i) (sqrt(SNR) [sqrt(1 - a) L_iv + sqrt(a) U_iv] + n_iv) + offset_run(i),v + d_iv

L is a random mixture of what the picture looks like (`low_level_features`), U one of what it shows
(`semantic_code`), n noise, a the area's share of meaning, d a slow drift (none unless asked for).
SNR is the variance of the signal over that of the noise n. In imagery trials L is 0 and U is half
as large: made up, as all of this. Where a brain knows less than each picture (`KNOWS`), L and U are
mixtures of what it knows: noise is then all that its pictures differ in otherwise. Nothing here is
a recording, and no number from it says anything of real brains.
"""

from dataclasses import dataclass

import numpy as np

from brain_teacher.seeds import named_rng
from brain_teacher.simulation.knowledge import KNOWS
from brain_teacher.simulation.noise import draw_drift, draw_noise, draw_run_effects, scale
from brain_teacher.simulation.orders import rounds_of_runs, shuffled_runs
from brain_teacher.simulation.pictures import low_level_features, semantic_code


@dataclass(frozen=True)
class Area:
    """What the voxels of one area tell."""

    voxels: int  # how many, where all areas together have 580
    grid: int  # low-level features are averages over grid x grid fields of the picture
    share: float  # share a of the semantic code in the signal's variance, 0 to 1
    colour: bool = False  # the low-level features hold two colour differences
    prefers: int | None = None  # superclass that the code keeps; others are weighed by 0.35


AREAS = {
    "V1": Area(80, 8, 0.0),
    "V2": Area(80, 6, 0.05),
    "V3": Area(60, 4, 0.1),
    "V4": Area(60, 3, 0.3, colour=True),
    "LOC": Area(100, 3, 0.8, colour=True),
    "FFA": Area(60, 2, 0.8, colour=True, prefers=0),
    "PPA": Area(60, 2, 0.8, colour=True, prefers=3),
    # What HVC has besides: no ROI of its own.
    "rest": Area(80, 2, 0.8, colour=True),
}
ROIS = {roi: (roi,) for roi in AREAS if roi != "rest"} | {
    "LVC": ("V1", "V2", "V3"),
    "HVC": ("LOC", "FFA", "PPA", "rest"),
    "VC": tuple(AREAS),
}

# A subject's SNR over the first subject's; beyond five the last goes on.
SNR_RATIOS = (1, 0.75, 0.625, 0.5, 0.375)
TRAINING, TEST, IMAGERY = 1, 2, 3
TEST_REPEATS, TEST_RUNS = 8, 2
IMAGERY_REPEATS_A_RUN, IMAGERY_GAIN = 4, 0.5
STEP = 1 / 64


@dataclass(frozen=True)
class Trials:
    """What a subject saw, in order; each array has the shape (n_trials,), int."""

    # Number of the picture: the training pictures first, then the test pictures, then as many that
    # are imagined.
    picture: np.ndarray
    # 1 training, 2 test (other categories, shown repeatedly), 3 imagery (of those, repeatedly).
    data_type: np.ndarray
    run: np.ndarray  # within its data type, from 1
    block: np.ndarray  # trial within its run, from 1


def snr_of_subjects(first, n_subjects):
    """SNR of each subject, from that of the first.

    Examples
    --------
    >>> snr_of_subjects(0.4, 6)
    [0.4, 0.3, 0.25, 0.2, 0.15, 0.15]
    """
    ratios = [SNR_RATIOS[min(number, len(SNR_RATIOS) - 1)] for number in range(n_subjects)]
    return [round(first * ratio, 12) for ratio in ratios]


def area_sizes(n_voxels):
    """Number of voxels of each area, in proportion, where all together have `n_voxels`.

    At least 20, which gives each area two or more.

    Examples
    --------
    >>> sizes = area_sizes(20)
    >>> list(sizes.values()), sum(sizes.values())
    ([2, 3, 2, 2, 4, 2, 2, 3], 20)
    """
    parts = np.cumsum([0, *(area.voxels for area in AREAS.values())])
    ends = parts * n_voxels // parts[-1]
    return dict(zip(AREAS, np.diff(ends).tolist(), strict=True))


def roi_masks(sizes):
    """Which voxels belong to which ROI, (n_voxels,) and bool, by ROI.

    `sizes` are the voxels of each area, in the order of the columns.
    """
    area = np.repeat(list(sizes), list(sizes.values()))
    return {roi: np.isin(area, parts) for roi, parts in ROIS.items()}


def voxel_positions(n_voxels):
    """Made-up voxel positions, one each on a grid of 2 mm around the origin.

    Returns
    -------
    ndarray of shape (n_voxels, 3), float64
        x, y, z in mm; they mean nothing.
    """
    side = int(np.ceil(np.cbrt(n_voxels)))
    steps = np.unravel_index(np.arange(n_voxels), (side, side, side))
    return 2.0 * (np.stack(steps, axis=1) - side // 2)


def draw_trials(n_training, n_test, *, rng, training_rng=None, category=None, imagery=0):
    """Draw the order in which a subject sees the pictures.

    Each training picture once, shuffled, in equal runs of about 32 trials, or in rounds; each test
    picture eight times, in two runs that hold every test picture four times; each imagined one
    `imagery` times, in runs that hold it four times at most.

    Parameters
    ----------
    n_training, n_test : int
        Number of pictures.
    rng : numpy.random.Generator
    training_rng : numpy.random.Generator, optional
        Draws the order of the training pictures, where other subjects see them in the same.
    category : ndarray of shape (n_training,), optional
        Of each training picture; where it is given, runs make rounds (`rounds_of_runs`).
    imagery : int, optional
        As many pictures as there are test pictures are imagined so often.

    Returns
    -------
    Trials
    """
    training_rng = rng if training_rng is None else training_rng
    if category is None:
        training = shuffled_runs(n_training, rng=training_rng)
    else:
        training = rounds_of_runs(category, rng=training_rng)
    tested = n_training + np.arange(n_test)
    test = [rng.permutation(np.tile(tested, TEST_REPEATS // TEST_RUNS)) for _ in range(TEST_RUNS)]
    repeats = np.array_split(np.arange(imagery), -(-imagery // IMAGERY_REPEATS_A_RUN) or 1)
    imagined = [rng.permutation(np.tile(n_test + tested, len(part))) for part in repeats]
    runs = [
        (data_type, number, pictures)
        for data_type, group in ((TRAINING, training), (TEST, test), (IMAGERY, imagined))
        for number, pictures in enumerate(group, start=1)
    ]
    return Trials(
        picture=np.concatenate([pictures for _, _, pictures in runs]),
        data_type=np.concatenate([np.full(len(p), data_type) for data_type, _, p in runs]),
        run=np.concatenate([np.full(len(p), number) for _, number, p in runs]),
        block=np.concatenate([1 + np.arange(len(p)) for _, _, p in runs]),
    )


def what_is_seen(area, pictures, mixtures):
    """What an area is told of pictures: features of what they look like, a code of what they show.

    Parameters
    ----------
    area : Area
    pictures : ndarray of shape (n, size, size, 3), uint8
    mixtures : ndarray of shape (n, N_CATEGORIES)

    Returns
    -------
    tuple of two ndarrays of shape (n, ...), float64
    """
    features = low_level_features(pictures, grid=area.grid, colour=area.colour)
    return features, semantic_code(mixtures, prefers=area.prefers)


def draw_signal(area, features, code, is_training, *, n_voxels, rng, is_imagined=False):
    """Draw an area's voxels and what each says, without noise.

    Parameters
    ----------
    area : Area
    features, code : ndarray of shape (n_trials, ...)
        Of what is seen (`what_is_seen`), as far as the brain knows it.
    is_training : ndarray of shape (n_trials,), bool
        The trials that means and standard deviations are taken over.
    n_voxels : int
    rng : numpy.random.Generator
    is_imagined : ndarray of shape (n_trials,), bool, optional
        The trials in which nothing is seen, and what is meant says half as much.

    Returns
    -------
    ndarray of shape (n_trials, n_voxels), float64
        L and U have a mean voxel SD of 1 each; the signal has a variance of about 1.
    """
    features = features - features[is_training].mean(axis=0)
    deviation = features[is_training].std(axis=0)
    # What no training trial shows, as the label of a test category, tells these nothing.
    features /= np.where(deviation > 0, deviation, 1)
    low, meaning = (
        scale(part @ rng.standard_normal((part.shape[1], n_voxels)), is_training)
        for part in (features, code)
    )
    # Both are centred on the training trials: 0 is what their average would give.
    low[is_imagined] = 0
    meaning[is_imagined] *= IMAGERY_GAIN
    return np.sqrt(1 - area.share) * low + np.sqrt(area.share) * meaning


def draw_voxels(
    pictures,
    mixtures,
    trials,
    *,
    sizes,
    snr,
    subject,
    seed,
    drift=0.0,
    knows="images",
    named=None,
    noise_seed=None,
):
    """Draw the recording of one subject.

    Parameters
    ----------
    pictures : ndarray of shape (n_pictures, size, size, 3), uint8
    mixtures : ndarray of shape (n_pictures, N_CATEGORIES)
    trials : Trials
    sizes : dict of str to int
        Voxels of each area.
    snr : float
        Variance of the signal over that of the noise, at least 0; 0 is a brain that sees nothing.
    subject : str
        Names, with `seed`, what is drawn.
    seed : int
    drift : float, optional
        SD of a slow drift (`draw_drift`), where the noise has an SD of 1.
    knows : str, optional
        What voxels are to know of the pictures: a name of `KNOWS`.
    named : Named, optional
        Of the pictures, where that is less than all.
    noise_seed : int, optional
        Another recording of the same brain, which sees the same: all that is not signal (noise,
        gain and offset of the runs, drift) is drawn for this number.

    Returns
    -------
    ndarray of shape (n_trials, sum of sizes), float64
        No unit; the areas side by side, rounded to 1/64. Imagery adds rows and a drift is added:
        neither changes what else was drawn.
    """
    redrawn = () if noise_seed is None else ("noise", noise_seed)
    is_training, is_imagined = trials.data_type == TRAINING, trials.data_type == IMAGERY
    run = trials.run + trials.run.max() * (trials.data_type - TRAINING)
    columns = []
    for name, n_voxels in sizes.items():
        rng = named_rng(seed, "brain", subject, name)
        features, code = (
            KNOWS[knows].known(values, named)[trials.picture]
            for values in what_is_seen(AREAS[name], pictures, mixtures)
        )
        own = {"n_voxels": n_voxels, "rng": rng, "is_imagined": is_imagined}
        signal = draw_signal(AREAS[name], features, code, is_training, **own)
        if redrawn:
            rng = named_rng(seed, "brain", subject, name, *redrawn)
        values = np.empty_like(signal)
        for rows in (~is_imagined, is_imagined):
            noise = draw_noise(rows.sum(), n_voxels, rng=rng)
            gain, offset = draw_run_effects(run[rows], n_voxels, rng=rng)
            values[rows] = gain * (np.sqrt(snr) * signal[rows] + noise) + offset
        if drift:
            rng = named_rng(seed, "drift", subject, name, *redrawn)
            values += drift * draw_drift(run, trials.block, is_training, n_voxels, rng=rng)
        columns.append(values)
    return np.rint(np.hstack(columns) / STEP) * STEP
