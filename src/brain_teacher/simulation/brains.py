r"""Simulated brains: what the voxels of a subject say while it looks at pictures.

Trial i, voxel v, in each area of a subject::

    x_iv = gain_run(i) (sqrt(SNR) [sqrt(1 - a) L_iv + sqrt(a) U_iv] + n_iv) + offset_run(i),v

L is a random mixture of what the picture looks like (`low_level_features`), U one of what it shows
(`semantic_code`), n noise, a the area's share of meaning. SNR is the variance of the signal over
that of the noise. Nothing here is a recording, and no number from it says anything of real brains.
"""

from dataclasses import dataclass

import numpy as np

from brain_teacher.seeds import named_rng
from brain_teacher.simulation.pictures import low_level_features, semantic_code


@dataclass(frozen=True)
class Area:
    """What the voxels of one area tell.

    Attributes
    ----------
    voxels : int
        How many, where all areas together have 580.
    grid : int
        Low-level features are averages over grid x grid fields of the picture.
    share : float
        Share a of the semantic code in the signal's variance, 0 to 1.
    colour : bool
        Whether the low-level features hold two colour differences.
    prefers : int, optional
        Number of the superclass that the semantic code keeps; the others are weighed by 0.35.
    """

    voxels: int
    grid: int
    share: float
    colour: bool = False
    prefers: int | None = None


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
TRAINING, TEST = 1, 2
RUN_LENGTH = 32
TEST_REPEATS, TEST_RUNS = 8, 2
STEP = 1 / 64


@dataclass(frozen=True)
class Trials:
    """What a subject saw, in order; each array has the shape (n_trials,), int.

    Attributes
    ----------
    picture : ndarray
        Number of the picture: the training pictures first, then the test pictures.
    data_type : ndarray
        1 training, 2 test (other categories, shown repeatedly).
    run, block : ndarray
        Run within its data type, trial within its run, both from 1.
    """

    picture: np.ndarray
    data_type: np.ndarray
    run: np.ndarray
    block: np.ndarray


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

    Parameters
    ----------
    n_voxels : int
        At least 20, which gives each area two or more.

    Returns
    -------
    dict of str to int

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
    """Which voxels belong to which ROI.

    Parameters
    ----------
    sizes : dict of str to int
        Voxels of each area, in the order of the columns.

    Returns
    -------
    dict of str to ndarray of shape (n_voxels,), bool
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


def draw_trials(n_training, n_test, *, rng):
    """Draw the order in which a subject sees the pictures.

    Each training picture once, shuffled, in equal runs of about 32 trials; each test picture eight
    times, in two runs that hold every test picture four times.

    Parameters
    ----------
    n_training, n_test : int
        Number of pictures.
    rng : numpy.random.Generator

    Returns
    -------
    Trials
    """
    n_runs = max(1, round(n_training / RUN_LENGTH))
    training = np.array_split(rng.permutation(n_training), n_runs)
    once = np.tile(n_training + np.arange(n_test), TEST_REPEATS // TEST_RUNS)
    test = [rng.permutation(once) for _ in range(TEST_RUNS)]
    runs = [(TRAINING, number, pictures) for number, pictures in enumerate(training, start=1)]
    runs += [(TEST, number, pictures) for number, pictures in enumerate(test, start=1)]
    return Trials(
        picture=np.concatenate([pictures for _, _, pictures in runs]),
        data_type=np.concatenate([np.full(len(p), data_type) for data_type, _, p in runs]),
        run=np.concatenate([np.full(len(p), number) for _, number, p in runs]),
        block=np.concatenate([1 + np.arange(len(p)) for _, _, p in runs]),
    )


def draw_signal(area, pictures, mixtures, is_training, *, n_voxels, rng):
    """Draw an area's voxels and what each says, without noise.

    Parameters
    ----------
    area : Area
    pictures : ndarray of shape (n_trials, size, size, 3), uint8
    mixtures : ndarray of shape (n_trials, N_CATEGORIES)
    is_training : ndarray of shape (n_trials,), bool
        The trials that means and standard deviations are taken over.
    n_voxels : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_trials, n_voxels), float64
        L and U have a mean voxel SD of 1 each; the signal has a variance of about 1.
    """
    features = low_level_features(pictures, grid=area.grid, colour=area.colour)
    features -= features[is_training].mean(axis=0)
    features /= features[is_training].std(axis=0)
    code = semantic_code(mixtures, prefers=area.prefers)
    low, meaning = (
        _scale(part @ rng.standard_normal((part.shape[1], n_voxels)), is_training)
        for part in (features, code)
    )
    return np.sqrt(1 - area.share) * low + np.sqrt(area.share) * meaning


def _scale(values, is_training):
    values = values - values[is_training].mean(axis=0)
    return values / values[is_training].std(axis=0).mean()


def draw_noise(n_trials, n_voxels, *, rng):
    """Draw noise of variance 1 in each voxel, of which 0.2 is shared through five factors.

    Returns
    -------
    ndarray of shape (n_trials, n_voxels), float64
    """
    loadings = rng.standard_normal((5, n_voxels))
    loadings /= np.linalg.norm(loadings, axis=0)
    shared = rng.standard_normal((n_trials, 5)) @ loadings
    return np.sqrt(0.2) * shared + np.sqrt(0.8) * rng.standard_normal((n_trials, n_voxels))


def draw_run_effects(run, n_voxels, *, rng):
    """Draw what a run does to its trials.

    Parameters
    ----------
    run : ndarray of shape (n_trials,), int
        Any numbers; equal ones are one run.
    n_voxels : int
    rng : numpy.random.Generator

    Returns
    -------
    gain : ndarray of shape (n_trials, 1), float64
        ``exp(0.1 N)`` a run, N standard normal.
    offset : ndarray of shape (n_trials, n_voxels), float64
        ``0.5 N`` a run and voxel.
    """
    runs, number = np.unique(run, return_inverse=True)
    gain = np.exp(0.1 * rng.standard_normal((len(runs), 1)))
    offset = 0.5 * rng.standard_normal((len(runs), n_voxels))
    return gain[number], offset[number]


def draw_voxels(pictures, mixtures, trials, *, sizes, snr, subject, seed):
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

    Returns
    -------
    ndarray of shape (n_trials, sum of sizes), float64
        No unit; the areas side by side, rounded to 1/64.
    """
    pictures, mixtures = pictures[trials.picture], mixtures[trials.picture]
    is_training = trials.data_type == TRAINING
    run = trials.run + np.where(is_training, 0, trials.run.max())
    columns = []
    for name, n_voxels in sizes.items():
        rng = named_rng(seed, "brain", subject, name)
        signal = draw_signal(
            AREAS[name], pictures, mixtures, is_training, n_voxels=n_voxels, rng=rng
        )
        noise = draw_noise(len(run), n_voxels, rng=rng)
        gain, offset = draw_run_effects(run, n_voxels, rng=rng)
        columns.append(gain * (np.sqrt(snr) * signal + noise) + offset)
    return np.rint(np.hstack(columns) / STEP) * STEP
