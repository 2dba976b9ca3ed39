"""Decoders against the plain scikit-learn way: in turns, in one process, one thread each.

    python benchmarks/decoders.py [--only NAME] [--quick] [--json FILE]

Prints, for each piece of work, the seconds of ours and of the peer (medians), the ratio peer / ours
of each pair of turns (median, smallest, largest), and the largest difference between the results.
The data are made up: noise around class means.
"""

import json
import time

import click
import numpy as np
from scipy.special import softmax
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from brain_teacher.dataset.trials import Voxels
from brain_teacher.decoding.calibration import fit_temperature
from brain_teacher.decoding.decoders import decode_logistic, plan_for, training_trials
from brain_teacher.decoding.folds import plan_folds
from brain_teacher.decoding.scaling import zscore_by_run


def logistic_cell():
    """One cell of the sample's size, 8 folds with 7 inner ones: against a loop of pipelines."""
    rng = np.random.default_rng(0)
    category = np.repeat([f"c{k:02}" for k in range(16)], 8)
    image_id = np.array([f"{name}_{row % 8}" for row, name in enumerate(category)])
    means = np.repeat(0.5 * rng.standard_normal((16, 580)), 8, axis=0)
    voxels = training_trials(
        Voxels(
            data=(means + rng.standard_normal(means.shape)).astype(np.float32),
            image_id=image_id,
            category=category,
            run=rng.permutation(np.repeat(np.arange(4), 32)),
            data_type=np.ones(128, dtype=int),
        )
    )
    plan = plan_for(voxels, by="image")

    def ours():
        settings = {"normalise": "run", "n_voxels": 300, "C": 0.01, "calibrate": True}
        return np.exp(decode_logistic(voxels, plan, **settings).log_probs)

    def peer():
        data = zscore_by_run(voxels.data, voxels.run)
        model = make_pipeline(
            SelectKBest(f_classif, k=300), LogisticRegression(C=0.01, tol=1e-7, max_iter=10_000)
        )
        probs = np.empty((128, 16))
        for fit_images, predict_images in zip(plan.fit, plan.predict, strict=True):
            fit, held_out = (np.isin(voxels.image_id, i) for i in (fit_images, predict_images))
            x, y, ids = data[fit], voxels.category[fit], voxels.image_id[fit]
            inner = plan_folds(ids, y)
            fold = sum(k * np.isin(ids, images) for k, images in enumerate(inner.predict))
            log_probs = cross_val_predict(
                model, x, y, cv=PredefinedSplit(fold), method="predict_log_proba"
            )
            temperature = fit_temperature(log_probs, np.unique(y, return_inverse=True)[1])
            log_probs = model.fit(x, y).predict_log_proba(data[held_out])
            probs[held_out] = softmax(log_probs / temperature, axis=1)
        return probs  # rows in the order of the ids, as ours: one trial an image

    return ours, peer


BENCHMARKS = {"logistic-cell": logistic_cell}


def timed(function):
    """Seconds and result of one call."""
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def compare(name, turns):
    """One row: ours and the peer in turns."""
    ours, peer = BENCHMARKS[name]()
    difference = float(np.abs(ours() - peer()).max())  # also warms both up
    pairs = np.array([(timed(ours)[0], timed(peer)[0]) for _ in range(turns)])
    ratios = pairs[:, 1] / pairs[:, 0]
    ours_s, peer_s = np.median(pairs, axis=0)
    return {
        "name": name,
        "ours_s": float(ours_s),
        "peer_s": float(peer_s),
        "ratio": float(np.median(ratios)),
        "ratio_low": float(ratios.min()),
        "ratio_high": float(ratios.max()),
        "largest_difference": difference,
    }


@click.command(help=__doc__.split("\n")[0])
@click.option("--only", type=click.Choice(list(BENCHMARKS)), help="One piece of work.")
@click.option("--quick", is_flag=True, help="Fewer turns: under 30 seconds.")
@click.option("--json", "file", type=click.Path(), help="Write the rows there, too.")
def main(only, quick, file):
    with threadpool_limits(1):
        rows = [compare(name, 5 if quick else 30) for name in ([only] if only else BENCHMARKS)]
    for row in rows:
        click.echo(
            "{name}: ours {ours_s:.4f} s, peer {peer_s:.4f} s, ratio {ratio:.2f} "
            "({ratio_low:.2f} to {ratio_high:.2f}), largest difference "
            "{largest_difference:.1e}".format(**row)
        )
    if file:
        with open(file, "w") as stream:
            json.dump(rows, stream, indent=1)


if __name__ == "__main__":
    main()
