"""The logistic decoder, redone by hand; and that it finds signal, nothing in noise, and no leak."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from brain_teacher.cells.cell import FileInput
from brain_teacher.chain.decodings.cells import DecodeCell, Shared
from brain_teacher.dataset.trials import FORMAT, Voxels
from brain_teacher.decoding import out_of_fold as driver
from brain_teacher.decoding.decoders.logistic import decode_logistic
from brain_teacher.decoding.folds import FoldPlan, plan_folds
from brain_teacher.decoding.out_of_fold import (
    average_trials,
    plan_for,
    plan_inner,
    training_trials,
)
from brain_teacher.seeds import named_rng
from brain_teacher.simulation import brains
from brain_teacher.simulation.pictures import draw_mixtures, draw_pictures
from helpers.recordings import category_of, count_hits, make_voxels, p_of_chance
from noise_designs import scaled_by_run

CATEGORIES, IMAGES = 16, 8
SEEDS = (1, 2, 3, 4, 5, 6)  # fixed before anyone looked


@pytest.fixture(autouse=True)
def one_thread():
    """As the command has it: one thread repeats to the bit, and is faster."""
    with threadpool_limits(1):
        yield


def refuses(message, function, *arguments, **settings):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(*arguments, **settings)


def decode(voxels, plan=None, **changes):
    settings = {"normalise": "run", "n_voxels": 8, "C": 0.1, "calibrate": False} | changes
    settings |= {"C": [settings["C"]], "select": "f-score"}
    voxels = training_trials(voxels)
    return decode_logistic(voxels, plan or plan_for(voxels, by="image"), **settings)


# Redone by hand


def model_of(normalise, n_voxels, C):
    scaler = [StandardScaler()] if normalise == "fold" else []
    solver = LogisticRegression(C=C, tol=1e-10, max_iter=100_000, solver="newton-cg")
    return make_pipeline(*scaler, SelectKBest(f_classif, k=n_voxels), solver)


def predict_images(table, columns, fit, predict, **settings):
    """Out-of-fold log-probabilities of the images in `predict`, averaged over their trials."""
    model = model_of(**settings)
    if settings["normalise"] == "run":
        table = table[table["image"].isin([*fit, *predict])].copy()
        own = table["image"].isin(fit).to_numpy()
        table[columns] = scaled_by_run(table[columns].to_numpy(), table["run"].to_numpy(), own)
    rows = table[table["image"].isin(fit)]
    model.fit(rows[columns].to_numpy(), rows["category"])
    held_out = table[table["image"].isin(predict)]
    trials = pd.DataFrame(
        model.predict_log_proba(held_out[columns].to_numpy()), index=held_out["image"]
    )
    mean = trials.groupby(level=0).mean()
    return mean.sub(np.log(np.exp(mean).sum(axis=1)), axis=0)


def by_hand(voxels, *, normalise, n_voxels, C, calibrate, by):
    """The nested procedure with pandas and scikit-learn's pipelines: (image, classes) log-probs."""
    columns = list(range(voxels.data.shape[1]))
    table = pd.DataFrame(voxels.data.astype(np.float64))
    table = table.assign(image=voxels.image_id, category=voxels.category, run=voxels.run)
    settings = {"normalise": normalise, "n_voxels": n_voxels, "C": C}

    def plan(rows):
        unit = rows["run"].to_numpy() if by == "run" else None
        names = rows["image"].to_numpy(dtype=str), rows["category"].to_numpy(dtype=str)
        return plan_folds(*names, by=by, unit=unit)

    outer, found, temperatures = plan(table), [], []
    for fit, predict in zip(outer.fit, outer.predict, strict=True):
        log_probs = predict_images(table, columns, fit, predict, **settings)
        if calibrate:
            inner = plan(table[table["image"].isin(fit)])
            rows = pd.concat(
                predict_images(table, columns, inner_fit, inner_predict, **settings)
                for inner_fit, inner_predict in zip(inner.fit, inner.predict, strict=True)
            )
            # In cross-validation every image that may be fitted on is predicted once.
            assert sorted(rows.index) == sorted(fit)
            truth = np.unique(voxels.category).searchsorted(category_of(voxels, rows.index))
            grid = np.geomspace(0.05, 20, 20_001)
            softened = log_softmax(rows.to_numpy() / grid[:, None, None], axis=2)
            losses = -softened[:, np.arange(len(truth)), truth].mean(axis=1)
            temperatures.append(grid[np.argmin(losses)])
            log_probs.loc[:] = log_softmax(log_probs.to_numpy() / temperatures[-1], axis=1)
        found.append(log_probs)
    return pd.concat(found).sort_index(), temperatures


