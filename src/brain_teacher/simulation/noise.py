"""What a simulated recording holds besides the signal: noise, effects of runs, drift."""

import numpy as np

RUN_COSINES, SESSION_COSINES = 3, 8


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


def draw_drift(run, block, is_training, n_voxels, *, rng):
    """Draw a slow drift: each voxel its own mixture of a few slow waves over time.

    Half of its variance are cosines over all training runs (1/2 to 4 periods, going on through the
    later runs), half are cosines over a run (1/2 to 3/2 periods), alike in all runs, as a scanner
    that warms up or a subject that tires would give. The k-th has an amplitude of 1 / k: slow
    waves are the large ones. Waves are functions of time and so shared by all subjects; mixtures
    are not.

    Parameters
    ----------
    run : ndarray of shape (n_trials,), int
        Any numbers; equal ones are one run, larger ones are later.
    block : ndarray of shape (n_trials,), int
        Place of the trial within its run, from 1.
    is_training : ndarray of shape (n_trials,), bool
    n_voxels : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_trials, n_voxels), float64
        Over the training trials: mean 0, a mean voxel SD of 1.
    """
    runs, number = np.unique(run, return_inverse=True)
    place = (block - 0.5) / block[is_training].max()
    time = (number + place) / np.isin(runs, run[is_training]).sum()
    drift = 0
    for at, count in ((time, SESSION_COSINES), (place, RUN_COSINES)):
        k = np.arange(1, count + 1)
        waves = np.cos(np.pi * k * at[:, None]) / k
        drift += scale(waves @ rng.standard_normal((count, n_voxels)), is_training)
    return scale(drift, is_training)


def scale(values, is_training):
    """Centre each voxel, and give them a mean SD of 1, over the training trials."""
    values = values - values[is_training].mean(axis=0)
    return values / values[is_training].std(axis=0).mean()
