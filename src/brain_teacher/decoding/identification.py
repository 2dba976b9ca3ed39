"""Categories that no decoder was trained on: seen and imagined, told by their image features."""

import dataclasses

import numpy as np
from scipy import stats

from brain_teacher.dataset.trials import IMAGERY, run_numbers
from brain_teacher.decoding.feature_similarity import correlations, scale_by
from brain_teacher.decoding.out_of_fold import (
    class_numbers,
    prepared,
    training_trials,
    trial_pairs,
)
from brain_teacher.decoding.quality import exact_interval
from brain_teacher.decoding.solvers import ridge
from brain_teacher.decoding.voxel_scaling import best_voxels
from brain_teacher.seeds import named_rng

# GOD's DataType of test images; 3 are imagery trials.
SEEN = 2
KINDS = {"seen": SEEN, "imagined": IMAGERY}


def identify(voxels, plan, *, normalise, select, n_voxels, penalty, features, splits=100, seed=0):
    """Identify categories never trained on, from predicted image features ([1]_).

    A ridge regression is fitted on all training trials. The predictions for a test category's
    trials are averaged and correlated, over features, with each candidate's features; candidates
    are the categories tested, seen and imagined each for itself. All features are z-scored by
    those of the training images (the paper leaves them as they are, and has 15,322 categories more
    among the candidates).

    Parameters
    ----------
    voxels : Voxels
        All trials of a subject's ROI, of data types 1, 2 (test images) and 3 (imagery).
    plan : FoldPlan
        Over the training images; chooses the penalty.
    normalise : {"run", "fold", "centre"}
        Z-score each run of each data type by its own trials (a run of which only some are fitted
        on, by those), or all by the training trials, or take only the mean of these away.
    select : {"f-score", "correlation"}
        By what voxels are chosen among the training trials.
    n_voxels : int
        How many; all, if there are fewer.
    penalty : list of float
        As scikit-learn's ``alpha``. The one whose predictions correlate best with the features of
        the images, on average over the plan's held-out trials.
    features : ImageFeatures
        Of all training images; of the test categories, or else of the test images.
    splits : int
        Random halves for the split-half reliability.
    seed : int
        Of those halves.

    Returns
    -------
    dict
        Empty without test trials. Else ``penalty``, and with the prefixes ``seen_`` and
        ``imagined_``, each where at least 2 categories have such trials and were not trained on:

        - ``categories``, ``trials``; ``trained_on``, how many categories were left out for that;
        - ``candidates``: ``category averages``, or ``test images`` where averages are not there
          for every category tested;
        - ``top1``, its exact 95% interval ``top1_low``, ``top1_high``, and ``chance``;
        - ``pairwise``: how often the right one of two candidates has the higher correlation, over
          all wrong ones, ties half; its 95% t-interval over categories ``pairwise_low``,
          ``pairwise_high``, and ``pairwise_chance``;
        - ``split_half_top1``, ``split_half_pairwise``: see `split_half`; absent with one run.

        Both intervals treat categories as independent.

    Raises
    ------
    ValueError
        If images or categories have no features, or folds leave a category nothing to fit on.

    References
    ----------
    .. [1] Horikawa & Kamitani (2017), Nat. Commun. 8:15037.
    """
    # A run of another data type is another run, whatever its number.
    voxels = dataclasses.replace(voxels, run=run_numbers(voxels.data_type, voxels.run))
    tested = np.isin(voxels.data_type, list(KINDS.values()))
    if not tested.any():
        return {}
    training = training_trials(voxels)
    # The order of the file decides nothing.
    test = voxels.take(tested)
    test = test.take(np.lexsort((test.run, test.image_id, test.data_type)))
    settings = {"select": select, "n_voxels": n_voxels, "normalise": normalise}
    images = np.unique(training.image_id)
    scale = scale_by(features.of_images(images))
    best = _choose_penalty(training, features, plan, penalty, **settings)
    predicted = scale(_predict_test(training, test, features, best, **settings))
    result = {"penalty": best}
    for name, kind in KINDS.items():
        of_kind = test.data_type == kind
        new = of_kind & ~np.isin(test.category, training.category)
        categories = np.unique(test.category[new])
        if len(categories) < 2:
            continue
        candidates, source = _candidates(features, test, categories)
        similarity = correlations(_means(predicted[new], test.category[new]), scale(candidates))
        repeats = predicted[new], test.category[new], test.run[new]
        rng = named_rng("split-half", name, seed)
        found = {
            "categories": len(categories),
            "trials": int(new.sum()),
            "trained_on": len(np.unique(test.category[of_kind])) - len(categories),
            "candidates": source,
            **_identified(similarity),
            **split_half(*repeats, splits=splits, rng=rng),
        }
        result |= {f"{name}_{key}": value for key, value in found.items()}
    return result