@pytest.mark.parametrize(
    ("normalise", "n_voxels", "C", "calibrate", "by", "shows", "seed"),
    [
        ("run", 8, 0.1, True, "image", 1, 8),
        ("run", 25, 0.05, True, "image", 1, 5),  # more voxels than trials to fit on
        ("fold", 8, 0.1, True, "image", 1, 3),
        ("run", 8, 0.1, False, "image", 3, 3),
        ("fold", 25, 1, False, "image", 2, 3),
        ("run", 8, 0.1, True, "run", 1, 3),
        ("fold", 8, 0.1, False, "run", 1, 3),
        ("centre", 8, 0.1, True, "image", 1, 3),
    ],
)
def test_the_nested_procedure_redone_by_hand(normalise, n_voxels, C, calibrate, by, shows, seed):
    voxels = make_voxels(shows=shows, voxels=30, signal=0.45, seed=seed)
    settings = {"normalise": normalise, "n_voxels": n_voxels, "C": C, "calibrate": calibrate}
    expected, temperatures = by_hand(voxels, **settings, by=by)
    found = decode(voxels, plan_for(voxels, by=by), **settings)
    assert found.image_id.tolist() == expected.index.tolist()
    assert np.abs(np.exp(found.log_probs) - np.exp(expected.to_numpy())).max() < 1e-4
    assert found.meta["temperatures"] == pytest.approx(temperatures, rel=2e-3)
    # Inside the bounds, where the NLL decides them.
    assert len(temperatures) == (4 if calibrate else 0)
    assert all(0.06 < temperature < 19 for temperature in temperatures)


def test_centred_voxels_are_known_by_their_kernel_alone():
    # A support vector machine on the kernel would see what this sees: turned and shifted, the same.
    voxels = make_voxels(voxels=30, signal=0.45, seed=3)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((30, 30)))[0]
    turned = replace(voxels, data=(voxels.data @ turn + 2).astype(np.float32))
    settings = {"normalise": "centre", "n_voxels": 30, "calibrate": True}
    first, second = decode(voxels, **settings), decode(turned, **settings)
    assert np.abs(np.exp(first.log_probs) - np.exp(second.log_probs)).max() < 1e-4
    with pytest.raises(AssertionError):  # z-scored voxels are known by more
        settings["normalise"] = "fold"
        first, second = decode(voxels, **settings), decode(turned, **settings)
        assert np.abs(np.exp(first.log_probs) - np.exp(second.log_probs)).max() < 1e-4


def test_the_inner_images_of_other_folds_do_not_reach_a_temperature():
    # An outer fold's voxels replaced: its own temperature stays to the bit, the others move.
    voxels = training_trials(make_voxels(voxels=30, signal=0.45, seed=3))
    plan = plan_for(voxels, by="image")
    data = voxels.data.copy()
    data[np.isin(voxels.image_id, plan.predict[0])] += 3
    settings = {"normalise": "fold", "calibrate": True}
    first = decode(voxels, plan, **settings).meta["temperatures"]
    second = decode(replace(voxels, data=data), plan, **settings).meta["temperatures"]
    assert first[0] == second[0]
    assert all(a != b for a, b in zip(first[1:], second[1:], strict=True))


def test_a_fold_hears_nothing_of_the_images_it_predicts():
    # Labels of held-out images exchanged: their predictions stay to the bit.
    voxels = training_trials(make_voxels(voxels=10, signal=0.6))
    plan = plan_for(voxels, by="image")
    category = voxels.category.copy()
    held_out = np.flatnonzero(np.isin(voxels.image_id, plan.predict[0]))
    category[held_out] = np.roll(category[held_out], 1)
    found = decode(voxels, plan, calibrate=True)
    other = decode(replace(voxels, category=category), plan, calibrate=True)
    rows = np.isin(found.image_id, plan.predict[0])
    np.testing.assert_array_equal(found.log_probs[rows], other.log_probs[rows])
    assert not np.array_equal(found.log_probs[~rows], other.log_probs[~rows])


