"""Controls of the decoder: what it decodes without the brain's help.

Both give `Voxels` with the trials' own ids, runs and groups, so that a fold plan made for the
recording is the plan of its controls.
"""

from dataclasses import replace

import numpy as np

from brain_teacher.dataset.trials import run_numbers

# The fastest have periods of 330 s within a run and of an hour over all, at GOD's 24 runs of 500 s:
# drifts, not single trials.
RUN_COSINES, SESSION_COSINES = 3, 8


def permute_trials(voxels, *, rng):
    """Exchange what was recorded between the trials of each run, at random.

    The rows of ``data`` change places, every other column stays: an image that was shown several
    times keeps its one category, and folds and groups are those of the recording. Runs keep their
    own voxels, so what tells runs apart (gain, offset, which categories they show) stays as it is.

    Parameters
    ----------
    voxels : Voxels
    rng : numpy.random.Generator

    Returns
    -------
    Voxels
        The same trials in the same order; the draw depends on runs and positions, not on the order
        of the rows.

    Raises
    ------
    ValueError
        If no run shows two categories: nothing would be exchanged.
    """
    run = run_numbers(voxels.data_type, voxels.run)
    pairs = np.unique(np.stack([run.astype(str), voxels.category]), axis=1)[0]
    if len(np.unique(pairs)) == len(pairs):
        raise ValueError(
            "no run shows two categories: exchanging trials within runs changes none; there is no "
            "such control for this recording"
        )
    in_time = np.lexsort((voxels.position, run))
    data = np.empty_like(voxels.data)
    for number in range(run.max() + 1):
        rows = in_time[run[in_time] == number]
        data[rows] = voxels.data[rng.permutation(rows)]
    return replace(voxels, data=data)


def time_voxels(voxels):
    """Put what is known of a trial's time in place of what was recorded.

    Decoded as any recording, by a linear decoder with ``normalise="fold"``: by run, what tells runs
    apart would be scaled away. Above chance, the order of the trials tells categories, and so could
    a drift in the voxels. Below chance is expected unless folds are by round: of a held-out image's
    category there are fewer images to fit on in its run, or at all, than of others. (GOD's order,
    five subjects, ridge with penalty 100 and logistic with C 0.1, chance 8 of 1,200: by image 0, by
    run 0 to 5, by round 5 to 12 right.)

    Parameters
    ----------
    voxels : Voxels

    Returns
    -------
    Voxels
        ``data``, float32, has these columns:

        - one for each run, 1 in its trials, else 0: all that is constant within runs;
        - the place within the run, 1 at the end of the longest run: a linear drift, alike in all
          runs;
        - 3 cosines of that place, of 1/2, 1 and 3/2 periods: other slow drifts, alike in all runs
          (the basis of SPM's high-pass filter, [1]_);
        - 8 cosines of the time over all runs, in the order of their numbers, of 1/2 to 4 periods:
          what goes on from run to run, and so reaches runs that were not fitted on.

    References
    ----------
    .. [1] Friston et al. (2007), Statistical Parametric Mapping, chapter 14 (discrete cosine set).
    """
    run = run_numbers(voxels.data_type, voxels.run)
    one_hot = np.eye(run.max() + 1)[run]
    place = (voxels.position - 0.5) / voxels.position.max()
    time = (run + place) / (run.max() + 1)
    columns = [one_hot, place[:, None], _cosines(place, RUN_COSINES)]
    columns.append(_cosines(time, SESSION_COSINES))
    return replace(voxels, data=np.hstack(columns).astype(np.float32))


def _cosines(time, count):
    return np.cos(np.pi * np.arange(1, count + 1) * time[:, None])
