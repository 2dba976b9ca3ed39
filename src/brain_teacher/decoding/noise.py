"""Noise in the voxels' place: what the order of the trials lets a decoder tell, by itself."""

from dataclasses import replace

import numpy as np

from brain_teacher.decoding.chance import agreement_by_chance, p_by_chance
from brain_teacher.decoding.decoders.ridge import decode_ridge
from brain_teacher.seeds import named_rng

# Draws until so many images were guessed, 2 to 20 draws: a leak of a quarter above chance shows.
IMAGES, FEWEST_DRAWS, MOST_DRAWS = 2000, 2, 20
VOXELS, CHOSEN, PENALTY = 120, 60, 100.0
# Of the exact binomial test over all draws; of several subjects, divided by their number. Where
# nothing leaks, 1 of 1,000 data sets is refused.
LEVEL = 0.001


def decode_noise(voxels, plan, *, normalise, select, choose, seed, classes=None):
    """Decode Gaussian noise in place of the voxels: the same trials, runs, folds and scaling.

    By ridge regression with one penalty, which is quick, and to which a leak of the scale or the
    choice of voxels shows as it would to any decoder.

    Parameters
    ----------
    voxels : Voxels
        Trials of data type 1; what was recorded is not looked at.
    plan : FoldPlan
    normalise, select
        As for every decoder.
    choose : bool
        Whether voxels are chosen: half of them.
    seed : str or int
        Names the draws.
    classes : list of str, optional
        The categories that count, if not all: those of the soft labels.

    Returns
    -------
    dict
        ``draws``, ``images`` (of each), ``top1`` over all of them, ``chance`` (right by guesses
        like these, `agreement_by_chance`) and ``p``, exact and one-sided.

    In the methods
    --------------
    As a check of the design, Gaussian noise in the voxels' place was decoded by ridge regression
    with the same trials, folds and scaling; {% if decode.noise_above_chance == "refuse" %}had it
    been decoded above chance, the design would have been refused{% else %}the design would have
    been taken even if it had been decoded above chance{% endif %}.
    """
    counts = slice(None) if classes is None else np.isin(voxels.category, classes)
    images = len(np.unique(voxels.image_id[counts]))
    draws = int(np.clip(-(-IMAGES // images), FEWEST_DRAWS, MOST_DRAWS))
    guessed, shown = [], []
    for draw in range(draws):
        data = named_rng("noise", seed, draw).standard_normal((len(voxels.data), VOXELS))
        noise = replace(voxels, data=data.astype(np.float32))
        how = {"normalise": normalise, "select": select, "n_voxels": CHOSEN if choose else VOXELS}
        labels = decode_ridge(noise, plan, penalty=[PENALTY], calibrate=False, **how)
        if classes is not None:
            labels = labels.restricted(classes, voxels.category_of(labels.image_id))
        guessed.append(labels.log_probs.argmax(axis=1))
        shown.append(labels.truth(voxels.category_of(labels.image_id)))
    guessed, shown = np.concatenate(guessed), np.concatenate(shown)
    return {
        "draws": draws,
        "images": images,
        "top1": float((guessed == shown).mean()),
        "chance": agreement_by_chance(guessed, shown),
        "p": p_by_chance(guessed, shown),
    }