def test_a_temperature_changes_no_order():
    voxels = make_voxels(voxels=10, signal=0.6)
    plain, calibrated = decode(voxels), decode(voxels, calibrate=True)
    np.testing.assert_array_equal(
        plain.log_probs.argsort(axis=1), calibrated.log_probs.argsort(axis=1)
    )
    assert plain.meta["temperatures"] == [] and plain.meta["calibrated"] is False
    assert len(calibrated.meta["temperatures"]) == 4 and calibrated.meta["calibrated"] is True


def test_temperatures_at_a_bound_are_counted():
    # So much signal that no prediction inside any fold is wrong.
    voxels = make_voxels(signal=30)
    found = decode(voxels, plan_for(voxels, by="run"), calibrate=True, n_voxels=12)
    assert found.meta["temperatures"] == pytest.approx([0.05] * 4)
    assert found.meta["temperatures_at_bound"] == 4


def test_meta_says_what_it_is():
    meta = decode(make_voxels(), normalise="fold").meta
    assert meta == {
        "format": 1,
        "kind": "brain",
        "folds": {"by": "image", "number": 4, "count": "auto"},
        "calibrated": False,
        "temperatures": [],
        "temperatures_at_bound": 0,
        "C": [0.1] * 4,
    }
    json.dumps(decode(make_voxels(), calibrate=True).meta)


# Trials to images