def split_half(predicted, category, run, *, splits, rng):
    """How well one half of the recording identifies the categories in the other half.

    The runs are split at random; the mean prediction of each category in one half is identified
    among the mean predictions of the other half. It is a reliability, not a ceiling: each side has
    half of the repeats, and both are noisy, where features are not, so that identification by
    features may well be better.

    Runs are split, not trials: trials of a run z-scored by itself sum to 0, so that of two halves
    that share runs, different categories would be less alike than by chance (noise, 4 categories a
    run: 0.65 of the pairs right, where runs are split 0.50).

    Parameters
    ----------
    predicted : ndarray of shape (n_trials, n_features)
        In standard deviations of the features.
    category, run : ndarray of shape (n_trials,)
    splits : int
        Over how many random splits to average.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        ``split_half_top1`` and ``split_half_pairwise``, over the categories that both halves have.
        Empty where no split has 2 of them.
    """
    runs = np.unique(run)
    top1, pairs = [], []
    for _ in range(splits):
        half = np.isin(run, rng.permutation(runs)[: len(runs) // 2])
        both = np.isin(category, np.intersect1d(category[half], category[~half]))
        if len(np.unique(category[both])) < 2:
            continue
        first, second = (_means(predicted[s], category[s]) for s in (both & half, both & ~half))
        similarity = correlations(first, second)
        top1.append(_hits(similarity).mean())
        pairs.append(pairwise(similarity).mean())
    if not top1:
        return {}
    return {"split_half_top1": float(np.mean(top1)), "split_half_pairwise": float(np.mean(pairs))}


def pairwise(similarity):
    """For each row, the share of wrong columns that lie below the right one; ties count half.

    Parameters
    ----------
    similarity : ndarray of shape (n, n)
        Column i is right for row i.

    Returns
    -------
    ndarray of shape (n,)

    Examples
    --------
    >>> pairwise(np.array([[0.5, 0.1, 0.7], [0, 0, -1], [0, 0, 1]]))
    array([0.5 , 0.75, 1.  ])
    """
    right = np.diag(similarity)[:, None]
    # The right column itself is a tie with itself.
    below = (similarity < right).sum(axis=1) + 0.5 * ((similarity == right).sum(axis=1) - 1)
    return below / (len(similarity) - 1)


def _choose_penalty(training, features, plan, penalties, *, select, n_voxels, normalise):
    if len(penalties) == 1:
        return float(penalties[0])
    targets = features.of_images(training.image_id).astype(np.float64)
    pairs = trial_pairs(training, plan)
    data, standardise = prepared(training, pairs, normalise)
    how = {"by": select, "standardise": standardise}
    chosen = best_voxels(data, class_numbers(training), pairs, n_voxels, **how)
    scaled = {"chosen": chosen, "standardise": standardise}
    predicted = ridge.solve_folds(data, targets, pairs, penalties=penalties, **scaled)
    total = np.zeros(len(penalties))
    for (fit, held_out), rows in zip(pairs, predicted, strict=True):
        fit_images = np.unique(training.image_id[fit], return_index=True)[1]
        scale = scale_by(targets[fit][fit_images])
        own = scale(targets[held_out])
        for option, values in enumerate(rows):
            total[option] += np.diag(correlations(scale(values), own)).sum()
    return float(penalties[int(total.argmax())])


def _predict_test(training, test, features, penalty, *, select, n_voxels, normalise):
    """Features predicted for each test trial, in the units of the features."""
    n_fit, n_test = len(training.data), len(test.data)
    everything, held_out = np.arange(n_fit), np.arange(n_fit, n_fit + n_test)
    targets = features.of_images(training.image_id).astype(np.float64)
    # Test trials have no targets and no class here: they are predicted, never fitted on.
    rows = np.concatenate([targets, np.zeros((n_test, targets.shape[1]))])
    category = np.concatenate([class_numbers(training), np.zeros(n_test, dtype=int)])
    data = np.concatenate([training.data, test.data])
    pairs = [(everything, held_out)]
    standardise = normalise == "fold"
    if normalise == "run":
        standardise = np.concatenate([training.run, test.run])
    how = {"by": select, "standardise": standardise}
    chosen = best_voxels(data, category, pairs, n_voxels, **how)
    scaled = {"chosen": chosen, "standardise": standardise}
    return ridge.solve_folds(data, rows, pairs, penalties=[penalty], **scaled)[0][0]


def _candidates(features, test, categories):
    """Features of each category tested, and what they are."""
    if np.isin(categories, features.category_id).all():
        return features.of_categories(categories), "category averages"
    rows = []
    for category in categories:
        own = test.category == category
        shown = own & (test.data_type == SEEN)
        # What was only imagined may still be named by an image.
        images = np.unique(test.image_id[shown if shown.any() else own])
        rows.append(features.of_images(images).mean(axis=0, dtype=np.float64))
    return np.array(rows), "test images"


def _means(predicted, category):
    """Mean of each category's trials, categories in sorted order."""
    return np.array([predicted[category == name].mean(axis=0) for name in np.unique(category)])


def _hits(similarity):
    return similarity.argmax(axis=1) == np.arange(len(similarity))


def _identified(similarity):
    hits, pairs = int(_hits(similarity).sum()), pairwise(similarity)
    low, high = exact_interval(hits, len(similarity))
    mean, error = float(pairs.mean()), stats.sem(pairs)
    half = float(stats.t.ppf(0.975, len(pairs) - 1) * error)
    return {
        "top1": hits / len(similarity),
        "top1_low": low,
        "top1_high": high,
        "chance": 1 / len(similarity),
        "pairwise": mean,
        "pairwise_low": max(0.0, mean - half),
        "pairwise_high": min(1.0, mean + half),
        "pairwise_chance": 0.5,
    }
