"""Ridge and voxel selection in folds, against scikit-learn's and himalaya's own ways.

`WORK` maps a name to a function of ``quick`` that gives two callables, ours and the peer's, which
return arrays to compare. Data are made up: noise around class means, float32 on both sides.
"""

import numpy as np
from sklearn.feature_selection import f_classif
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from brain_teacher.decoding.solvers import ridge
from brain_teacher.decoding.voxel_scaling import voxel_scores, zscore_by_run

FOLDS = 8
PENALTIES = np.logspace(1, 5, 10)


def make_trials(quick, voxels):
    """Data (float32), one-hot targets, category, fold: in shuffled order, an image a fold."""
    rng = np.random.default_rng(0)
    classes, voxels = (30, voxels // 8) if quick else (150, voxels)
    order = rng.permutation(classes * FOLDS)
    category = np.repeat(np.arange(classes), FOLDS)[order]
    fold = np.tile(np.arange(FOLDS), classes)[order]
    data = 0.3 * rng.standard_normal((classes, voxels))[category]
    data += rng.standard_normal(data.shape)
    one_hot = np.eye(classes, dtype=np.float32)[category]
    return data.astype(np.float32), one_hot, category, fold


def pairs_of(fold):
    return [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(FOLDS)]


def ridge_in_folds(quick, *, voxels):
    """Ten penalties, voxels z-scored inside each fold: against ``Ridge`` for each of them."""
    data, one_hot, _, fold = make_trials(quick, voxels)
    pairs = pairs_of(fold)

    def ours():
        return np.stack(
            ridge.solve_folds(data, one_hot, pairs, penalties=PENALTIES, standardise=True)
        )

    def peer():
        predicted = []
        for fit, held_out in pairs:
            scaler = StandardScaler().fit(data[fit])
            x, x_held_out = scaler.transform(data[fit]), scaler.transform(data[held_out])
            predicted.append(
                [Ridge(alpha=p).fit(x, one_hot[fit]).predict(x_held_out) for p in PENALTIES]
            )
        return np.array(predicted)

    return ours, peer


def ridge_by_run(quick):
    """Ten penalties, each run z-scored by its fitted trials in each fold: against doing so plainly.

    Runs of 50 trials, images left out of all of them.
    """
    data, one_hot, _, fold = make_trials(quick, 1000)
    run = np.arange(len(fold)) // (10 if quick else 50)
    pairs = pairs_of(fold)

    def ours():
        return np.stack(
            ridge.solve_folds(data, one_hot, pairs, penalties=PENALTIES, standardise=run)
        )

    def peer():
        predicted = []
        for fit, held_out in pairs:
            x = data.copy()
            for number in np.unique(run):
                scaler = StandardScaler().fit(data[fit[run[fit] == number]])
                x[run == number] = scaler.transform(data[run == number])
            models = [Ridge(alpha=p).fit(x[fit], one_hot[fit]) for p in PENALTIES]
            predicted.append([model.predict(x[held_out]) for model in models])
        return np.array(predicted)

    return ours, peer


def ridge_nested(quick, *, against):
    """The penalty chosen for each fold by the other folds among themselves.

    Voxels are z-scored by run beforehand, a fold being a run. Returns the predictions of every
    trial and, below them, the number of the penalty that each fold chose.
    """
    data, one_hot, _, fold = make_trials(quick, 1000)
    data = zscore_by_run(data, fold).astype(np.float32)

    def ours():
        pairs = pairs_of(fold)
        inner = [(f, g) for f in range(FOLDS) for g in range(FOLDS) if f != g]
        pairs += [
            (np.flatnonzero((fold != f) & (fold != g)), np.flatnonzero(fold == g)) for f, g in inner
        ]
        solved = ridge.solve_folds(data, one_hot, pairs, penalties=PENALTIES)
        errors = np.zeros((FOLDS, len(PENALTIES)))
        for (f, _), (_, held_out), values in zip(inner, pairs[FOLDS:], solved[FOLDS:], strict=True):
            off = values - one_hot[held_out]
            errors[f] += np.einsum("ijk,ijk->i", off, off)
        return gathered([solved[f][errors[f].argmin()] for f in range(FOLDS)], errors.argmin(1))

    def peer():
        predicted, chosen = [], []
        for fit, held_out in pairs_of(fold):
            inner = [
                (np.flatnonzero(fold[fit] != g), np.flatnonzero(fold[fit] == g))
                for g in np.unique(fold[fit])
            ]
            values, penalty = against(data[fit], one_hot[fit], data[held_out], inner)
            predicted.append(values)
            chosen.append(np.abs(PENALTIES / penalty - 1).argmin())
        return gathered(predicted, chosen)

    def gathered(predicted, chosen):
        table = np.empty((len(fold) + FOLDS, one_hot.shape[1]))
        for f, values in enumerate(predicted):
            table[np.flatnonzero(fold == f)] = values
        table[len(fold) :] = np.reshape(chosen, (-1, 1))
        return table

    return ours, peer


def grid_search(x, targets, x_held_out, inner):
    model = GridSearchCV(
        Ridge(), {"alpha": PENALTIES}, cv=inner, scoring="neg_mean_squared_error"
    ).fit(x, targets)
    return model.predict(x_held_out), model.best_params_["alpha"]


def himalaya(x, targets, x_held_out, inner):
    """himalaya 0.4: float32 on torch, one penalty for all targets by their mean squared error."""
    from himalaya.backend import set_backend
    from himalaya.kernel_ridge import KernelRidgeCV

    set_backend("torch")
    model = KernelRidgeCV(
        alphas=PENALTIES.astype(np.float32),
        kernel="linear",
        fit_intercept=True,
        cv=inner,
        solver_params={"local_alpha": False},
        warn=False,
    ).fit(x, targets)
    return model.predict(x_held_out).numpy(), float(model.best_alphas_[0])


def f_scores(quick):
    """F-scores of all voxels in each fold."""
    data, _, category, fold = make_trials(quick, 1000)
    pairs = pairs_of(fold)

    def ours():
        return voxel_scores(data, category, pairs, by="f-score")

    def peer():
        return np.stack([f_classif(data[fit], category[fit])[0] for fit, _ in pairs])

    return ours, peer


WORK = {
    "f-score": f_scores,
    "ridge-1000": lambda quick: ridge_in_folds(quick, voxels=1000),
    "ridge-500": lambda quick: ridge_in_folds(quick, voxels=500),
    "ridge-by-run": ridge_by_run,
    "ridge-nested": lambda quick: ridge_nested(quick, against=grid_search),
    "ridge-nested-himalaya": lambda quick: ridge_nested(quick, against=himalaya),
}