def test_the_trials_of_an_image_are_averaged_in_log_probability():
    # Geometric means, normalised: sqrt(0.8 * 0.2) : sqrt(0.2 * 0.8) = 1 : 1.
    probs = np.array([[0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    images, log_probs = average_trials(np.log(probs), np.array(["b", "a", "b", "a", "c"]))
    assert images.tolist() == ["a", "b", "c"]
    # a: sqrt(0.1 * 0.5) : sqrt(0.9 * 0.5) = 1 : 3.
    np.testing.assert_allclose(np.exp(log_probs), [[0.25, 0.75], [0.5, 0.5], [0.9, 0.1]])


def test_only_training_trials_are_used():
    voxels = make_voxels()
    data_type = voxels.data_type.copy()
    data_type[[3, 5]], data_type[7] = 2, 3
    left = training_trials(replace(voxels, data_type=data_type))
    assert sorted(left.image_id) == sorted(np.delete(voxels.image_id, [3, 5, 7]))
    none = replace(voxels, data_type=np.full(16, 2))
    refuses("no trial has DataType 1 (training)", training_trials, none)


# Plans


def test_folds_by_a_group_column():
    plan = plan_for(make_voxels(), by="group", group="style")
    assert plan.by == "group" and len(plan.predict) == 2
    assert set(plan.predict[0]) == {f"c{c}_{n}" for c in range(4) for n in (0, 2)}


def test_an_unknown_group_column_is_named():
    message = "stimuli.csv has no group column 'session' (it has style)"
    refuses(message, plan_for, make_voxels(), by="group", group="session")
    bare = replace(make_voxels(), groups={})
    message = "stimuli.csv has no group column None (it has none)"
    refuses(message, plan_for, bare, by="group")


def test_folds_are_by_round_where_the_runs_make_rounds():
    # Each run shows every category once, and is a round.
    voxels = make_voxels(images=6)
    plan = plan_for(voxels)
    assert plan.by == "round" and str(plan) == str(plan_for(voxels, by="round"))
    part = voxels.take(np.isin(voxels.image_id, plan.fit[0]))
    assert plan_inner(part, plan).by == "round"
    assert decode(voxels, plan).meta["folds"] == {"by": "round", "number": 6}


@pytest.mark.parametrize(
    "voxels",
    [
        make_voxels(images=3),  # three rounds: an inner fold would have one
        make_voxels(images=6, shows=2),  # an image in two rounds
        replace(make_voxels(images=6), run=np.repeat([1, 2, 3, 4], 6)),  # no rounds
    ],
    ids=["few", "twice", "none"],
)
def test_folds_are_by_image_elsewhere(voxels):
    plan = plan_for(voxels, count=2)
    assert plan.by == "image" and str(plan) == str(plan_for(voxels, by="image", count=2))


def test_a_plan_that_misses_an_image_is_refused():
    voxels = make_voxels()
    fewer = plan_for(voxels.take(voxels.image_id != "c2_1"), by="image")
    refuses("the fold plan never predicts image 'c2_1'", decode, voxels, fewer)


def test_a_fold_without_a_class_to_fit_on_is_an_error():
    # Category c0 was shown in run 1 alone.
    voxels = make_voxels()
    voxels = replace(voxels, run=np.where(voxels.category == "c0", 1, voxels.run))
    refuses(
        "folds by run leave no image of category 'c0' to fit on; choose other folds "
        "(decode.folds.by)",
        decode,
        voxels,
        plan_for(voxels, by="run"),
    )


def test_inner_folds_that_cannot_be_made_are_an_error_that_says_what_to_do():
    voxels = make_voxels(images=2)
    refuses(
        "penalty and temperature cannot be chosen inside the fold (category 'c0' has one image to "
        "fit and predict; folds by image need 2); give one penalty and set decode.calibrate: "
        "false, or choose other folds",
        decode,
        voxels,
        calibrate=True,
    )
    # One image a class is fitted on: enough for all voxels, not for F-scores.
    assert len(decode(voxels, calibrate=False, n_voxels=12).image_id) == 8
    refuses(
        "pair 0 is fitted on 4 trials (categories: 4); to choose voxels by f-score it needs two "
        "categories, one of them twice, at least: use all voxels, or other folds",
        decode,
        voxels,
        calibrate=False,
    )
    voxels = make_voxels(images=4)
    refuses(
        "penalty and temperature cannot be chosen inside the fold (folds by group need at least "
        "2; every image has group s1); give one penalty and set decode.calibrate: false, or "
        "choose other folds",
        decode,
        voxels,
        plan_for(voxels, by="group", group="style"),
        calibrate=True,
    )


def test_a_class_that_only_an_inner_fold_lacks_is_an_error_too():
    # c0 lies in runs 1 and 2: with one held out, inner folds by run lose it.
    voxels = make_voxels()
    run = np.where((voxels.category == "c0") & (voxels.run > 2), voxels.run - 2, voxels.run)
    voxels = replace(voxels, run=run)
    plan = plan_for(voxels, by="run")
    assert len(decode(voxels, plan, calibrate=False).image_id) == 16
    refuses(
        "folds by run leave no image of category 'c0' to fit on; choose other folds "
        "(decode.folds.by)",
        decode,
        voxels,
        plan,
        calibrate=True,
    )


# Noise, signal, order, leak


@pytest.fixture(scope="module")
def stimuli():
    named = np.repeat(np.arange(CATEGORIES), IMAGES)
    mixtures = draw_mixtures(named, n_categories=CATEGORIES, rng=named_rng(1, "mixtures"))
    return named, draw_pictures(mixtures, size=24, rng=named_rng(1, "pictures")), mixtures


def simulate(stimuli, *, snr, seed, voxels=120):
    """A simulated subject that saw 16 x 8 pictures once, in four runs."""
    named, pictures, mixtures = stimuli
    trials = brains.draw_trials(len(named), 0, rng=named_rng(seed, "trials"))
    data = brains.draw_voxels(
        *(pictures, mixtures, trials),
        sizes=brains.area_sizes(voxels),
        snr=snr,
        subject="S1",
        seed=seed,
    )
    category = np.array([f"c{named[p]:02}" for p in trials.picture])
    return Voxels(
        data=data.astype(np.float32),
        image_id=np.array([f"{c}_{p}" for c, p in zip(category, trials.picture, strict=True)]),
        category=category,
        run=trials.run,
        data_type=trials.data_type,
    )


@pytest.mark.parametrize("normalise", ["run", "fold"])
def test_noise_voxels_decode_at_chance(stimuli, normalise):
    """Brains that see nothing (SNR 0): runs, gains and shared noise, but no pictures."""
    hits = []
    for seed in SEEDS:
        voxels = simulate(stimuli, snr=0, seed=seed)
        found = decode(voxels, n_voxels=40, C=0.01, normalise=normalise)
        hits.append(count_hits(found, voxels))
        assert p_of_chance(hits[-1], 128, CATEGORIES) > 0.001, hits
    assert p_of_chance(sum(hits), 128 * len(SEEDS), CATEGORIES) > 0.001, hits


def test_noise_in_balanced_runs_decodes_at_chance():
    """Leave-one-run-out, each category once a run (else fewer to fit on means more to predict)."""
    hits = []
    for seed in SEEDS:
        voxels = make_voxels(categories=8, images=12, voxels=60, signal=0, seed=seed)
        plan = plan_for(voxels, by="run")
        hits.append(count_hits(decode(voxels, plan, n_voxels=20, C=0.1), voxels))
        assert p_of_chance(hits[-1], 96, 8) > 0.001, hits
    assert p_of_chance(sum(hits), 96 * len(SEEDS), 8) > 0.001, hits


def test_calibrated_noise_knows_that_it_knows_nothing(stimuli):
    voxels = simulate(stimuli, snr=0, seed=1)
    found = decode(voxels, n_voxels=40, C=1, calibrate=True)
    truth = found.truth(category_of(voxels, found.image_id))
    # ln 16 is what an honest guess costs; a leak into the temperature would get below it.
    assert -found.log_probs[np.arange(128), truth].mean() == pytest.approx(np.log(16), abs=0.03)
    plain = decode(voxels, n_voxels=40, C=1)
    assert -plain.log_probs[np.arange(128), truth].mean() > np.log(16) + 0.5


def test_informative_voxels_decode_above_chance(stimuli):
    for seed in SEEDS[:3]:
        voxels = simulate(stimuli, snr=0.4, seed=seed)
        hits = count_hits(decode(voxels, n_voxels=100, C=0.01), voxels)
        assert hits > 2 * 128 / CATEGORIES and p_of_chance(hits, 128, CATEGORIES) < 1e-4, hits


def test_more_signal_decodes_better(stimuli):
    hits = []
    for snr in (0, 0.4, 4):
        voxels = simulate(stimuli, snr=snr, seed=1)
        hits.append(count_hits(decode(voxels, n_voxels=100, C=0.01), voxels))
    assert hits == sorted(hits) and hits[2] > 64, hits


def shuffled(voxels, seed):
    return voxels.take(np.random.default_rng(seed).permutation(len(voxels.data)))


@pytest.mark.parametrize("normalise", ["run", "fold"])
def test_permuted_order_of_trials_changes_nothing(normalise):
    # Each image twice within its run, which leaves only the voxels to tell the trials apart.
    voxels = make_voxels(shows=2, voxels=20, signal=0.6)
    voxels = replace(voxels, run=(voxels.run - 1) % 4)
    settings = {"n_voxels": 8, "C": 0.1, "calibrate": True, "normalise": normalise}
    expected = decode(voxels, **settings).arrays()
    for seed in range(3):
        for name, array in decode(shuffled(voxels, seed), **settings).arrays().items():
            np.testing.assert_array_equal(array, expected[name])


def test_permuted_order_of_a_files_trials_changes_nothing(tmp_path):
    voxels = make_voxels(voxels=20, signal=0.6)
    settings = {"folds": {"by": "image"}, "normalise": "run", "select": "f-score", "voxels": 8}
    settings |= {"calibrate": True, "own": {"C": [0.1]}}
    meta = np.array(json.dumps({"dataset": "tiny", "simulated": True, "format": FORMAT}))
    results = []
    for name, given in (("one", voxels), ("two", shuffled(voxels, 1))):
        path = tmp_path / f"{name}.npz"
        np.savez(path, data=given.data, **given.columns(), meta=meta)
        cell = DecodeCell(
            name="x", subject="S1", roi="V1", decoder="logistic", voxels=FileInput.of(path),
            settings=settings, superclass={},
        )  # fmt: skip
        results.append(cell.run(Shared()).arrays())
        # It says which file it was made from, by its content: another order, another file.
        meta_of = json.loads(str(results[-1]["meta"]))
        assert meta_of.pop("fingerprint") == cell.fingerprint()
        results[-1]["meta"] = np.array(json.dumps(meta_of))
    assert list(results[0]) == list(results[1])
    for name in results[0]:
        np.testing.assert_array_equal(results[0][name], results[1][name])


def leaky_plan(plan):
    """The plan, but every fold is fitted on the images it predicts too; past the constructor."""
    leaky = object.__new__(FoldPlan)
    everything = np.unique(np.concatenate(plan.predict))
    for name, value in (("fit", (everything,) * len(plan.predict)), ("predict", plan.predict)):
        object.__setattr__(leaky, name, value)
    object.__setattr__(leaky, "by", plan.by)
    return leaky


def test_planted_leak_is_caught(stimuli):
    voxels = simulate(stimuli, snr=0, seed=SEEDS[0])
    plan = plan_for(voxels, by="image")
    image = str(plan.predict[2][0])

    # An image's own trial in its training fold: no such plan can be made.
    fit = [*plan.fit[:2], np.append(plan.fit[2], image), *plan.fit[3:]]
    refuses(
        f"image '{image}' is on both sides of fold 2",
        FoldPlan,
        fit=tuple(fit),
        predict=plan.predict,
        by="image",
    )

    # Were it made, noise would score so far above chance that the test above turns red.
    settings = {"n_voxels": 40, "C": 0.01}
    honest = count_hits(decode(voxels, plan, **settings), voxels)
    leaking = count_hits(decode(voxels, leaky_plan(plan), **settings), voxels)
    assert p_of_chance(honest, 128, CATEGORIES) > 0.001
    assert leaking > 64 and p_of_chance(leaking, 128, CATEGORIES) < 1e-30


def test_a_leak_through_the_choice_of_voxels_is_caught(monkeypatch):
    """Voxels chosen outside the fold, on noise: the test of balanced runs turns red."""
    fold_wise, honest, leaking = driver.best_voxels, [], []
    for seed in SEEDS[:3]:
        voxels = make_voxels(categories=8, images=12, voxels=400, signal=0, seed=seed)
        voxels = training_trials(voxels)
        plan = plan_for(voxels, by="run")
        scaled, _ = driver.prepared(voxels, driver.trial_pairs(voxels, plan), "run")
        all_trials = [(np.arange(len(scaled)), np.arange(0))]
        number = driver.class_numbers(voxels)
        (everywhere,) = fold_wise(scaled, number, all_trials, 20, by="f-score")

        def leak(data, category, pairs, count, *, everywhere=everywhere, **how):
            return [everywhere] * len(pairs)

        for choose, hits in ((fold_wise, honest), (leak, leaking)):
            monkeypatch.setattr(driver, "best_voxels", choose)
            hits.append(count_hits(decode(voxels, plan, n_voxels=20, C=0.1), voxels))
    assert all(p_of_chance(hits, 96, 8) < 1e-12 for hits in leaking), leaking
    assert sum(honest) < 0.5 * sum(leaking), (honest, leaking)


def test_a_leak_through_the_scale_is_caught(monkeypatch):
    """Noise, each category once a run, images left out: scaled by all of its run, it decodes.

    A run's z-scored trials then sum to 0: a held-out trial is minus the sum of its run-mates, which
    were fitted on and are not of its category. 30 other seeds gave 19.0 of 96, chance 12.
    """
    honest, leaking = [], []
    for whole, hits in ((None, honest), (lambda *_: True, leaking)):
        if whole:
            monkeypatch.setattr(driver, "runs_stay_whole", whole)
        for seed in SEEDS:
            voxels = make_voxels(categories=8, images=12, voxels=60, signal=0, seed=seed)
            hits.append(count_hits(decode(voxels, n_voxels=60, C=0.1), voxels))
    n = 96 * len(SEEDS)
    assert p_of_chance(sum(honest), n, 8) > 0.001, honest
    assert p_of_chance(sum(leaking), n, 8) < 1e-6 and sum(leaking) > n / 8, leaking
